"""The watch's second witness: what Prometheus tells of a release, and what it does not."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest

from drillbook.actions.watch import Limits, ServerCounts, Watch
from drillbook.domain.sequential import Allowance
from drillbook.ports import Sample, Unreachable

LIMITS = Limits(Allowance(0.01), Allowance(0.05), slow_s=0.3, least_answers=100)
COUNTS = ServerCounts("answers", "errors", "fast", told_by=("code",))


@dataclass
class Servers:
    """A release that answers 100 requests a second, its Prometheus, and a clock that moves when somebody waits."""

    failed: float = 0.0
    late: float = 0.0
    labels: dict[str, str] = field(default_factory=lambda: {"code": "200"})
    counts_errors: bool = False
    has_bucket: bool = True
    up: bool = True
    now_s: float = 0.0
    takes_s: float = 0.0

    def now(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def query(self, promql: str, *, at_s: float | None = None) -> list[Sample]:
        """As it was last scraped, which is each second: what is not in yet when it is asked is not told."""
        if not self.up:
            raise Unreachable("Prometheus did not answer")
        at_s = self.now_s if at_s is None else at_s
        answers = 100 * max(0, math.floor(min(at_s, self.now_s)))
        self.now_s += self.takes_s
        known = {
            "answers": [Sample(self.labels, answers, at_s)],
            "errors": [Sample({}, round(answers * self.failed), at_s)] if self.counts_errors else [],
            "fast": [Sample({}, answers - round(answers * self.late), at_s)] if self.has_bucket else [],
        }
        return known[promql]

    def clients(self):
        """All that they see is well."""
        answered = {"ok": 50, "bad": {}, "latency_ms": [5.0] * 50}
        yield {"start_s": self.now_s, "end_s": self.now_s + 0.5, "unanswered": {}, "unsent": 0,
               "versions": {"1.1.0|green": answered}}  # fmt: skip


def watched(servers: Servers, counts: ServerCounts = COUNTS, limits: Limits = LIMITS):
    watch = Watch(
        version="1.1.0", slot="green", limits=limits, windows=servers.clients, metrics=servers, counts=counts,
        clock=servers, pace_s=0.5,
    )  # fmt: skip
    return watch.run(since_s=0.0, for_s=12.0)


def test_a_release_whose_servers_never_failed_has_no_series_of_errors_and_was_looked_at() -> None:
    found = watched(Servers())
    assert (found.ruling, found.data["servers"]["bad"], found.data["servers"]["unanswered_questions"]) == ("keep", 0, 0)
    assert found.data["servers"]["answers"] >= 1000
    assert "Prometheus" not in found.reason


@pytest.mark.parametrize("takes_s", [0.02, 0.1, 0.3])
def test_a_scrape_between_two_questions_makes_no_answer_slow_or_bad(takes_s) -> None:
    found = watched(Servers(counts_errors=True, takes_s=takes_s))
    assert found.ruling == "keep"
    assert (found.data["servers"]["bad"], found.data["servers"]["slow"]) == (0, 0)
    assert found.data["servers"]["answers"] >= 500


def test_failures_that_only_the_servers_counted_send_it_back() -> None:
    found = watched(Servers(failed=0.1, counts_errors=True))
    assert (found.ruling, found.flaw) == ("roll back", "errors")
    assert found.reason.startswith("Prometheus saw ")


@pytest.mark.parametrize("labels", [{"status": "500"}, {}, {"code": ""}], ids=str)
def test_errors_that_the_series_cannot_tell_are_told_as_not_seen(labels) -> None:
    found = watched(Servers(labels=labels))
    assert found.ruling == "keep"
    assert found.reason.endswith(
        "; Prometheus did not see whether the servers failed: what they answered lacks the label code, by which "
        "metrics.failures tells failures"
    )
    assert found.data["servers"]["unanswered_questions"] == 11


def test_a_slow_release_whose_errors_cannot_be_told_is_sent_back_for_that() -> None:
    found = watched(Servers(labels={"status": "500"}, late=0.2))
    assert (found.ruling, found.flaw) == ("roll back", "latency")


def test_a_release_that_lacks_its_bucket_is_looked_at_for_errors() -> None:
    assert watched(Servers(failed=0.1, counts_errors=True, has_bucket=False)).ruling == "roll back"
    found = watched(Servers(has_bucket=False))
    assert found.ruling == "keep"
    assert found.reason.endswith("; Prometheus did not see how slow they were: Prometheus has no value for 'fast'")


def test_a_prometheus_that_is_away_is_no_witness_and_that_is_said() -> None:
    found = watched(Servers(up=False))
    assert found.ruling == "keep"
    assert found.reason.endswith("whether the servers failed and how slow they were: Prometheus did not answer")
    assert found.data["servers"]["unanswered_questions"] == 13


def test_a_question_without_an_answer_is_forgotten_once_there_is_one() -> None:
    servers = Servers(up=False)
    sleep = servers.sleep

    def come_back(seconds: float) -> None:
        sleep(seconds)
        servers.up = servers.now_s >= 2

    servers.sleep = come_back
    found = watched(servers)
    assert found.data["servers"]["unanswered_questions"] == 2
    assert "Prometheus" not in found.reason
