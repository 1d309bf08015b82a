"""A real vault, sealed with a token that may do nothing else, and opened again."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from drillbook.drivers.vault_seal import SealedVault
from drillbook.twin import fault_credentials
from tests.integration.system.conftest import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

BAO = Path(sys.executable).with_name("bao")
READY_WITHIN_S = 20.0


@dataclass(frozen=True)
class Vault:
    url: str
    root_token: str
    unseal_key: str


@pytest.fixture(scope="module")
def vault(tmp_path_factory) -> Iterator[Vault]:
    """A server of the test's own, on loopback, initialised as the twin does it."""
    directory, port = tmp_path_factory.mktemp("vault"), free_port()
    (directory / "data").mkdir()
    cluster = free_port()
    (directory / "config.hcl").write_text(f"""
storage "raft" {{
  path = "{directory}/data"
  node_id = "test"
}}
listener "tcp" {{
  address = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{cluster}"
  tls_disable = true
}}
api_addr = "http://127.0.0.1:{port}"
cluster_addr = "http://127.0.0.1:{cluster}"
""")
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [BAO, "server", f"-config={directory}/config.hcl"], stdout=log, stderr=log, env={"HOME": str(directory)}
        )
    url = f"http://127.0.0.1:{port}"
    try:
        give_up = time.monotonic() + READY_WITHIN_S
        while not answers(url):
            assert time.monotonic() < give_up, (directory / "log").read_text()
            assert process.poll() is None, (directory / "log").read_text()
            time.sleep(0.05)
        made = requests.put(f"{url}/v1/sys/init", json={"secret_shares": 1, "secret_threshold": 1}, timeout=10).json()
        requests.put(f"{url}/v1/sys/unseal", json={"key": made["keys"][0]}, timeout=10).raise_for_status()
        while requests.get(f"{url}/v1/sys/health", timeout=10).status_code != 200:
            assert time.monotonic() < give_up, "it does not become active"
            time.sleep(0.05)
        yield Vault(url, made["root_token"], made["keys"][0])
    finally:
        process.terminate()
        process.wait(READY_WITHIN_S)


def answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/v1/sys/seal-status", timeout=1).ok
    except requests.RequestException:
        return False


@pytest.fixture
def pair(vault, tmp_path, monkeypatch) -> SealedVault:
    monkeypatch.setenv("DRILLBOOK_STATE", str(tmp_path))
    fault_credentials.write_vault(f"{vault.url}/v1", vault.root_token, vault.unseal_key)
    kept = fault_credentials.directory()
    return SealedVault(vault.url, (kept / "vault-token").read_text, (kept / "vault-unseal-key").read_text)


def test_a_vault_is_sealed_and_opened_again(pair):
    assert pair.look({}).well
    pair.take()
    assert pair.look({}).gone
    pair.give_back({})
    pair.give_back({})
    assert pair.look({}).well


def test_the_token_may_seal_and_nothing_else(vault, pair):
    token = {"X-Vault-Token": pair.token()}
    for method, path in (("GET", "sys/policies/acl"), ("GET", "sys/mounts"), ("POST", "auth/token/create")):
        assert requests.request(method, f"{vault.url}/v1/{path}", headers=token, timeout=10).status_code == 403, path


def test_a_token_that_is_good_is_kept_and_one_that_is_not_is_replaced(vault, pair):
    first = pair.token()
    fault_credentials.write_vault(f"{vault.url}/v1", vault.root_token, vault.unseal_key)
    assert pair.token() == first
    (fault_credentials.directory() / "vault-token").write_text("of another vault")
    fault_credentials.write_vault(f"{vault.url}/v1", vault.root_token, vault.unseal_key)
    assert pair.token() not in {first, "of another vault"}
    for path in fault_credentials.directory().iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
