"""JSON logs on standard output, one object a line."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analytics.config import Settings


class JsonFormatter(logging.Formatter):
    """Writes a record as JSON; what was passed as `extra={"fields": ...}` stands beside the message."""

    def __init__(self, constants: dict[str, str]) -> None:
        """Fields that every line carries."""
        super().__init__()
        self._constants = constants

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self._constants,
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure(settings: Settings) -> None:
    """Send all logs to standard output as JSON."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        JsonFormatter(
            {
                "service": "analytics",
                "version": settings.release.version,
                "slot": settings.slot,
                "region": settings.region,
            }
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    # httpx logs each call at INFO: that is a line for every score.
    logging.getLogger("httpx").setLevel(logging.WARNING)
