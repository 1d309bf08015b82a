"""OSCAL: a run as an assessment plan (what was to be shown, of what, how) and its assessment results.

Plain documents; `oscal_files` holds them against the published models and writes them. The same run gives the same
documents: every uuid is of version 5, made from the run's id, and every time is the run's.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from drillbook.domain.verdict import Verdict
from drillbook.domain.wording import quantity, span, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from drillbook.evidence.record import Check, DrillRecord, RunRecord
    from drillbook.evidence.requirements import Catalogue, Requirement

NAMESPACE = "urn:drillbook:oscal"
"""Of the properties that are ours."""

STATES = {
    Verdict.PASS: ("satisfied", "pass"),
    Verdict.FAIL: ("not-satisfied", "fail"),
    # OSCAL knows two states: what was not shown is not satisfied, and the reason says that it was not seen broken.
    Verdict.INCONCLUSIVE: ("not-satisfied", "other"),
}

Document = dict[str, Any]


class NothingToAssess(Exception):
    """The run has nothing that an assessment could be made of; the text says what it lacks."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """Both documents of a run, without their outermost keys.

    Attributes:
        plan: The assessment plan.
        results: The assessment results, which refer to it.
    """

    plan: Document
    results: Document


def assess(run: RunRecord, catalogue: Catalogue, oscal_version: str) -> Assessment:
    """The documents of a run.

    Raises:
        NothingToAssess: When no drill of it is about a requirement of the catalogue, or it has no times.
    """
    known = catalogue.by_id()
    promises = [known[id_] for id_ in run.requirements() if id_ in known]
    if not promises:
        raise NothingToAssess(f"no drill of {run.run_id} is about a requirement of the catalogue")
    start_s = run.started_s if run.started_s is not None else min((d.started_s or 0.0 for d in run.drills), default=0.0)
    if not start_s:
        raise NothingToAssess(f"{run.run_id}: its record does not say when it started, which OSCAL asks for")
    made = _Maker(run, promises, oscal_version, start_s)
    return Assessment(made.plan(), made.results())


@dataclass(frozen=True, slots=True)
class _Maker:
    run: RunRecord
    promises: Sequence[Requirement]
    oscal_version: str
    start_s: float

    @property
    def id_of(self) -> Callable[..., str]:
        return partial(_uuid, self.run.run_id)

    @property
    def end_s(self) -> float:
        ends = [drill.finished_s for drill in self.run.drills if drill.finished_s is not None]
        return self.run.finished_s if self.run.finished_s is not None else max(ends, default=self.start_s)

    def plan(self) -> Document:
        run, id_of = self.run, self.id_of
        return {
            "uuid": id_of("plan"),
            "metadata": self._metadata(_told(f"What run {run.run_id} was to show", "")),
            "import-ssp": {
                "href": f"#{id_of('environment')}",
                "remarks": "There is no system security plan here: the environment's file says what was drilled.",
            },
            "local-definitions": {
                "components": [self._system()],
                "objectives-and-methods": [_objective(promise) for promise in self.promises],
                "activities": [self._activity(drill) for drill in run.drills],
            },
            "terms-and-conditions": {"parts": [_METHODOLOGY]},
            "reviewed-controls": self._reviewed(),
            "assessment-subjects": [{"type": "component", "include-subjects": [self._subject()]}],
            "assessment-assets": {
                "components": [self._tool()],
                "assessment-platforms": [
                    {"uuid": id_of("platform"), "title": "Drillbook", "uses-components": [
                        {"component-uuid": id_of("tool")}]},
                ],
            },
            "tasks": [self._task(drill) for drill in run.drills],
            "back-matter": {"resources": [self._resource("environment", "environment.yaml", "The environment")]},
        }  # fmt: skip

    def results(self) -> Document:
        run, id_of = self.run, self.id_of
        observations = [self._observation(drill, number) for drill in run.drills for number in range(len(drill.checks))]
        evidence = dict.fromkeys(
            path for drill in run.drills for check in drill.checks for path in check.recorded.measurement.evidence
        )
        result: Document = {
            "uuid": id_of("result"),
            "title": _told(f"Run {run.run_id} in {run.environment.get('name') or 'an unknown environment'}", ""),
            "description": f"{len(run.drills)} drills; verdict of the run: {run.verdict}.",
            "start": _moment(self.start_s),
            "end": _moment(self.end_s),
            "props": [_prop("verdict", str(run.verdict)), _prop("drillbook", _told(run.drillbook_version, "unknown"))],
            "reviewed-controls": self._reviewed(),
            "assessment-log": {"entries": [self._entry(drill) for drill in run.drills]},
            "observations": observations,
            "findings": [self._finding(promise) for promise in self.promises],
        }
        if run.doubts:
            result["remarks"] = _told("; ".join(run.doubts), "")
        if not observations:
            del result["observations"]
        resources = [self._plan_resource(), *(self._resource(path, path, "Raw data") for path in evidence)]
        return {
            "uuid": id_of("results"),
            "metadata": self._metadata(_told(f"What run {run.run_id} showed", "")),
            "import-ap": {"href": f"#{id_of('plan-file')}"},
            "results": [result],
            "back-matter": {"resources": resources},
        }

    def _metadata(self, title: str) -> Document:
        who = self.run.who
        return {
            "title": title,
            "last-modified": _moment(self.end_s),
            "version": _told(self.run.run_id, "unknown"),
            "oscal-version": self.oscal_version,
            "roles": [{"id": "assessor", "title": "Ran the drills"}],
            "parties": [
                {"uuid": self.id_of("who"), "type": "person", "name": _told(who.get("user"), "unknown"),
                 "remarks": f"on {_told(who.get('host'), 'an unknown host')}"},
            ],
            "responsible-parties": [{"role-id": "assessor", "party-uuids": [self.id_of("who")]}],
        }  # fmt: skip

    def _system(self) -> Document:
        environment = self.run.environment
        tier = _told(environment.get("tier"), "of no recorded tier")
        props = [_prop(_token(key), _told(value, "unknown")) for key, value in sorted(environment.items()) if value]
        found: Document = {
            "uuid": self.id_of("system"), "type": "system", "status": {"state": "operational"},
            "title": _told(environment.get("name"), "unknown"),
            "description": f"The environment that was drilled, {tier}.",
        }  # fmt: skip
        return {**found, "props": props} if props else found

    def _tool(self) -> Document:
        versions = {"drillbook": self.run.drillbook_version, **self.run.versions}
        return {
            "uuid": self.id_of("tool"), "type": "software", "title": "Drillbook", "status": {"state": "operational"},
            "description": "Exercises the system, measures from outside of it, and judges by intervals.",
            "props": [_prop(_token(key), _told(value, "unknown")) for key, value in versions.items()],
        }  # fmt: skip

    def _activity(self, drill: DrillRecord) -> Document:
        found: Document = {
            "uuid": self.id_of("activity", drill.id),
            "title": _told(drill.scenario, drill.id),
            "description": _told(drill.description, "The feature does not say more."),
            "props": [{"name": "method", "value": "TEST"}],
        }
        steps = [
            {"uuid": self.id_of("step", drill.id, str(number)), "title": _told(step.name, "a step"),
             "description": f"{step.section}: {step.kind or 'activity'}"}
            for number, step in enumerate(drill.steps)
        ]  # fmt: skip
        return {**found, "steps": steps} if steps else found

    def _task(self, drill: DrillRecord) -> Document:
        start_s = drill.started_s if drill.started_s is not None else self.start_s
        end_s = drill.finished_s if drill.finished_s is not None else self.end_s
        return {
            "uuid": self.id_of("task", drill.id), "type": "action", "title": _told(drill.scenario, drill.id),
            "timing": {"within-date-range": {"start": _moment(start_s), "end": _moment(max(start_s, end_s))}},
            "associated-activities": [
                {"activity-uuid": self.id_of("activity", drill.id),
                 "subjects": [{"type": "component", "include-subjects": [self._subject()]}]},
            ],
        }  # fmt: skip

    def _entry(self, drill: DrillRecord) -> Document:
        task = self._task(drill)["timing"]["within-date-range"]
        return {
            "uuid": self.id_of("entry", drill.id), "title": _told(drill.scenario, drill.id),
            "description": f"{drill.verdict}: {_told('; '.join(drill.reasons), 'every objective was met')}",
            **task,
            "logged-by": [{"party-uuid": self.id_of("who"), "role-id": "assessor"}],
            "related-tasks": [{"task-uuid": self.id_of("task", drill.id)}],
        }  # fmt: skip

    def _observation(self, drill: DrillRecord, number: int) -> Document:
        check = drill.checks[number]
        measurement, objective = check.recorded.measurement, check.recorded.objective
        found: Document = {
            "uuid": self.id_of("observation", drill.id, str(number)),
            "title": _told(objective.statement, objective.id),
            "description": _measured(check),
            "props": [_prop(name, value) for name, value in _figures(check).items()],
            "methods": ["TEST"],
            "types": ["control-objective"],
            "origins": [
                {"actors": [{"type": "tool", "actor-uuid": self.id_of("tool")}],
                 "related-tasks": [{"task-uuid": self.id_of("task", drill.id)}]},
            ],
            "subjects": [self._subject()],
            "collected": _moment(measurement.window.end_s or self.end_s),
            "remarks": _told(check.reason, "no reason recorded"),
        }  # fmt: skip
        evidence = [
            {"href": f"#{self.id_of(path)}", "description": _told(path, "raw data")} for path in measurement.evidence
        ]
        return {**found, "relevant-evidence": evidence} if evidence else found

    def _finding(self, promise: Requirement) -> Document:
        verdict = self.run.requirements()[promise.id]
        state, reason = STATES[verdict]
        about = [drill for drill in self.run.drills if _is_about(drill, promise.id)]
        observed = [
            self.id_of("observation", drill.id, str(number)) for drill in about for number in _about(drill, promise.id)
        ]
        reasons = [reason for drill in about for reason in drill.reasons] or list(self.run.doubts)
        told = "every objective was met" if verdict is Verdict.PASS else _told("; ".join(reasons), "not recorded why")
        found: Document = {
            "uuid": self.id_of("finding", promise.id),
            "title": f"{promise.id} {promise.says}",
            "description": f"{verdict}: {told}",
            "props": [_prop("answers-for", f"{c.framework} {c.id}") for c in promise.controls if c.framework != "nist"],
            "target": {
                "type": "objective-id", "target-id": _objective_id(promise),
                "status": {"state": state, "reason": reason, "remarks": f"{verdict}: {told}"},
            },
        }  # fmt: skip
        if not found["props"]:
            del found["props"]
        found |= _remarks(promise)
        return {**found, "related-observations": [{"observation-uuid": id_} for id_ in observed]} if observed else found

    def _reviewed(self) -> Document:
        controls = sorted({c.oscal_id for promise in self.promises for c in promise.controls if c.framework == "nist"})
        return {
            "control-selections": [
                {"description": "Controls of NIST SP 800-53 r5 for which the drills of this run are evidence.",
                 "include-controls": [{"control-id": id_} for id_ in controls]},
            ],
            "control-objective-selections": [
                {"include-objectives": [{"objective-id": _objective_id(promise)} for promise in self.promises]},
            ],
        }  # fmt: skip

    def _subject(self) -> Document:
        return {"subject-uuid": self.id_of("system"), "type": "component"}

    def _plan_resource(self) -> Document:
        return {"uuid": self.id_of("plan-file"), "title": "The assessment plan",
                "rlinks": [{"href": "assessment-plan.json", "media-type": "application/oscal.ap+json"}]}  # fmt: skip

    def _resource(self, key: str, path: str, title: str) -> Document:
        """A file of the run's folder, seen from the folder in which the documents lie."""
        link: Document = {"href": quote(f"../{path}", errors="replace")}
        digests = {file.path: file.sha256 for file in self.run.files}
        if digests.get(path):
            link["hashes"] = [{"algorithm": "SHA-256", "value": digests[path]}]
        return {"uuid": self.id_of(key), "title": f"{title}: {_told(path, 'a file')}", "rlinks": [link]}


_METHODOLOGY: Mapping[str, str] = {
    "name": "methodology",
    "title": "How it is judged",
    "prose": (
        "Each drill changes the running system, measures what its users get, and puts it back. Each measurement is an "
        "interval in which the true value lies. An objective is met when the whole interval meets it and broken when "
        "none of it does; otherwise, and whenever data is missing or in doubt, it is inconclusive, which is reported "
        "as not satisfied with the reason `other`."
    ),
}


def _objective(promise: Requirement) -> Document:
    """What is to be shown, under the first control of NIST that it is evidence for."""
    control = next(control for control in promise.controls if control.framework == "nist")
    return {
        "control-id": control.oscal_id,
        "parts": [
            {"id": _objective_id(promise), "name": "assessment-objective", "title": promise.id, "prose": promise.says},
        ],
        **_remarks(promise),
    }  # fmt: skip


def _remarks(promise: Requirement) -> Document:
    """What is not shown of it by drills that pass."""
    return {"remarks": f"Not shown: {promise.unshown}."} if promise.unshown else {}


def _objective_id(promise: Requirement) -> str:
    return f"drillbook_{promise.id}"


def _is_about(drill: DrillRecord, id_: str) -> bool:
    return id_ in drill.requirements or any(id_ in check.recorded.objective.requirements for check in drill.checks)


def _about(drill: DrillRecord, id_: str) -> list[int]:
    """Which of its checks are; all of them where none says so, as for the verdict."""
    own = [number for number, check in enumerate(drill.checks) if id_ in check.recorded.objective.requirements]
    return own or list(range(len(drill.checks)))


def _figures(check: Check) -> dict[str, str]:
    objective, interval = check.recorded.objective, check.recorded.measurement.interval
    return {
        "objective": _told(objective.id, "unnamed"),
        "verdict": str(check.verdict),
        "limit": f"{objective.direction} {objective.limit!r} {_told(objective.unit, '1')}",
        "low": "none" if interval is None else repr(interval.low),
        "high": "none" if interval is None else repr(interval.high),
        "samples": str(check.recorded.measurement.samples),
        "source": _told(check.recorded.measurement.source, "unknown"),
    }


def _measured(check: Check) -> str:
    objective, measurement = check.recorded.objective, check.recorded.measurement
    seen = "nothing" if measurement.interval is None else span(measurement.interval, measurement.unit)
    side = "at most" if objective.direction == "at_most" else "at least"
    return _told(
        f"{check.verdict}: measured {seen} by {measurement.source or 'an unknown source'} in {measurement.samples} "
        f"samples, promised {side} {quantity(objective.limit, objective.unit)}", "",
    )  # fmt: skip


def _prop(name: str, value: str) -> Document:
    return {"name": name, "ns": NAMESPACE, "value": value}


def _uuid(run_id: str, *key: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, visible("\x1f".join(("urn:drillbook:run", run_id, *key)))))


def _moment(epoch_s: float) -> str:
    try:
        return datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError) as error:
        raise NothingToAssess(f"the run's record has a time that no calendar has: {epoch_s:g}") from error


def _token(text: str) -> str:
    """What OSCAL calls a token: letters, digits, dots, dashes and underscores, not beginning with a digit."""
    kept = "".join(letter if letter.isalnum() or letter in ".-_" else "-" for letter in text)
    return kept if kept[:1].isalpha() else f"_{kept}"


def _told(text: str | None, otherwise: str) -> str:
    """Text on one line that shows itself, as OSCAL's strings have to be."""
    return " ".join(visible(text or "").split()) or otherwise
