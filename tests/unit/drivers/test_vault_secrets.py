"""What a vault answers for a secret, and what is none of its answers."""

from __future__ import annotations

import json

import pytest

from drillbook.drivers.vault_secrets import VaultSecrets
from drillbook.ports import Unreachable

WHOLE = {"data": {"data": {"value": "s3cret"}, "metadata": {"version": 3}}}


@pytest.fixture
def vault(server) -> VaultSecrets:
    server.says(200, WHOLE)
    return VaultSecrets("east", server.url, "secret", lambda: "token")


def test_a_secret_is_known_by_its_version_and_a_digest(vault) -> None:
    version, _, digest = vault.digest("drillbook/marker", b"key").partition(":")
    assert (version, len(digest)) == ("3", 64)


def test_a_secret_that_is_gone_has_no_digest(server, vault) -> None:
    server.says(404, {"errors": []})
    assert not vault.digest("drillbook/marker", b"key")


@pytest.mark.parametrize(
    "answer",
    [b"<html>under maintenance</html>", [], {"data": "s3cret"}, {"data": {}}, {"data": {"data": {}, "metadata": 0}}],
    ids=["no JSON", "a list", "no engine's", "no secret's", "no version"],
)
def test_an_answer_that_is_no_secret_is_told_without_what_it_holds(server, vault, answer) -> None:
    server.says(200, answer)
    with pytest.raises(Unreachable, match=r"vault in east .* is nothing of a vault's") as told:
        vault.digest("drillbook/marker", b"key")
    assert "s3cret" not in str(told.value)


@pytest.mark.parametrize("answer", [{"data": {}}, {"data": {"keys": None}}])
def test_a_folder_that_has_no_names_is_told(server, vault, answer) -> None:
    def says(asked):
        return {"sealed": False} if asked.path.endswith("seal-status") else answer

    server.answer = lambda asked: (200, {}, json.dumps(says(asked)).encode())
    with pytest.raises(Unreachable, match="is nothing of a vault's"):
        vault.digests(b"key")
