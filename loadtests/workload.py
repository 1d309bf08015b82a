"""What the load has to know of the application under test: the adapter that a user writes for theirs.

An adapter is a class that takes `(namespace, options)`: `namespace` is a prefix for keys that no other drill uses,
`options` is what the environment file gives. It holds no connection and does no I/O: it makes requests and reads
replies.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drillbook.domain.traffic import Origin


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request.

    Attributes:
        operation: What it asks for, in one word or two; the report groups by it.
        method: HTTP method.
        path: From the first slash on, with the query, encoded.
        headers: Besides Host, Content-Length and Connection, which the client adds.
        body: Raw bytes.
        key: Key of the write; empty for anything that writes nothing.
    """

    operation: str
    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer, complete.

    Attributes:
        status: HTTP status.
        headers: Names in lower case; of repeated ones, the last.
        body: At most 1 MiB; a longer one is a failure.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class WriteState(StrEnum):
    """What a client knows of a write."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    INDETERMINATE = "indeterminate"


@dataclass(frozen=True, slots=True)
class ReadBack:
    """One acknowledged write, looked up again.

    Attributes:
        copies: How often it is there; 1 is right.
        equal: Whether what is there is what was written.
    """

    copies: int
    equal: bool


class Workload(Protocol):
    """One application under test."""

    def __init__(self, namespace: str, options: Mapping[str, Any]) -> None:
        """Raises ValueError, with a sentence, when an option is unknown or wrong."""
        ...

    def seed(self) -> Sequence[Request]:
        """Writes made before the load starts, so that queries have a known right answer; each must be answered 2xx."""
        ...

    def metered(self, turn: int, number: int) -> Request:
        """The meter's next request: reads and writes in rotation.

        `turn` counts 0, 1, ... for each kind of connection, so that both get the same rotation; `number` is the load's
        own, for a write's key.
        """
        ...

    def query(self, number: int) -> Request:
        """An analyst's next question."""
        ...

    def write(self, number: int) -> Request:
        """A write whose key no other number has; sent again it must not be stored twice."""
        ...

    def wrong(self, request: Request, reply: Reply) -> str:
        """Why a 2xx answer is not the right one; empty when it is.

        Whatever this, `state` or `origin` raises on such an answer says so too.
        """
        ...

    def state(self, request: Request, reply: Reply) -> WriteState:
        """What an answer to a write (of any status) tells."""
        ...

    def read_back(self, key: str) -> Sequence[Request]:
        """The questions that tell whether a write is there; asked in order, on one connection."""
        ...

    def found(self, key: str, replies: Sequence[Reply]) -> ReadBack | None:
        """What the answers tell; None when they tell nothing (a 5xx, say), and it will be asked again."""
        ...

    def origin(self, reply: Reply) -> Origin:
        """Who answered."""
        ...


@runtime_checkable
class SessionWorkload(Workload, Protocol):
    """What the adapter of an application with sessions has besides."""

    def open_session(self, user: str, lasts_s: float) -> Request:
        """Open one that is over after so many seconds."""
        ...

    def token(self, reply: Reply) -> str:
        """What a session was opened with; empty when none was."""
        ...

    def ask_session(self, token: str) -> Request:
        """Ask for what only a session is answered."""
        ...

    def honours(self, user: str, reply: Reply) -> bool | None:
        """Whether a session was honoured as this user's; None when the answer tells neither (a 5xx, say)."""
        ...

    def forged(self, token: str) -> str:
        """Another token that says the same, by somebody who does not have what tokens are made with."""
        ...
