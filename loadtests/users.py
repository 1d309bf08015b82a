"""People and machines who use the system meanwhile: they wait for an answer, think, and go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locust import User, between, task
from locust.exception import StopUser

from drillbook.domain.traffic import Connection, Outcome
from loadtests.client import Client, Pool

if TYPE_CHECKING:
    from loadtests.load import Load
    from loadtests.workload import Request

_TRIES = 3


class _Patient(User):
    """A user with one connection that is kept open, as a browser or an agent keeps it."""

    abstract = True
    kind: str
    load: Load

    def on_start(self) -> None:
        plan = self.load.plan
        self._client = Client(plan.target, plan.clock, plan.metering.timeout_s)
        self._pool = Pool(1)

    def on_stop(self) -> None:
        self._pool.close()

    def ask(self, request: Request) -> Outcome:
        if self.load.stop.is_set():
            raise StopUser
        due_s = self.load.plan.clock.now()
        exchange = self._client.through(self._pool, request)
        outcome = self.load.recorder.record(request, exchange, Connection.REUSED, self.kind, due_s)
        # Locust's own statistics, which end up in the log.
        self.environment.events.request.fire(
            request_type=self.kind,
            name=request.operation,
            response_time=(exchange.done_s - due_s) * 1000,
            response_length=len(exchange.reply.body) if exchange.reply else 0,
            exception=None if outcome is Outcome.OK else outcome.value,
            context={},
        )
        if outcome is Outcome.CANCELLED:  # Locust wants to be rid of this user
            raise StopUser
        return outcome


class Analyst(_Patient):
    """Asks for aggregates, and reads them before asking again."""

    kind = "analyst"
    wait_time = between(0.2, 1.0)

    @task
    def query(self) -> None:
        """One question."""
        self.ask(self.load.workload.query(self.load.recorder.next_number()))


class Collector(_Patient):
    """Ingests events; what was not acknowledged it sends again with the same key, as an agent with a spool does."""

    kind = "collector"
    wait_time = between(0.1, 0.3)

    @task
    def ingest(self) -> None:
        """One event, tried up to three times."""
        request = self.load.workload.write(self.load.recorder.next_number())
        for _ in range(_TRIES):
            if self.ask(request) is Outcome.OK:
                return
            self.wait()
