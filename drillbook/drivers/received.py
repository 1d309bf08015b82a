"""What a receiver of notices says that it has: a JSON list of objects with the texts of messages."""

from __future__ import annotations

from typing import Any, cast

import requests

from drillbook.drivers.outbound import BoundedSession
from drillbook.drivers.transport import reason
from drillbook.ports import Unreachable

_WITHIN_S = 5.0


def texts(url: str) -> frozenset[str]:
    """The texts that a receiver has.

    Raises:
        Unreachable: When it does not say so in time, or what it says is no such list.
    """
    try:
        with BoundedSession(_WITHIN_S) as session:
            answer = session.get(url)
        answer.raise_for_status()
        messages: Any = answer.json()
    except (requests.RequestException, ValueError) as error:
        raise Unreachable(f"the receiver of notices does not say what it has: {reason(error)}") from None
    if not isinstance(messages, list):
        raise Unreachable("the receiver of notices does not say what it has: it answered with no list")
    entries = [cast("dict[str, Any]", it) for it in cast("list[Any]", messages) if isinstance(it, dict)]
    return frozenset(entry["text"] for entry in entries if isinstance(entry.get("text"), str))
