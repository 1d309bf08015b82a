"""A GitLab pipeline as its file says it: which jobs run when, and which of them keep others back when they fail.

Sources: https://docs.gitlab.com/ci/yaml/ (allow_failure, needs, rules, when) and what gitlab-ci-local makes of them.
"""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from drillbook.domain import pipeline_rules

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

When = Literal["on_success", "on_failure", "always", "manual", "delayed", "never"]

_MOST_CASES = 512
"""Ways of setting the project's own variables that are gone through for each kind of pipeline."""


_OTHER = "something else"


@dataclass(frozen=True, slots=True)
class Need:
    """That a job waits for another.

    Attributes:
        job: Its name.
        optional: Whether it is passed over where that other is not part of the pipeline.
    """

    job: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One of a job's rules.

    Attributes:
        condition: Its `if`; empty when it has none.
        when: None for the job's own.
        allow_failure: None for the job's own.
        sometimes: Whether it also asks for something that no file of the pipeline tells, such as changed files.
    """

    condition: str = ""
    when: When | None = None
    allow_failure: bool | None = None
    sometimes: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """A job.

    Attributes:
        name: As the file has it.
        stage: Its stage.
        commands: Lines of its script.
        needs: None when it waits for all earlier stages.
        rules: None when it has none, and is part of every pipeline.
        when: When it begins, where no rule says otherwise.
        allow_failure: Whether its failure is passed over; None when the file does not say.
        tolerated: Exit codes that are passed over.
        environment: GitLab's environment that it deploys to; empty for none.
        resource_group: What it excludes other pipelines by; empty for nothing.
        keeps: Paths that it keeps as artifacts, whether or not it succeeds.
    """

    name: str
    stage: str
    commands: tuple[str, ...] = ()
    needs: tuple[Need, ...] | None = None
    rules: tuple[Rule, ...] | None = None
    when: When = "on_success"
    allow_failure: bool | None = None
    tolerated: frozenset[int] = frozenset()
    environment: str = ""
    resource_group: str = ""
    keeps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Everything that a pipeline's files say.

    Attributes:
        stages: In order.
        jobs: By name.
        variables: That are the same in each of its jobs.
        rules: Of the workflow; None when every pipeline is made.
        unseen: What belongs to it and could not be read, in sentences.
    """

    stages: tuple[str, ...]
    jobs: Mapping[str, Job]
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    rules: tuple[Rule, ...] | None = None
    unseen: tuple[str, ...] = ()

    def as_document(self) -> dict[str, Any]:
        """JSON-compatible."""
        jobs = {name: {**asdict(job), "tolerated": sorted(job.tolerated)} for name, job in self.jobs.items()}
        return {**asdict(replace(self, jobs={})), "jobs": jobs}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Pipeline:
        """From what `as_document` made.

        Raises:
            NotAPipeline: When the document is none of ours.
        """
        try:
            jobs = {name: _job(job) for name, job in document["jobs"].items()}
            fields: dict[str, Any] = {**document, "jobs": jobs, "rules": _rules(document["rules"])}
            fields |= {name: tuple(map(str, document[name])) for name in ("stages", "unseen")}
            return cls(**fields)
        except (AttributeError, KeyError, TypeError) as error:
            raise NotAPipeline(f"it was not kept as a pipeline is: {error!r}") from error


def _job(document: Mapping[str, Any]) -> Job:
    needs, rules = document["needs"], _rules(document["rules"])
    waits = None if needs is None else tuple(Need(**need) for need in needs)
    fields: dict[str, Any] = {**document, "needs": waits, "rules": rules, "tolerated": frozenset(document["tolerated"])}
    fields |= {name: tuple(map(str, document[name])) for name in ("commands", "keeps")}
    return Job(**fields)


def _rules(document: Sequence[Mapping[str, Any]] | None) -> tuple[Rule, ...] | None:
    return None if document is None else tuple(Rule(**rule) for rule in document)


@dataclass(frozen=True, slots=True)
class Part:
    """A job's part in one pipeline.

    Attributes:
        job: The job.
        when: When it begins.
        blocks: Whether whatever waits for it is kept back by any failure of it, and until a person starts it.
    """

    job: Job
    when: When
    blocks: bool


@dataclass(frozen=True, slots=True)
class Made:
    """A pipeline as GitLab makes it on one occasion.

    Attributes:
        occasion: In words.
        stages: In order.
        parts: Of each job that is in it.
    """

    occasion: str
    stages: tuple[str, ...]
    parts: Mapping[str, Part]

    def keeping_back(self, name: str) -> dict[str, Part]:
        """The jobs all of which have to succeed before this one begins."""
        found: dict[str, Part] = {}
        waiting = [name]
        while waiting:
            for before in self._directly(self.parts[waiting.pop()]):
                # What lies behind a job that runs, or counts as done, in spite of failures keeps nothing back.
                if before.blocks and before.job.name not in found:
                    found[before.job.name] = before
                    waiting.append(before.job.name)
        return found

    def _directly(self, part: Part) -> list[Part]:
        if part.when not in {"on_success", "manual", "delayed"}:
            return []
        if part.job.needs is not None:
            return [self.parts[need.job] for need in part.job.needs if need.job in self.parts]
        earlier = set(self.stages[: self.stages.index(part.job.stage)])
        return [other for other in self.parts.values() if other.job.stage in earlier]


SCHEDULE = "a schedule"
_BRANCH = {"CI_DEFAULT_BRANCH": "main", "CI_COMMIT_BRANCH": "main", "CI_COMMIT_REF_NAME": "main"}
OCCASIONS: Mapping[str, Mapping[str, str]] = {
    "a push to the default branch": {"CI_PIPELINE_SOURCE": "push", **_BRANCH},
    "a tag": {
        "CI_PIPELINE_SOURCE": "push", "CI_DEFAULT_BRANCH": "main", "CI_COMMIT_TAG": "v1.1.0",
        "CI_COMMIT_REF_NAME": "v1.1.0",
    },
    "a merge request": {
        "CI_PIPELINE_SOURCE": "merge_request_event", "CI_DEFAULT_BRANCH": "main", "CI_MERGE_REQUEST_IID": "7",
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "CI_COMMIT_REF_NAME": "work",
    },
    "a push to another branch": {
        "CI_PIPELINE_SOURCE": "push", "CI_DEFAULT_BRANCH": "main", "CI_COMMIT_BRANCH": "work",
        "CI_COMMIT_REF_NAME": "work",
    },
    SCHEDULE: {"CI_PIPELINE_SOURCE": "schedule", **_BRANCH},
    "somebody's click": {"CI_PIPELINE_SOURCE": "web", **_BRANCH},
    "a call of the API": {"CI_PIPELINE_SOURCE": "api", **_BRANCH},
    "a trigger": {"CI_PIPELINE_SOURCE": "trigger", **_BRANCH},
}  # fmt: skip
"""Why GitLab makes a pipeline, and what it sets then."""


class NotAPipeline(Exception):
    """GitLab would refuse it, or nobody can tell what it would do; the text says why."""


def on_every_occasion(pipeline: Pipeline) -> Iterator[Made]:
    """Every different pipeline that GitLab may make of it, whatever the project's own variables are set to.

    Raises:
        NotAPipeline: When a rule cannot be understood, or too many variables are asked for.
    """
    _check(pipeline)
    choices = _choices(pipeline)
    seen: set[tuple[bool, frozenset[Part]]] = set()
    number = 1
    for values in choices.values():
        number *= len(values)
    if number > _MOST_CASES:
        raise NotAPipeline(f"its rules ask for {', '.join(sorted(choices))}, which can be set in {number} ways")
    for occasion, predefined in OCCASIONS.items():
        for values in itertools.product(*choices.values()):
            chosen = {name: value for name, value in zip(choices, values, strict=True) if value is not None}
            fixed = {name: value for name, value in pipeline.variables.items() if name not in choices}
            variables = {**fixed, **predefined, **chosen}
            if pipeline.rules and _outcome(pipeline.rules, variables, "always", sometimes=True)[0] == "never":
                continue
            shown = ", ".join(f"${name}={value}" for name, value in chosen.items())
            for parts in _parts(pipeline, variables):
                known = (occasion == SCHEDULE, frozenset(parts.values()))
                if parts and known not in seen:
                    seen.add(known)
                    yield Made(f"{occasion}{f' with {shown}' if shown else ''}", pipeline.stages, parts)


def _parts(pipeline: Pipeline, variables: Mapping[str, str]) -> Iterator[Mapping[str, Part]]:
    """For each way in which rules that ask for what no file tells may turn out: for all jobs, for one, or for none."""
    unsure = {job.name for job in pipeline.jobs.values() if any(rule.sometimes for rule in job.rules or ())}
    for holding in [unsure, *({name} for name in sorted(unsure)), set[str]()] if unsure else [unsure]:
        parts: dict[str, Part] = {}
        for job in pipeline.jobs.values():
            when, allowed = _of(job, variables, sometimes=job.name in holding)
            if when != "never":
                begins = when in {"on_success", "manual", "delayed"}
                parts[job.name] = Part(job, when, blocks=begins and not allowed and not job.tolerated)
        yield parts


def _of(job: Job, variables: Mapping[str, str], *, sometimes: bool) -> tuple[When, bool]:
    """When it begins, and whether its failure is passed over."""
    if job.rules is None:
        # GitLab's own default: a job that waits for a person keeps nothing back, unless a rule made it wait.
        return job.when, job.when == "manual" if job.allow_failure is None else job.allow_failure
    when, allowed = _outcome(job.rules, variables, job.when, sometimes=sometimes)
    return when, bool(job.allow_failure) if allowed is None else allowed


def _outcome(
    rules: tuple[Rule, ...], variables: Mapping[str, str], own: When, *, sometimes: bool
) -> tuple[When, bool | None]:
    """What the first rule that holds says."""
    for rule in rules:
        if rule.sometimes and not sometimes:
            continue
        if not rule.condition or pipeline_rules.holds(rule.condition, variables):
            return rule.when or own, rule.allow_failure
    return "never", None


def _check(pipeline: Pipeline) -> None:
    for job in pipeline.jobs.values():
        if job.stage not in pipeline.stages:
            raise NotAPipeline(f"the job {job.name} is in the stage {job.stage!r}, which stages does not name")
        missing = [need.job for need in job.needs or () if need.job not in pipeline.jobs and not need.optional]
        if missing:
            raise NotAPipeline(f"the job {job.name} needs {', '.join(missing)}, which there is not")


def _choices(pipeline: Pipeline) -> dict[str, list[str | None]]:
    """What the project's own variables may be: unset, set, and whatever they are compared with."""
    found: dict[str, set[str]] = {}
    every = [*(pipeline.rules or ()), *(rule for job in pipeline.jobs.values() for rule in job.rules or ())]
    for condition in {rule.condition for rule in every if rule.condition}:
        try:
            for name, values in pipeline_rules.asks(condition).items():
                found.setdefault(name, set()).update(values)
        except pipeline_rules.NotAnExpression as error:
            raise NotAPipeline(str(error)) from error
    own = {name for name in found if not name.startswith(("CI_", "GITLAB_"))}
    choices: dict[str, list[str | None]] = {}
    for name in sorted(own):
        # Whoever starts a pipeline may also set anew what its file sets.
        values = {*found[name], _OTHER} if found[name] else {"true"}
        choices[name] = [None, *sorted(values | ({pipeline.variables[name]} if name in pipeline.variables else set()))]
    return choices
