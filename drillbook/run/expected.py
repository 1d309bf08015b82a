"""Says what an environment file's schema wants to be written where something else is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jsonschema import ValidationError

_UNITS = "ms|s|min|h"
"""What the pattern of a duration has in it."""


def right(error: ValidationError) -> str:
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
