"""What a run would do, how long it takes and whether it can reach verdicts; touches nothing."""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from gherkin.errors import ParserError as GherkinError
from gherkin.parser import Parser

from drillbook import __version__
from drillbook.domain import plan, titles
from drillbook.domain.environment import WHOLE_REGION
from drillbook.domain.fault import CATALOGUE
from drillbook.domain.fault_settings import FaultSettings
from drillbook.domain.guard import Plan, PlannedDrill
from drillbook.domain.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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

STATIC = "static"
"""The tag of scenarios that need no platform."""

PIPELINE, MIGRATIONS, MIGRATION = "pipeline", "migrations", "migration"
BACKUP_BEFORE_RELEASE = "backup_before_release"
"""Features that are drilled only where the environment names what they are about, or where they are asked for."""

UPDATE_IN_PLACE = "update_in_place"
"""The feature that changes what the public is served by."""

PERFORMANCE = "performance"
"""The class of drills that give more load than usual; they need an environment which says how much it may be given."""

CLASSES = frozenset({"resilience", "nightly", PERFORMANCE})
"""Tags of drills that are drilled only where they, or their class, are asked for: they make faults, or take long."""

RESILIENCE = "resilience"
"""The class of drills that make faults; a tag, and the folder of their features."""

_UNKNOWN_DRILL_S = 60.0
"""What a drill is taken to last before one has been seen."""

_INSPECTION_S = 1.0
"""Likewise what looks at files only."""

_RECOVERY_S = 300.0
"""Likewise what loses something: minutes of detection, of sustained service, and of the way back."""

_RELEASE_S = 15.0
"""What deploying, validating and draining a release takes at the least; the verdict counts what was really sent."""

RECOVERY = "recovery"
"""Tag of drills that need an environment which says how one region is recovered in the other."""

TOLD = "told"
"""Tag of those that need an environment which says where people are told of a recovery."""

BACKUPS = "backups"
"""Tag of those that need an environment which says how its backups are looked at."""

STATE = "state"
"""Tag of those that need an environment which says where both regions have its files and its secrets."""

WORKERS = "workers"
"""Tag of those that need an environment which says where workers of a load run."""

LOSS = "loss-"
"""Beginning of tags of those that need an environment where this may be lost, for example `@loss-server`."""

FLAWED = r"a release that (?P<flaw>.+?)( under load)?"
"""How a sentence begins that is about a release which is bad on purpose; `releases.overrides` has it by its flaw."""

_OF_A_FLAW = re.compile(rf"{FLAWED} is (cut over|tried as a canary)")

OFFERED = "offered"
"""Asked for beside features and classes: leaves out drills of bad releases that the environment has none of."""

REGION_LOSSES = frozenset(f"{LOSS}{how}" for how in WHOLE_REGION)
"""Those of drills that lose the whole primary region, its cluster with all that is kept there included."""


_DRAINED = re.compile(r"was drained within ([0-9]+(?:\.[0-9]+)?) s of the switch")
"""The sentence that promises when an old slot has no work left."""


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
        example: Values of its example; empty when it is none of an outline.
        drained_within_s: In which time it promises that an old slot is drained; infinite where it does not.
        flaw: Of the bad release that it is about; empty when it is about none.
    """

    feature: str
    scenario: str
    requirements: tuple[str, ...]
    tags: tuple[str, ...] = ()
    example: tuple[str, ...] = ()
    drained_within_s: float = math.inf
    flaw: str = ""

    @property
    def title(self) -> str:
        """What it is called in a run."""
        return titles.title(self.scenario, self.example)

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
    if (recovery := environment.recovery) is not None and any(RECOVERY in drill.tags for drill in drill_list):
        namespaces.add(recovery.namespace)
    performance = environment.performance
    if performance is not None and performance.workers and any(WORKERS in drill.tags for drill in drill_list):
        namespaces.add(performance.workers.namespace)
    return Plan(
        environment.name,
        environment.sha256,
        tuple(
            PlannedDrill(d.feature, d.scenario, "destructive" in d.tags, d.pods_share, RESILIENCE in d.tags)
            for d in drill_list
        ),
        regions=tuple(sorted(region.name for region in environment.regions.values() if region.role in roles)),
        namespaces=tuple(sorted(namespaces.union(*(drill.namespaces for drill in drill_list)))),
        longest_s=environment.guard.max_duration_s,
        drillbook=__version__,
        sources_sha256=_sources_sha256(environment, features),
    )


def drills(features: Path) -> list[Drill]:
    """All scenarios.

    Raises:
        PlanError: When a file is no feature, a tag that says how far a drill reaches cannot be understood, or two
            scenarios are called alike.
    """
    found: list[Drill] = []
    for path in sorted(features.rglob("*.feature")):
        try:
            document = cast("Mapping[str, Any]", Parser().parse(path.read_text(encoding="utf-8")))
        except (GherkinError, OSError, ValueError) as error:
            raise PlanError(f"{path}: is no feature that can be read: {error}") from error
        found += _scenarios(path.stem, document["feature"] or {"children": (), "tags": ()})
    for drill in found:
        _check_reach(drill)
    if told := titles.clash((drill.title, f"{drill.feature}.feature") for drill in found):
        raise PlanError(told)
    return found


def names(only: str) -> list[str]:
    """The features and classes that the option `--only` has, with commas and perhaps spaces between them."""
    return [name.strip() for name in only.split(",") if name.strip()]


def chosen(drill_list: Iterable[Drill], environment: Environment, only: Collection[str]) -> list[Drill]:
    """Those that a run drills: see `is_drilled` and `OFFERED`."""
    return [
        drill
        for drill in drill_list
        if is_drilled(drill.feature, drill.tags, environment, only)
        and not (OFFERED in only and lacks_its_release(drill, environment))
    ]


def lacks_its_release(drill: Drill, environment: Environment) -> bool:
    """Whether it is about a bad release that the environment does not have."""
    return bool(drill.flaw) and not environment.releases.offers(drill.flaw)


def left_out(
    drill_list: Sequence[Drill], environment: Environment, only: Collection[str], requested: Collection[str]
) -> list[str]:
    """Titles of the drills that a run which was asked for nothing in particular has here, or that these names mean.

    Args:
        drill_list: All of them.
        environment: Where.
        only: The names.
        requested: Titles of what is drilled, which is none of them.
    """
    meant = {*chosen(drill_list, environment, ()), *chosen(drill_list, environment, {*only} - {OFFERED})}
    return [drill.title for drill in drill_list if drill in meant and drill.title not in requested]


def is_drilled(feature: str, tags: Collection[str], environment: Environment, only: Collection[str]) -> bool:
    """Whether a scenario is of these features, or of these classes and the environment offers it.

    When none is named, what is of no class is drilled.
    """
    meant = {*only} - {OFFERED}
    if feature in meant:
        return True
    classes = CLASSES & {*tags}
    asked = classes & meant if meant else not classes
    return bool(asked) and _offers(environment, feature, tags)


def _offers(environment: Environment, feature: str, tags: Collection[str]) -> bool:
    """Whether it has what such a drill needs; faults say themselves what they lack."""
    migrations = environment.migrations
    proved = migrations is not None and migrations.proof is not None
    named = {
        PIPELINE: environment.pipeline is not None,
        MIGRATIONS: migrations is not None,
        MIGRATION: proved,
        BACKUP_BEFORE_RELEASE: proved,
    }
    if not named.get(feature, True) or not _offers_load(environment, tags):
        return False
    recovery = environment.recovery
    lost = {tag.removeprefix(LOSS) for tag in tags if tag.startswith(LOSS)}
    if TOLD in tags and (recovery is None or not recovery.channels):
        return False
    if BACKUPS in tags and (recovery is None or not recovery.backup_job):
        return False
    if STATE in tags and (recovery is None or recovery.files is None or recovery.secrets is None):
        return False
    return RECOVERY not in tags or (recovery is not None and lost <= {*recovery.losses})


def _offers_load(environment: Environment, tags: Collection[str]) -> bool:
    """Whether it says how much load it may be given, and where workers run, as far as a drill needs that."""
    performance = environment.performance
    if PERFORMANCE in tags and performance is None:
        return False
    return WORKERS not in tags or (performance is not None and performance.workers is not None)


def unplanned(drill_list: Sequence[Drill], collected: Iterable[tuple[str, str]]) -> list[str]:
    """Scenarios, each by its feature's stem and its name, that would be drilled and that no plan has."""
    known = {(drill.feature, drill.scenario) for drill in drill_list}
    return sorted({f"{feature}: {scenario}" for feature, scenario in collected if (feature, scenario) not in known})


def touches_nothing(drill_list: Iterable[Drill]) -> bool:
    """Whether all of them only look at files."""
    return all(STATIC in drill.tags for drill in drill_list)


def expected_s(drill_list: Sequence[Drill], runs: Path) -> float:
    """How long they take, by what each took when it last came to a verdict, in seconds."""
    seen = _durations(runs)
    return sum(seen.get(drill.scenario, _unknown_s(drill)) for drill in drill_list)


def _unknown_s(drill: Drill) -> float:
    """How long one is taken to last that was never seen."""
    if STATIC in drill.tags:
        return _INSPECTION_S
    return _RECOVERY_S if {RECOVERY, PERFORMANCE} & {*drill.tags} else _UNKNOWN_DRILL_S


def feasibility(environment: Environment, drill_list: Iterable[Drill]) -> list[Feasibility]:
    """Whether a system without a fault could be shown to keep each objective under the planned load.

    Args:
        environment: What it promises, and with how much load.
        drill_list: What is drilled, which may promise more.
    """
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
        *(
            plan.drain(limit_s, load.timeout_s, environment.metrics.scrape_interval_s)
            for limit_s in sorted({drill.drained_within_s for drill in drill_list} - {math.inf})
        ),
    ]


def touched(environment: Environment, drill_list: Iterable[Drill] = ()) -> list[str]:
    """What a run of these drills would change, in sentences."""
    releases, route = environment.releases, environment.router
    region = environment.primary.name
    names = ", ".join(releases.release.format(slot=slot) for slot in route.backends)
    requests = 2 * environment.load.rate_hz
    drill_list = list(drill_list)
    tags = {tag for drill in drill_list for tag in drill.tags}
    features = {drill.feature for drill in drill_list}
    return [
        f"{region}: Helm releases {names} in namespace {releases.namespace}: one into the idle slot and out again",
        f"{region}: HTTPRoute {route.namespace}/{route.route}: the weights of its last rule are switched and put back",
        f"{region}: namespace {environment.own_namespace}: a Lease, and ConfigMaps with the undo of each open change",
        (
            f"{environment.public_url}: {requests:g} metered requests a second, {environment.load.analysts} analysts "
            f"and {environment.load.collectors} collectors; the events that they store stay"
        ),
        *([_updated(region)] if UPDATE_IN_PLACE in features else ()),
        *(_recovered(environment) if RECOVERY in tags else ()),
        *(_loaded(environment) if PERFORMANCE in tags else ()),
        *(_migrated(environment) if {MIGRATION, BACKUP_BEFORE_RELEASE} & features else ()),
        *(_backed_up(environment) if BACKUP_BEFORE_RELEASE in features else ()),
        *(_hit(environment, region) if RESILIENCE in tags else ()),
    ]


def _updated(region: str) -> str:
    """What an update in place changes."""
    return (
        f"{region}: the release of the slot that has the public: updated in place by Helm, and rolled back; its "
        "history gets two revisions"
    )


def _recovered(environment: Environment) -> Iterator[str]:
    """What a recovery changes, which an environment that does not say how it is recovered cannot have."""
    if environment.recovery is not None:
        for name in environment.regions:
            yield (
                f"{name}: namespace {environment.recovery.namespace}: the database is ordered, stopped, started and "
                "promoted, and the public's name and the application's database are led there and back"
            )


def _migrated(environment: Environment) -> Iterator[str]:
    """What the proof of a migration changes, which an environment without one cannot have."""
    if environment.migrations is not None and (proof := environment.migrations.proof) is not None:
        yield (
            f"{proof.address}: as many rows as the feature says are added to {proof.table.name} and removed, its "
            f"schema goes to {proof.before}, to {proof.after} and back, and a transaction on it is kept open for some "
            "seconds"
        )


def _loaded(environment: Environment) -> Iterator[str]:
    """How much load it is given, which an environment that does not say how much it may have is not."""
    if (performance := environment.performance) is not None:
        yield (
            f"{environment.public_url}: up to {performance.most_hz:g} metered requests a second for up to "
            f"{performance.longest_s:.0f} s at a time, whose events stay too"
        )
        if (workers := performance.workers) is not None:
            yield f"{environment.primary.name}: namespace {workers.namespace}: Jobs that make load, and are deleted"


def _backed_up(environment: Environment) -> Iterator[str]:
    """What stays of a backup, which an environment without backups cannot have."""
    if (recovery := environment.recovery) is not None and recovery.backup_job:
        yield f"{recovery.namespace}: each repository gets a differential backup of {recovery.stanza}, which stays"


def _hit(environment: Environment, region: str) -> Iterator[str]:
    """What faults may hit, and where they have nothing to hit."""
    settings = environment.faults or FaultSettings()
    for fault in CATALOGUE.values():
        missing = [f"faults.{key}" for key in fault.needs if not getattr(settings, key)]
        told = "not made, for want of " + " and ".join(missing) if missing else f"for at most {fault.longest_s:g} s"
        yield f"{region}: {fault.sentence}: {told}"


def _scenarios(stem: str, node: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[Drill]:
    """Those of a feature, or of a rule in it; tags are handed down as far as the tables of examples."""
    tags = (*above, *_tags(node))
    for child in node["children"]:
        if "rule" in child:
            yield from _scenarios(stem, child["rule"], tags)
        elif "scenario" in child:
            scenario = child["scenario"]
            limits = [float(said[1]) for step in scenario["steps"] if (said := _DRAINED.search(step["text"]))]
            drained_s = min(limits, default=math.inf)
            for more, columns, rows in _examples(scenario):
                found = (*tags, *_tags(scenario), *more)
                for example in rows:
                    flaw = _flaw(scenario["steps"], dict(zip(columns, example, strict=True)))
                    requirements = tuple(filter(is_requirement, found))
                    yield Drill(stem, scenario["name"], requirements, found, example, drained_s, flaw)


def _examples(scenario: Mapping[str, Any]) -> list[tuple[tuple[str, ...], tuple[str, ...], list[tuple[str, ...]]]]:
    """Of each table of examples its tags, the names of its columns and its rows; one without names of no outline."""
    return [
        (_tags(table), _cells(table.get("tableHeader")), [_cells(row) for row in table["tableBody"]])
        for table in scenario["examples"]
    ] or [((), (), [()])]


def _cells(row: Mapping[str, Any] | None) -> tuple[str, ...]:
    return tuple(cell["value"] for cell in row["cells"]) if row else ()


def _flaw(steps: Iterable[Mapping[str, Any]], example: Mapping[str, str]) -> str:
    """Of the bad release that these sentences are about; empty when there is none."""
    for step in steps:
        text = str(step["text"])
        for name, value in example.items():
            text = text.replace(f"<{name}>", value)
        if found := _OF_A_FLAW.fullmatch(text):
            return found["flaw"]
    return ""


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
    adapter = Path(environment.workload.adapter.rpartition(":")[0])
    roots = [features, features.parent / "experiments", environment.releases.chart, *environment.releases.values]
    scripts = [environment.migrations.scripts] if environment.migrations is not None else []
    files = [
        (f"{root.name}/{path.relative_to(root).as_posix()}", path)
        for root in [*roots, *scripts, *([adapter] if adapter.suffix == ".py" else [])]
        for path in (sorted(root.rglob("*")) if root.is_dir() else [root])
        if path.is_file() and path.suffix != ".pyc"
    ]
    try:
        return files_sha256(files)
    except OSError as error:
        raise PlanError(f"{error.filename} says what drills do, and cannot be read: {error.strerror}") from error


def files_sha256(files: Iterable[tuple[str, Path]]) -> str:
    """Digest of files and of what they are called; where they lie, which differs from machine to machine, is not in it.

    Raises:
        OSError: When one cannot be read.
    """
    digest = hashlib.sha256()
    for name, path in files:
        digest.update(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def says_how_far(tag: str) -> bool:
    """Whether a tag is about how far a drill reaches."""
    return any(re.fullmatch(right, tag) for right in _REACH.values())


def says_what_is_needed(tag: str) -> bool:
    """Whether a tag is about what an environment has to say for a drill to be offered there."""
    return tag in {TOLD, BACKUPS, STATE, WORKERS} or tag.startswith(LOSS)


def is_requirement(tag: str) -> bool:
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
