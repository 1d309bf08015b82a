"""Jobs that begin in either region, and are sent to the other one with the same key until they are acknowledged."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import gevent
from gevent.pool import Pool

from drillbook.domain.crossing import Kept, State, Try
from drillbook.domain.traffic import Outcome
from loadtests.crossing.regions import PACE_S
from loadtests.reading import read
from loadtests.workload import WriteState

if TYPE_CHECKING:
    from gevent.event import Event

    from loadtests.crossing.regions import Regions
    from loadtests.workload import ReadBack, Reply, Request, Workload

_RATE_HZ = 20.0
"""Half of them begin in each region, so that a switch which is over in two seconds finds some twenty in flight."""
_FINISHED_WITHIN_S = 90.0
"""Longer than a planned switch may take; whoever is not finished by then counts as not finished."""
_TOLD_WITHIN_S = 60.0
"""At the end, for all that are looked up: a region's pods may have just begun."""
_AT_ONCE = 8
_STATES: dict[WriteState, State] = {
    WriteState.ACKNOWLEDGED: "acknowledged",
    WriteState.REFUSED: "refused",
    WriteState.INDETERMINATE: "indeterminate",
}


class Jobs:
    """Those under way, and those that were not acknowledged where they began."""

    def __init__(self, regions: Regions, workload: Workload) -> None:
        """Sends none yet."""
        self._regions, self._workload = regions, workload
        self._under_way = Pool(int(2 * _RATE_HZ * _FINISHED_WITHIN_S))
        self._began: dict[str, tuple[str, Request]] = {}

    def send_until(self, stop: Event) -> None:
        """One after the other, begun in either region by turns; does not wait for them."""
        number = 0
        while not stop.is_set():
            gevent.sleep(1 / _RATE_HZ)
            self._under_way.spawn(self._carry_on, number, self._regions.names[number % 2])
            number += 1

    def finish(self) -> None:
        """Returns once each is acknowledged, or has had its time."""
        self._under_way.join(timeout=_FINISHED_WITHIN_S + self._regions.given_up_after_s)

    def look_up(self) -> None:
        """Send each that crossed over once more to each region, and look up there how often it is stored."""
        looking = Pool(_AT_ONCE)
        for key in self._began:
            for region in self._regions.names:
                looking.spawn(self._look_up, key, region)
        looking.join(timeout=_TOLD_WITHIN_S)

    def _carry_on(self, number: int, began: str) -> None:
        request = self._workload.write(number)
        deadline_s = self._regions.clock.now() + _FINISHED_WITHIN_S
        acknowledged = self._send(request, began, began)
        while not acknowledged and self._regions.clock.now() < deadline_s:
            self._began[request.key] = (began, request)
            gevent.sleep(PACE_S)
            acknowledged = self._send(request, began, self._regions.other(began))

    def _send(self, request: Request, began: str, region: str, *, again: bool = False) -> bool:
        exchange = self._regions.ask(region, request)
        state: State = "indeterminate"
        by = answer = ""
        if (reply := exchange.reply) is not None:
            by, _ = read(lambda: self._workload.origin(reply).region, "")
            known, _ = read(lambda: self._workload.state(request, reply), WriteState.INDETERMINATE)
            state = _STATES[known]
            answer = hashlib.sha256(reply.body).hexdigest()
        elif exchange.outcome in {Outcome.REFUSED, Outcome.UNABLE}:
            state = "refused"
        line = Try(request.key, began, region, exchange.sent_s, exchange.done_s, state, by, answer, again)
        self._regions.tell("jobs", line)
        return state == "acknowledged"

    def _look_up(self, key: str, region: str) -> None:
        began, request = self._began[key]
        self._regions.until(lambda: self._send(request, began, region, again=True), within_s=_TOLD_WITHIN_S)
        self._regions.until(lambda: self._is_told(key, region), within_s=_TOLD_WITHIN_S)

    def _is_told(self, key: str, region: str) -> bool:
        found = self._found(key, region)
        if found is not None:
            self._regions.tell("kept", Kept(key, region, found.copies, found.equal))
        return found is not None

    def _found(self, key: str, region: str) -> ReadBack | None:
        replies: list[Reply] = []
        for request in self._workload.read_back(key):
            reply = self._regions.ask(region, request).reply
            if reply is None:
                return None
            replies.append(reply)
        return read(lambda: self._workload.found(key, replies), None)[0]
