"""Text from outside, made safe to show on a terminal: nothing hidden in it, and of limited length."""

from __future__ import annotations

from drillbook.domain.wording import visible

_MOST = 4000


def printable(text: str, most: int = _MOST) -> str:
    r"""The text with what does not show itself as escapes such as `\x1b`; line ends and tabs stay."""
    shown = visible(text[:most])
    return shown if len(text) <= most else f"{shown} … ({len(text) - most} characters more)"
