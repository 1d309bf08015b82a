"""Reads an environment file's YAML as what it is: text from outside, which may be anything."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from drillbook.domain.wording import visible

if TYPE_CHECKING:
    from pathlib import Path

_MOST_BYTES = 2**20
_MOST_VALUES = 20_000
_DEEPEST = 100


class EnvironmentFileError(Exception):
    """An environment file cannot be used; the text has every fault with its line, and shows what hides in the file."""

    def __init__(self, text: str) -> None:
        """Sentences, one a line."""
        super().__init__(visible(text))


def read(path: Path) -> tuple[bytes, CommentedMap]:
    """A file's bytes, and the mapping in it, whose keys know their lines.

    Raises:
        EnvironmentFileError: When it cannot be read, is too large, or is no YAML mapping.
    """
    raw = _bytes(path)
    return raw, _parse(path, raw)


def too_deep(text: str) -> bool:
    """Whether brackets are open in brackets to a depth that takes a YAML reader hours and then its stack."""
    depth = 0
    for letter in text:
        if letter in "[{":
            depth += 1
            if depth > _DEEPEST:
                return True
        elif letter in "]}" and depth:
            depth -= 1
    return False


def too_many_values(document: object) -> bool:
    """Whether a document's aliases stand for themselves, or for more than anybody writes."""
    return _values(document, {}) > _MOST_VALUES


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise EnvironmentFileError(f"{path}: cannot be read: {error.strerror}") from error
    if len(raw) > _MOST_BYTES:
        raise EnvironmentFileError(f"{path}: is larger than 1 MiB, which no environment file is")
    return raw


def _parse(path: Path, raw: bytes) -> CommentedMap:
    try:
        text = raw.decode("utf-8")
        if too_deep(text):
            raise EnvironmentFileError(f"{path}: is nested more than {_DEEPEST} deep, which no environment file is")
        # The round-trip loader makes no objects from tags and knows every key's line; duplicate keys are refused.
        document = YAML(typ="rt", pure=True).load(text)
    except UnicodeDecodeError as error:
        raise EnvironmentFileError(f"{path}: is not UTF-8: {error.reason} at byte {error.start}") from error
    except MarkedYAMLError as error:
        mark = cast("Any", error.problem_mark)
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise EnvironmentFileError(f"{where}: is not YAML: {error.problem or error.context}") from error
    # A merge of a mapping into itself gets as far as an AttributeError of the loader's.
    except (YAMLError, ValueError, RecursionError, AttributeError) as error:
        raise EnvironmentFileError(f"{path}: is not YAML: {error}") from error
    if not isinstance(document, CommentedMap):
        raise EnvironmentFileError(
            f"{path}:1:1: holds {type(document).__name__} where a mapping with name, tier, regions ... is expected"
        )
    if too_many_values(document):
        raise EnvironmentFileError(
            f"{path}: its aliases (`*name`) stand for themselves or for more than {_MOST_VALUES} values, which no "
            "environment file needs: write out what they mean"
        )
    return document


def _values(node: object, counted: dict[int, float]) -> float:
    """How many values a document has with its aliases written out; infinitely many where one contains itself."""
    if isinstance(node, dict):
        inside = list(cast("dict[object, object]", node).values())
    elif isinstance(node, list):
        inside = cast("list[object]", node)
    else:
        return 1
    identity = id(cast("object", node))
    if identity not in counted:
        counted[identity] = math.inf  # until it is known: met again meanwhile, it is inside itself
        counted[identity] = 1 + sum(_values(value, counted) for value in inside)
    return counted[identity]
