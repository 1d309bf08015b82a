"""What a run would do, how long it takes and whether it can reach verdicts; touches nothing."""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from drillbook import __version__
from drillbook.domain import plan, scenarios, titles
from drillbook.domain.environment import WHOLE_REGION
from drillbook.domain.guard import Plan, PlannedDrill
from drillbook.domain.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from drillbook.domain.environment import Environment
    from drillbook.domain.plan import Feasibility
    from drillbook.domain.scenarios import Scenario

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
            told = scenarios.read(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise PlanError(f"{path}: is no feature that can be read: {error}") from error
        found += [_drill(path.stem, scenario) for scenario in told]
    for drill in found:
        _check_reach(drill)
    if clash := titles.clash((drill.title, f"{drill.feature}.feature") for drill in found):
        raise PlanError(clash)
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


def _drill(feature: str, scenario: Scenario) -> Drill:
    """One that this file of features has."""
    texts = [sentence.partition(" ")[2] for sentence in scenario.sentences]
    flaws = [about["flaw"] for text in texts if (about := _OF_A_FLAW.fullmatch(text))]
    limits = [float(said[1]) for text in texts if (said := _DRAINED.search(text))]
    return Drill(
        feature,
        scenario.name,
        scenario.requirements,
        scenario.tags,
        scenario.example,
        drained_within_s=min(limits, default=math.inf),
        flaw=flaws[0] if flaws else "",
    )


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
