"""A run that has lost the environment's lock ends without touching what its new holder has changed there."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from drillbook.domain.undo import Change, Restoration, Stage
from drillbook.domain.verdict import Verdict
from drillbook.ports import LockLost
from drillbook.run.stopping import Stop
from features import opening


class Documents(dict[str, dict[str, object]]):
    """The target environment's own."""

    def names(self, prefix=""):
        return sorted(name for name in self if name.startswith(prefix))

    def delete(self, name):
        self.pop(name, None)


@pytest.fixture
def world():
    """A platform on which somebody else's switch is in effect, and what is done there."""
    theirs = Change(1, "run-b", "drill", "switch-traffic", {}, 8, Stage.DONE)
    log: list[str] = []

    def undo(change):
        log.append(f"undo {change.name}")
        return Restoration(change, restored=True, text="as before", at_s=0.0)

    def check():
        log.append("look at the lock")
        if world.lost:
            raise LockLost("the environment's lock is held by run-b now")

    def close(**how):
        log.append(f"close {how}")

    world = SimpleNamespace(
        lost=True, log=log, documents=Documents({theirs.name: theirs.as_document()}),
        state=SimpleNamespace(stop=Stop(), verdicts=[]), session=SimpleNamespace(close=close, unkept=""),
    )  # fmt: skip
    world.ports = SimpleNamespace(
        left=world.documents, lock=SimpleNamespace(check=check), undo=undo,
        clock=SimpleNamespace(now=lambda: 0.0, sleep=lambda _: None),
    )  # fmt: skip
    return world


def test_what_the_new_holder_has_changed_is_left_alone_and_the_run_is_in_doubt(world, capsys):
    opening.close(world.state, world.session, world.ports)
    assert world.log == ["look at the lock", "close {'interrupted': True, 'left_changed': False}"]
    assert list(world.documents) == ["undo-run-b-0001"]
    assert world.state.verdicts == [Verdict.INCONCLUSIVE]
    assert "the environment's lock is held by run-b now" in capsys.readouterr().err


def test_what_is_left_is_undone_while_the_lock_is_the_runs(world):
    world.lost = False
    opening.close(world.state, world.session, world.ports)
    assert "undo undo-run-b-0001" in world.log
    assert world.documents == {}
    assert world.state.verdicts == []
