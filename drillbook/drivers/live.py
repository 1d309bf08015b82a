"""The load's running record, `live.jsonl`: a line for each quarter of a second."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


class LiveRecord:
    """Gives the lines that were written since it was last asked; a line still being written waits for the next time."""

    def __init__(self, path: Path) -> None:
        """The file need not be there yet."""
        self._path = path
        self._offset = 0

    def __call__(self) -> list[dict[str, Any]]:
        """New lines, oldest first."""
        if not self._path.is_file():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        return [json.loads(line) for line in whole.splitlines()]
