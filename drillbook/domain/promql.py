"""Series selectors of PromQL, narrowed to a slot, a version or a target; values from outside are always quoted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_STRING = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)"""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MATCHER = re.compile(rf"({_STRING}|{_NAME.pattern})\s*(?:=~|!~|!=|=)\s*{_STRING}")


def narrowed(selector: str, labels: Mapping[str, str]) -> str:
    """A selector such as `requests_total{route="/x"}` with further labels that have to be equal."""
    return _with(selector, ",".join(f"{name}={quoted(value)}" for name, value in labels.items()))


def bucket(selector: str, end: float) -> str:
    """Those of a histogram's buckets that end at a value.

    A whole number is written 1 by most clients, and 1.0 by Python's and by Prometheus from version 3 on.
    """
    text = f"{end:g}"
    return _with(selector, f"le=~{quoted(f'{text}|{text}[.]0')}" if text.isdigit() else f"le={quoted(text)}")


def quoted(value: str) -> str:
    """A string literal."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def label_names(matchers: str) -> tuple[str, ...]:
    """The labels that matchers such as `code=~"5..",route!="/x"` are about, each once; not the metric's name."""
    names = [name.strip("\"'`") for name in _MATCHER.findall(matchers)]
    return tuple(dict.fromkeys(name for name in names if name != "__name__"))


def total(selector: str, *, by: Sequence[str] = ()) -> str:
    """The sum over all its series, or one for each value of these labels."""
    labels = ", ".join(label if _NAME.fullmatch(label) else quoted(label) for label in by)
    return f"sum by ({labels}) ({selector})" if labels else f"sum({selector})"


def over(function: str, selector: str, length_s: float) -> str:
    """A function of the selector over the last so many seconds, to the millisecond."""
    return f"{function}({selector}[{max(round(length_s * 1000), 1)}ms])"


def _with(selector: str, matchers: str) -> str:
    if not matchers:
        return selector
    if not selector.endswith("}"):
        return f"{selector}{{{matchers}}}"
    before = selector[:-1].rstrip(", ")
    comma = "" if before.endswith("{") else ","
    return f"{before}{comma}{matchers}}}"
