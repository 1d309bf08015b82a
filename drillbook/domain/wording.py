"""Numbers and strange text for people: never rounded in favour of a promise, never able to hide what they are."""

from __future__ import annotations

import math
import unicodedata
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drillbook.domain.interval import Interval

_DIGITS = 3
_NOISE = Context(prec=12, rounding=ROUND_HALF_EVEN)
"""Binary floats differ from what was meant after the 15th digit or so; that is taken away before rounding outwards."""

_HARMLESS = frozenset("\n\t")
_HIDING = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that show nothing, reorder what is shown, or steer a terminal."""

_EXACT_UP_TO = Decimal(10) ** 12
_MINUTE_S = 60.0
_HOUR_S = 3600.0
_SECONDS_UP_TO = 120.0


def visible(text: str, *, keep: frozenset[str] = _HARMLESS) -> str:
    r"""The text with everything that does not show itself as an escape, for example `\x1b` or `\u202e`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(letter if letter in keep or not _hides(letter) else _escape(letter) for letter in text)


def one_line(text: str) -> str:
    """Likewise, with line breaks shown as well."""
    return visible(text, keep=frozenset())


def quantity(value: float, unit: str, *, towards: str = ROUND_HALF_EVEN) -> str:
    """A value with its unit, to three digits.

    Args:
        value: In `unit`; may be infinite.
        unit: `s` and `ratio` are shown as people say them; `1` is not shown; others stand behind the number.
        towards: How to round, in the words of `decimal`.
    """
    if not math.isfinite(value):
        number = "unbounded" if value > 0 else "-unbounded"
        return number if unit in {"1", "ratio"} else f"{number} {_shown(unit)}".strip()
    exact = _NOISE.create_decimal(Decimal(value))
    if unit == "ratio":
        return f"{_percent(exact, towards)} %"
    if unit == "s":
        return _seconds(exact, towards)
    return f"{_rounded(exact, towards)} {_shown(unit)}".strip()


def span(interval: Interval, unit: str) -> str:
    """An interval, its bounds rounded outwards."""
    if interval.low == interval.high:
        return quantity(interval.low, unit) if math.isfinite(interval.low) else "without bound"
    if math.isinf(interval.high):
        return f"{quantity(interval.low, unit, towards=ROUND_FLOOR)} or more"
    if math.isinf(interval.low):
        return f"{quantity(interval.high, unit, towards=ROUND_CEILING)} or less"
    low = quantity(interval.low, unit, towards=ROUND_FLOOR)
    high = quantity(interval.high, unit, towards=ROUND_CEILING)
    if low == high:
        return low
    if interval.low == 0:
        return f"0 to {high}"
    shared = f" {high.rpartition(' ')[2]}"
    return f"{low.removesuffix(shared)} to {high}"


def duration(seconds: float) -> str:
    """For example `4 min 05 s`."""
    if not math.isfinite(seconds):
        return "unknown"
    if abs(seconds) < _SECONDS_UP_TO:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    hours, rest = divmod(whole, int(_HOUR_S))
    minutes, left = divmod(rest, int(_MINUTE_S))
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {left:02d} s"


def moment(epoch_s: float | None) -> str:
    """Date and time in UTC to the second; `unknown` without one or with one that no calendar has."""
    if epoch_s is None:
        return "unknown"
    try:
        return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return "unknown"


def _seconds(value: Decimal, towards: str) -> str:
    if value == 0:
        return "0 s"
    if abs(value) < 1:
        return f"{_rounded(value * 1000, towards)} ms"
    return f"{_rounded(value, towards)} s"


def _percent(ratio: Decimal, towards: str) -> str:
    """With three digits of what is missing to 100 %, since that is what promises are about."""
    missing = min(abs(1 - ratio), abs(ratio)) * 100
    places = 0 if missing == 0 else max(0, _DIGITS - 1 - missing.adjusted())
    return _plain((ratio * 100).quantize(Decimal(1).scaleb(-min(places, 6)), rounding=towards))


def _rounded(value: Decimal, towards: str) -> str:
    if value == value.to_integral_value():
        return _plain(value.quantize(Decimal(1))) if abs(value) < _EXACT_UP_TO else f"{float(value):.3g}"
    places = _DIGITS - 1 - value.adjusted()
    return _plain(value.quantize(Decimal(1).scaleb(-max(places, 0)), rounding=towards))


def _plain(value: Decimal) -> str:
    text = f"{value:,f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _shown(unit: str) -> str:
    return "" if unit == "1" else unit


def _hides(letter: str) -> bool:
    return unicodedata.category(letter) in _HIDING


def _escape(letter: str) -> str:
    code = ord(letter)
    if code <= 0xFF:  # noqa: PLR2004 -- what \x reaches
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 -- what \u reaches
