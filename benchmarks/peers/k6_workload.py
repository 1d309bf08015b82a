"""The least that a load can ask: one question, and an answer that is right when it is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drillbook.domain.traffic import Origin
from loadtests.workload import ReadBack, Reply, Request, WriteState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_QUESTION = Request("ask", "GET", "/")


class OneQuestion:
    """Writes nothing, so that nothing is read back."""

    def __init__(self, namespace: str, options: Mapping[str, Any]) -> None:
        """Neither matters."""

    def seed(self) -> Sequence[Request]:
        """Nothing."""
        return ()

    def metered(self, turn: int, number: int) -> Request:  # noqa: ARG002 -- the same each time
        """The question."""
        return _QUESTION

    def query(self, number: int) -> Request:  # noqa: ARG002 -- the same each time
        """The question."""
        return _QUESTION

    def write(self, number: int) -> Request:
        """There is none.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(f"write {number}: this load only asks")

    def wrong(self, request: Request, reply: Reply) -> str:  # noqa: ARG002 -- there is one request
        """Why it is not the answer."""
        return "" if reply.body == b"ok" else f"the answer is {reply.body[:40]!r}"

    def state(self, request: Request, reply: Reply) -> WriteState:  # noqa: ARG002 -- nothing is written
        """Refused, as all that is not there to be written."""
        return WriteState.REFUSED

    def read_back(self, key: str) -> Sequence[Request]:  # noqa: ARG002 -- nothing is written
        """Nothing."""
        return ()

    def found(self, key: str, replies: Sequence[Reply]) -> ReadBack | None:  # noqa: ARG002 -- nothing is written
        """Nothing."""
        return None

    def origin(self, reply: Reply) -> Origin:  # noqa: ARG002 -- there is one
        """Who answered."""
        return Origin()
