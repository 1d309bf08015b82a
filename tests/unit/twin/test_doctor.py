"""How much disk the twin needs depends on what it has taken already."""

from __future__ import annotations

import shutil
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from drillbook.twin import doctor, state
from drillbook.twin.state import Ownership

if TYPE_CHECKING:
    from pathlib import Path

_GIB = 2**30


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that has neither a twin nor anything built for one."""
    monkeypatch.setenv("DRILLBOOK_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("DRILLBOOK_CACHE", str(tmp_path / "cache"))
    return tmp_path


def disk_with(free_gib: float, monkeypatch: pytest.MonkeyPatch) -> doctor.Finding:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=free_gib * _GIB))
    return doctor._disk()


def build(machine: Path) -> None:
    (machine / "cache" / "entries" / f"kubernetes-{'0' * 32}").mkdir(parents=True)


def test_a_first_twin_needs_room_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    assert disk_with(12.1, monkeypatch).healthy
    found = disk_with(11.5, monkeypatch)
    assert not found.healthy
    assert found.found.startswith("11.5 GiB free")
    assert found.remedy.startswith("free 0.5 GiB, or set DRILLBOOK_STATE")


def test_what_is_built_needs_no_room_again(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(machine)
    assert disk_with(4.1, monkeypatch).healthy
    assert not disk_with(3.9, monkeypatch).healthy


@pytest.mark.parametrize("complete", [True, False])
def test_a_twin_that_was_begun_had_that_room(complete: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is gone on with on what is left of it."""
    state.write(Ownership("/here", "staging", complete=complete))
    assert disk_with(1.1, monkeypatch).healthy
    assert not disk_with(0.9, monkeypatch).healthy
