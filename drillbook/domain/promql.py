"""Series selectors of PromQL, narrowed to a slot, a version or a target; values from outside are always quoted."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def narrowed(selector: str, labels: Mapping[str, str]) -> str:
    """A selector such as `requests_total{route="/x"}` with further labels that have to be equal."""
    matchers = ",".join(f"{name}={quoted(value)}" for name, value in labels.items())
    if not matchers:
        return selector
    if not selector.endswith("}"):
        return f"{selector}{{{matchers}}}"
    before = selector[:-1].rstrip(", ")
    comma = "" if before.endswith("{") else ","
    return f"{before}{comma}{matchers}}}"


def quoted(value: str) -> str:
    """A string literal."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def total(selector: str) -> str:
    """The sum over all its series."""
    return f"sum({selector})"


def over(function: str, selector: str, length_s: float) -> str:
    """A function of the selector over the last so many seconds, to the millisecond."""
    return f"{function}({selector}[{max(round(length_s * 1000), 1)}ms])"
