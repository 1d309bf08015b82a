"""Text from outside, made safe to show: no control character reaches a reader's terminal, page or parser."""

from __future__ import annotations

import unicodedata

_MOST = 4000


def printable(text: str, most: int = _MOST) -> str:
    r"""The text with control, direction and private characters shown as escapes, and cut to a bounded length.

    Line ends and tabs stay; an escape character is shown as `\x1b`.
    """
    shown = "".join(character if _harmless(character) else _escaped(character) for character in text[:most])
    return shown if len(text) <= most else f"{shown} … ({len(text) - most} characters more)"


def _harmless(character: str) -> bool:
    return character in "\n\t" or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn"}


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
