"""What in an environment file its schema does not allow, in sentences that say what should be there."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, cast

from jsonschema import Draft202012Validator

from drillbook.run.environment import places

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from jsonschema import ValidationError
    from ruamel.yaml.comments import CommentedMap

_UNITS = "ms|s|min|h"
"""What the pattern of a duration has in it."""


def found(path: Path, document: CommentedMap, schema: Mapping[str, Any]) -> list[str]:
    """A sentence for each fault, by the places of what is wrong.

    Args:
        path: Of the file.
        document: As it was read.
        schema: Of environment files.
    """
    plain: Any = places.plain(document)
    errors = sorted(Draft202012Validator(schema).iter_errors(plain), key=lambda e: [str(p) for p in e.absolute_path])
    faults = [fault for error in errors for fault in _faults(path, document, error)]
    return [*faults, *_unlimited(path, document, plain)]


def _faults(path: Path, document: CommentedMap, error: ValidationError) -> list[str]:
    """One sentence for each thing that is wrong, with its place."""
    place = list(error.absolute_path)
    shown = ".".join(str(part) for part in place) or "the file"
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = sorted(cast("Mapping[str, Any]", error.schema).get("properties", {}))
        unknown = [str(key) for key in cast("dict[object, object]", error.instance) if key not in known]
        return [
            f"{places.where(path, document, [*place, key])}: {shown} has no key {key!r}{places.meant(key, known)}"
            for key in unknown
        ]
    if error.validator == "required":
        missing = [
            key
            for key in cast("Sequence[str]", error.validator_value)
            if key not in cast("Mapping[str, Any]", error.instance)
        ]
        return [f"{places.where(path, document, place)}: {shown} lacks {', '.join(missing)}"]
    shown_value = json.dumps(error.instance, default=str)[:80]
    return [f"{places.where(path, document, place)}: {shown} is {shown_value}, and should be {_right(error)}"]


def _right(error: ValidationError) -> str:
    """What should be there, in words that follow `should be`; the schema has examples for each of its patterns."""
    schema = cast("Mapping[str, Any]", error.schema)
    if error.validator == "enum":
        return f"one of {', '.join(str(v) for v in cast('Sequence[object]', error.validator_value))}"
    if error.validator == "pattern" and _UNITS in str(error.validator_value):
        return "a duration such as '300 ms', '30 s', '2 min' or '4 h'"
    if error.validator == "pattern":
        about = f" ({schema['description'].rstrip('.')})" if "description" in schema else ""
        return f"like {' or '.join(repr(example) for example in schema['examples'])}{about}"
    if error.validator == "type" and schema.get("pattern", "").startswith("^[0-9]"):
        return "a duration with its unit, such as '30 s'"
    return f"what its schema says: {error.message[:160]}"


def _unlimited(path: Path, document: object, node: object, place: tuple[str | int, ...] = ()) -> list[str]:
    """YAML's .nan and .inf: no limit that is made of them can be exceeded, and a schema lets them through."""
    if isinstance(node, float) and not math.isfinite(node):
        shown = ".".join(str(part) for part in place)
        return [f"{places.where(path, document, place)}: {shown} is {node}, and should be a number"]
    parts: Iterable[tuple[str | int, object]] = ()
    if isinstance(node, dict):
        parts = cast("dict[str, object]", node).items()
    elif isinstance(node, list):
        parts = enumerate(cast("list[object]", node))
    return [fault for key, value in parts for fault in _unlimited(path, document, value, (*place, key))]
