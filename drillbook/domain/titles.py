"""What scenarios are called: runs, their records and all that is read of them tell scenarios apart by that alone."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

LONGEST = 80
"""Characters of a folder's name."""

_TELLS_NOTHING = frozenset("CPZ")
"""Unicode categories of what does not tell one name from another: controls, punctuation, separators."""


def title(scenario: str, example: Sequence[str]) -> str:
    """A scenario's name, with its example's values where it has some."""
    return f"{scenario} ({', '.join(example)})" if example else scenario


def clash(scenarios: Iterable[tuple[str, str]]) -> str:
    """Why these scenarios cannot be told apart, as a sentence; empty when all can.

    Args:
        scenarios: The title of each, and its feature's file.
    """
    seen: dict[str, str] = {}
    for name, file in scenarios:
        if name in seen:
            return (
                f"two scenarios are called {name!r}, in {seen[name]} and {file}, and a run tells them apart by that "
                "alone: give one of them another name"
            )
        seen[name] = file
    return ""


def slug(text: str) -> str:
    """A name that is safe as a file's: lower-case letters, digits and hyphens, at most `LONGEST` of them.

    Names that differ in letters which ASCII lacks differ in a digest at the end.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:LONGEST].rstrip("-") or "unnamed"
    if all(letter.isascii() or unicodedata.category(letter)[0] in _TELLS_NOTHING for letter in text):
        return name
    digest = hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()[:8]
    return f"{name[: LONGEST - len(digest) - 1].rstrip('-')}-{digest}"


def numbered(text: str, taken: Collection[str]) -> str:
    """The slug of a name, with a number behind it where others have it already."""
    base, number = slug(text), 2
    chosen = base
    while chosen in taken:
        end = f"-{number}"
        chosen, number = f"{base[: LONGEST - len(end)].rstrip('-')}{end}", number + 1
    return chosen


def ids(titles: Iterable[str]) -> dict[str, str]:
    """The titles of drills by the ids that a run gives them, one after the other."""
    found: dict[str, str] = {}
    for each in titles:
        found[numbered(each, found)] = each
    return found
