"""Signing by a vault's transit engine, with a vault that a test scripts."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from drillbook.drivers.vault import Vault
from drillbook.ports import Unreachable

TOKEN = "vault-token-4711"  # noqa: S105 - planted


class Transit:
    """A transit engine with one key."""

    def __init__(self, **shown) -> None:
        self.key = Ed25519PrivateKey.generate()
        public = base64.b64encode(self.key.public_key().public_bytes_raw()).decode()
        self.shown = {"type": "ed25519", "latest_version": 2, "keys": {"2": {"public_key": public}}, **shown}

    def __call__(self, asked):
        if asked.headers.get("x-vault-token") != TOKEN:
            return 403, {}, b'{"errors":["permission denied"]}'
        if asked.path == "/v1/keys/team/keys/evidence":
            return 200, {}, json.dumps({"data": self.shown}).encode()
        if asked.path == "/v1/keys/team/sign/evidence":
            signature = self.key.sign(base64.b64decode(asked.json["input"]))
            return (
                200,
                {},
                json.dumps({"data": {"signature": f"vault:v2:{base64.b64encode(signature).decode()}"}}).encode(),
            )
        return 404, {}, b"{}"


@pytest.fixture
def vault(server):
    server.answer = Transit()
    return Vault(server.url, TOKEN)


def test_what_the_vault_signs_is_its_keys(vault, server):
    assert vault.public_key("keys/team", "evidence") == server.answer.key.public_key().public_bytes_raw()
    server.answer.key.public_key().verify(vault.signature("keys/team", "evidence", b"data"), b"data")


@pytest.mark.parametrize("shown", [{"type": "rsa-2048"}, {"keys": {}}, {"latest_version": None}])
def test_a_key_of_another_kind_is_refused(server, shown):
    server.answer = Transit(**shown)
    with pytest.raises(Unreachable, match="type ed25519"):
        Vault(server.url, TOKEN).public_key("keys/team", "evidence")


@pytest.mark.parametrize(("mount", "token"), [("elsewhere", TOKEN), ("keys/team", "another")])
def test_what_may_not_be_done_is_said_without_the_token(server, mount, token):
    server.answer = Transit()
    asker = Vault(server.url, token)
    for ask in (lambda: asker.public_key(mount, "evidence"), lambda: asker.signature(mount, "evidence", b"")):
        with pytest.raises(Unreachable) as refused:
            ask()
        assert token not in str(refused.value)


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b'{"data": 3}', b'{"data": {"signature": "vault:v1:%%"}}', b"[" * 99999]
)
def test_an_odd_answer_signs_nothing(server, body):
    server.says(200, body)
    with pytest.raises(Unreachable):
        Vault(server.url, TOKEN).signature("transit", "evidence", b"data")
