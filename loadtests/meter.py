"""The open-loop meter: a Locust user whose requests are due at fixed times, whatever became of those before."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import gevent
from gevent.pool import Group
from locust import User, task
from locust.exception import StopUser

from drillbook.domain.requests import LATEST_SEND_S
from drillbook.domain.traffic import Connection
from loadtests.client import Client, Pool
from loadtests.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadtests.client import Exchange
    from loadtests.load import Load
    from loadtests.workload import Request

_LONGEST_NAP_S = 0.5


class Meter(User):
    """One user that sends as the clock says, each request in a greenlet of its own.

    New and reused connections take turns, so that the two schedules are half a period apart. A shape that is over ends
    the load.
    """

    fixed_count = 1
    load: Load

    def on_start(self) -> None:
        """Makes its client; there is one meter in a load."""
        plan = self.load.plan
        self._client = Client(plan.target, plan.clock, plan.metering.timeout_s)
        self._pool = Pool(plan.metering.pool)
        self._in_flight = Group()

    @task
    def send_as_scheduled(self) -> None:
        """Until the load stops; then wait for the answers that are still to come."""
        load = self.load
        now, stop = load.plan.clock.now, load.stop
        metering = load.plan.metering
        schedule = Schedule(metering.shape, metering.start_s or now(), metering.share)
        load.tell_schedule(schedule)
        turn = 0
        try:
            while not stop.is_set() and (due_s := schedule.due_s(turn)) is not None:
                early_s = due_s - now()
                if early_s > 0:
                    gevent.sleep(min(early_s, _LONGEST_NAP_S))
                    continue
                self._send(turn, schedule.share.connection(turn), due_s)
                turn += 1
            self._wait_for_the_end(schedule)
            self._in_flight.join(timeout=metering.timeout_s + 1)
            self._in_flight.kill(timeout=1)
            self._pool.close()
        except Exception as error:
            load.fail(error)
            raise
        raise StopUser

    def _wait_for_the_end(self, schedule: Schedule) -> None:
        """Users stay for as long as the shape does."""
        load = self.load
        while (
            not load.stop.is_set()
            and (left_s := schedule.start_s + schedule.shape.length_s - load.plan.clock.now()) > 0
        ):
            load.stop.wait(min(left_s, _LONGEST_NAP_S))
        load.stop.set()

    def _send(self, turn: int, connection: Connection, due_s: float) -> None:
        load = self.load
        request = load.workload.metered(turn // 2, load.recorder.next_number())
        if load.plan.clock.now() - due_s > LATEST_SEND_S:
            # Sent all at once now, those that we slept through would be a flood that no user makes.
            load.recorder.overslept(request, connection, due_s)
            return
        if len(self._in_flight) >= load.plan.metering.max_in_flight:
            why = f"{load.plan.metering.max_in_flight} requests were unanswered"
            load.recorder.unsent(request, connection, "meter", due_s, why)
            return
        exchange = self._on_new if connection is Connection.NEW else self._on_reused
        self._in_flight.spawn(exchange, request, due_s)

    def _on_new(self, request: Request, due_s: float) -> None:
        self._exchange(self._client.once, request, Connection.NEW, due_s)

    def _on_reused(self, request: Request, due_s: float) -> None:
        self._exchange(partial(self._client.through, self._pool), request, Connection.REUSED, due_s)

    def _exchange(
        self, ask: Callable[[Request], Exchange], request: Request, connection: Connection, due_s: float
    ) -> None:
        """A greenlet's body: it leaves a row, or breaks the load, since nobody would miss the one without a row."""
        try:
            exchange = ask(request)
            self.load.recorder.record(request, exchange, connection, "meter", due_s)
        except Exception as error:
            self.load.fail(error)
            raise
