"""The run's timeline: what was intended, made, seen and decided, and when."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from drillbook.run.folder import FolderError, append_line, read_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drillbook.ports import Clock

_log = logging.getLogger(__name__)

Kind = Literal["intent", "injected", "observed", "detected", "decided", "recovered", "note"]


@dataclass(frozen=True, slots=True)
class Event:
    """One entry.

    Attributes:
        t_s: Seconds since the epoch on the run's steady clock.
        drill: Whose event.
        kind: What sort of event.
        text: For people.
        data: For programs.
    """

    t_s: float
    drill: str
    kind: Kind
    text: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Timeline:
    """Appends to `timeline.jsonl`; safe for several processes at once.

    Attributes:
        path: The file.
        drill: Under whose name events are recorded.
        clock: The run's clock.
        listener: Told of each event that this process records; for live output.
    """

    path: Path
    drill: str
    clock: Clock
    listener: Callable[[Event], None] | None = None

    def record(self, kind: Kind, text: str, *, at_s: float | None = None, **data: Any) -> Event:
        """Append an event; at the given time, else now."""
        event = Event(self.clock.now() if at_s is None else at_s, self.drill, kind, text, data)
        line = {"t_s": event.t_s, "drill": event.drill, "kind": event.kind, "text": event.text, "data": event.data}
        append_line(self.path, line)
        if self.listener is not None:
            self.listener(event)
        return event

    def record_on_the_way_back(self, kind: Kind, text: str, *, at_s: float | None = None, **data: Any) -> None:
        """Append an event if that can be done: a full disk must not keep anything from being undone."""
        try:
            self.record(kind, text, at_s=at_s, **data)
        except FolderError as error:
            _log.warning("%s: %s; not on the timeline: %s", kind, text, error)


def events(path: Path, drill: str | None = None) -> list[Event]:
    """The events of a drill, or all, in the order of their times."""
    found = [Event(**line) for line in read_lines(path) if drill is None or line["drill"] == drill]
    return sorted(found, key=lambda event: event.t_s)
