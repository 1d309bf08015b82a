from __future__ import annotations

import pytest

from drillbook.drivers.credentials import read
from drillbook.ports import Unreachable

TOKEN = "vault-token-4711"  # noqa: S105 - planted


def test_from_a_file(tmp_path):
    (tmp_path / "token").write_text("of-a-file\n")
    assert read(f"file:{tmp_path / 'token'}", {}) == "of-a-file"


def test_from_the_environment():
    assert read("env:MINE", {"MINE": "of-a-variable"}) == "of-a-variable"


@pytest.mark.parametrize("data", [{"key": "of-a-vault"}, {"data": {"key": "of-a-vault"}, "metadata": {}}])
def test_from_a_vault(server, tmp_path, data):
    server.says(200, {"data": data})
    (tmp_path / "own").write_text(TOKEN)
    assert read("vault:secret/data/a b#key", {"VAULT_ADDR": server.url, "VAULT_TOKEN": TOKEN}) == "of-a-vault"
    assert read("vault:x#key", {"VAULT_ADDR": server.url, "VAULT_TOKEN_FILE": str(tmp_path / "own")}) == "of-a-vault"
    assert [asked.headers["x-vault-token"] for asked in server.asked] == [TOKEN] * 2
    assert server.asked[0].path == "/v1/secret/data/a%20b"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, {"errors": ["denied"]}),
        (200, b"<html>"),
        (200, []),
        (200, {"data": 3}),
        (200, {"data": {}}),
        (200, b"[" * 99999),
    ],
)
def test_a_vault_that_gives_none_is_named_and_its_token_is_not(server, status, body):
    server.says(status, body)
    with pytest.raises(Unreachable) as refused:
        read("vault:secret/x#key", {"VAULT_ADDR": server.url, "VAULT_TOKEN": TOKEN})
    assert "secret/x" in str(refused.value)
    assert TOKEN not in str(refused.value)


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("file:/nowhere/token", "/nowhere/token cannot be read"),
        ("env:NOT_SET", "no credential at env:NOT_SET"),
        ("vault:secret/x#key", "VAULT_ADDR"),
        ("vault:secret/x", "#KEY"),
        ("secret/x", "names no credential"),
    ],
)
def test_what_is_not_there_is_said(reference, says):
    with pytest.raises(Unreachable, match=says):
        read(reference, {})


def test_a_credential_that_would_add_headers_is_refused():
    with pytest.raises(Unreachable, match="characters"):
        read("env:MINE", {"MINE": "a\r\nX-Injected: b"})
