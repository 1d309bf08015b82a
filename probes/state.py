"""Whether the other region has what the primary has beside the database, and how soon. Pure functions over a drill."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Measurement, Window
from probes import story

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Kind = Literal["file", "secret"]
KINDS: tuple[Kind, ...] = ("file", "secret")
FILE = "state/compared.json"
"""In the drill's folder: kind to `Compared`."""

_HOWS = ("written", "changed")
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Compared:
    """What was seen of all files, or of all secrets: name to a digest, which is of the version as well for secrets.

    Attributes:
        asked_s: When it began; seconds since the epoch on the run's clock.
        answered_s: When the last look ended.
        first: In the primary region, at the beginning.
        home: There, at the end.
        away: In the other region, just before that.
    """

    asked_s: float
    answered_s: float
    first: Mapping[str, str]
    home: Mapping[str, str]
    away: Mapping[str, str]


def compared(drill_dir: Path, kind: Kind) -> Compared:
    """What a drill kept; raises OSError or ValueError when it did not."""
    document: Any = json.loads((drill_dir / FILE).read_text(encoding="utf-8"))[kind]
    times = (float(document["asked_s"]), float(document["answered_s"]))
    return Compared(*times, *(dict(document[name]) for name in ("first", "home", "away")))


def differing(seen: Compared, kind: Kind) -> Measurement:
    """Number of those that the primary had all along, and the other region has not, or not so."""
    wrong = names_differing(seen)
    name = f"{kind}s of the primary region that the other one lacks or has otherwise"
    return _counted(name, wrong, {*_lasting(seen), *wrong}, seen)


def names_differing(seen: Compared) -> list[str]:
    """Their names, sorted; of one that was changed meanwhile the other region has to have something."""
    changed = {name for name in seen.first if name in seen.home and name not in seen.away}
    return sorted(changed | {name for name in _lasting(seen) if seen.away.get(name) != seen.home[name]})


def left_over(seen: Compared, kind: Kind) -> Measurement:
    """Number of those that the other region has, and the primary had not all along."""
    name = f"{kind}s of the other region that the primary one lacks"
    return _counted(name, names_left_over(seen), set(seen.away), seen)


def names_left_over(seen: Compared) -> list[str]:
    """Their names, sorted."""
    return sorted(seen.away.keys() - seen.first.keys() - seen.home.keys())


def told(names: Sequence[str]) -> str:
    """The first of some names in a sentence's brackets; nothing for none."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f" ({', '.join(names[:_NAMED])}{more})" if names else ""


def arrival(events: Sequence[story.Event], kind: Kind) -> Measurement:
    """Seconds after which the other region had what was written, or changed, in the primary one: the longer of both."""
    looks = {str(it.data["how"]): it for it in story.of(events, "arrival") if it.data["kind_of_state"] == kind}
    took = [_took(looks[how].data) for how in _HOWS if how in looks]
    times = [float(it.data["sent_s"]) for it in looks.values()] + [it.t_s for it in looks.values()]
    came = all(it.data["arrived_s"] is not None for it in looks.values())
    # What never arrived is not changed any more; that is enough to tell.
    missing = [how for how in _HOWS if how not in looks and came]
    worst = took[0] if took else None
    for other in took[1:]:
        worst = other if worst is None else worst.later(other)
    return Measurement(
        name=f"time until a {kind} that was written or changed is so in the other region",
        interval=worst,
        unit="s",
        samples=len(took),
        window=Window(min(times, default=0.0), max(times, default=0.0)),
        source="both regions' own stores",
        doubts=tuple(f"nobody saw a {kind} that was {how}" for how in missing),
    )


def _lasting(seen: Compared) -> set[str]:
    return {name for name, digest in seen.first.items() if seen.home.get(name) == digest}


def _took(data: Mapping[str, Any]) -> Interval:
    """From between its sending and its acknowledgement to between the last look without it and the first one with."""
    sent_s, acknowledged_s, absent_s = (float(data[key]) for key in ("sent_s", "acknowledged_s", "absent_s"))
    arrived_s = math.inf if data["arrived_s"] is None else float(data["arrived_s"])
    return Interval(max(0.0, absent_s - acknowledged_s), arrived_s - sent_s)


def _counted(name: str, found: Sequence[str], among: set[str], seen: Compared) -> Measurement:
    """Where there was nothing to be found, nothing is shown."""
    return Measurement(
        name=name + told(found),
        interval=Interval.exactly(len(found)) if among else None,
        unit="objects",
        samples=len(among),
        window=Window(seen.asked_s, seen.answered_s),
        source="both regions' own stores",
        evidence=(FILE,),
    )
