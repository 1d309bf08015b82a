"""The ports of one environment, and the questions and actions that go with them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from drillbook.actions.canary import Shift
from drillbook.actions.deploy import UPDATE, Deploy
from drillbook.actions.load_workers import START
from drillbook.actions.migration import MIGRATION_ACTIONS
from drillbook.actions.scraped import Scraped
from drillbook.actions.state import ACTIONS as STATE_ACTIONS
from drillbook.actions.switch import Switch
from drillbook.actions.watch import Limits
from drillbook.domain.fault import CATALOGUE
from drillbook.domain.runbook import STEPS
from drillbook.domain.sequential import Allowance
from drillbook.domain.undo import FAULT
from drillbook.ports import Unreachable
from drillbook.run.action import restore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from drillbook.actions.faults.plan import Faults
    from drillbook.actions.load_workers import Workers
    from drillbook.actions.migration import Migrated
    from drillbook.actions.recovery.plan import Recovery
    from drillbook.actions.state import State
    from drillbook.domain.environment import Environment
    from drillbook.domain.undo import Change, Restoration
    from drillbook.ports import Client, Clock, Cluster, Lock, Metrics, Releaser, Router, Smoke, StateStore
    from drillbook.run.action import Action
    from loadtests.workload import Workload
    from probes.slo import ServiceSeries


_IN_A_ROW = 10
_OK = 200


@dataclass(frozen=True, slots=True)
class Platform:
    """The ports of one environment.

    Attributes:
        environment: What its file says.
        clock: The run's.
        router: Shares of traffic in the primary region.
        releaser: Puts releases into slots there.
        cluster: What really runs there.
        metrics: Prometheus.
        series: Where Prometheus keeps what the service counts.
        client: One user at the public address.
        store: Drillbook's own documents: there, or with the witness of a run that may lose that region.
        left: The same with what runs of the other kind have left.
        lock: One run at a time.
        workload: Makes the application's adapter for a prefix of keys.
        smoke: Makes the smoke checks whose writes have keys with a prefix.
        recovery: How one region is recovered in the other; None where nobody has said.
        faults: What may be made to go wrong; None where nobody has said.
        migration: How a migration is proved; None where nobody has said.
        state: What both regions have beside the database; None where nobody has said.
        workers: How load is made within the cluster; None where nobody has said.
    """

    environment: Environment
    clock: Clock
    router: Router
    releaser: Releaser
    cluster: Cluster
    metrics: Metrics
    series: ServiceSeries
    client: Client
    store: StateStore
    left: StateStore
    lock: Lock
    workload: Callable[[str], Workload]
    smoke: Callable[[str], Smoke]
    recovery: Recovery | None = None
    faults: Faults | None = None
    migration: Migrated | None = None
    state: State | None = None
    workers: Workers | None = None

    def live_slot(self) -> str:
        """The one slot that has the public's traffic.

        Raises:
            Unreachable: When it is not exactly one.
        """
        weights = self.router.weights()
        live = _leads_to(weights)
        if len(live) != 1:
            raise Unreachable(f"one slot should have all the traffic, and the weights are {weights}")
        return next(iter(live))

    def serving_slots(self) -> frozenset[str]:
        """Every slot that has some of the public's traffic."""
        return _leads_to(self.router.weights())

    def idle_slot(self) -> str:
        """The other one."""
        live = self.live_slot()
        return next(slot for slot in self.router.backends() if slot != live)

    def unserved(self) -> str:
        """Why somebody at the public address is not served; empty when many new connections in a row were.

        Where pods are well and one of the ways to them is not, only some connections tell.
        """
        for _ in range(_IN_A_ROW):
            for path in self.environment.workload.health_paths:
                try:
                    answer = self.client.get(path)
                except Unreachable as error:
                    return f"the public is not served: {error}"
                if answer.status != _OK:
                    return f"the public is not served: {path} answered {answer.status}"
        return ""

    def version_of(self, release: str) -> str:
        """The version that a release of the features really is."""
        return self.environment.releases.overrides.get(release, {}).get("version", release)

    def offers(self, flaw: str) -> bool:
        """Whether the environment has a release with this flaw to be drilled with."""
        return self.environment.releases.offers(flaw)

    def limits(self) -> Limits:
        """What a release may do and stay."""
        strategy = self.environment.strategy
        return Limits(
            Allowance(strategy.bad_share), Allowance(strategy.slow_share), strategy.slow_s, strategy.least_answers
        )

    def seeds(self) -> int:
        """How many writes a load makes before it is measured."""
        return len(self.workload("seeds").seed())

    def deploy(self, slot: str, release: str) -> Deploy:
        """The action that puts a release into a slot."""
        environment = self.environment
        return Deploy(
            self.releaser, self.cluster, self.router, self.client, environment.router.slot_header,
            environment.workload.probe_path, self.clock, slot, release, self.version_of(release),
            environment.releases.deadline_s,
        )  # fmt: skip

    def update(self, slot: str, release: str) -> Deploy:
        """The action that replaces the release of the slot that has the public."""
        return replace(self.deploy(slot, release), in_place=True)

    def scraped(self, slot: str) -> Scraped:
        """The question whether Prometheus sees a slot."""
        return Scraped(self.metrics, self.cluster, self.clock, slot, self.series.up, self.series.target_label)

    def switch(self, slot: str) -> Switch:
        """The action that sends the traffic to a slot."""
        path = self.environment.workload.probe_path
        return Switch(self.router, self.client, self.clock, slot, path)

    def shift(self, slot: str, steps: tuple[int, ...]) -> Shift:
        """The action that sends more and more of the traffic to a slot."""
        path = self.environment.workload.probe_path
        return Shift(self.router, self.client, self.clock, slot, path, steps)

    def make(self, change: Change) -> Action:
        """The action of an entry in the undo journal, made again.

        Raises:
            ValueError: When no action of this name is known, or it is about a slot that the environment does not have,
                or was made in another one.
        """
        if change.target not in {"", self.environment.target}:
            raise ValueError(
                f"it was made in {change.target}, and this environment is {self.environment.target}: recover with the "
                "environment file of that one"
            )
        arguments = change.arguments["arguments"]
        for names, said, part in (
            ({*STEPS, FAULT}, "how it is recovered", self.recovery),
            (CATALOGUE, "what faults may hit", self.faults),
            (MIGRATION_ACTIONS, "how its migrations are proved", self.migration),
            (STATE_ACTIONS, "which files and secrets its regions have", self.state),
            ({START}, "where workers of a load run", self.workers),
        ):
            if change.action in names and part is not None:
                return part.make(change.action, arguments)
            if change.action in names:
                raise ValueError(
                    f"the undo journal names the action {change.action}, and this environment does not say {said}: use "
                    "the file that the run was made with"
                )
        return self._make_release(change.action, arguments)

    def _make_release(self, action: str, arguments: Mapping[str, Any]) -> Action:
        if arguments["slot"] not in self.router.backends():
            raise ValueError(f"the undo journal names the slot {arguments['slot']!r}, which this environment lacks")
        if action in {"deploy-release", UPDATE}:
            made = self.update if action == UPDATE else self.deploy
            return replace(made(arguments["slot"], arguments["release"]), mark=str(arguments.get("mark", "")))
        if action == "switch-traffic":
            return self.switch(arguments["slot"])
        if action == "shift-traffic":
            return self.shift(arguments["slot"], tuple(int(weight) for weight in arguments["steps"]))
        raise ValueError(f"the undo journal names the action {action!r}, which this version does not know")

    def undo(self, change: Change) -> Restoration:
        """Undo one change and see that it is undone."""
        return restore(change, self.make(change), self.clock)


def _leads_to(weights: Mapping[str, int]) -> frozenset[str]:
    return frozenset(slot for slot, weight in weights.items() if weight > 0)
