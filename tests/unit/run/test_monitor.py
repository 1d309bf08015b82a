"""What ends a run while it goes on, and a guard that cannot look ends it as well."""

from __future__ import annotations

import re
import threading
import time
from datetime import time as clock
from pathlib import Path
from types import SimpleNamespace

import pytest

from drillbook.domain.environment import GuardSettings
from drillbook.domain.fault import CATALOGUE, OpenFault
from drillbook.domain.guard import AllowedHours, Burn
from drillbook.drivers.live import LiveRecord
from drillbook.ports import Unreachable
from drillbook.run import monitor as monitors
from drillbook.run.monitor import Monitor, RunningRecord

NOW_S = 1000.0  # on a Thursday, at 0:16 UTC
BURN = Burn(0.5, 4.0)
WITHIN_S = 5.0


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    for name, seconds in (("LOOK_EVERY_S", 0.001), ("BLIND_FOR_S", 60.0), ("TELL_AGAIN_AFTER_S", 0.01)):
        monkeypatch.setattr(monitors, name, seconds)


@pytest.fixture
def soon_blind(monkeypatch):
    monkeypatch.setattr(monitors, "BLIND_FOR_S", 0.2)


class Told:
    """What a monitor has told the run, in order."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self._twice = threading.Event()
        self._once = threading.Event()

    def __call__(self, reason: str) -> None:
        self.reasons.append(reason)
        self._once.set()
        if len(self.reasons) > 1:
            self._twice.set()

    def first(self) -> str:
        assert self._once.wait(WITHIN_S), "nobody was told"
        return self.reasons[0]

    def second(self) -> str:
        assert self._twice.wait(WITHIN_S), "nobody was told again"
        return self.reasons[1]


@pytest.fixture
def watch():
    made = []

    def start(
        *, serving=lambda: (2, 2), live=list, now=lambda: NOW_S, until_s=float("inf"), faults=tuple,
        taken_away=lambda: False, **settings,
    ):  # fmt: skip
        guard = GuardSettings(**{"max_duration_s": 1800.0, **settings})
        where = SimpleNamespace(file=Path("prod.yaml"), guard=guard)
        made.append(Monitor(where, serving, live, now, Told(), until_s, faults, taken_away))
        made[-1].start()
        return made[-1]

    yield start
    for one in made:
        one.end()


def answers(ok, bad, seconds=4.0, **more):
    """A running record up to now."""
    count = int(seconds * 4)
    lines = [
        {
            "end_s": NOW_S - (count - 1 - number) / 4, "versions": {"1|green": {"ok": ok, "bad": {"error": bad}}},
            "unanswered": {}, "unsent": 0, **more,
        }
        for number in range(count)
    ]  # fmt: skip
    given = iter([lines])
    return lambda: next(given, [])


def away():
    raise Unreachable("the cluster does not answer")


def test_a_stop_file_that_appears(watch, tmp_path):
    looking = watch(stop_file=str(tmp_path / "stop"))
    assert looking.stop_file() == ""
    (tmp_path / "stop").touch()
    assert looking.stop.first() == f"the stop file {tmp_path / 'stop'} has appeared"


def test_a_run_that_lasts_too_long(watch):
    times = iter([NOW_S])
    looking = watch(now=lambda: next(times, NOW_S + 11), max_duration_s=10.0)
    assert "guard.max_duration (10 s)" in looking.stop.first()


def test_hours_that_end(watch):
    hours = AllowedHours(("thu",), clock(0), clock(0, 10), "UTC")
    assert "guard.windows (thu 00:00 to 00:10 UTC) have ended" in watch(windows=(hours,)).stop.first()


def test_an_approval_that_ends(watch):
    assert watch(until_s=NOW_S - 1).stop.first() == "the run's approval has ended"


def test_a_fault_that_is_there_for_too_long(watch):
    since_s = NOW_S - CATALOGUE["kill-pod"].longest_s
    assert watch(faults=lambda: [OpenFault(CATALOGUE["kill-pod"], since_s)]).lives() == ""
    late = watch(faults=lambda: [OpenFault(CATALOGUE["kill-pod"], since_s - 0.1)])
    assert late.stop.first() == "the fault kill-pod has been there for longer than 120 s, its longest life"


def test_while_a_fault_is_there_as_many_pods_may_be_away_as_the_guard_says_for_that(watch):
    there = [OpenFault(CATALOGUE["kill-gateway-pod"], NOW_S)]
    limits = {"pods_share": 0.5, "resilience_pods_share": 1.0, "serving": lambda: (0, 2)}
    assert watch(faults=lambda: there, **limits).pods() == ""
    assert "(50%) are away" in watch(**limits).stop.first()
    assert "(50%) are away" in watch(faults=lambda: there, **{**limits, "resilience_pods_share": None}).stop.first()


def test_while_a_fault_is_there_users_may_be_answered_as_the_guard_says_for_that_and_it_counts_no_more_after(watch):
    there = [[OpenFault(CATALOGUE["kill-gateway-pod"], NOW_S)]]
    limits = {"burn": BURN, "resilience_burn": Burn(0.9, 4.0), "faults": lambda: there[0]}
    looking = watch(live=answers(1, 2), **limits)
    assert looking.burn() == ""
    there[0] = []
    assert looking.burn() == "", "what users had of the fault was allowed"
    looking.live = answers(1, 2)
    assert "(50%" in looking.burn() or "50% bad answers" in looking.burn()


def test_a_fault_that_is_worse_for_users_than_allowed(watch):
    there = [OpenFault(CATALOGUE["kill-gateway-pod"], NOW_S)]
    looking = watch(live=answers(0, 2), burn=BURN, resilience_burn=Burn(0.9, 4.0), faults=lambda: there)
    assert "more than 90% bad answers for 4 s" in looking.stop.first()


def test_while_a_drill_has_taken_away_what_serves_users_may_be_answered_as_during_a_fault_and_no_worse(watch):
    limits = {"burn": BURN, "resilience_burn": Burn(0.9, 4.0), "taken_away": lambda: True}
    assert watch(live=answers(1, 2), **limits).burn() == ""
    assert "more than 90% bad answers for 4 s" in watch(live=answers(0, 2), **limits).burn()
    assert "more than 50% bad answers" in watch(live=answers(1, 2), **limits | {"resilience_burn": None}).burn()


def test_too_many_pods_that_are_away(watch):
    said = watch(serving=lambda: (1, 2), pods_share=0.4).stop.first()
    assert said == "1 of 2 serving pods are ready: more than guard.pods_share (40%) are away"


@pytest.mark.parametrize(
    "live",
    [answers(10, 90), answers(0, 0, unanswered={"timeout": 3}), answers(1, 0, unsent=2)],
    ids=["answered badly", "unanswered", "unsent"],
)
def test_users_who_are_answered_badly_for_long(watch, live):
    assert "users had more than 50% bad answers for 4 s" in watch(burn=BURN, live=live).stop.first()


@pytest.mark.parametrize(
    "live",
    [answers(90, 10), answers(10, 90, seconds=1), answers(50, 50), list],
    ids=["few", "not for long", "just so many", "no load"],
)
def test_users_who_are_answered_well_enough(watch, live):
    looking = watch(burn=Burn(0.5, 4.0), live=live)
    assert looking.burn() == ""


def test_a_run_without_a_reason_goes_on(watch, tmp_path):
    allday = AllowedHours(("thu",), clock(0), clock(0), "UTC")
    looked = threading.Semaphore(0)

    def serving():
        looked.release()
        return (1, 2)

    looking = watch(
        serving=serving, stop_file=str(tmp_path / "stop"), pods_share=0.5, burn=BURN, live=answers(90, 10),
        windows=(allday,), until_s=NOW_S + 1,
    )  # fmt: skip
    for _ in range(5):
        assert looked.acquire(timeout=WITHIN_S)
    looking.end()
    assert looking.stop.reasons == []


def without_seconds(text: str) -> str:
    """How long it was is the machine's affair, which may be busy."""
    return re.sub(r" for \d+ s:", " for N s:", text)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"pods_share": 0.5, "serving": away}, "could not look at the serving pods for N s: the cluster does not"),
        ({"burn": BURN, "live": away}, "could not look at users' answers for N s: the cluster does not"),
        ({"stop_file": "/not there/stop"}, "could not look at the stop file for N s: the stop file"),
    ],
)
@pytest.mark.usefixtures("soon_blind")
def test_a_guard_that_cannot_look_stops_the_run(watch, settings, said):
    assert said in without_seconds(watch(**settings).stop.first())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"pods_share": 0.5, "serving": lambda: 1 / 0}, "cannot be evaluated: the serving pods: ZeroDivisionError"),
        ({"burn": BURN, "live": lambda: [{}]}, "cannot be evaluated: users' answers: KeyError"),
    ],
)
def test_a_guard_that_cannot_be_evaluated_stops_the_run_before_it_counts_as_blind(watch, settings, said):
    assert said in watch(**settings).stop.first()


@pytest.mark.usefixtures("soon_blind")
def test_a_look_that_hangs_is_noticed(watch):
    forever = threading.Event()
    looking = watch(pods_share=0.5, serving=forever.wait)
    assert "could not look at the serving pods for N s: nothing answers" in without_seconds(looking.stop.first())
    forever.set()


@pytest.mark.usefixtures("soon_blind")
def test_a_look_that_hangs_at_what_a_drill_has_taken_away_stops_nothing(watch):
    forever, asked, away = threading.Event(), threading.Semaphore(0), [True]

    def taken_away():
        asked.release()
        return away[0]

    looking = watch(pods_share=0.5, serving=forever.wait, taken_away=taken_away)
    for _ in range(3):
        assert asked.acquire(timeout=WITHIN_S), "nobody asked whether it is missed"
    assert not looking.stop.reasons
    away[0] = False
    assert "could not look at the serving pods" in looking.stop.first()
    forever.set()


def test_a_look_that_hangs_keeps_no_other_from_looking(watch, tmp_path):
    forever = threading.Event()
    (tmp_path / "stop").touch()
    looking = watch(pods_share=0.5, serving=forever.wait, stop_file=str(tmp_path / "stop"))
    assert "has appeared" in looking.stop.first()
    forever.set()


def test_a_cluster_that_is_away_for_a_moment_stops_nothing(watch):
    answered, asked = threading.Semaphore(0), iter([away, away])

    def serving():
        next(asked, answered.release)()
        return (2, 2)

    looking = watch(pods_share=0.5, serving=serving)
    assert answered.acquire(timeout=WITHIN_S)
    looking.end()
    assert looking.stop.reasons == []


def test_a_run_that_does_not_end_is_told_again(watch):
    looking = watch(until_s=NOW_S - 1)
    assert looking.stop.second() == looking.stop.first()
    looking.end()
    count = len(looking.stop.reasons)
    looking._judge.join(WITHIN_S)
    assert len(looking.stop.reasons) == count


@pytest.fixture
def record(tmp_path, monkeypatch):
    monkeypatch.setattr(monitors, "QUIET_FOR_S", 0.02)
    return RunningRecord(tmp_path, LiveRecord(tmp_path / "live.jsonl"))


def is_quiet_for_long(record):
    time.sleep(2 * monitors.QUIET_FOR_S)
    return record()


def test_a_load_that_runs_and_tells_nothing_is_a_guard_that_cannot_look(record, tmp_path):
    (tmp_path / "state.json").write_text('{"phase": "running"}')
    (tmp_path / "live.jsonl").write_text('{"end_s": 1}\n')
    assert record() == [{"end_s": 1}]
    with pytest.raises(Unreachable, match="tells nothing about users' answers"):
        is_quiet_for_long(record)


@pytest.mark.parametrize("phase", ["starting", "stopping", "reading_back", "done", None])
def test_a_load_that_does_not_run_owes_nothing(record, tmp_path, phase):
    if phase is not None:
        (tmp_path / "state.json").write_text(f'{{"phase": "{phase}"}}')
    assert is_quiet_for_long(record) == []
