"""The key that pods sign sessions with is what their own region's vault has, and nothing else."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from drillbook.twin import sessions
from drillbook.twin.kubectl import ClusterError
from drillbook.twin.layout import PROFILES

EAST, WEST = PROFILES["staging"].regions


@pytest.fixture
def vaults(monkeypatch, tmp_path):
    """Region's URL to the answers of its vault, one after the other; the last one stays."""
    answers: dict[str, list[SimpleNamespace]] = {}
    made = tmp_path / "made.json"
    made.write_text(json.dumps({"root_token": "root"}))
    monkeypatch.setattr(sessions.vaults, "made", lambda _region: made)

    def ask(_method, url, given, _body=None):
        assert given == "root"
        assert url.endswith("/platform/data/analytics/sessions")
        kept = answers[url.removesuffix("/platform/data/analytics/sessions")]
        return kept.pop(0) if len(kept) > 1 else kept[0]

    monkeypatch.setattr(sessions.fault_credentials, "ask", ask)
    return answers


def holding(key):
    return SimpleNamespace(ok=True, json=lambda: {"data": {"data": {"key": key}}})


def test_a_region_takes_the_key_that_its_own_vault_has_once_it_has_it(vaults) -> None:
    vaults[sessions.vaults.url(EAST)] = [holding("of the east")]
    vaults[sessions.vaults.url(WEST)] = [SimpleNamespace(ok=False, status_code=404), holding("of the west")]
    assert sessions.in_vault_of(EAST, deadline_s=1) == {"key": "of the east"}
    assert sessions.in_vault_of(WEST, deadline_s=5) == {"key": "of the west"}


def test_a_vault_that_is_never_given_the_key_is_named(vaults) -> None:
    vaults[sessions.vaults.url(WEST)] = [SimpleNamespace(ok=False, status_code=404)]
    with pytest.raises(ClusterError, match="data/analytics/sessions answers 404"):
        sessions.in_vault_of(WEST, deadline_s=0)


def test_every_new_key_is_another_one_and_long_enough_for_the_service() -> None:
    keys = {sessions.new()["key"] for _ in range(20)}
    assert len(keys) == 20
    assert min(map(len, keys)) >= 32
