"""What the drill's process reads while the load runs: `state.json` and `live.jsonl`."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TextIO

import gevent
import numpy as np

from drillbook.domain.redaction import clean
from drillbook.domain.requests import Requests
from drillbook.domain.traffic import Origin, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from drillbook.domain.requests import Stalls
    from loadtests.clock import SteadyClock


class Phase(StrEnum):
    """Where a load is."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    READING_BACK = "reading_back"
    DONE = "done"
    FAILED = "failed"


class StateFile:
    """`state.json`, replaced whole at each change."""

    def __init__(self, folder: Path, clock: SteadyClock) -> None:
        """Writes nothing yet."""
        self._path = folder / "state.json"
        self._clock = clock
        self.phase: Phase | None = None

    def enter(self, phase: Phase, error: str | None = None) -> None:
        """The load is in `phase` from now on."""
        self.phase = phase
        document = {
            "phase": phase,
            "since_s": self._clock.now(),
            "error": clean(error or "") or None,
            "pid": os.getpid(),
        }
        partial = self._path.with_suffix(".partial")
        partial.write_text(json.dumps(document) + "\n", encoding="utf-8")
        partial.replace(self._path)


@dataclass(slots=True)
class _Release:
    """Answers of one version in one slot."""

    ok: int = 0
    bad: Counter[str] = field(default_factory=Counter[str])
    metered: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])

    def took_ms(self) -> list[float]:
        """Of each metered answer from when it was due."""
        return [round((done_s - due_s) * 1000, 2) for due_s, done_s in self.metered]

    def latency_ms(self, stalls: Stalls) -> list[float]:
        """The same without the time in which we ourselves did not run."""
        if not self.metered:
            return []
        due_s, done_s = np.array(self.metered).T
        took_s = done_s - due_s - stalls.within(due_s, done_s)
        return [round(max(0.0, float(took)) * 1000, 2) for took in took_s]


class Live:
    """`live.jsonl`: what happened in each short window, written at its end.

    A request belongs to the window in which it was done; latencies are the meter's alone, since those of users who wait
    for their answers would flatter. A release is sent back on `latency_ms`, so our own stalls are not in it; `took_ms`
    is what the rows of the requests have to agree with. `doubtful` are the unanswered and the unsent that may be our
    own doing.
    """

    def __init__(self, folder: Path, clock: SteadyClock, window_s: float, stalls: Callable[[], Stalls]) -> None:
        """Opens the file; `window_s` is the length of a window, `stalls` when we did not run lately."""
        self._file: TextIO = (folder / "live.jsonl").open("w", encoding="utf-8", buffering=1)
        self._clock = clock
        self._window_s = window_s
        self._stalls = stalls
        self._start_s = clock.now()
        self._clear()

    def answered(self, origin: Origin, outcome: Outcome, metered: tuple[float, float] | None) -> None:
        """A request that got an answer, good or bad; the meter says when it was due and when it was done."""
        name = f"{origin.version}|{origin.slot}"
        release = self._releases.get(name)
        if release is None:
            release = self._releases[name] = _Release()
        if outcome is Outcome.OK:
            release.ok += 1
        else:
            release.bad[outcome.value] += 1
        if metered is not None:
            release.metered.append(metered)

    def unanswered(self, outcome: Outcome, due_s: float, done_s: float) -> None:
        """A request that got none.

        Args:
            outcome: How it ended.
            due_s: When it had to be sent.
            done_s: When it was given up; NaN for the unsent.
        """
        if outcome is Outcome.UNSENT:
            self._unsent += 1
        else:
            self._unanswered[outcome.value] += 1
        self._lost.append((outcome, due_s, done_s))

    def overslept(self) -> None:
        """A request that was never sent, since we did not run when it was due."""
        self._overslept += 1

    def unable(self) -> None:
        """A request that could not be sent for want of a port, a file or memory of our own."""
        self._unable += 1

    def write_windows(self) -> None:
        """Until killed; a greenlet's body."""
        while True:
            gevent.sleep(max(0.0, self._start_s + self._window_s - self._clock.now()))
            self._write()

    def finish(self) -> None:
        """Write the last window, as short as it is."""
        self._write()
        self._file.close()

    def _write(self) -> None:
        end_s, stalls = self._clock.now(), self._stalls()
        versions = {
            name: {
                "ok": release.ok,
                "bad": dict(release.bad),
                "latency_ms": release.latency_ms(stalls),
                "took_ms": release.took_ms(),
            }
            for name, release in self._releases.items()
        }
        line = {
            "start_s": self._start_s,
            "end_s": end_s,
            "versions": versions,
            "unanswered": dict(self._unanswered),
            "unsent": self._unsent,
            "overslept": self._overslept,
            "unable": self._unable,
            "doubtful": _doubtful(self._lost, stalls),
        }
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")
        self._start_s = end_s
        self._clear()

    def _clear(self) -> None:
        self._releases: dict[str, _Release] = {}
        self._unanswered: Counter[str] = Counter()
        self._unsent = 0
        self._overslept = 0
        self._unable = 0
        self._lost: list[tuple[Outcome, float, float]] = []


def _doubtful(lost: Sequence[tuple[Outcome, float, float]], stalls: Stalls) -> int:
    """How many of these may be our own doing, by the rule for the rows."""
    if not lost:
        return 0
    due_s, done_s = np.array([(due_s, done_s) for _, due_s, done_s in lost]).T
    outcome = np.array([outcome.value for outcome, _, _ in lost], dtype=object)
    nobody = np.full(len(lost), "", dtype=object)
    return int(np.count_nonzero(Requests(due_s, due_s, done_s, outcome, nobody, nobody, nobody).doubtful(stalls)))
