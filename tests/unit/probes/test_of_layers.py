"""Which layer kept users from writing, from made-up files of a load and of the layers' probes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from drillbook.domain.layers import ELSEWHERE
from drillbook.domain.measurement import Window
from drillbook.domain.traffic import Connection
from drillbook.domain.verdict import Objective, Verdict, judge
from probes import layers
from tests.unit.probes.test_of_a_load import columns, drill, fail
from tests.unit.probes.test_of_recoveries import written

__all__ = ["drill"]

WINDOW = Window(8.0, 20.0)
ASKED = ("database", "gateway east", "gateway west", "application east", "application west", "dns")
MOST = Objective("o", "most of it", "at_least", 0.5, "ratio")
ALL_EXPLAINED = Objective("o", "all is explained", "at_most", 1.0, "s")


def rows(**bad):
    """Five answers a second of each layer; `bad` has its stretches by the layer's name with `_` for the blank."""
    found = []
    for due_s in np.arange(150) / 5:
        for name in ASKED:
            stretches = bad.get(name.replace(" ", "_"), [])
            outcome = "refused" if any(start <= due_s < end for start, end in stretches) else "ok"
            leads = ["east"] if name == "dns" and outcome == "ok" else []
            found.append({"layer": name, "due_s": due_s, "sent_s": due_s, "done_s": due_s + 0.01,
                          "outcome": outcome, "told": "", "leads": leads})  # fmt: skip
    return found


def leave(folder, lines, stalls=(), asked=ASKED):
    """What the probes' process leaves."""
    output = folder / "layers"
    output.mkdir()
    plan = {"asked": list(asked), "from_the_start": [it for it in asked if it != "application west"],
            "not_asked": ["pooler"], "rate_hz": 5.0}  # fmt: skip
    (output / "plan.json").write_text(json.dumps(plan))
    (output / "probes.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    (output / "stalls.jsonl").write_text("".join(f"{json.dumps({'start_s': s, 'end_s': e})}\n" for s, e in stalls))


@pytest.fixture
def outage(drill):
    """Nothing could be written from 10 s to 14 s; the layers' probes are yet to be left."""
    table = columns(seconds=30.0)
    fail(table, 10.0, 14.0)
    return drill(table, ledger=written(table))


def attributed(folder):
    return layers.attributed(folder, WINDOW, Connection.NEW)


def verdicts(folder, kind="database"):
    found = attributed(folder)
    share = judge(MOST, layers.share_of(found, kind, Connection.NEW)).verdict
    return share, judge(ALL_EXPLAINED, layers.unexplained(found, Connection.NEW)).verdict


@pytest.mark.parametrize(
    ("bad", "blamed"),
    [
        ({"database": [(10.0, 14.0)], "application_east": [(10.0, 14.0)]}, "database"),
        ({"gateway_east": [(10.0, 14.0)], "application_east": [(10.0, 14.0)]}, "gateway east"),
        ({"application_east": [(10.0, 14.0)]}, "application east"),
        ({"dns": [(10.0, 14.0)]}, "dns"),
        ({"gateway_west": [(8.0, 30.0)]}, ELSEWHERE),
        ({}, ELSEWHERE),
    ],
)
def test_time_without_writes_is_put_down_to_the_layer_that_was_down(outage, bad, blamed):
    leave(outage, rows(**bad))
    found = attributed(outage)
    assert found.unserved.low == pytest.approx(3.9, abs=0.1)
    assert found.layers[blamed].low == pytest.approx(3.6, abs=0.4)
    assert all(it.high < 0.5 for name, it in found.layers.items() if name != blamed)
    assert found.not_probed == ("pooler",)
    share, explained = verdicts(outage, blamed.partition(" ")[0])
    assert (share, explained) == (Verdict.PASS, Verdict.FAIL if blamed == ELSEWHERE else Verdict.PASS), found


def test_what_is_put_down_to_another_layer_fails(outage):
    leave(outage, rows(dns=[(10.0, 14.0)]))
    assert verdicts(outage) == (Verdict.FAIL, Verdict.PASS)


def test_nothing_is_put_down_to_anything_where_users_were_served(drill):
    table = columns(seconds=30.0)
    folder = drill(table, ledger=written(table))
    leave(folder, rows(database=[(10.0, 14.0)]))
    assert attributed(folder).unserved.high < 0.1
    assert verdicts(folder) == (Verdict.INCONCLUSIVE, Verdict.PASS)


DEAF = {
    "never well before": lambda lines: [
        {**it, "outcome": "refused"} if it["layer"] == "dns" and it["due_s"] < 8.0 else it for it in lines
    ],
    "never asked": lambda lines: [it for it in lines if it["layer"] != "gateway east"],
    "not asked for a while": lambda lines: [it for it in lines if not 11.0 < it["due_s"] < 12.0],
    "asked no more": lambda lines: [it for it in lines if it["due_s"] < 13.0],
}


@pytest.mark.parametrize("change", DEAF.values(), ids=DEAF)
def test_a_probe_that_was_deaf_leaves_it_open(outage, change):
    leave(outage, change(rows(database=[(10.0, 14.0)])))
    assert verdicts(outage) == (Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE)


def test_the_other_regions_application_may_be_away(outage):
    leave(outage, rows(database=[(10.0, 14.0)], application_west=[(0.0, 30.0)]))
    assert verdicts(outage) == (Verdict.PASS, Verdict.PASS)


def test_probes_that_slept_leave_it_open(outage):
    leave(outage, rows(database=[(10.0, 14.0)]), stalls=[(9.0, 10.5)])
    assert verdicts(outage) == (Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE)


def test_what_the_probes_own_sleep_may_have_caused_is_not_certain(outage):
    lines = rows(dns=[(10.0, 14.0)])
    for line in lines:
        if line["outcome"] != "ok":
            line.update(outcome="timeout", done_s=line["due_s"] + 2.0)
    leave(outage, lines, stalls=[(t, t + 0.3) for t in range(10, 16)])
    found = attributed(outage)
    assert found.layers["dns"].low == 0.0
    assert found.layers["dns"].high > 3.0


def test_the_line_that_was_cut_off_is_no_answer(outage):
    leave(outage, rows(database=[(10.0, 14.0)]))
    with (outage / "layers" / "probes.jsonl").open("a") as file:
        file.write('{"layer": "dns", "du')
    assert verdicts(outage) == (Verdict.PASS, Verdict.PASS)


def test_what_was_not_sent_is_a_failure_that_the_probe_may_have_caused(outage):
    lines = rows(database=[(10.0, 14.0)])
    for line in lines:
        if line["layer"] == "dns" and 12.0 <= line["due_s"] < 12.4:
            line.update(sent_s=None, done_s=None, outcome="unsent")
    leave(outage, lines, stalls=[(11.9, 12.4)])
    assert verdicts(outage) == (Verdict.PASS, Verdict.PASS)


@pytest.mark.parametrize(
    ("bad", "verdict"),
    [
        ({"database": [(10.0, 14.0)], "application_east": [(10.4, 15.0)]}, Verdict.PASS),
        ({"database": [(10.0, 14.0)]}, Verdict.FAIL),
        ({"database": [(10.0, 14.0)], "application_west": [(10.0, 14.0)]}, Verdict.FAIL),
        ({"database": [(10.0, 14.0)], "application_east": [(10.8, 15.0)]}, Verdict.INCONCLUSIVE),
        ({}, Verdict.PASS),
    ],
)
def test_a_health_check_that_stays_good_without_a_database_is_found(outage, bad, verdict):
    leave(outage, rows(**bad))
    measured = layers.well_without_database(outage, WINDOW, "east")
    assert judge(ALL_EXPLAINED, measured).verdict is verdict


def test_nothing_is_known_of_a_health_check_that_nobody_asked(outage):
    leave(outage, [row for row in rows(database=[(10.0, 14.0)]) if row["layer"] != "application east"])
    measured = layers.well_without_database(outage, WINDOW, "east")
    assert measured.interval is None
    assert any("application east" in doubt for doubt in measured.doubts)
