"""What a pipeline has to have so that nothing gets to production untested, unscanned, undrilled or unapproved.

Each check answers sentences about what is missing; no sentence is a pass. A job counts for what the commands of its
script do, not for its name, and only where its failure keeps production back.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from drillbook.domain import pipeline as pipelines
from drillbook.domain.shell import Tool, runs_any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from drillbook.domain.pipeline import Job, Made, Part, Pipeline

INCONCLUSIVE = 75


TESTS = (
    Tool(r"make (unit|test|check|integration)"), Tool(r"(\S*python\S* -m )?pytest", spoiled_by=r"--co(llect-only)?\b"),
    Tool(r"tox|nox"), Tool(r"go test"), Tool(r"(npm|yarn|pnpm) (run )?test"),
    Tool(r"(mvn|mvnw|gradle|gradlew)\b.* (test|verify|check)"),
    Tool(r"drillbook verify"), Tool(r"cargo test"),
)  # fmt: skip

_REPORT_ONLY = r"--exit-code[ =]0|--exit-zero|--soft-fail|--no-fail|--dry-run"
SCANNERS: dict[str, tuple[Tool, ...]] = {
    "code": (
        Tool(r"ruff check", asks=r"--select[ =]\S*\bS\b", spoiled_by=_REPORT_ONLY),
        Tool(r"bandit", spoiled_by=_REPORT_ONLY), Tool(r"semgrep( scan)?", asks=r"--error", spoiled_by=_REPORT_ONLY),
        Tool(r"semgrep ci"), Tool(r"gosec", spoiled_by=r"-no-fail"),
    ),
    "secrets": (
        Tool(r"gitleaks (git|detect|dir)", spoiled_by=_REPORT_ONLY),
        Tool(r"trufflehog", asks=r"--fail"), Tool(r"detect-secrets-hook"),
    ),
    "dependencies": (
        Tool(r"pip-audit", spoiled_by=_REPORT_ONLY), Tool(r"osv-scanner"), Tool(r"npm audit"),
        Tool(r"trivy (fs|repo|filesystem)", asks=r"--exit-code[ =][1-9]"),
        Tool(r"grype (dir|file):\S+", asks=r"--fail-on"),
    ),
    "infrastructure": (
        Tool(r"trivy config", asks=r"--exit-code[ =][1-9]"), Tool(r"checkov", spoiled_by=_REPORT_ONLY),
        Tool(r"tfsec", spoiled_by=_REPORT_ONLY), Tool(r"kics scan"),
    ),
    "images": (
        Tool(r"trivy image", asks=r"--exit-code[ =][1-9]"), Tool(r"grype", asks=r"--fail-on"),
    ),
}  # fmt: skip
"""What finds weaknesses of each kind, and ends with an error when it has."""

DRILL = Tool(r"drillbook verify")
GATE = Tool(r"drillbook gate", asks=r"--since ")
"""Without a time it would open on any older run that lies there."""
RECOVER = Tool(r"drillbook recover")
_PRODUCTION = re.compile(r"prod(uction)?\b", re.IGNORECASE)


def of_production(pipeline: Pipeline, needed: Callable[[Made, Part], Iterable[str]]) -> list[str]:
    """Hold every way to production against a check; also that there is one, and that all of the pipeline was seen.

    Raises:
        NotAPipeline: When nobody can tell what GitLab would make of it.
    """
    found = list(pipeline.unseen)
    ways = 0
    for made in pipelines.on_every_occasion(pipeline):
        for part in made.parts.values():
            if _PRODUCTION.match(part.job.environment):
                ways += 1
                found += (f"on {made.occasion}, {part.job.name} {problem}" for problem in needed(made, part))
    if not ways:
        found.append("no job deploys to an environment named production, so there is nothing to hold back")
    return list(dict.fromkeys(found))


def tested(made: Made, production: Part, stages: int) -> list[str]:
    """Tests in so many stages keep production back."""
    before = made.keeping_back(production.job.name)
    have = sorted({part.job.stage for part in before.values() if runs(part.job, TESTS)})
    return [] if len(have) >= stages else [f"waits for tests of {len(have)} stages ({', '.join(have) or 'none'})"]


def scanned(made: Made, production: Part) -> list[str]:
    """A scanner of each kind keeps production back."""
    before = made.keeping_back(production.job.name)
    return [
        f"waits for no scan of {kind} that fails on a finding"
        for kind, tools in SCANNERS.items()
        if not any(runs(part.job, tools) for part in before.values())
    ]


def drilled(made: Made, production: Part) -> list[str]:
    """A gate behind a drill keeps production back, on FAIL and on INCONCLUSIVE."""
    before = made.keeping_back(production.job.name)
    gates = [name for name, part in before.items() if runs(part.job, (GATE,))]
    if not gates:
        return [f"waits for no gate that blocks on FAIL and on INCONCLUSIVE{_tolerant(made)}"]
    if not any(runs(part.job, (DRILL,)) for name in gates for part in made.keeping_back(name).values()):
        return [f"waits for the gate {' and '.join(gates)}, which waits for no drill"]
    return []


def approved(made: Made, production: Part) -> list[str]:
    """A person starts it, or a job before it, and not before the gate has opened."""
    before = made.keeping_back(production.job.name)
    people = [part for part in (production, *before.values()) if part.when == "manual" and part.blocks]
    if not people:
        return ["waits for nobody's approval"]
    late = [p for p in people if any(runs(b.job, (GATE,)) for b in made.keeping_back(p.job.name).values())]
    return [] if late else [f"is approved by starting {people[0].job.name}, before the gate has said anything"]


def nightly(pipeline: Pipeline) -> list[str]:
    """Schedules drill; what is inconclusive warns, what fails fails, evidence is kept, and what is left is put back.

    Also that there is a schedule on which a pipeline is made.

    Raises:
        NotAPipeline: When nobody can tell what GitLab would make of it.
    """
    found = list(pipeline.unseen)
    nights = 0
    for made in pipelines.on_every_occasion(pipeline):
        if not made.occasion.startswith(pipelines.SCHEDULE):
            continue
        nights += 1
        drills = [part for part in made.parts.values() if runs(part.job, (DRILL,))]
        if not drills:
            found.append(f"{made.occasion} drills nothing")
        for part in drills:
            found += (f"on {made.occasion}, {part.job.name} {problem}" for problem in _of_a_drill(made, part))
    if not nights:
        found.append("no pipeline is made on a schedule, so there is no night that verifies anything")
    return list(dict.fromkeys(found))


def _of_a_drill(made: Made, drill: Part) -> list[str]:
    job = drill.job
    found: list[str] = []
    if drill.when != "on_success" or job.allow_failure or job.tolerated - {INCONCLUSIVE}:
        found.append("passes over more than INCONCLUSIVE")
    if not job.resource_group:
        found.append("has no resource_group, so that two pipelines may drill at once")
    if not any("reports/" in path for path in job.keeps):
        found.append("does not keep the runs' folders as artifacts when it fails")
    after = [
        part
        for part in made.parts.values()
        if runs(part.job, (RECOVER,)) and part.when == "always" and _waits_for(part.job, job)
    ]
    if not after:
        found.append("is followed by no job that puts back, whatever happened, what a lost runner has left")
    return found


@lru_cache(maxsize=4096)
def runs(job: Job, tools: tuple[Tool, ...]) -> bool:
    """Whether it has one of these commands in its script, and fails when that does."""
    return runs_any(job.commands, tools)


def _waits_for(job: Job, other: Job) -> bool:
    return job.needs is not None and any(need.job == other.name for need in job.needs)


def _tolerant(made: Made) -> str:
    """Names a gate that is there and blocks nothing, since that is what somebody will look for."""
    gates = [part.job.name for part in made.parts.values() if runs(part.job, (GATE,)) and not part.blocks]
    return f"; {' and '.join(gates)} passes over what it finds" if gates else ""
