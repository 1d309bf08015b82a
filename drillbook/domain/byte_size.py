"""Numbers of bytes as people write them: `500 GiB`, `2MiB`, `1.5 TB`."""

from __future__ import annotations

import re

_PREFIXES = "KMGTP"
_FORM = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([KMGTP]?)(i?)B\s*", re.ASCII)
_BINARY, _DECIMAL = 1024.0, 1000.0


def parsed(text: str) -> float:
    """Bytes.

    Raises:
        ValueError: When it is no number with a unit from B to PiB.
    """
    found = _FORM.fullmatch(text)
    if found is None or (found[3] and not found[2]):
        raise ValueError(f"a number of bytes looks like 500GiB, and got {text[:40]!r}")
    power = _PREFIXES.index(found[2]) + 1 if found[2] else 0
    return float(found[1]) * (_BINARY if found[3] else _DECIMAL) ** power


def told(size: float) -> str:
    """To three digits, in the largest binary unit of which there is one."""
    power = 0
    while abs(size) >= _BINARY and power < len(_PREFIXES):
        size, power = size / _BINARY, power + 1
    return f"{size:.3g} {_PREFIXES[power - 1] + 'iB' if power else 'B'}"
