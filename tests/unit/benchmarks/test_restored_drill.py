"""What a restore's log and its client tell."""

from __future__ import annotations

import pytest

from benchmarks.restored_drill import Client
from benchmarks.scratch_cluster import Failed, Replay
from drillbook.domain.interval import Interval

LOG = """\
1795863456.123 LOG:  starting archive recovery
1795863456.200 LOG:  redo starts at 0/2000028
1795863460.500 LOG:  redo done at 0/5FFFF50 system usage: CPU: user: 0.52 s, system: 0.19 s, elapsed: 4.29 s
1795863461.000 LOG:  archive recovery complete
"""


def test_replaying_is_told_from_its_first_record_to_its_last() -> None:
    assert Replay.logged(LOG) == Replay(0x5FFFF50 - 0x2000028, 1795863460.5)


@pytest.mark.parametrize("missing", ["redo starts", "redo done"])
def test_a_log_without_an_end_tells_nothing(missing: str) -> None:
    text = "".join(line for line in LOG.splitlines(keepends=True) if missing not in line)
    with pytest.raises(Failed, match="does not tell where replaying"):
        Replay.logged(text)


def test_an_outage_runs_from_the_fault_to_the_first_good_write_after_the_last_failed() -> None:
    tries = [(1.0, 1.1, True), (2.0, 2.1, False), (3.0, 3.1, True), (4.0, 4.1, False), (5.0, 5.5, True), (6, 6.1, True)]
    client = Client("", tries)
    assert client.outage(Interval(1.5, 1.9)) == Interval(4.0 - 1.9, 5.5 - 1.5)
    assert client.good_for(1.0)
    assert not client.good_for(1.1)


@pytest.mark.parametrize(
    ("tries", "why"), [([(2.0, 2.1, True)], "was not lost"), ([(2.0, 2.1, True), (3.0, 3.1, False)], "good again")]
)
def test_what_did_not_fail_or_did_not_come_back_has_no_length(tries: list[tuple[float, float, bool]], why: str) -> None:
    with pytest.raises(Failed, match=why):
        Client("", tries).outage(Interval(1.0, 1.5))
