"""Files sent on from one real object store to another, with the settings and identities that the twin makes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from drillbook.drivers.object_bucket import ObjectBucket
from drillbook.ports import Unreachable
from drillbook.twin import backups, files, pki
from drillbook.twin.layout import PROFILES
from tests.integration.system.conftest import SYSTEM, free_port

pytestmark = pytest.mark.slow

WEED = Path(sys.executable).with_name("weed")
READY_WITHIN_S = 60.0
ARRIVES_WITHIN_S = 30.0
STAGING = PROFILES["staging"]


def serve(directory: Path, authority: pki.Authority):
    """A store on loopback, in one process as the chart starts it."""
    directory.mkdir()
    leaf = authority.issue(directory.name, user="objectstore", hosts=["127.0.0.1"])
    (directory / "identities.json").write_text(
        backups.secret_values(STAGING, STAGING.regions[0])["objectstore-identities"]["identities.json"]
    )
    ports = {name: low_port() for name in ("master.port", "volume.port", "filer.port", "s3.port", "s3.port.https")}
    command = [
        WEED, "-logtostderr=true", "server", f"-dir={directory}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
        "-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-volume.max=32", "-filer", "-s3",
        "-s3.ip.bind=127.0.0.1", "-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.port.grpc={free_port()}",
        f"-s3.cert.file={leaf.certificate}", f"-s3.key.file={leaf.key}", f"-s3.config={directory}/identities.json",
        *(f"-{name}={port}" for name, port in ports.items()),
    ]  # fmt: skip
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={"HOME": str(directory)})
    return process, f"https://127.0.0.1:{ports['s3.port.https']}", f"127.0.0.1:{ports['filer.port']}"


def low_port() -> int:
    """One whose port of gRPC, 10000 above, is a port as well."""
    while (port := free_port()) > 55000:
        pass
    return port


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """Both regions' buckets, of their owner; and how the one is sent to the other."""
    state = tmp_path_factory.mktemp("state")
    before = os.environ.get("DRILLBOOK_STATE")
    os.environ["DRILLBOOK_STATE"] = str(state)
    processes = []
    try:
        authority = backups.authority()
        buckets, filers = [], []
        for region in STAGING.regions:
            process, url, filer = serve(state / region.name, authority)
            processes.append(process)
            filers.append(filer)
            buckets.append(ObjectBucket(region.name, url, backups.FILES, key("owner"), authority.certificate))
        for bucket in buckets:
            make(bucket)
        processes.append(send_on(state, filers[0], buckets[1]))
        yield buckets
    finally:
        for process in processes:
            process.terminate()
            process.wait(READY_WITHIN_S)
        if before is None:
            del os.environ["DRILLBOOK_STATE"]
        else:
            os.environ["DRILLBOOK_STATE"] = before


def key(name):
    return lambda: f"{backups.key(name).access}:{backups.key(name).secret}"


def make(bucket):
    give_up = time.monotonic() + READY_WITHIN_S
    while not made(bucket):
        assert time.monotonic() < give_up, f"{bucket.endpoint} takes no bucket"
        time.sleep(0.5)


def made(bucket) -> bool:
    try:
        bucket._asked(bucket._client(), "create_bucket")
    except Unreachable:
        return False
    return True


def send_on(state: Path, filer: str, target: ObjectBucket) -> subprocess.Popen:
    """The command of the chart's container, with the twin's settings, but for where things are."""
    settings = files.secret_values(STAGING, STAGING.regions[0])["objectstore-replication"]
    (state / "replication.toml").write_text(
        re.sub(r'endpoint = ".*"', f'endpoint = "{target.endpoint}"', settings["replication.toml"])
    )
    (state / "ca.crt").write_text(settings["ca.crt"])
    chart = (SYSTEM / "charts" / "platform" / "templates" / "objectstore.yaml").read_text()
    flags = re.findall(r"^ +- (-filer\S+|-doDeleteFiles)$", chart, re.MULTILINE)
    assert flags == ["-filer=127.0.0.1:8888", "-filerProxy", "-doDeleteFiles"]
    command = [WEED, "-logtostderr=true", "filer.backup", f"-filer={filer}", "-filerPath=/buckets/files", *flags[1:]]
    with (state / "log").open("wb") as log:
        environment = {"HOME": str(state), "AWS_CA_BUNDLE": str(state / "ca.crt")}
        return subprocess.Popen(command, cwd=state, stdout=log, stderr=log, env=environment)


def wait_until_same(stores):
    give_up = time.monotonic() + ARRIVES_WITHIN_S
    while (east := dict(stores[0].digests())) != (west := dict(stores[1].digests())):
        assert time.monotonic() < give_up, json.dumps({"east": east, "west": west}, indent=1)
        time.sleep(0.1)
    return east


def test_every_file_is_sent_on_whatever_its_name_and_size(stores):
    platform = replace(stores[0], key=key("platform"))
    for name in files._SIZES:
        platform.put(name, files.content(name))
    assert wait_until_same(stores).keys() == files._SIZES.keys()


def test_what_is_changed_or_removed_is_so_there(stores):
    drill = replace(stores[0], key=key("state"))
    drill.put("drillbook/one", b"first")
    wait_until_same(stores)
    drill.put("drillbook/one", b"second")
    assert "drillbook/one" in wait_until_same(stores)
    drill.remove("drillbook/one")
    drill.remove("drillbook/one")
    assert "drillbook/one" not in wait_until_same(stores)
    assert drill.digest("drillbook/one") == ""


def test_a_drills_key_writes_and_removes_in_its_own_folder_alone(stores):
    for store in stores:
        drill = replace(store, key=key("state"))
        assert drill.digests() == store.digests()
        with pytest.raises(Unreachable, match="refuses put_object: AccessDenied"):
            drill.put("reports/mine", b"x")
        with pytest.raises(Unreachable, match="refuses delete_object: AccessDenied"):
            drill.remove("exports/empty.csv")
        drill.remove("drillbook/nothing")


def test_a_store_that_is_not_there_is_named(stores):
    gone = replace(stores[0], endpoint=f"https://127.0.0.1:{free_port()}", key=key("state"))
    with pytest.raises(Unreachable, match=r"the bucket files in us-east-1 .* was not reached"):
        gone.digests()
