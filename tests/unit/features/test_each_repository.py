"""Each repository is restored alone: one that the backups' host does not list is restored by nobody."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from drillbook.drills import backup
from drillbook.ports import Unreachable

TWO = {"us-east-1": "store-east", "us-west-2": "store-west"}


@pytest.mark.parametrize(
    ("keys", "repositories"), [((1,), TWO), ((), TWO), ((), {})], ids=["one of two", "none of two", "none"]
)
def test_one_that_is_not_listed_is_told_before_anything_is_restored(keys, repositories) -> None:
    environment = SimpleNamespace(recovery=SimpleNamespace(repositories=repositories))
    drill: Any = SimpleNamespace(platform=SimpleNamespace(environment=environment))
    nobody: Any = None
    with pytest.raises(Unreachable, match=rf"lists {len(keys)} repositories"):
        backup.restore_each(drill, nobody, nobody, "2026-11-30 06:00:00+00", keys)


@pytest.mark.parametrize(("keys", "repositories"), [((1, 2), TWO), ((1,), {})], ids=["both", "as nobody says more"])
def test_all_that_are_listed_are_restored(tmp_path, monkeypatch, keys, repositories) -> None:
    environment = SimpleNamespace(recovery=SimpleNamespace(repositories=repositories))
    drill: Any = SimpleNamespace(
        platform=SimpleNamespace(environment=environment), folder=tmp_path,
        timeline=SimpleNamespace(record=lambda *_, **__: None),
    )  # fmt: skip
    restored: list[int] = []
    host: Any = SimpleNamespace(restore=lambda _mark, key, *_: restored.append(key) or "")
    recovery: Any = SimpleNamespace(written="")
    for name in ("_keep_moment", "_told", "_prefix", "mark", "write_text"):
        monkeypatch.setattr(backup, name, lambda *_: "")
    monkeypatch.setattr(backup.restores, "moment", lambda _folder: backup.restores.Moment(0, 0, "", ()))
    backup.restore_each(drill, recovery, host, "now", keys)
    assert restored == list(keys)
