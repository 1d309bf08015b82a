"""A twin that is being taken down is none any more, wherever that was interrupted."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from drillbook.twin import down, fabric, groups, machines, state
from drillbook.twin.layout import state_directory
from drillbook.twin.state import Ownership

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def twin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state of a twin that has neither network nor processes."""
    monkeypatch.setenv("DRILLBOOK_STATE", str(tmp_path))
    monkeypatch.setattr(fabric, "_NAMESPACES", tmp_path / "netns")
    monkeypatch.setattr(groups, "_ROOT", tmp_path / "cgroup")
    monkeypatch.setattr(machines, "processes_in", lambda _namespaces: [])
    monkeypatch.setattr(down, "_MOUNT_POINTS", ())
    state.write(Ownership(state.checkout(), "staging", complete=True))
    (state_directory() / "database.json").write_text("{}")
    volume = state_directory() / "machines" / "use1-n1" / "volumes" / "postgres"
    volume.mkdir(parents=True)
    (volume / "PG_VERSION").write_text("15")
    return tmp_path


class Killed(BaseException):
    """As a signal would end it."""


@pytest.fixture
def killed_while_deleting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A `twin down` that gets as far as the first file."""

    def rmtree(directory: Path, **_options) -> None:
        (directory / "database.json").unlink()
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", rmtree)
        with pytest.raises(Killed):
            down.take_down(lambda _text: None)


@pytest.mark.usefixtures("killed_while_deleting")
def test_nobody_takes_what_is_half_deleted_for_a_twin() -> None:
    """Passwords would be made anew for a database that has the old ones."""
    assert state.read() is None
    assert not state_directory().exists()


@pytest.mark.usefixtures("killed_while_deleting")
def test_what_is_half_deleted_is_known_and_goes_with_the_next(twin: Path) -> None:
    left = down.remains()
    assert left.directories == (f"{state_directory()}.removed",)
    assert not replace(left, mounts=(), interfaces=()).nothing
    down.take_down(lambda _text: None)
    assert down.remains().directories == ()
    assert list(twin.iterdir()) == []


@pytest.mark.usefixtures("killed_while_deleting")
def test_a_twin_that_came_up_meanwhile_goes_too(twin: Path) -> None:
    """With what was half deleted still beside it."""
    state.write(Ownership(state.checkout(), "staging", complete=True))
    down.take_down(lambda _text: None)
    assert list(twin.iterdir()) == []


def test_a_state_without_an_owner_is_a_remainder() -> None:
    """As an older `twin down` left it when it was killed."""
    (state_directory() / "twin.json").unlink()
    assert down.remains().directories == (str(state_directory()),)
