"""The workload adapter of the reference platform: events are ingested, aggregates are asked for."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlencode

from drillbook.domain.traffic import Origin
from loadtests.workload import ReadBack, Reply, Request, WriteState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_KIND = "drill"
_DAY = timedelta(days=1)
_OK = 200
_CREATED = 201
_UNAUTHORISED = 401
_NOT_FOUND = 404
_SUM_TOLERANCE = 1e-6


class AnalyticsWorkload:
    """Writes have a source of their own each, so that one aggregate counts the copies of one write."""

    def __init__(self, namespace: str, options: Mapping[str, Any]) -> None:
        """Options: `seeded_events` (default 20), `write_every` (one metered request in so many writes; default 2)."""
        unknown = set(options) - {"seeded_events", "write_every"}
        if unknown:
            msg = (
                f"the analytics workload has seeded_events and write_every, and no option {', '.join(sorted(unknown))}"
            )
            raise ValueError(msg)
        self._namespace = namespace
        self._seeded = _count(options, "seeded_events", default=20, at_least=2)
        self._write_every = _count(options, "write_every", default=2, at_least=1)
        self._source = f"{namespace}-seed"
        values = [_value(number) for number in range(self._seeded)]
        self._right = {
            "source": self._source,
            "count": self._seeded,
            "sum": sum(values),
            "mean": sum(values) / self._seeded,
            "min": min(values),
            "max": max(values),
        }
        self._query = self._aggregate(self._source)

    def seed(self) -> Sequence[Request]:
        """A fixed data set under a source of its own."""
        return [self._event(f"{self._source}-{number}", self._source, number) for number in range(self._seeded)]

    def metered(self, turn: int, number: int) -> Request:
        """Writes in between queries."""
        return self.write(number) if turn % self._write_every == 0 else self._query

    def query(self, number: int) -> Request:  # noqa: ARG002 - the right answer is the same each time
        """The aggregate of the seeded events."""
        return self._query

    def write(self, number: int) -> Request:
        """One event."""
        key = f"{self._namespace}-{number}"
        return self._event(key, key, number)

    def wrong(self, request: Request, reply: Reply) -> str:
        """Compares with what the answer has to be."""
        answer = _json(reply)
        if answer is None:
            return "the answer is not a JSON object"
        if request.key:
            right = answer.get("key") == request.key and answer.get("stored") is True
            return "" if right else "the answer does not confirm the event's key"
        for name, value in self._right.items():
            if not _same(answer.get(name), value):
                return f"{name} is {answer.get(name)!r}, {value!r} would be right"
        return ""

    def state(self, request: Request, reply: Reply) -> WriteState:
        """A 200 or 201 that confirms the key is an acknowledgement; a 4xx refuses; all else leaves it open."""
        if reply.status in {_OK, _CREATED} and not self.wrong(request, reply):
            return WriteState.ACKNOWLEDGED
        if 400 <= reply.status < 500:  # noqa: PLR2004 - HTTP's own classes
            return WriteState.REFUSED
        return WriteState.INDETERMINATE

    def read_back(self, key: str) -> Sequence[Request]:
        """The event itself, and how many there are of it."""
        return (Request("read_back", "GET", f"/v1/events/{quote(key, safe='')}"), self._aggregate(key))

    def found(self, key: str, replies: Sequence[Reply]) -> ReadBack | None:
        """A 404 is an answer; any other status than 200 is none."""
        event, aggregate = replies
        counted = _json(aggregate)
        if event.status not in {_OK, _NOT_FOUND} or aggregate.status != _OK or counted is None:
            return None
        copies = counted.get("count")
        if not isinstance(copies, int):
            return None
        if event.status == _NOT_FOUND:
            return ReadBack(copies=0, equal=False)
        number = int(key.rpartition("-")[2])
        seen = _json(event) or {}
        right = _document(key, number) | {"key": key}
        when = right.pop("occurred_at")
        equal = all(_same(seen.get(name), value) for name, value in right.items())
        return ReadBack(max(copies, 1), equal and _instant(seen.get("occurred_at")) == _instant(when))

    def origin(self, reply: Reply) -> Origin:
        """Three headers that every answer of the platform has."""
        headers = reply.headers
        return Origin(headers.get("x-region", ""), headers.get("x-slot", ""), headers.get("x-version", ""))

    def open_session(self, user: str, lasts_s: float) -> Request:
        """One session."""
        body = json.dumps({"user": user, "lasts_s": lasts_s}).encode()
        return Request("open_session", "POST", "/v1/sessions", {"Content-Type": "application/json"}, body)

    def token(self, reply: Reply) -> str:
        """Of a 201."""
        found = (_json(reply) or {}).get("token") if reply.status == _CREATED else None
        return found if isinstance(found, str) else ""

    def ask_session(self, token: str) -> Request:
        """Whose session it is."""
        return Request("ask_session", "GET", "/v1/sessions/current", {"Authorization": f"Bearer {token}"})

    def honours(self, user: str, reply: Reply) -> bool | None:
        """A 200 that names the user honours it; a 401, and a 200 for somebody else, do not."""
        if reply.status not in {_OK, _UNAUTHORISED}:
            return None
        return reply.status == _OK and (_json(reply) or {}).get("user") == user

    def forged(self, token: str) -> str:
        """The same content, signed with a key that nobody has."""
        content, _, _ = token.partition(".")
        signature = hmac.digest(secrets.token_bytes(32), content.encode(), hashlib.sha256)
        return f"{content}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"

    def _event(self, key: str, source: str, number: int) -> Request:
        return Request(
            "ingest",
            "POST",
            "/v1/events",
            {"Content-Type": "application/json", "Idempotency-Key": key},
            json.dumps(_document(source, number)).encode(),
            key,
        )

    def _aggregate(self, source: str) -> Request:
        window = {"source": source, "start": _EPOCH.isoformat(), "end": (_EPOCH + _DAY).isoformat()}
        return Request("query", "GET", f"/v1/aggregates?{urlencode(window)}")


def _document(source: str, number: int) -> dict[str, Any]:
    occurred = _EPOCH + timedelta(seconds=number % 86_400)
    return {"source": source, "occurred_at": occurred.isoformat(), "kind": _KIND, "value": _value(number)}


def _value(number: int) -> float:
    """Quarters, so that sums are exact in binary floating point."""
    return (number % 1000) / 4 + 1


def _count(options: Mapping[str, Any], name: str, *, default: int, at_least: int) -> int:
    value = options.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < at_least:
        msg = f"the analytics workload's {name} has to be a whole number of at least {at_least}, and is {value!r}"
        raise ValueError(msg)
    return value


def _json(reply: Reply) -> dict[str, Any] | None:
    try:
        answer = json.loads(reply.body)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", answer) if isinstance(answer, dict) else None


def _same(seen: object, right: object) -> bool:
    if isinstance(right, float) and isinstance(seen, int | float):
        return abs(seen - right) <= _SUM_TOLERANCE * max(1.0, abs(right))
    return seen == right


def _instant(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None
