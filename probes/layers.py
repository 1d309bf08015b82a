"""Which layer kept users from writing: what the layers' probes and the meter say of the same moments."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from drillbook.domain import layers
from drillbook.domain.measurement import Measurement, Window
from drillbook.domain.outage import SILENT_S
from drillbook.domain.requests import Requests, Stalls
from probes.recording import recording
from probes.recovery import metered_writes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from drillbook.domain.interval import Interval
    from drillbook.domain.layers import View
    from drillbook.domain.traffic import Connection

_COVERED = 0.98
_EDGE_ROWS = 2
_ASLEEP = 0.1
_OFF_BY_S = 1.0
"""A resolver tells in whole seconds for how long an answer holds: users ask anew that much earlier or later."""


@dataclass(frozen=True, slots=True)
class Attributed:
    """What a time without writes is put down to.

    Attributes:
        unserved: How long it was, in seconds.
        layers: Seconds by layer from the deepest up, and `elsewhere`.
        not_probed: Layers that nobody asks here.
        doubts: Reasons not to trust it.
        window: When.
        samples: Number of the users' writes that it rests on.
        evidence: Paths of the raw data.
    """

    unserved: Interval
    layers: Mapping[str, Interval]
    not_probed: tuple[str, ...]
    doubts: tuple[str, ...]
    window: Window
    samples: int
    evidence: tuple[str, ...]


def attributed(drill_dir: Path, window: Window, connection: Connection) -> Attributed:
    """Put the time without writes on one kind of connection down to layers.

    Args:
        drill_dir: The drill's folder.
        window: When; the layers have to have been well before it.
        connection: New or reused.
    """
    load = recording(drill_dir)
    of_users = metered_writes(load, connection)
    failed = of_users.failed()
    users = layers.view(of_users, failed, of_users.doubtful(load.stalls()), window, SILENT_S)
    inside = load.metered(connection).due_within(window.start_s, window.end_s)
    asked = _Asked.read(drill_dir)
    folder = f"drills/{drill_dir.name}/layers"
    return Attributed(
        unserved=layers.unserved(users, window),
        layers=layers.attribution(users, asked.views(window), window),
        not_probed=asked.not_asked,
        doubts=(*load.doubts(inside, window), *asked.doubts(window)),
        window=window,
        samples=len(of_users.due_within(window.start_s, window.end_s)),
        evidence=(load.evidence("requests"), load.evidence("ledger"), f"{folder}/probes.jsonl", f"{folder}/plan.json"),
    )


def unexplained(found: Attributed, connection: Connection) -> Measurement:
    """Seconds without writes for which no layer's probe has a reason."""
    interval = found.layers[layers.ELSEWHERE]
    return _measured(found, f"time without writes on {connection} connections that no layer explains", interval, "s")


def share_of(found: Attributed, kind: str, connection: Connection) -> Measurement:
    """The part of the time without writes that a layer explains that is put down to a kind of layer, from 0 to 1.

    Nothing where there was no such time.
    """
    name = f"share of the explained time without writes on {connection} connections that is put down to the {kind}"
    interval = layers.share(found.layers, kind) if found.unserved.low else None
    return _measured(found, name, interval, "ratio")


def well_without_database(drill_dir: Path, window: Window, region: str) -> Measurement:
    """Seconds for which a region's application said that it can really serve while its database took no writes.

    Args:
        drill_dir: The drill's folder.
        window: When; the layers have to have been well before it.
        region: Whose application.
    """
    asked = _Asked.read(drill_dir)
    application = f"application {region}"
    # A promoted database is found behind the lost one, which takes seconds: slow answers, and good ones in the end.
    without = asked.down("database", window, silent_s=math.inf)
    interval = layers.well_meanwhile(asked.down(application, window), without, window)
    folder = f"drills/{drill_dir.name}/layers"
    samples = sum(window.start_s <= row["due_s"] < window.end_s for row in asked.rows[application])
    return Measurement(
        name=f"time for which the health check of {region} was good without a database",
        interval=interval if samples else None,
        unit="s",
        samples=samples,
        window=window,
        source="probes of the layers",
        doubts=asked.doubts(window),
        evidence=(f"{folder}/probes.jsonl", f"{folder}/plan.json"),
    )


def _measured(found: Attributed, name: str, interval: Interval | None, unit: str) -> Measurement:
    known = interval if found.samples else None
    return Measurement(
        name, known, unit, found.samples, found.window, "probes of the layers", found.doubts, found.evidence
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the layers' probes left.

    Attributes:
        names: Of the layers that were asked, from the deepest up.
        not_asked: Of those that were not.
        from_the_start: Of those that had to come through before anything went wrong.
        rate_hz: Questions a second to each.
        rows: Layer to its lines.
        stalls: When the probes did not run.
    """

    names: tuple[str, ...]
    not_asked: tuple[str, ...]
    from_the_start: tuple[str, ...]
    rate_hz: float
    rows: Mapping[str, list[dict[str, Any]]]
    stalls: Stalls

    @classmethod
    def read(cls, drill_dir: Path) -> _Asked:
        folder = drill_dir / "layers"
        plan: dict[str, Any] = json.loads((folder / "plan.json").read_bytes())
        names = tuple(plan["asked"])
        rows: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        for line in _lines(folder / "probes.jsonl"):
            rows[line["layer"]].append(line)
        slept = _lines(folder / "stalls.jsonl")
        stalls = Stalls.of(_floats(slept, "start_s"), _floats(slept, "end_s"))
        return cls(names, tuple(plan["not_asked"]), tuple(plan["from_the_start"]), plan["rate_hz"], rows, stalls)

    def views(self, window: Window) -> dict[str, View]:
        """When each layer was down; those of a region, while users were led there."""
        answers = sorted(
            (float(row["sent_s"]), float(row["done_s"]), frozenset[str](row["leads"]))
            for row in self.rows["dns"]
            if row["sent_s"] is not None
        )
        found: dict[str, View] = {}
        for name in self.names:
            seen = self.down(name, window)
            region = name.partition(" ")[2]
            found[name] = layers.while_led(seen, layers.led(answers, region, off_by_s=_OFF_BY_S)) if region else seen
        return found

    def down(self, name: str, window: Window, silent_s: float = SILENT_S) -> View:
        """When one layer was down; possibly also where no question came through for longer than `silent_s`."""
        requests = _requests(self.rows[name])
        return layers.view(requests, requests.failed(), requests.doubtful(self.stalls), window, silent_s)

    def doubts(self, window: Window) -> tuple[str, ...]:
        """Reasons why the rows do not tell of a window."""
        found: list[str] = []
        expected = window.length_s * self.rate_hz
        for name in self.names:
            rows = self.rows[name]
            there = sum(window.start_s <= row["due_s"] < window.end_s for row in rows)
            if there < expected * _COVERED - _EDGE_ROWS:
                found.append(f"the probe of {name} has {there} of {expected:.0f} answers of this window")
            well = any(row["outcome"] == "ok" and row["done_s"] < window.start_s for row in rows)
            if name in self.from_the_start and not well:
                found.append(
                    f"the probe of {name} never came through before, so that it fails afterwards tells nothing"
                )
        edges = np.array([window.start_s]), np.array([window.end_s])
        asleep_s = float(self.stalls.within(*edges)[0])
        if asleep_s > _ASLEEP * window.length_s:
            found.append(f"the layers' probes did not run for {asleep_s:.2f} s of {window.length_s:.2f} s")
        return tuple(found)


def _requests(rows: Sequence[Mapping[str, Any]]) -> Requests:
    ordered = sorted(rows, key=lambda row: row["due_s"])
    outcomes = np.array([row["outcome"] for row in ordered], dtype=np.object_)
    nothing = np.full(len(ordered), "", dtype=np.object_)
    due_s, sent_s, done_s = (_floats(ordered, name) for name in ("due_s", "sent_s", "done_s"))
    return Requests(due_s, sent_s, done_s, outcomes, nothing, nothing, nothing)


def _floats(rows: Sequence[Mapping[str, Any]], name: str) -> Any:
    return np.array([math.nan if row[name] is None else row[name] for row in rows], dtype=np.float64)


def _lines(path: Path) -> list[dict[str, Any]]:
    """A last line that was cut off when the process was killed is no answer."""
    text = path.read_bytes() if path.is_file() else b""
    return [json.loads(line) for line in text[: text.rfind(b"\n") + 1].splitlines()]
