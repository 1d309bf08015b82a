"""Whether a canary's decisions are those that its users' answers lead to: all are made again from the record."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from drillbook.domain.canary import Comparison, window
from drillbook.domain.canary_ruling import Step, look, numbers, took
from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Measurement
from probes import story

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from drillbook.domain.canary import Plan
    from drillbook.domain.measurement import Window
    from probes.story import Event


def unfounded_decisions(drill_dir: Path, events: Sequence[Event], plan: Plan, when: Window) -> Measurement:
    """How many looks of `canary.jsonl` say something else than `live.jsonl` leads to; nothing without any look.

    Args:
        drill_dir: The drill's folder.
        events: The drill's.
        plan: How the canary was to be decided.
        when: While it went on.
    """
    began = [event for event in story.of(events, "release_canary") if event.kind == "intent"]
    recorded = _lines(drill_dir / "canary.jsonl")
    name, doubts = "decisions that do not follow from the answers", _doubts(events, recorded)
    if not began or not recorded:
        return Measurement(name, None, "decisions", 0, when, "meter", ("no look at a canary is recorded", *doubts))
    answers = _lines(drill_dir / "load" / "live.jsonl")
    names = str(began[-1].data["canary"]), str(began[-1].data["stable"])
    again = _again(plan, names, recorded, answers)
    differing = sum(_as_told(found, then) != then for found, then in zip(again, recorded, strict=True))
    # A canary without users has no load.
    files = [file for file in ("canary.jsonl", "load/live.jsonl") if (drill_dir / file).is_file()]
    evidence = tuple(f"drills/{drill_dir.name}/{file}" for file in files)
    return Measurement(
        name, Interval.exactly(differing), "decisions", len(recorded), when, "meter", doubts, evidence=evidence
    )


def _again(
    plan: Plan, names: tuple[str, str], recorded: Sequence[Mapping[str, Any]], answers: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Each look once more, at the same moments, with what the servers had counted then."""
    seen, read = Comparison(plan), 0
    step = Step(plan.steps[0], float(recorded[0]["first_s"]))
    place = 0
    for then in recorded:
        if float(then["since_s"]) != step.since_s:
            # A step that no decision led to has the wrong weight, and every look at it differs.
            place += 1
            step = Step(plan.steps[min(place, len(plan.steps) - 1)], float(then["since_s"]))
        for line in answers[read : int(then["windows"])]:
            seen, step = took(seen, step, window(line, *names), float(recorded[0]["first_s"]))
            read += 1
        found = look(seen, step, float(then["at_s"]), then["servers"])
        yield {
            "at_s": found.at_s,
            "ruling": found.ruling,
            "reason": found.reason,
            "windows": read,
            "first_s": float(recorded[0]["first_s"]),
            "since_s": step.since_s,
            **numbers(seen, step, then["servers"]),
        }


def _as_told(found: Mapping[str, Any], then: Mapping[str, Any]) -> dict[str, Any]:
    """A look made again, without the numbers that looks did not tell yet when this one was made."""
    told = {name: value for name, value in found.items() if name in then or name in {"ruling", "reason"}}
    parts = [name for name in told if isinstance(told[name], dict) and isinstance(then.get(name), dict)]
    return told | {name: _as_told(told[name], then[name]) for name in parts}


def _doubts(events: Sequence[Event], recorded: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """What was decided has to be what the last look says, and each further weight what a look allowed."""
    decided = [event for event in story.of(events, "release_canary") if event.kind == "decided"]
    allowed = sum(then["ruling"] == "promote" for then in recorded)
    declared = sum(event.kind == "injected" for event in story.of(events, "shift-traffic"))
    found: list[str] = []
    if decided and recorded and decided[-1].data.get("ruling") != recorded[-1]["ruling"]:
        found.append(f"the last look says {recorded[-1]['ruling']}, and {decided[-1].data.get('ruling')} was decided")
    if declared > 1 + allowed:
        found.append(f"{declared} weights were declared, and looks allowed {allowed} beyond the first")
    return tuple(found)


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []
