"""A restore is held against the ledger: what was acknowledged before the moment is there, and nothing from after it."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from drillbook.domain.verdict import Objective, Verdict, judge
from drillbook.run.folder import write_json
from probes import restores
from tests.unit.domain.test_restored import GOOD
from tests.unit.probes.test_of_a_load import columns, drill

__all__ = ["drill"]

MOMENT = restores.Moment(20.0, 20.01, "2026-11-24 12:00:00+00", (1, 2))
WRITES = [("before", 10.0, 10.01), ("on the way", 19.99, 20.02), ("at it", 20.005, 20.02), ("after", 21.0, 21.01)]


def kept(drill, *restored, original=("before", "on the way", "at it", "after"), state="acknowledged", writes=WRITES):
    ledger = [{"key": key, "due_s": sent, "sent_s": sent, "done_s": done, "state": state} for key, sent, done in writes]
    path = drill(columns(), ledger=ledger)
    (path / restores.MOMENT).parent.mkdir(exist_ok=True)
    write_json(path / restores.MOMENT, asdict(MOMENT))
    lines = [line for line in GOOD if not line.startswith(("restored", "original"))]
    events = [f"restored {key} a-{key[0]}" for key in restored] + [f"original {key} a-{key[0]}" for key in original]
    (path / restores.file_of(1)).write_text("\n".join([*events, *lines]))
    return path


def verdict(measured):
    return judge(Objective("o", "", "at_most", 0, measured.unit), measured).verdict


@pytest.mark.parametrize("restored", [["before"], ["before", "on the way", "at it"]])
def test_what_was_on_the_way_may_be_there_or_not(drill, restored) -> None:
    path = kept(drill, *restored)
    assert restores.moment(path) == MOMENT
    found = [restores.lost(path, 1), restores.beyond(path, 1), restores.altered(path, 1)]
    assert [verdict(it) for it in found] == [Verdict.PASS] * 3
    assert [it.samples for it in found] == [1, 1, len(restored)]


def test_an_acknowledged_event_that_is_not_restored_is_lost(drill) -> None:
    found = restores.lost(kept(drill, "on the way"), 1)
    assert (found.interval.low, verdict(found)) == (1, Verdict.FAIL)


def test_an_event_of_after_the_moment_is_too_many(drill) -> None:
    assert verdict(restores.beyond(kept(drill, "before", "after"), 1)) is Verdict.FAIL


def test_an_event_that_the_primary_does_not_have_so_is_altered(drill) -> None:
    assert verdict(restores.altered(kept(drill, "before", original=()), 1)) is Verdict.FAIL


@pytest.mark.parametrize(
    ("probe", "restored", "writes"),
    [(restores.lost, [], WRITES[1:]), (restores.beyond, ["before"], WRITES[:3]), (restores.altered, [], WRITES)],
)
def test_where_nothing_was_written_on_one_side_nothing_is_proved(drill, probe, restored, writes) -> None:
    assert verdict(probe(kept(drill, *restored, writes=writes), 1)) is Verdict.INCONCLUSIVE


def test_a_write_that_was_never_sent_says_nothing(drill) -> None:
    path = kept(drill, "before", "unsent", writes=[*WRITES, ("unsent", float("nan"), float("nan"))])
    assert verdict(restores.beyond(path, 1)) is Verdict.PASS


def test_a_rung_is_judged_with_what_was_said_of_it(drill) -> None:
    path = kept(drill, "before")
    assert verdict(restores.rung(path, 1, "amcheck")) is Verdict.PASS
    text = (path / restores.file_of(1)).read_text()
    (path / restores.file_of(1)).write_text(text.replace("amcheck 0", "amcheck 2 high key invariant violated"))
    found = restores.rung(path, 1, "amcheck")
    assert (verdict(found), "high key invariant" in found.name) == (Verdict.FAIL, True)
    (path / restores.file_of(1)).write_text(text.replace("amcheck 0", "amcheck"))
    assert verdict(restores.rung(path, 1, "amcheck")) is Verdict.INCONCLUSIVE
    with pytest.raises(FileNotFoundError):
        restores.rung(path, 2, "amcheck")
