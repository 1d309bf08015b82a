"""What restores took, kept as a file; and what drills of losses tell beside them."""

from __future__ import annotations

import json

import pytest

from drillbook.domain.interval import Interval
from drillbook.domain.scaling import TERMS, Drill
from drillbook.evidence import sizes
from drillbook.evidence.record import DrillRecord, Event, RunRecord

ONE = Drill(2.0**25, 2.0**23, 2.0**24, {name: Interval(1.0, 2.0) for name in TERMS}, Interval(9.0, 12.0))


def kept(tmp_path, document):
    path = tmp_path / "sizes.json"
    path.write_text(json.dumps(document))
    return path


def test_drills_are_read_as_they_were_kept(tmp_path):
    assert sizes.read(kept(tmp_path, {"drills": sizes.document([ONE, ONE])})) == (ONE, ONE)


def without(path, value):
    document = sizes.document([ONE])
    place = document[0]
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return {"drills": document}


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ([], "no list of drills"),
        ({"drills": []}, "no list of drills"),
        ({"drills": [1]}, "what detect took is low and high"),
        (without(["wal_bytes"], 0), "drill 1: wal_bytes is a positive number"),
        (without(["took", "replay"], None), "what replay took is low and high"),
        (without(["took", "replay"], {"low": 2, "high": 1}), "what replay took is low and high"),
        (without(["total"], {"low": 1}), "what it took is low and high"),
        (without(["took", "disk", "high"], "Infinity"), "what disk took"),
    ],
)
def test_what_is_not_whole_is_refused_with_its_place(tmp_path, document, why):
    with pytest.raises(sizes.NotMeasured, match=why):
        sizes.read(kept(tmp_path, document))


def test_what_is_no_file_or_no_json_is_refused(tmp_path):
    with pytest.raises(sizes.NotMeasured, match="cannot be read"):
        sizes.read(tmp_path / "none.json")
    (tmp_path / "torn.json").write_text("{")
    with pytest.raises(sizes.NotMeasured, match="is no JSON"):
        sizes.read(tmp_path / "torn.json")


def told(*kinds):
    events = [Event(1.0, "note", "stages", {"activity": "stages", "stages": stages}) for stages in kinds]
    return run_of(events)


def run_of(events):
    drill = object.__new__(DrillRecord)
    object.__setattr__(drill, "events", tuple(events))
    run = object.__new__(RunRecord)
    object.__setattr__(run, "drills", (drill,))
    return run


def test_of_new_and_reused_connections_the_worse_is_told():
    found = sizes.stages([
        told(
            {"detect": [1, 2], "decide": [0, 1], "fence": [3, 4], "promote": [5, 6], "dns + warm-up": [7, 8]},
            {"detect": [1.5, 1.7], "decide": [0, 0], "fence": [3, 9], "promote": [5, 6], "dns + warm-up": [7, 9]},
        )
    ])  # fmt: skip
    assert found == {
        "detect": [Interval(1.5, 2)], "decide": [Interval(3, 9)], "reroute": [Interval(7, 9)],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("stages", "left"),
    [
        ({"detect + decide": [1, 2], "fence": [1, 1], "warm-up": [1, 1]}, {"reroute"}),
        ({"detect": [1, 2], "warm-up": [1, None]}, {"detect"}),
        ({"detect": "soon", "promote + repoint": [1, 2], "dns": [1, 1]}, set()),
        ({}, set()),
    ],
)
def test_a_term_whose_stages_are_not_told_apart_or_have_no_end_is_left_out(stages, left):
    assert set(sizes.stages([told(stages)])) == left
