"""What a recovery cost users: how long nothing could be written, and what was lost."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from drillbook.domain import outage, recovery_point, recovery_time
from drillbook.domain.interval import Interval
from drillbook.domain.ledger import integrity
from drillbook.domain.measurement import Measurement, Window
from drillbook.domain.undo import FAULT
from probes import story
from probes.integrity import entries, unread
from probes.recording import recording

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from drillbook.domain.recovery_point import RecoveryPoint
    from drillbook.domain.recovery_time import RecoveryTime, Stage
    from drillbook.domain.requests import Flags, Requests
    from drillbook.domain.traffic import Connection
    from probes.recording import Recording

GOOD_FOR_S = 5.0
"""Writes that come through for less than this between two outages do not part them: it is one to whoever writes."""


def fault(events: Sequence[story.Event]) -> Interval | None:
    """When the drill's fault came about: from when it was ordered to when it was seen to bite, seconds since the epoch.

    None when it never bit, or nobody saw it.
    """
    ordered_s, seen_s = story.moment(events, FAULT, "intent"), story.moment(events, FAULT, "observed")
    return None if ordered_s is None or seen_s is None else Interval(ordered_s, max(ordered_s, seen_s))


def time_to_recover(
    drill_dir: Path, happened: Interval, until_s: float, connection: Connection, *, sustained_s: float
) -> tuple[RecoveryTime, Measurement]:
    """From a fault to writes that are good for `sustained_s`, in seconds, on the clients' real path.

    A write that was acknowledged and is lost was no good one.

    Args:
        drill_dir: The drill's folder.
        happened: The fault.
        until_s: End of the watch: where the way back begins.
        connection: New or reused; they are judged apart.
        sustained_s: For so long nothing may fail.
    """
    load = recording(drill_dir)
    writes = metered_writes(load, connection)
    writes = writes.chosen(writes.due_s < until_s)
    failed, doubtful = writes.failed(), writes.doubtful(load.stalls())
    lost = _due_at(writes, _lost(load))
    found = recovery_time.recovery_time(
        writes, failed | lost, doubtful & ~lost, fault=happened, until_s=until_s, sustained_s=sustained_s
    )
    window = Window(happened.low, max(happened.low, until_s))
    inside = writes.due_within(window.start_s, window.end_s)
    evidence = tuple(load.evidence(name) for name in ("requests", "stalls", "ledger", "readback"))
    doubts = (*_doubts(load, window, connection), *unread(load))
    return found, recovery_time.measured(found, len(inside), window, doubts=doubts, evidence=evidence)


def stages(events: Sequence[story.Event], happened: Interval, found: RecoveryTime) -> tuple[Stage, ...]:
    """The parts of a recovery time, by the moments that the timeline has of them."""
    ended = {str(event.data["stage"]): Interval.exactly(event.t_s) for event in story.of(events, "stage")}
    restored = "restore" in ended
    return recovery_time.stages(
        happened, ended, found.again, recovery_time.STAGES_OF_RESTORE if restored else recovery_time.STAGES
    )


def name_kept(events: Sequence[story.Event], window: Window) -> Measurement:
    """Seconds for which whoever asks for the public's name may keep the answer; it is part of every recovery time."""
    looks = [float(event.data["kept_s"]) for event in story.of(events, "look_at_name") if "kept_s" in event.data]
    return Measurement(
        name="time for which the public's name may be kept",
        interval=Interval.exactly(max(looks)) if looks else None,
        unit="s",
        samples=len(looks),
        window=window,
        source="dns",
    )


def step_took(events: Sequence[story.Event], step: str, window: Window) -> Measurement:
    """Seconds from the intent of a step to its being seen done; longer than it was waited for, where it never was."""
    begun_s, seen_s = story.moment(events, step, "intent"), story.moment(events, step, "observed")
    given_up_s = story.moment(events, step, "note")
    interval = None
    if begun_s is not None and seen_s is not None:
        interval = Interval.exactly(max(0.0, seen_s - begun_s))
    elif begun_s is not None and given_up_s is not None:
        interval = Interval(max(0.0, given_up_s - begun_s), math.inf)
    return Measurement(
        name=f"time that {step} took",
        interval=interval,
        unit="s",
        samples=int(interval is not None),
        window=window,
        source="kubernetes",
    )


def age_of_lost_writes(drill_dir: Path, moment: Interval) -> Measurement:
    """The recovery point in seconds: the age at a moment, such as the fault, of the oldest acknowledged lost write."""
    load, found, window = _point(drill_dir, moment)
    return recovery_point.age_measured(found, window, doubts=unread(load), evidence=_ledger(load))


def writes_lost_after(drill_dir: Path, moment: Interval) -> Measurement:
    """Number of writes that were acknowledged after a moment and are gone or altered."""
    load, found, window = _point(drill_dir, moment)
    return recovery_point.losses_after_fault_measured(found, window, doubts=unread(load), evidence=_ledger(load))


def answers_from_elsewhere(drill_dir: Path, window: Window, region: str) -> Measurement:
    """Number of the meter's requests in the window that another region than this one answered."""
    load = recording(drill_dir)
    due = load.metered().due_within(window.start_s, window.end_s)
    told = due.chosen(due.region != "")
    return Measurement(
        name=f"answers from elsewhere than {region}",
        interval=Interval.exactly(int(np.count_nonzero(told.region != region))) if len(told) else None,
        unit="requests",
        samples=len(told),
        window=window,
        source="meter",
        doubts=load.doubts(due, window, kinds=2),
        evidence=(load.evidence("requests"),),
    )


def _point(drill_dir: Path, moment: Interval) -> tuple[Recording, RecoveryPoint, Window]:
    load = recording(drill_dir)
    writes, look_ups = entries(load)
    # As far as the ledger reaches: what is judged again has to be judged over the same.
    times = [moment.low, moment.high, *(row["due_s"] for row in load.rows("ledger"))]
    return load, recovery_point.recovery_point(writes, look_ups, moment), Window(min(times), max(times))


def _lost(load: Recording) -> list[float]:
    """When the acknowledged writes that are gone or altered were due."""
    fate = integrity(*entries(load))
    gone = {*fate.lost, *fate.altered}
    return [row["due_s"] for row in load.rows("ledger") if row["key"] in gone]


def _ledger(load: Recording) -> tuple[str, ...]:
    return load.evidence("ledger"), load.evidence("readback")


def writes_down(drill_dir: Path, window: Window, connection: Connection) -> Measurement:
    """Seconds for which nothing could be written, all outages that touch the window together.

    Only the meter's writes count: reads that come through meanwhile would part one outage into many short ones. Writes
    that were held and came through in the end are in the upper bound.
    """
    load = recording(drill_dir)
    writes = metered_writes(load, connection)
    bad, doubtful = writes.failed(), writes.doubtful(load.stalls())
    edges = window.start_s, window.end_s
    certain = outage.merged(outage.outages(writes, bad, bad & doubtful), GOOD_FOR_S)
    possible = outage.merged(outage.possible_outages(writes, bad), GOOD_FOR_S)
    length = outage.total(
        [it for it in certain if it.overlaps(*edges)],
        [it for it in possible if it.overlaps(*edges)],
        outage.longest_gap_s(writes, bad, *edges),
    )
    inside = writes.due_within(*edges)
    return Measurement(
        name=f"time without writes on {connection.value} connections",
        interval=length if len(inside) else None,
        unit="s",
        samples=len(inside),
        window=window,
        source="meter",
        doubts=_doubts(load, window, connection),
        evidence=(load.evidence("requests"), load.evidence("ledger"), load.evidence("stalls")),
    )


def metered_writes(load: Recording, connection: Connection) -> Requests:
    """The meter's rows that the ledger has an entry for: each says when it was due, and no two were at once."""
    requests = load.metered(connection)
    return requests.chosen(_due_at(requests, [row["due_s"] for row in load.rows("ledger")]))


def _due_at(requests: Requests, due_s: list[float]) -> Flags:
    return np.isin(requests.due_s, np.array(due_s, dtype=np.float64))


def _doubts(load: Recording, window: Window, connection: Connection) -> tuple[str, ...]:
    """Of all the meter's rows on this kind of connection: how many of them are writes is the workload's affair."""
    return load.doubts(load.metered(connection).due_within(window.start_s, window.end_s), window)
