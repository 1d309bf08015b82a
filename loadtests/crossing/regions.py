"""Each region's gateway as its users reach it, whichever of them the public's name leads to."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, TextIO

import gevent

from loadtests.client import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from drillbook.domain.crossing import Asked, Kept, Try
    from loadtests.client import Exchange
    from loadtests.clock import SteadyClock
    from loadtests.plan import Plan
    from loadtests.workload import Request

PACE_S = 0.5
"""Between two tries of the same."""


class Regions:
    """Two regions, and where it is written down what they answer."""

    def __init__(self, plan: Plan, addresses: Mapping[str, Sequence[str]]) -> None:
        """`addresses` are those of each region's gateway, the region first that has the public when all is well."""
        self.plan = plan
        self.names = tuple(addresses)
        self._clients = {
            region: Client(replace(plan.target, at=tuple(at)), plan.clock, plan.metering.timeout_s)
            for region, at in addresses.items()
        }
        self._files: dict[str, TextIO] = {}

    @property
    def clock(self) -> SteadyClock:
        """The run's."""
        return self.plan.clock

    @property
    def given_up_after_s(self) -> float:
        """By then a request is answered, or given up."""
        return self.plan.metering.timeout_s + 1.0

    def other(self, region: str) -> str:
        """The one that is not this one."""
        return next(name for name in self.names if name != region)

    def ask(self, region: str, request: Request) -> Exchange:
        """On a connection of its own, so that no answer comes from where an earlier one came from."""
        return self._clients[region].once(request)

    def tell(self, name: str, line: Asked | Try | Kept) -> None:
        """Write a line that is on disk when the process is killed."""
        if name not in self._files:
            self._files[name] = (self.plan.output / f"{name}.jsonl").open("a", encoding="utf-8", buffering=1)
        self._files[name].write(json.dumps(asdict(line)) + "\n")

    def until(self, answered: Callable[[], bool], *, within_s: float) -> bool:
        """Ask again and again until it is answered; False when it is not in time."""
        deadline_s = self.clock.now() + within_s
        while not answered():
            if self.clock.now() > deadline_s:
                return False
            gevent.sleep(PACE_S)
        return True
