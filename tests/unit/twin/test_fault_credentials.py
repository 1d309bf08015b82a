"""Who may seal the vault is made once the vault takes it, also when it has only begun."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from drillbook.twin import fault_credentials
from drillbook.twin.kubectl import ClusterError


class Vault(BaseHTTPRequestHandler):
    """Sends whoever writes to an address of the cluster, as often as `begins` says."""

    begins = 1

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind = type(self)
        if self.command == "PUT" and kind.begins > 0:
            kind.begins -= 1
            self.send_response(307)
            self.send_header("Location", "http://vault.invalid/v1/sys/policies/acl/drillbook-seal")
        else:
            self.send_response(204 if self.command == "PUT" else 200)
        body = json.dumps({"auth": {"client_token": "may-seal"}}).encode()
        self.send_header("Content-Length", str(len(body) if self.command == "POST" else 0))
        self.end_headers()
        if self.command == "POST":
            self.wfile.write(body)

    do_GET = do_PUT = do_POST = answer  # noqa: N815 - the names that http.server looks for

    def log_message(self, *_: object) -> None:
        """Not told."""


@pytest.fixture(name="url")
def _url(tmp_path, monkeypatch):
    monkeypatch.setattr(fault_credentials, "directory", lambda: tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), Vault) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        server.shutdown()


def test_a_vault_that_does_not_lead_yet_is_asked_again(url, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(Vault, "begins", 1)
    fault_credentials.write_vault(url, "root", "key")
    assert (tmp_path / "vault-token").read_text() == "may-seal"
    assert (tmp_path / "vault-unseal-key").read_text() == "key"


def test_a_vault_that_never_leads_is_told_with_where_it_sends_to(url, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(Vault, "begins", 1000)
    monkeypatch.setattr(fault_credentials, "_READY_WITHIN_S", 0.1)
    with pytest.raises(ClusterError, match=r"does not answer: it sends to http://vault\.invalid/"):
        fault_credentials.write_vault(url, "root", "key")
    assert not (tmp_path / "vault-token").exists()
