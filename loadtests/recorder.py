"""Every request becomes a row; every write an entry of the ledger."""

from __future__ import annotations

import itertools
import math
from functools import lru_cache
from typing import TYPE_CHECKING

import gevent
from gevent.event import Event

from drillbook.domain.redaction import clean
from drillbook.domain.traffic import Connection, Origin, Outcome
from loadtests.columns import LEDGER, REQUESTS, Columns
from loadtests.reading import read
from loadtests.workload import WriteState

if TYPE_CHECKING:
    from pathlib import Path

    from loadtests.client import Exchange
    from loadtests.state import Live
    from loadtests.workload import Reply, Request, Workload

_NOBODY = Origin()
_FLUSH_EVERY_S = 2.0
_ERROR_LENGTH = 200
# Of these the system has certainly seen nothing of the request.
_NEVER_ARRIVED = {Outcome.UNSENT, Outcome.UNABLE, Outcome.DNS, Outcome.REFUSED}


class Recorder:
    """Rows and ledger of one load."""

    def __init__(self, folder: Path, workload: Workload, live: Live) -> None:
        """Opens both tables."""
        self._requests = Columns(folder, "requests", REQUESTS)
        self._ledger = Columns(folder, "ledger", LEDGER)
        self._workload = workload
        self._live = live
        self._numbers = itertools.count()
        self.acknowledged: list[str] = []
        self.indeterminate: list[str] = []
        self.first_answer = Event()

    def next_number(self) -> int:
        """A number that no other write of this load has."""
        return next(self._numbers)

    def record(self, request: Request, exchange: Exchange, connection: Connection, kind: str, due_s: float) -> Outcome:
        """One request that was tried; answers how it ended, judged as the workload judges."""
        outcome, error, origin, status = exchange.outcome, exchange.error, _NOBODY, 0
        state = WriteState.REFUSED if outcome in _NEVER_ARRIVED else WriteState.INDETERMINATE
        reply = exchange.reply
        if reply is None:
            if outcome is Outcome.UNABLE:
                self._live.unable()
                self._never_sent(request, connection, kind, due_s, outcome, error)
                return outcome
            self._live.unanswered(outcome, due_s, exchange.done_s)
        else:
            status = reply.status
            outcome, error, origin, state = self._judged(request, reply)
            self._live.answered(origin, outcome, (due_s, exchange.done_s) if kind == "meter" else None)
            self.first_answer.set()
        self._requests.add(
            (
                due_s,
                exchange.sent_s,
                exchange.done_s,
                outcome.value,
                status,
                connection.value,
                exchange.fresh,
                kind,
                request.operation,
                origin.region,
                origin.slot,
                origin.version,
                _storable(error),
            )
        )
        if request.key:
            self._enter(request.key, due_s, exchange.sent_s, exchange.done_s, state, origin)
        return outcome

    def overslept(self, request: Request, connection: Connection, due_s: float) -> None:
        """One of the meter's requests that was due while the meter itself did not run: nothing that users felt."""
        self._live.overslept()
        self._never_sent(request, connection, "meter", due_s, Outcome.UNSENT, "the meter itself did not run")

    def unsent(self, request: Request, connection: Connection, kind: str, due_s: float, why: str) -> None:
        """One request that was due and never tried."""
        self._live.unanswered(Outcome.UNSENT, due_s, math.nan)
        self._never_sent(request, connection, kind, due_s, Outcome.UNSENT, why)

    def _never_sent(  # noqa: PLR0917 - a row
        self, request: Request, connection: Connection, kind: str, due_s: float, outcome: Outcome, why: str
    ) -> None:
        nan = math.nan
        self._requests.add(
            (
                due_s,
                nan,
                nan,
                outcome.value,
                0,
                connection.value,
                False,
                kind,
                request.operation,
                "",
                "",
                "",
                clean(why),
            )
        )
        if request.key:
            self._enter(request.key, due_s, nan, nan, WriteState.REFUSED, _NOBODY)

    def flush_regularly(self) -> None:
        """Until killed; a greenlet's body."""
        while True:
            gevent.sleep(_FLUSH_EVERY_S)
            self._requests.flush()
            self._ledger.flush()

    def finish(self) -> None:
        """Write the Parquet files."""
        self._requests.finish()
        self._ledger.finish()

    def _judged(self, request: Request, reply: Reply) -> tuple[Outcome, str, Origin, WriteState]:
        """How it ended, why, who answered, and what is known of the write; an adapter that breaks on it is one reason.

        What is bad by its status is bad for that alone.
        """
        workload, unknown = self._workload, WriteState.INDETERMINATE
        origin, unread = read(lambda: _clean(workload.origin(reply)), _NOBODY)
        outcome, error = self._outcome(request, reply)
        state, undecided = read(lambda: workload.state(request, reply), unknown) if request.key else (unknown, "")
        if outcome is Outcome.OK and (unread or undecided):
            outcome, error = Outcome.WRONG_ANSWER, clean(unread or undecided)[:_ERROR_LENGTH]
        return outcome, error, origin, state

    def _outcome(self, request: Request, reply: Reply) -> tuple[Outcome, str]:
        hundred = reply.status // 100
        if hundred == 5:  # noqa: PLR2004 - HTTP's own classes
            return Outcome.SERVER_ERROR, _excerpt(reply.body)
        if hundred == 4:  # noqa: PLR2004
            return Outcome.CLIENT_ERROR, _excerpt(reply.body)
        if hundred != 2:  # noqa: PLR2004
            return Outcome.WRONG_ANSWER, f"status {reply.status}"
        wrong = "".join(read(lambda: self._workload.wrong(request, reply), ""))
        return (Outcome.WRONG_ANSWER, clean(wrong)[:_ERROR_LENGTH]) if wrong else (Outcome.OK, "")

    def _enter(  # noqa: PLR0917 - what an entry consists of
        self, key: str, due_s: float, sent_s: float, done_s: float, state: WriteState, origin: Origin
    ) -> None:
        self._ledger.add((key, due_s, sent_s, done_s, state.value, origin.version, origin.slot, origin.region))
        if state is WriteState.ACKNOWLEDGED:
            self.acknowledged.append(key)
        elif state is WriteState.INDETERMINATE:
            self.indeterminate.append(key)


def _excerpt(body: bytes) -> str:
    # Cut off only once it is clean: of a secret that is cut off first, a piece would stay.
    return clean(body[: 10 * _ERROR_LENGTH].decode("utf-8", "replace"))[:_ERROR_LENGTH]


@lru_cache(maxsize=256)
def _clean(origin: Origin) -> Origin:
    return Origin(_storable(origin.region), _storable(origin.slot), _storable(origin.version))


def _storable(text: str) -> str:
    """Cleaned, and without what UTF-8 cannot hold: one such text would keep all rows of its time out of the file."""
    return clean(text).encode("utf-8", "replace").decode("utf-8")
