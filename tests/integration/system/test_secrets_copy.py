"""Secrets copied from one real vault to another, with the twin's tokens for that, and compared by digests."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import copier
import pytest
import requests

from drillbook.actions.state import State, WriteMarker
from drillbook.drivers.vault_secrets import VaultSecrets
from drillbook.ports import Conflict, Unreachable
from drillbook.twin import pki, vault_contents
from drillbook.twin.layout import PROFILES
from tests.integration.system.conftest import free_port

pytestmark = pytest.mark.slow

BAO = Path(sys.executable).with_name("bao")
READY_WITHIN_S = 20.0
EAST, WEST = PROFILES["staging"].regions
PLATFORM = {"analytics/database": {"password": "pässword one"}, "data/replication": {"user": "r", "password": "two"}}
KEY = b"of this test"


@dataclass
class Server:
    """A vault of the test's own, on loopback."""

    plain: str
    tls: str
    root: str
    unseal: str
    authorities: Path

    def ask(self, method: str, path: str, body: object = None, token: str = "") -> requests.Response:
        headers = {"X-Vault-Token": token or self.root}
        return requests.request(method, f"{self.plain}/v1/{path}", json=body, headers=headers, timeout=10)

    def put(self, name: str, **value: str) -> None:
        self.ask("POST", f"platform/data/{name}", {"data": value}).raise_for_status()

    def wipe(self) -> None:
        for folder in ("analytics", "data", "drillbook"):
            found = self.ask("GET", f"platform/metadata/{folder}?list=true").json().get("data", {}).get("keys", ())
            for name in found:
                self.ask("DELETE", f"platform/metadata/{folder}/{name}").raise_for_status()


def serve(directory: Path, authority: pki.Authority):
    directory.mkdir()
    leaf = authority.issue(directory.name, user="openbao", hosts=["127.0.0.1"])
    port, tls, cluster = free_port(), free_port(), free_port()
    (directory / "config.hcl").write_text(f"""
storage "inmem" {{}}
listener "tcp" {{
  address = "127.0.0.1:{port}"
  tls_disable = true
}}
listener "tcp" {{
  address = "127.0.0.1:{tls}"
  tls_cert_file = "{leaf.certificate}"
  tls_key_file = "{leaf.key}"
}}
api_addr = "http://127.0.0.1:{port}"
cluster_addr = "http://127.0.0.1:{cluster}"
""")
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [BAO, "server", f"-config={directory}/config.hcl"], stdout=log, stderr=log, env={"HOME": str(directory)}
        )
    url, give_up = f"http://127.0.0.1:{port}", time.monotonic() + READY_WITHIN_S
    while not answers(f"{url}/v1/sys/seal-status"):
        assert time.monotonic() < give_up, (directory / "log").read_text()
        assert process.poll() is None, (directory / "log").read_text()
        time.sleep(0.05)
    made = requests.put(f"{url}/v1/sys/init", json={"secret_shares": 1, "secret_threshold": 1}, timeout=10).json()
    requests.put(f"{url}/v1/sys/unseal", json={"key": made["keys"][0]}, timeout=10).raise_for_status()
    while requests.get(f"{url}/v1/sys/health", timeout=10).status_code != 200:
        assert time.monotonic() < give_up, "it does not become active"
        time.sleep(0.05)
    server = Server(url, f"https://127.0.0.1:{tls}", made["root_token"], made["keys"][0], authority.certificate)
    return process, server


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=1).ok
    except requests.RequestException:
        return False


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    directory = tmp_path_factory.mktemp("vaults")
    authority = pki.Authority(directory / "pki")
    processes = []
    try:
        found = []
        for name in ("east", "west"):
            process, server = serve(directory / name, authority)
            processes.append(process)
            found.append(server)
        yield found
    finally:
        for process in processes:
            process.terminate()
            process.wait(READY_WITHIN_S)


@pytest.fixture
def regions(servers, tmp_path, monkeypatch):
    monkeypatch.setenv("DRILLBOOK_STATE", str(tmp_path))
    for server, region in zip(servers, (EAST, WEST), strict=True):
        vault_contents.fill(f"{server.plain}/v1", server.root, region, PLATFORM)
        vault_contents.fill(f"{server.plain}/v1", server.root, region, PLATFORM)
    yield servers
    for server in servers:
        server.wipe()


@pytest.fixture
def ends(regions, tmp_path):
    """The two vaults as the copier has them."""
    (tmp_path / "tokens").mkdir()
    made = []
    for server, region in zip(regions, (EAST, WEST), strict=True):
        token = tmp_path / "tokens" / region.name
        token.write_text(vault_contents.token("copy", region))
        made.append(copier.Vault(server.tls, "platform", token, server.authorities))
    return made


@pytest.fixture
def stores(regions):
    """The two vaults as drills have them."""
    return [
        VaultSecrets(
            region.name, server.tls, "platform", lambda r=region: vault_contents.token("state", r), server.authorities
        )
        for server, region in zip(regions, (EAST, WEST), strict=True)
    ]


def same(stores) -> bool:
    east, west = (store.digests(KEY) for store in stores)
    return east == west


def test_every_secret_is_copied_in_its_version_and_then_nothing_is_left_to_do(ends, stores, regions):
    regions[0].put("data/replication", user="r", word="rotated")
    assert len(stores[0].digests(KEY)) == 2
    assert stores[1].digests(KEY) == {}
    assert sorted(copier.copy_all(*ends)) == [
        "analytics/database: copied version 1", "data/replication: copied version 1",
        "data/replication: copied version 2",
    ]  # fmt: skip
    assert same(stores)
    assert stores[1].digests(KEY)["data/replication"].startswith("2:")
    assert list(copier.copy_all(*ends)) == []


def test_what_is_said_and_compared_holds_no_secret(ends, stores, capsys):
    said = "\n".join(copier.copy_all(*ends)) + str(stores[0].digests(KEY))
    assert "pässword" not in said
    assert "pässword" not in "".join(capsys.readouterr())
    assert stores[0].digests(b"another")["analytics/database"] != stores[0].digests(KEY)["analytics/database"]


def test_what_is_removed_there_is_removed_here(ends, stores, regions):
    list(copier.copy_all(*ends))
    regions[0].ask("DELETE", "platform/metadata/data/replication").raise_for_status()
    assert list(copier.copy_all(*ends)) == ["data/replication: removed, as it was there"]
    assert same(stores)


def test_a_deleted_version_is_not_to_be_read_here_either_until_it_is_there_again(ends, stores, regions):
    list(copier.copy_all(*ends))
    regions[0].ask("DELETE", "platform/data/data/replication").raise_for_status()
    list(copier.copy_all(*ends))
    assert stores[1].digests(KEY)["data/replication"] == "no value"
    regions[0].ask("POST", "platform/undelete/data/replication", {"versions": [1]}).raise_for_status()
    list(copier.copy_all(*ends))
    assert same(stores)
    regions[0].ask("PUT", "platform/destroy/data/replication", {"versions": [1]}).raise_for_status()
    list(copier.copy_all(*ends))
    assert stores[1].digests(KEY)["data/replication"] == "no value"


def test_a_secret_that_is_made_anew_begins_with_its_first_version(ends, stores, regions):
    regions[0].put("data/replication", word="rotated")
    list(copier.copy_all(*ends))
    regions[0].ask("DELETE", "platform/metadata/data/replication").raise_for_status()
    regions[0].put("data/replication", word="anew")
    list(copier.copy_all(*ends))
    assert same(stores)
    assert stores[1].digests(KEY)["data/replication"].startswith("1:")


def test_what_was_made_or_changed_here_is_left_alone(ends, stores, regions):
    regions[1].put("analytics/database", word="of the west")
    list(copier.copy_all(*ends))
    regions[1].put("data/replication", word="rotated while the west led")
    said = list(copier.copy_all(*ends))
    assert said == [
        "analytics/database: left alone, it was made here",
        "data/replication: left alone, it has version 2 here and 1 there",
    ]
    assert not same(stores)


def test_a_source_that_has_lost_everything_takes_nothing_with_it(ends, stores, regions):
    list(copier.copy_all(*ends))
    before = stores[1].digests(KEY)
    for name in PLATFORM:
        regions[0].ask("DELETE", f"platform/metadata/{name}").raise_for_status()
    assert list(copier.copy_all(*ends)) == ["the source has no secrets at all, so none is removed here"]
    assert stores[1].digests(KEY) == before


def test_the_copys_tokens_read_there_write_here_and_do_nothing_else(regions):
    east, west = regions
    there, here = vault_contents.token("copy", EAST), vault_contents.token("copy", WEST)
    assert east.ask("GET", "platform/data/analytics/database", token=there).status_code == 200
    assert east.ask("POST", "platform/data/analytics/x", {"data": {}}, token=there).status_code == 403
    assert east.ask("DELETE", "platform/metadata/analytics/database", token=there).status_code == 403
    assert west.ask("POST", "platform/data/analytics/x", {"data": {}}, token=here).status_code == 200
    assert west.ask("GET", "platform/data/analytics/x", token=here).status_code == 403
    for server, token in ((east, there), (west, here)):
        for method, path in (("GET", "sys/policies/acl"), ("PUT", "sys/seal"), ("POST", "auth/token/create")):
            assert server.ask(method, path, {}, token=token).status_code == 403, path
        assert server.ask("POST", "auth/token/renew-self", {}, token=token).status_code == 200


def test_a_drills_token_writes_in_its_own_folder_alone(stores):
    stores[0].put("drillbook/marker", "x")
    with pytest.raises(Unreachable, match=r"refuses POST platform/data/analytics/database \(403\)"):
        stores[0].put("analytics/database", "x")
    with pytest.raises(Unreachable, match="refuses DELETE"):
        stores[0].remove("analytics/database")
    with pytest.raises(Unreachable, match="refuses POST"):
        stores[1].put("drillbook/marker", "x")
    stores[0].remove("drillbook/marker")
    stores[1].remove("drillbook/marker")
    assert stores[0].digest("drillbook/marker", KEY) == ""


def test_a_marker_arrives_is_changed_and_is_removed_in_both(ends, stores):
    state = State("us-east-1", "us-west-2", {}, {it.region: it for it in stores}, SimpleNamespace(now=lambda: 0.0))
    marker = state.make("write-marker-secret", {"marker": "drillbook/one"})
    assert isinstance(marker, WriteMarker)
    assert marker.observe_undone(marker.capture()).holds
    marker.do()
    assert marker.observe().holds
    assert state.digest("secret", "us-west-2", "drillbook/one") == ""
    first = state.digest("secret", "us-east-1", "drillbook/one")
    list(copier.copy_all(*ends))
    assert state.digest("secret", "us-west-2", "drillbook/one") == first
    marker.do()
    assert state.digest("secret", "us-east-1", "drillbook/one") != first
    with pytest.raises(Conflict, match="there is a secret drillbook/one already"):
        marker.capture()
    assert not marker.observe_undone({}).holds
    marker.undo({})
    marker.undo({})
    assert marker.observe_undone({}).holds


def test_a_sealed_vault_has_nothing_that_can_be_read(regions, stores):
    west = regions[1]
    west.ask("PUT", "sys/seal").raise_for_status()
    try:
        assert stores[1].digests(KEY) == {}
        with pytest.raises(Unreachable):
            stores[1].remove("drillbook/marker")
    finally:
        west.ask("PUT", "sys/unseal", {"key": west.unseal}).raise_for_status()
        give_up = time.monotonic() + READY_WITHIN_S
        while requests.get(f"{west.plain}/v1/sys/health", timeout=10).status_code != 200:
            assert time.monotonic() < give_up, "it does not open again"
            time.sleep(0.05)
