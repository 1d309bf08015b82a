"""Durations of an environment file, which are written with their unit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(ms|s|min|h)")


def seconds(text: str) -> float:
    """A duration with its unit, in seconds.

    Raises:
        ValueError: When it is not one.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration such as '300 ms', '30 s', '2 min' or '4 h'")
    return float(match[1]) * _UNITS[match[2]]


def in_seconds(section: Mapping[str, Any], *durations: str) -> dict[str, Any]:
    """A section with its durations as seconds, under names that say so."""
    return {f"{k}_s" if k in durations else k: seconds(v) if k in durations else v for k, v in section.items()}
