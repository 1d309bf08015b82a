"""What a drill has seen so far: its windows, its timeline, its counts; everything that its checks are computed from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drillbook.domain.measurement import Window
from drillbook.run.timeline import Event, events
from probes import faults, slo, story
from probes.recording import recording

if TYPE_CHECKING:
    from pathlib import Path

    from drillbook.domain.environment import Environment
    from drillbook.run.timeline import Timeline
    from drillbook.wiring import Platform

_SCRAPES_AFTER = 3
"""Scrapes to wait for before a window counts as complete in Prometheus."""


class NotReady(Exception):
    """The drill is not in the state that its next sentence needs."""


class NotOffered(NotReady):
    """The environment's file does not offer what a sentence needs; the text says what to add.

    It is found before any port is asked, so that a plan can tell it: see `drillbook.drills.rehearsal`.
    """


def not_said(environment: Environment, what: str, key: str) -> NotOffered:
    """To be raised where the environment's file does not say something; the key is where it would."""
    return NotOffered(f"not proved here: the environment {environment.name} does not say {what}; see {key}")


@dataclass(slots=True)
class Seen:
    """The record of one drill.

    Attributes:
        platform: The environment's ports.
        folder: The drill's folder.
        timeline: The run's timeline, under the drill's name.
        started_s: When the drill began.
        live: The version that was live then; empty until it is known.
        other_writes: Answered writes that are neither the load's nor a validation's.
    """

    platform: Platform
    folder: Path
    timeline: Timeline
    started_s: float
    live: str = ""
    other_writes: int = 0
    _window: Window | None = None

    @property
    def window(self) -> Window:
        """While the load was on.

        Raises:
            NotReady: When there was no load.
        """
        if self._window is None:
            raise NotReady("the scenario asks for measurements, and no step put a load on the platform")
        return self._window

    @window.setter
    def window(self, window: Window) -> None:
        self._window = window

    def document(self) -> dict[str, Any]:
        """What whoever judges the drill again has to know, and no other file has."""
        window = None if self._window is None else [self._window.start_s, self._window.end_s]
        return {"live": self.live, "window": window, "other_writes": self.other_writes}

    @property
    def window_of_servers(self) -> Window:
        """From before the drill's first request to where the servers' counts of its last one are scraped for sure."""
        after_s = _SCRAPES_AFTER * self.platform.series.scrape_interval_s
        window = Window(self.started_s, self.window.end_s + after_s)
        late_s = window.end_s - self.platform.clock.now()
        if late_s > 0:
            self.platform.clock.sleep(late_s)
        return window

    @property
    def events(self) -> list[Event]:
        """What the timeline has of this drill so far, in order."""
        return events(self.timeline.path, self.timeline.drill)

    def since(self, activity: str, kind: str) -> Window:
        """From this point of an activity to where the experiment began to put things back.

        Raises:
            NotReady: When it never came to that point.
        """
        start_s = story.moment(self.events, activity, kind)
        if start_s is None:
            raise NotReady(f"the experiment never came to {activity} ({kind}), so nothing can be measured from there")
        end_s = story.moment(self.events, "put_back", "intent") or self.window.end_s
        return Window(start_s, max(start_s, min(end_s, self.window.end_s)))

    @property
    def while_updated(self) -> Window:
        """From an update's order until its way back was ordered; where none was, until things were put back.

        Raises:
            NotReady: When no update was ordered.
        """
        whole = self.since("update-release", "intent")
        ordered_s = story.moment(self.events, "roll_back", "decided")
        return whole if ordered_s is None else Window(whole.start_s, max(whole.start_s, ordered_s))

    @property
    def while_fault(self) -> Window:
        """While the fault was there.

        Raises:
            NotReady: When none was, or it was not seen to be undone.
        """
        found = faults.while_there(self.events)
        if found is None:
            raise NotReady("no fault was made and undone, so there is nothing to measure while it was there")
        return found

    @property
    def since_fault(self) -> Window:
        """From when the fault was meant to where the experiment began to put things back."""
        return Window(self.while_fault.start_s, self.since(faults.meant(self.events), "intent").end_s)

    def unscraped(self) -> tuple[str, ...]:
        """Doubts about Prometheus' targets: the old slot's all along, the new one's while it had the traffic."""
        metrics, series = self.platform.metrics, self.platform.series
        found: tuple[str, ...] = ()
        for event in story.of(self.events, "watch_release"):
            if "addresses" in event.data:
                window = self.since("switch-traffic", "observed")
                found += slo.unscraped(metrics, series, event.data["slot"], event.data["addresses"], window)
        slot = self.platform.live_slot()
        addresses = self.platform.cluster.slot(slot).addresses
        self.timeline.record(
            "observed", f"slot {slot} has the public with {len(addresses)} pods", activity="targets", slot=slot,
            addresses=list(addresses),
        )  # fmt: skip
        return found + slo.unscraped(metrics, series, slot, addresses, self.window)

    def answered_writes(self) -> int:
        """Writes of the drill that got an answer of any status: the load's, its seeds and those of smoke checks."""
        validations = sum(int(event.data.get("writes", 0)) for event in story.of(self.events, "validate_release"))
        answered = sum(bool(row["version"]) for row in recording(self.folder).rows("ledger"))
        return answered + self.other_writes + validations
