"""The workload adapter of Kinto: records are put, and a collection is listed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from drillbook.domain.traffic import Origin
from loadtests.workload import ReadBack, Reply, Request, WriteState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_BUCKET = "/v1/buckets/drills"
_SEEDED = 20
_LONG_AGO_MS = 1_500_000_000_000
_JSON = {"Content-Type": "application/json"}
_OK, _CREATED, _NOT_FOUND = 200, 201, 404


class KintoWorkload:
    """A record's id is the client's key, so a PUT that is sent again stores nothing twice."""

    def __init__(self, namespace: str, options: Mapping[str, Any]) -> None:
        """There are no options; an application with accounts would have a name or the file of a token here."""
        if options:
            raise ValueError(f"the Kinto workload has no options, and these are given: {', '.join(sorted(options))}")
        self._namespace = namespace
        self._collection = f"{_BUCKET}/collections/{namespace}"
        self._seeds = f"{_BUCKET}/collections/{namespace}-seed"

    def seed(self) -> Sequence[Request]:
        """The bucket, two collections, and the records that the query is about."""
        places = [self._put("seed", place, {}) for place in (_BUCKET, self._collection, self._seeds)]
        records = [self._put("seed", f"{self._seeds}/records/s{n}", {"value": n}) for n in range(_SEEDED)]
        return [*places, *records]

    def metered(self, turn: int, number: int) -> Request:
        """Writes and reads in turns."""
        return self.write(number) if turn % 2 == 0 else self.query(number)

    def query(self, number: int) -> Request:  # noqa: ARG002 - the right answer is the same each time
        """The seeded records."""
        return Request("list", "GET", f"{self._seeds}/records?_sort=value")

    def write(self, number: int) -> Request:
        """One record.

        With a time of change of its own: Kinto gives one millisecond to one record of a collection only, and answers
        409 to whoever else comes in the same.
        """
        path = f"{self._collection}/records/{self._namespace}-{number}"
        return self._put("put", path, {"value": number, "last_modified": _LONG_AGO_MS + number})

    def wrong(self, request: Request, reply: Reply) -> str:
        """What was put has to come back with its id, the list as it was seeded."""
        data = _data(reply)
        if request.key:
            right = isinstance(data, dict) and data.get("id") == request.key
            return "" if right else "the answer does not confirm the id"
        records = data if isinstance(data, list) else []
        values = [cast("dict[str, Any]", entry).get("value") if isinstance(entry, dict) else None for entry in records]
        return (
            "" if values == list(range(_SEEDED)) else f"the list has the values {values}, 0 to {_SEEDED - 1} is right"
        )

    def state(self, request: Request, reply: Reply) -> WriteState:
        """A 200 or 201 that confirms the id is an acknowledgement; a 4xx refuses; all else leaves it open."""
        if reply.status in {_OK, _CREATED} and not self.wrong(request, reply):
            return WriteState.ACKNOWLEDGED
        return WriteState.REFUSED if 400 <= reply.status < 500 else WriteState.INDETERMINATE  # noqa: PLR2004

    def read_back(self, key: str) -> Sequence[Request]:
        """The record; there cannot be two of one id."""
        return (Request("read_back", "GET", f"{self._collection}/records/{key}"),)

    def found(self, key: str, replies: Sequence[Reply]) -> ReadBack | None:
        """A 404 is an answer; any other status than 200 is none."""
        (reply,) = replies
        if reply.status == _NOT_FOUND:
            return ReadBack(copies=0, equal=False)
        data = _data(reply)
        if reply.status != _OK or not isinstance(data, dict):
            return None
        return ReadBack(copies=1, equal=data.get("value") == int(key.rpartition("-")[2]))

    def origin(self, reply: Reply) -> Origin:
        """Three headers that `serve.py` puts on every answer."""
        headers = reply.headers
        return Origin(headers.get("x-region", ""), headers.get("x-slot", ""), headers.get("x-version", ""))

    def _put(self, operation: str, path: str, data: Mapping[str, object]) -> Request:
        """The id is the path's last part, for buckets and collections too."""
        return Request(operation, "PUT", path, _JSON, json.dumps({"data": data}).encode(), path.rpartition("/")[2])


def _data(reply: Reply) -> dict[str, Any] | list[object] | None:
    try:
        document: object = json.loads(reply.body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    return cast("dict[str, Any]", document).get("data")
