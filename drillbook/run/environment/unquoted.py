"""What an environment file has without quotes and YAML would change: the version 1.10 is a number to it, namely 1.1."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ruamel.yaml.nodes import Node

_NAMES = {"int": "a number", "float": "a number", "bool": "true or false", "timestamp": "a date", "null": "no text"}


def faults(path: Path, raw: bytes) -> list[str]:
    """A sentence for each text that would not be used as it is written.

    Texts are the keys of all mappings, and the values that a release is deployed with. A date becomes a text anywhere.

    Args:
        path: Of the file.
        raw: Its bytes, which have been read as YAML before.
    """
    found: set[tuple[int, int, str]] = set()
    open_nodes = [_Place(cast("Any", YAML(typ="rt", pure=True)).compose(raw.decode("utf-8")))]
    while open_nodes:
        place = open_nodes.pop()
        open_nodes += place.inside()
        found.update(place.changed())
    return [
        f"{path}:{line + 1}:{column + 1}: {said} without quotes, and not kept as it is written: put it in quotes"
        for line, column, said in sorted(found)
    ]


@dataclass(frozen=True, slots=True)
class _Place:
    """A node of the file.

    Attributes:
        node: As it is written.
        keys: That lead to it.
        above: Identities of the nodes that it is in; an alias of one of them leads nowhere.
    """

    node: Node
    keys: tuple[str, ...] = ()
    above: frozenset[int] = frozenset()

    def inside(self) -> Iterator[_Place]:
        """What is in it; what is merged into a mapping lies where the mapping does."""
        if id(self.node) in self.above:
            return
        above = self.above | {id(self.node)}
        if isinstance(self.node, SequenceNode):
            for number, item in enumerate(_value(self.node)):
                yield _Place(item, (*self.keys, str(number)), above)
        for key, value in self._entries():
            if _kind(key) != "merge":
                yield _Place(value, (*self.keys, str(_value(key))), above)
                continue
            for merged in _value(value) if isinstance(value, SequenceNode) else [value]:
                yield _Place(merged, self.keys, above)

    def changed(self) -> Iterator[tuple[int, int, str]]:
        """Line and column, from 0 on, and what is there: of itself, or of a key in it."""
        shown, kind = ".".join(self.keys), _kind(self.node)
        if isinstance(self.node, ScalarNode) and not _is_kept(self.node) and (self._is_text or kind == "timestamp"):
            yield *_start(self.node), f"{shown} is {_NAMES[kind]}"
        for key, _ in self._entries():
            if isinstance(key, ScalarNode) and (_kind(key) in {"bool", "null"} or not _is_kept(key)):
                yield *_start(key), f"{shown or 'the file'} has the key {_value(key)}, which is {_NAMES[_kind(key)]}"

    @property
    def _is_text(self) -> bool:
        """Whether a release is deployed with the text of it."""
        return (self.keys[:2], len(self.keys)) in {(("releases", "settings"), 3), (("releases", "overrides"), 4)}

    def _entries(self) -> list[tuple[Node, Node]]:
        return _value(self.node) if isinstance(self.node, MappingNode) else []


def _is_kept(node: ScalarNode) -> bool:
    """Whether the text of what YAML makes of it is what is written."""
    written = str(_value(node))
    try:
        match _kind(node):
            case "int":
                return str(int(written)) == written
            case "float":
                return repr(float(written)) == written
            case "bool":
                return written in {"true", "false"}
            case "timestamp":
                return re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", written) is not None
            case _:
                return True
    except ValueError:  # 0x1F, 1:30 in YAML 1.1
        return False


def _kind(node: Node) -> str:
    """The last word of its tag, such as `int`."""
    return str(cast("Any", node).tag).rpartition(":")[2]


def _value(node: Node) -> Any:
    """A scalar's text, a sequence's nodes, or a mapping's pairs of nodes."""
    return cast("Any", node).value


def _start(node: Node) -> tuple[int, int]:
    mark = cast("Any", node).start_mark
    return mark.line, mark.column
