"""Where in an environment file something is, and what was meant there."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, cast

from ruamel.yaml.comments import CommentedMap, CommentedSeq

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def where(path: Path, document: object, place: Sequence[str | int]) -> str:
    """file:line:column of a key, or of the nearest thing around it."""
    line, column, node = 0, 0, cast("Any", document)
    for part in place:
        try:
            if isinstance(node, CommentedMap):
                line, column = cast("Any", node).lc.key(part)
            elif isinstance(node, CommentedSeq):
                line, column = cast("Any", node).lc.item(part)
            node = cast("Any", node)[part]
        except (KeyError, IndexError, TypeError, AttributeError):
            break
    return f"{path}:{line + 1}:{column + 1}"


def meant(key: str, known: Sequence[str]) -> str:
    """The key that is most like it, or all of them, to end a sentence with."""
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(known)}"


def plain(node: object) -> object:
    """Without the loader's own types, which carry tags and comments."""
    if isinstance(node, dict):
        return {str(key): plain(value) for key, value in cast("dict[object, object]", node).items()}
    if isinstance(node, list):
        return [plain(value) for value in cast("list[object]", node)]
    if isinstance(node, bool) or node is None:
        return node
    for kind in (int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return str(node)
