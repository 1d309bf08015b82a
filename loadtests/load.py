"""One load from its seed to its Parquet files."""

from __future__ import annotations

import gc
import json
import logging
import signal
from typing import TYPE_CHECKING, cast

import gevent
from gevent.event import Event
from gevent.pool import Group
from locust.env import Environment

from drillbook.domain.traffic import Outcome
from loadtests.client import Client
from loadtests.columns import STALLS, Columns
from loadtests.meter import Meter
from loadtests.priority import ahead_of_others
from loadtests.readback import read_back
from loadtests.recorder import Recorder
from loadtests.stalls import StallMonitor
from loadtests.state import Live, Phase, StateFile
from loadtests.users import Analyst, Collector

if TYPE_CHECKING:
    from locust import User

    from loadtests.plan import Plan
    from loadtests.schedule import Schedule
    from loadtests.workload import Workload

_LOG = logging.getLogger(__name__)
_SEED_RETRY_S = 0.5
_USERS_STOP_WITHIN_S = 10.0


class LoadFailed(Exception):
    """The load could not be made; the text says what happened and what to look at."""


class Load:
    """What the meter and the users of one load share."""

    def __init__(self, plan: Plan, workload: Workload, state: StateFile) -> None:
        """Opens the files in the plan's output folder."""
        self.plan = plan
        self.workload = workload
        self.stop = Event()
        self._state = state
        self._stalls = Columns(plan.output, "stalls", STALLS)
        self._monitor = StallMonitor(plan.clock, self._stalls)
        self._live = Live(plan.output, plan.clock, plan.live_window_s, self._monitor.recent)
        self.recorder = Recorder(plan.output, workload, self._live)
        self._failure: Exception | None = None

    def tell_schedule(self, schedule: Schedule) -> None:
        """When the shape began, for whoever counts what was due."""
        document = {"start_s": schedule.start_s, "shape": schedule.shape.as_document()}
        (self.plan.output / "schedule.json").write_text(json.dumps(document) + "\n", encoding="utf-8")

    def fail(self, error: Exception) -> None:
        """The meter or a user broke: a load that goes on without it would prove nothing."""
        self._failure = error
        self.stop.set()

    def run(self) -> None:
        """To its end.

        Raises:
            LoadFailed: When the seed is not taken, or the meter broke.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            gevent.signal_handler(number, self.stop.set)
        self._state.enter(Phase.STARTING)
        self._seed()
        writers = Group()
        for body in (self._live.write_windows, self.recorder.flush_regularly, self._flush_stalls, self._announce):
            writers.start(gevent.Greenlet(body))
        # What lives by now lives to the end: keep the collector from walking through it in the midst of a measurement.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 50, 100)
        try:
            with ahead_of_others():
                self._monitor.start()
                self._run_users()
        finally:
            self._monitor.stop()
            writers.kill()
            self._live.finish()
            self._stalls.finish()
            self.recorder.finish()
        if self._failure is not None:
            msg = f"the meter broke: {type(self._failure).__name__}: {self._failure}"
            raise LoadFailed(msg) from self._failure
        self._state.enter(Phase.READING_BACK)
        keys = (*self.recorder.acknowledged, *self.recorder.indeterminate)
        read_back(self.plan, self.workload, keys, self.plan.output)
        self._state.enter(Phase.DONE)

    def _run_users(self) -> None:
        classes: list[type[User]] = [type("Meter", (Meter,), {"load": self})]
        for made, count in ((Analyst, self.plan.analysts), (Collector, self.plan.collectors)):
            if count:
                classes.append(cast("type[User]", type(made.__name__, (made,), {"load": self, "fixed_count": count})))
        environment = Environment(user_classes=classes, stop_timeout=_USERS_STOP_WITHIN_S, catch_exceptions=True)
        environment.events.user_error.add_listener(self._user_broke)
        runner = environment.create_local_runner()
        users = 1 + self.plan.analysts + self.plan.collectors
        runner.start(user_count=users, spawn_rate=100)
        self.stop.wait(timeout=self.plan.max_duration_s)
        self.stop.set()
        self._state.enter(Phase.STOPPING)
        gevent.with_timeout(2 * _USERS_STOP_WITHIN_S, runner.quit, timeout_value=None)
        for entry in environment.stats.entries.values():
            _LOG.info("%s %s: %d requests, %d failed", entry.method, entry.name, entry.num_requests, entry.num_failures)

    def _user_broke(self, exception: Exception, **_: object) -> None:
        self.fail(exception)

    def _announce(self) -> None:
        self.recorder.first_answer.wait()
        if not self.stop.is_set():
            self._state.enter(Phase.RUNNING)

    def _flush_stalls(self) -> None:
        while True:
            gevent.sleep(1.0)
            self._stalls.flush()

    def _seed(self) -> None:
        plan = self.plan
        client = Client(plan.target, plan.clock, plan.metering.timeout_s)
        deadline_s = plan.clock.now() + plan.start_within_s
        for request in self.workload.seed():
            while True:
                exchange = client.once(request)
                reply = exchange.reply
                if exchange.outcome is Outcome.OK and reply is not None and reply.status // 100 == 2:  # noqa: PLR2004
                    break
                seen = f"status {reply.status}" if reply is not None else f"{exchange.outcome.value}: {exchange.error}"
                if self.stop.is_set() or plan.clock.now() > deadline_s:
                    where = f"{plan.target.scheme}://{plan.target.host}:{plan.target.port}{request.path}"
                    msg = (
                        f"{where} did not take the load's seed within {plan.start_within_s:g} s, the last try ended "
                        f"with {seen}; see that the system answers there before a drill begins"
                    )
                    raise LoadFailed(msg)
                gevent.sleep(_SEED_RETRY_S)
