"""What a person follows while a run goes on: works without colour and without a terminal."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console
from rich.text import Text

from drillbook.evidence.text import printable
from drillbook.run import redaction

if TYPE_CHECKING:
    from pathlib import Path

_STYLES = {
    "PASS": "green", "FAIL": "bold red", "INCONCLUSIVE": "yellow", "detected": "red", "decided": "bold",
    "recovered": "green",
}  # fmt: skip
_LOOK_EVERY_S = 0.2


class Live:
    """Prints a run's timeline as it grows; other processes write it, so the file is followed."""

    def __init__(self, stream: TextIO, drills: int) -> None:
        """Nothing is followed yet.

        Args:
            stream: Where to print.
            drills: How many drills the run has.
        """
        # Console knows NO_COLOR, dumb terminals and pipes; lines are left as long as they are.
        self._console = Console(file=stream, highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._drills = drills
        self._number = 0
        self._started_s = 0.0
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def follow(self, timeline: Path) -> None:
        """Print what is appended to the timeline from now on."""
        self._thread = threading.Thread(target=self._follow, args=(timeline,), name="live output", daemon=True)
        self._thread.start()

    def drill_started(self, name: str, started_s: float, expected_s: float) -> None:
        """Announce a drill.

        Args:
            name: Of the scenario.
            started_s: Seconds since the epoch; times count from here.
            expected_s: How long it may take.
        """
        self._number += 1
        self._started_s = started_s
        self._say(f"\ndrill {self._number} of {self._drills}: {printable(name)} (about {expected_s:.0f} s)", "bold")

    def drill_finished(self, verdict: str, reasons: list[str]) -> None:
        """Tell its verdict, and why it is no pass."""
        self._say(f"  {verdict}", _STYLES.get(verdict, ""))
        for reason in reasons:
            self._say(f"    {printable(reason)}")

    def say(self, text: str) -> None:
        """Any other line."""
        self._say(printable(text))

    def close(self) -> None:
        """Print what is left, and stop following."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(5)

    def _follow(self, path: Path) -> None:
        position, rest = 0, b""
        while True:
            ending = self._ended.is_set()
            if path.is_file():
                with path.open("rb") as file:
                    file.seek(position)
                    new = file.read()
                position += len(new)
                *lines, rest = (rest + new).split(b"\n")
                for line in lines:
                    self._event(line)
            if ending:
                return
            self._ended.wait(_LOOK_EVERY_S)

    def _event(self, line: bytes) -> None:
        try:
            event: dict[str, Any] = json.loads(line)
            after_s, kind, text = float(event["t_s"]) - self._started_s, str(event["kind"]), str(event["text"])
        except (ValueError, KeyError, TypeError):
            return
        verdict = text.partition(":")[0]
        self._say(f"  {after_s:6.1f} s  {kind:<10} {printable(text)}", _STYLES.get(verdict) or _STYLES.get(kind, ""))

    def _say(self, text: str, style: str = "") -> None:
        # What the stream's encoding lacks is shown as an escape: an exception here would end the live output unseen.
        encoding = self._console.encoding
        shown = redaction.text(text).encode(encoding, "backslashreplace").decode(encoding)
        self._console.print(Text(shown, style=style))
