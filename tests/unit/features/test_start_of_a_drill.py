"""A drill begins on a platform that is whole and serves; what is just coming back is waited for, and not for long."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from drillbook.drills.drill import Drill
from drillbook.drills.seen import NotReady
from drillbook.ports import SlotStatus
from tests.unit.clocks import Clock

if TYPE_CHECKING:
    from pathlib import Path

NAMES = {"live": "1.0.0"}
NOT_SERVED = "the public is not served: refused"


@pytest.fixture
def drill(tmp_path: Path):
    """One on a platform whose public is not served for so many seconds; and what its timeline tells."""

    def made(*, unserved_s: float, ready: int = 2) -> tuple[Drill, Clock, list[tuple[str, dict[str, Any]]]]:
        clock, told = Clock(), []
        slots = {
            "blue": SlotStatus("blue", "1.0.0", 2, ready, ("a", "b"), bounds={"a/app": ("limits.cpu",)}),
            "green": SlotStatus("green", "", 0, 0, ()),
        }
        platform = SimpleNamespace(
            environment=SimpleNamespace(name="here"), live_slot=lambda: "blue", idle_slot=lambda: "green",
            cluster=SimpleNamespace(slot=slots.get), version_of=lambda release: NAMES.get(release, release),
            unserved=lambda: NOT_SERVED if clock.now() < 1000.0 + unserved_s else "",
            smoke=lambda prefix: SimpleNamespace(
                run=lambda slot, *, times: SimpleNamespace(writes=3, problems=[], prefix=prefix, slot=slot, times=times)
            ),
        )  # fmt: skip
        session = SimpleNamespace(clock=clock, folder=SimpleNamespace(drill=tmp_path.joinpath, run_id="r"))
        timeline = SimpleNamespace(record=lambda _kind, text, **data: told.append((text, data)))
        given = cast("Any", (session, platform, "d", "f", "s", "", (), timeline, None, 1000.0))
        return Drill(*given), clock, told

    return made


def test_a_public_that_is_just_coming_back_is_waited_for(drill) -> None:
    made, clock, told = drill(unserved_s=12.0)
    made.start_from("1.0.0")
    assert clock.now() == pytest.approx(1012.0, abs=0.6)
    ((text, data),) = told
    assert text.startswith("seen after 12.0 s: slot blue has the public with release 1.0.0, 2 of 2 pods ready")
    assert data["holds"]
    assert data["bounds"] == {"a/app": ["limits.cpu"]}
    assert made.seen.other_writes == 3


@pytest.mark.parametrize(
    ("flaw", "said"), [({"unserved_s": 99.0}, NOT_SERVED), ({"unserved_s": 0.0, "ready": 1}, "1 of 2 pods ready")]
)
def test_one_that_does_not_come_back_is_not_drilled(drill, flaw, said: str) -> None:
    made, clock, told = drill(**flaw)
    with pytest.raises(NotReady, match=f"{said}.*; put the platform back with `drillbook recover`"):
        made.start_from("1.0.0")
    assert clock.now() == pytest.approx(1030.0, abs=1.0)
    assert not told[0][1]["holds"]


def test_another_release_is_not_drilled(drill) -> None:
    made, _, _ = drill(unserved_s=0.0)
    with pytest.raises(NotReady, match="slot blue has the public with release"):
        made.start_from("0.9.0")


def test_a_release_is_known_by_the_name_that_the_environment_gives_it(drill) -> None:
    made, _, _ = drill(unserved_s=0.0)
    made.start_from("live")
    assert made.seen.live == "1.0.0"
