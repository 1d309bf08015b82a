"""The fencing ledger's record: who was reached, and what it therefore is a witness of."""

from __future__ import annotations

import json

import pytest

from drillbook.domain.interval import Interval
from drillbook.domain.verdict import Objective, Verdict, judge
from probes import fencing

NONE_TAKEN = Objective("recovery.split_brain", "none is taken", "at_most", 0, "events")
LOST, PROMOTED, BACK_S, UNTIL_S = Interval(100.0, 100.5), Interval(200.0, 202.0), 330.0, 380.0

NO_ROUTE = 'OperationalError: connection failed: connection to server at "10.77.1.11" failed: No route to host'
REFUSED = NO_ROUTE.replace("No route to host", "Connection refused")


@pytest.fixture
def write(tmp_path):
    """Ten tries a second: taken until the loss, refused once the region is back, and answered so between."""

    def tries(told, took_s):
        (tmp_path / "fencing").mkdir()
        with (tmp_path / "fencing" / "attempts.jsonl").open("w") as file:
            for tenth in range(4000):
                sent_s, answer, said, lasts_s = tenth / 10, "refused", REFUSED, 0.01
                if sent_s < LOST.low:
                    answer, said = "acknowledged", "INSERT 0 1"
                elif sent_s < BACK_S:
                    said, lasts_s = told, took_s
                line = {"sent_s": sent_s, "done_s": sent_s + lasts_s, "answer": answer, "told": said}
                file.write(json.dumps(line) + "\n")
        return tmp_path

    return tries


@pytest.mark.parametrize(
    ("told", "took_s", "from_anywhere"),
    [
        ("no answer within 2 s", 2.0, Verdict.INCONCLUSIVE),
        (NO_ROUTE, 1.0, Verdict.INCONCLUSIVE),
        (REFUSED, 0.01, Verdict.PASS),
        ("ReadOnlySqlTransaction: cannot execute INSERT in a read-only transaction", 0.01, Verdict.PASS),
        ("QueryCanceled: canceling statement due to statement timeout", 1.6, Verdict.PASS),
    ],
)
def test_where_nobody_was_reached_only_writes_from_outside_are_known_not_to_be_taken(
    write, told, took_s, from_anywhere
):
    folder = write(told, took_s)
    for outside, expected in ((False, from_anywhere), (True, Verdict.PASS)):
        measured = fencing.writes_after_promotion(folder, LOST, PROMOTED, UNTIL_S, from_outside=outside)
        found = judge(NONE_TAKEN, measured)
        assert found.verdict is expected, found.reason
