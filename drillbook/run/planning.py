"""What a run would do, how long it takes and whether it can reach verdicts; touches nothing."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from gherkin.errors import ParserError as GherkinError
from gherkin.parser import Parser

from drillbook import __version__
from drillbook.domain import plan
from drillbook.domain.guard import Plan, PlannedDrill
from drillbook.domain.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from drillbook.domain.environment import Environment
    from drillbook.domain.plan import Feasibility

_REACH = {
    "destructive": "destructive",
    "pods": r"pods-(100|[0-9]{1,2})",
    "namespace": r"namespace-[a-z0-9]([a-z0-9-]*[a-z0-9])?",
    "region": "region-(primary|secondary)",
}
"""Beginnings of tags that say how far a drill reaches, and what such a tag has to be."""

_UNKNOWN_DRILL_S = 60.0
"""What a drill is taken to last before one has been seen."""


_INSPECTION_S = 1.0
"""Likewise what looks at files only."""

_RELEASE_S = 15.0
"""What deploying, validating and draining a release takes at the least; the verdict counts what was really sent."""


class PlanError(Exception):
    """What would be done cannot be told; the text says where to look."""


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
        return max((int(percent) / 100 for percent in self._after("pods-")), default=0.0)

    @property
    def namespaces(self) -> set[str]:
        """That it changes beside those of the releases and the router: the tag `@namespace-data` is `data`."""
        return set(self._after("namespace-"))

    @property
    def roles(self) -> set[str]:
        """Of the regions that it changes; the primary when no tag such as `@region-secondary` says otherwise."""
        return set(self._after("region-")) or {"primary"}

    def _after(self, beginning: str) -> list[str]:
        return [tag.removeprefix(beginning) for tag in self.tags if tag.startswith(beginning)]


def run_plan(environment: Environment, drill_list: Sequence[Drill], features: Path) -> Plan:
    """What a run of these drills means to do, for the guard and for whoever approves it.

    Raises:
        PlanError: When something that says what they do cannot be read.
    """
    roles: set[str] = set[str]().union(*(drill.roles for drill in drill_list))
    namespaces = {environment.releases.namespace, environment.router.namespace}
    return Plan(
        environment.name,
        environment.sha256,
        tuple(PlannedDrill(d.feature, d.scenario, "destructive" in d.tags, d.pods_share) for d in drill_list),
        regions=tuple(sorted(region.name for region in environment.regions.values() if region.role in roles)),
        namespaces=tuple(sorted(namespaces.union(*(drill.namespaces for drill in drill_list)))),
        longest_s=environment.guard.max_duration_s,
        drillbook=__version__,
        sources_sha256=_sources_sha256(environment, features),
    )


def drills(features: Path, only: Sequence[str] = ()) -> list[Drill]:
    """The scenarios that a run would drill.

    Raises:
        PlanError: When a file is no feature, or a tag that says how far a drill reaches cannot be understood.
    """
    found: list[Drill] = []
    for path in sorted(features.rglob("*.feature")):
        if not only or path.stem in only:
            try:
                document = cast("Mapping[str, Any]", Parser().parse(path.read_text(encoding="utf-8")))
            except (GherkinError, OSError, ValueError) as error:
                raise PlanError(f"{path}: is no feature that can be read: {error}") from error
            found += _scenarios(path.stem, document["feature"] or {"children": (), "tags": ()})
    for drill in found:
        _check_reach(drill)
    return found


def unplanned(drill_list: Sequence[Drill], collected: Iterable[tuple[str, str]]) -> list[str]:
    """Scenarios, each by its feature's stem and its name, that would be drilled and that no plan has."""
    known = {(drill.feature, drill.scenario) for drill in drill_list}
    return sorted({f"{feature}: {scenario}" for feature, scenario in collected if (feature, scenario) not in known})


def touches_nothing(drill_list: Iterable[Drill]) -> bool:
    """Whether all of them only look at files."""
    return all("static" in drill.tags for drill in drill_list)


def expected_s(drill_list: Sequence[Drill], runs: Path) -> float:
    """How long they take, by what each took when it last came to a verdict, in seconds."""
    seen = _durations(runs)
    unknown_s = {True: _INSPECTION_S, False: _UNKNOWN_DRILL_S}
    return sum(seen.get(drill.scenario, unknown_s["static" in drill.tags]) for drill in drill_list)


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
    proof = environment.migrations.proof if environment.migrations is not None else None
    migration: list[str] = []
    if proof is not None:
        rows = f"{proof.address}: as many rows as the feature says are added to {proof.table.name} and removed"
        ways = f"its schema goes to {proof.before}, to {proof.after} and back"
        migration = [f"{rows}, {ways}, and a transaction on it is kept open for some seconds"]
    return [
        f"{region}: Helm releases {names} in namespace {releases.namespace}: one into the idle slot and out again",
        f"{region}: HTTPRoute {route.namespace}/{route.route}: the weights of its last rule are switched and put back",
        f"{region}: namespace {environment.own_namespace}: a Lease, and ConfigMaps with the undo of each open change",
        (
            f"{environment.public_url}: {requests:g} metered requests a second, {environment.load.analysts} analysts "
            f"and {environment.load.collectors} collectors; the events that they store stay"
        ),
        *migration,
    ]


def _scenarios(stem: str, node: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[Drill]:
    """Those of a feature, or of a rule in it; tags are handed down as far as the tables of examples."""
    tags = (*above, *_tags(node))
    for child in node["children"]:
        if "rule" in child:
            yield from _scenarios(stem, child["rule"], tags)
        elif "scenario" in child:
            scenario = child["scenario"]
            tables = [(_tags(table), len(table["tableBody"])) for table in scenario["examples"]] or [((), 1)]
            for more, rows in tables:
                found = (*tags, *_tags(scenario), *more)
                for _ in range(rows):
                    yield Drill(stem, scenario["name"], tuple(filter(_is_requirement, found)), found)


def _check_reach(drill: Drill) -> None:
    """A tag that is misspelt would let a drill reach further than anybody has seen."""
    for tag in drill.tags:
        right = next((right for beginning, right in _REACH.items() if tag.lower().startswith(beginning)), None)
        if right is not None and not re.fullmatch(right, tag):
            raise PlanError(
                f"{drill.scenario!r} in {drill.feature}.feature has the tag @{tag}, which says how far it reaches and "
                f"cannot be understood; it should match {right}"
            )


def _sources_sha256(environment: Environment, features: Path) -> str:
    """Digest of all that says what drills do: features, steps, experiments, chart, values, adapter, migrations."""
    digest = hashlib.sha256()
    adapter = Path(environment.workload.adapter.rpartition(":")[0])
    roots = [features, features.parent / "experiments", environment.releases.chart, *environment.releases.values]
    scripts = [environment.migrations.scripts] if environment.migrations is not None else []
    for root in [*roots, *scripts, *([adapter] if adapter.suffix == ".py" else [])]:
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            # Where things lie differs from machine to machine; what they are called within does not.
            if path.is_file() and path.suffix != ".pyc":
                try:
                    content = hashlib.sha256(path.read_bytes()).hexdigest()
                except OSError as error:
                    raise PlanError(f"{path} says what drills do, and cannot be read: {error.strerror}") from error
                digest.update(f"{root.name}/{path.relative_to(root).as_posix()} {content}\n".encode())
    return digest.hexdigest()


def _is_requirement(tag: str) -> bool:
    """Ids of promises have capital letters and a number: `DEP-2.1`."""
    return re.fullmatch(r"[A-Z]+-\d+\.\d+", tag) is not None


def _tags(node: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(tag["name"].removeprefix("@") for tag in node["tags"])


def _durations(runs: Path) -> dict[str, float]:
    """Seconds that each scenario took; one that was stopped early says nothing about that."""
    seen: dict[str, float] = {}
    for path in sorted(runs.glob("*/drills/*/drill.json")):
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document["verdict"] != str(Verdict.INCONCLUSIVE):
                name = document["scenario"].partition(" (")[0]
                seen[name] = float(document["finished_s"]) - float(document["started_s"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return seen
