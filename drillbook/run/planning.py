"""What a run would do, how long it takes and whether it can reach verdicts; touches nothing."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from gherkin.parser import Parser

from drillbook import __version__
from drillbook.domain import plan
from drillbook.domain.guard import Plan, PlannedDrill

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from drillbook.domain.environment import Environment
    from drillbook.domain.plan import Feasibility

_UNKNOWN_DRILL_S = 60.0
"""What a drill is taken to last before one has been seen."""


_RELEASE_S = 15.0
"""What deploying, validating and draining a release takes at the least; the verdict counts what was really sent."""


@dataclass(frozen=True, slots=True)
class Drill:
    """One scenario.

    Attributes:
        feature: Stem of its file, by which `--only` chooses.
        scenario: Its name; an outline counts once for each of its examples.
        requirements: Ids of the promises that it proves.
        tags: All of the scenario's and its feature's, without their @.
    """

    feature: str
    scenario: str
    requirements: tuple[str, ...]
    tags: tuple[str, ...] = ()

    @property
    def pods_share(self) -> float:
        """Share of the serving pods that it takes away: the tag `@pods-50` is 0.5."""
        shares = [float(tag.removeprefix("pods-")) / 100 for tag in self.tags if tag.startswith("pods-")]
        return max(shares, default=0.0)


def run_plan(environment: Environment, drill_list: Sequence[Drill]) -> Plan:
    """What a run of these drills means to do, for the guard and for whoever approves it."""
    return Plan(
        environment.name,
        environment.sha256,
        tuple(PlannedDrill(d.feature, d.scenario, "destructive" in d.tags, d.pods_share) for d in drill_list),
        regions=(environment.primary.name,),
        namespaces=tuple(sorted({environment.releases.namespace, environment.router.namespace})),
        longest_s=environment.guard.max_duration_s,
        drillbook=__version__,
    )


def drills(features: Path, only: Sequence[str] = ()) -> list[Drill]:
    """The scenarios that a run would drill."""
    found: list[Drill] = []
    for path in sorted(features.rglob("*.feature")):
        if not only or path.stem in only:
            document = cast("Mapping[str, Any]", Parser().parse(path.read_text(encoding="utf-8")))
            found += _scenarios(path.stem, document["feature"])
    return found


def expected_s(drill_list: Sequence[Drill], runs: Path) -> float:
    """How long they take, by what the last runs of each took, in seconds."""
    seen = _durations(runs)
    return sum(seen.get(drill.scenario, _UNKNOWN_DRILL_S) for drill in drill_list)


def feasibility(environment: Environment) -> list[Feasibility]:
    """Whether a system without a fault could be shown to keep each objective under the planned load."""
    objectives, strategy, load = environment.objectives, environment.strategy, environment.load
    window_s = strategy.before_s + _RELEASE_S + strategy.watch_s
    requests = 2 * load.rate_hz * window_s
    return [
        plan.share(f"availability of {objectives.availability:.3%}", objectives.availability, requests),
        plan.share(
            f"{objectives.latency_share:.1%} of requests within {objectives.latency_s:g} s",
            objectives.latency_share,
            requests,
        ),
        plan.outage(f"no outage longer than {objectives.outage_s:g} s", objectives.outage_s, load.rate_hz),
    ]


def touched(environment: Environment) -> list[str]:
    """What a run would change, in sentences."""
    releases, route = environment.releases, environment.router
    region = environment.primary.name
    names = ", ".join(releases.release.format(slot=slot) for slot in route.backends)
    requests = 2 * environment.load.rate_hz
    return [
        f"{region}: Helm releases {names} in namespace {releases.namespace}: one into the idle slot and out again",
        f"{region}: HTTPRoute {route.namespace}/{route.route}: the weights of its last rule are switched and put back",
        f"{region}: namespace {environment.own_namespace}: a Lease, and ConfigMaps with the undo of each open change",
        (
            f"{environment.public_url}: {requests:g} metered requests a second, {environment.load.analysts} analysts "
            f"and {environment.load.collectors} collectors; the events that they store stay"
        ),
    ]


def _scenarios(stem: str, feature: Mapping[str, Any]) -> Iterator[Drill]:
    above = _tags(feature)
    for child in feature["children"]:
        scenario = child.get("scenario")
        if scenario is None:
            continue
        tags = (*above, *_tags(scenario))
        rows = sum(len(examples["tableBody"]) for examples in scenario["examples"])
        for _ in range(rows or 1):
            yield Drill(stem, scenario["name"], tuple(filter(_is_requirement, tags)), tags)


def _is_requirement(tag: str) -> bool:
    """Ids of promises have capital letters and a number: `DEP-2.1`."""
    return re.fullmatch(r"[A-Z]+-\d+\.\d+", tag) is not None


def _tags(node: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(tag["name"].removeprefix("@") for tag in node["tags"])


def _durations(runs: Path) -> dict[str, float]:
    """Seconds that each scenario took when it was last drilled."""
    seen: dict[str, float] = {}
    for path in sorted(runs.glob("*/drills/*/drill.json")):
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            seen[document["scenario"]] = float(document["finished_s"]) - float(document["started_s"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return seen
