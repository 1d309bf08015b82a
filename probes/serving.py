"""Which version and slot clients were answered by, and when."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from drillbook.domain import serving as domain
from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Measurement, Window
from probes.recording import recording

if TYPE_CHECKING:
    from pathlib import Path

    from drillbook.domain.requests import Requests
    from drillbook.domain.serving import Flaw
    from drillbook.domain.traffic import Connection
    from probes.recording import Recording

    _Answered = tuple[Recording, Requests, tuple[str, ...]]


def version_serving_after(
    drill_dir: Path, window: Window, version: str, connection: Connection | None = None
) -> Measurement:
    """Seconds from the window's start until `version` answers every request, to the window's end.

    A request that failed was answered by nobody, whoever it names. One that the meter may have failed itself may have
    been: it is in the upper bound alone.
    """
    load, requests, doubts = _asked(drill_dir, window, connection)
    doubtful = requests.doubtful(load.stalls())
    # What the meter itself slept through was never sent, so that nobody had to answer it.
    slept = doubtful & (requests.outcome == "unsent")
    chosen = (requests.failed() | (requests.version != "")) & ~slept
    asked, doubtful = requests.chosen(chosen), doubtful[chosen]
    failed = asked.failed()
    interval = domain.switched_after(asked, ~failed & (asked.version == version), window, doubtful)
    count = int(np.count_nonzero(failed))
    name = f"time until version {version} answers all requests" + (f", {count} of them failed" if count else "")
    return _measured(load, name, asked, window, interval, "s", doubts)


def region_serving_after(drill_dir: Path, window: Window, region: str, connection: Connection) -> Measurement:
    """Seconds from the window's start until only `region` answers, to the window's end."""
    load, answered, doubts = _answered(drill_dir, window, connection)
    told = answered.chosen(answered.region != "")
    interval = domain.switched_after(told, told.region == region, window)
    return _measured(load, f"time until only {region} answers", told, window, interval, "s", doubts)


def answers_by_others(
    drill_dir: Path, window: Window, version: str, connection: Connection | None = None
) -> Measurement:
    """Number of answers in the window that another version than `version` gave."""
    load, answered, doubts = _answered(drill_dir, window, connection)
    others = int(np.count_nonzero(answered.version != version))
    return _measured(
        load,
        f"answers by other versions than {version}",
        answered,
        window,
        Interval.exactly(others) if len(answered) else None,
        "requests",
        doubts,
    )


def bad_version_exposure(
    drill_dir: Path, window: Window, version: str, *, flaw: Flaw, reached_s: float = -math.inf
) -> Measurement:
    """The rollback time in seconds: from the first bad answer of the bad version to its last.

    A request that failed and names nobody (a time-out, a reset, a gateway's own 502) may have been sent to it, also
    after the way back: connections stay where they are. So the upper bound has all of them, to the window's end.

    Args:
        drill_dir: The drill's folder.
        window: From before the switch to after the rollback.
        version: The bad version.
        flaw: What it was found bad for. For its errors those of its answers that failed count, if any names it; else
            all of them: a slow release answers well, but late, whether or not some answers fail besides.
        reached_s: Since when users may have been sent to it.
    """
    load, requests, doubts = _asked(drill_dir, window, None)
    its = requests.version == version
    failed = its & requests.failed()
    bad = failed if flaw == "errors" and failed.any() else its
    if not bad.any():
        doubts += (f"version {version} gave no answer in the window",)
    # What the meter itself slept through was never sent, so that nobody had a bad answer.
    slept = np.isnan(requests.sent_s) & requests.doubtful(load.stalls())
    possible = requests.failed() & (requests.version == "") & ~slept & (requests.begun_s() >= reached_s)
    chosen = (requests.version != "") | possible
    seen = requests.chosen(chosen)
    unnamed = int(np.count_nonzero(possible))
    name = f"exposure to version {version}"
    name += f", {unnamed} failures that name no release among it" if unnamed else ""
    interval = domain.exposure(seen, bad[chosen], possible[chosen])
    return _measured(load, name, seen.chosen(seen.version != ""), window, interval, "s", doubts)


def _answered(drill_dir: Path, window: Window, connection: Connection | None) -> _Answered:
    """Those due in the window that a version put its name to, and doubts about the window."""
    load, requests, doubts = _asked(drill_dir, window, connection)
    return load, requests.chosen(requests.version != ""), doubts


def _asked(drill_dir: Path, window: Window, connection: Connection | None) -> _Answered:
    """The metered requests due in the window, and doubts about the window.

    Of both kinds of connection together, also those of users beside the meter who were answered.
    """
    load = recording(drill_dir)
    requests = load.metered(connection).due_within(window.start_s, window.end_s)
    doubts = load.doubts(requests, window, kinds=2 if connection is None else 1)
    if connection is None:
        requests = requests.joined(load.answered_beside().due_within(window.start_s, window.end_s))
    return load, requests, doubts


def _measured(  # noqa: PLR0917 - what a measurement consists of
    load: Recording,
    name: str,
    answered: Requests,
    window: Window,
    interval: Interval | None,
    unit: str,
    doubts: tuple[str, ...],
) -> Measurement:
    return Measurement(
        name=name,
        interval=interval,
        unit=unit,
        samples=len(answered),
        window=window,
        source="meter",
        doubts=doubts,
        evidence=(load.evidence("requests"),),
    )
