"""What the workers of a distributed load report, and what all of it together says; pure arithmetic.

Each worker has a share of one schedule that was fixed beforehand, so it is known of each how many requests it had to
send: a worker that is silent is so many requests of which nothing is known, and never a smaller load.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drillbook.domain.interval import Interval
from drillbook.domain.latencies import Latencies
from drillbook.domain.statistics import quantile_ranks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Report:
    """What one worker saw of its share.

    Attributes:
        worker: Its number, from 0.
        due: Requests that it has a row of.
        failed: Of these the system failed for certain.
        doubtful: Of these failed, and may have done so since the worker itself did not run.
        seen: Latencies from due of those that ended well.
        least: The same without the worker's own sleep.
        sending: How late those left that the system did not keep back.
        unsent: Those that the worker itself did not send.
        lost: Acknowledged events that are gone or altered, at least and at most.
        duplicated: Events that are there more than once, likewise.
        acknowledged: Events that were acknowledged.
        now_s: Its clock when it reported, in seconds since the epoch.
    """

    worker: int
    due: int
    failed: int
    doubtful: int
    seen: Latencies
    least: Latencies
    sending: Latencies
    unsent: int
    lost: tuple[float, float]
    duplicated: tuple[float, float]
    acknowledged: int
    now_s: float

    def as_document(self) -> dict[str, Any]:
        """JSON-compatible."""
        document = {name: getattr(self, name) for name in self.__dataclass_fields__}
        histograms = {name: getattr(self, name).encoded for name in ("seen", "least", "sending")}
        return {**document, **histograms, "lost": list(self.lost), "duplicated": list(self.duplicated)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Report:
        """From what `as_document` made.

        Raises:
            ValueError: When it is no report, or one that contradicts itself.
        """
        try:
            fields: dict[str, Any] = {**document}
            fields |= {name: Latencies.decoded(str(document[name])) for name in ("seen", "least", "sending")}
            fields |= {name: tuple(map(float, document[name])) for name in ("lost", "duplicated")}
            found = cls(**fields)
        except (KeyError, TypeError) as error:
            msg = f"a worker's report lacks or has too many fields: {error}"
            raise ValueError(msg) from error
        if found.seen.count + found.failed + found.doubtful != found.due or found.least.count != found.seen.count:
            msg = f"worker {found.worker} reports {found.due} requests, and its latencies and failures are not as many"
            raise ValueError(msg)
        return found


@dataclass(frozen=True, slots=True)
class Whole:
    """All workers together.

    Attributes:
        due: Requests that the schedule has.
        silent: Of these nothing is known, since their worker did not report, or reported fewer than it had to send.
        failed: How many failed: the doubtful and the silent are in the upper bound only.
        sent: Share of those that the system did not keep back that left in time; None when there were none.
        sending: How many that is a share of.
        seen: Latencies of all that ended well.
        least: The same without the workers' own sleep.
        doubtful: Failures that may be the workers' own doing.
        doubts: Sentences, each a reason for which nothing is proved.
    """

    due: int
    silent: int
    failed: Interval
    seen: Latencies
    least: Latencies
    sending: Latencies
    unsent: int
    doubtful: int
    doubts: tuple[str, ...]

    def latency_quantile(self, quantile: float) -> Interval | None:
        """At 95 % confidence, in seconds; what failed took for ever; None when there are too few requests."""
        reported = self.due - self.silent
        ranks = quantile_ranks(reported, quantile)
        if ranks is None:
            return None
        # A doubtful failure may have been answered at once, and may have taken for ever.
        low_rank = ranks[0] - self.doubtful
        low = 0.0 if low_rank < 1 else self.least.ranked(low_rank).low
        return Interval(min(low, self.seen.ranked(ranks[1]).high), self.seen.ranked(ranks[1]).high)


def due_of(worker: int, workers: int, due: int) -> int:
    """How many requests of a whole schedule are a worker's: every so many-th."""
    return max(0, -(-(due - worker) // workers))


def whole(reports: Sequence[Report], workers: int, due: int) -> Whole:
    """What all reports say together.

    Args:
        reports: Of those that reported, each once.
        workers: How many there were to be.
        due: Requests of the whole schedule.
    """
    by_worker = {report.worker: report for report in reports}
    doubts: list[str] = []
    silent = 0
    for worker in range(workers):
        expected = due_of(worker, workers, due)
        report = by_worker.get(worker)
        if report is None:
            doubts.append(f"worker {worker} did not report: of its {expected} requests nothing is known")
            silent += expected
        elif report.due != expected:
            doubts.append(f"worker {worker} has {report.due} of the {expected} requests that it had to send")
            silent += max(0, expected - report.due)
    reported = [report for worker, report in sorted(by_worker.items()) if worker < workers]
    failed, doubtful = sum(report.failed for report in reported), sum(report.doubtful for report in reported)
    return Whole(
        due=due,
        silent=silent,
        failed=Interval(failed, failed + doubtful + silent),
        seen=Latencies.merged(report.seen for report in reported),
        least=Latencies.merged(report.least for report in reported),
        sending=Latencies.merged(report.sending for report in reported),
        unsent=sum(report.unsent for report in reported),
        doubtful=doubtful,
        doubts=tuple(doubts),
    )
