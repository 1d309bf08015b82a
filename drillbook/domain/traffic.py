"""Rows of the meter: one request each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How a request ended; everything but OK and UNABLE is a failure of the system as its client sees it.

    UNSENT is what was due while too many others were unanswered, or while the meter slept; UNABLE what the meter had no
    port, file or memory for: the system was never asked, and nothing is known of it.
    """

    OK = "ok"
    DNS = "dns"
    REFUSED = "refused"
    RESET = "reset"
    TIMEOUT = "timeout"
    CLIENT_ERROR = "client_error"
    SERVER_ERROR = "server_error"
    WRONG_ANSWER = "wrong_answer"
    CANCELLED = "cancelled"
    UNSENT = "unsent"
    UNABLE = "unable"


class Connection(StrEnum):
    """Whether the request opened its own connection or used one that was open before."""

    NEW = "new"
    REUSED = "reused"


@dataclass(frozen=True, slots=True)
class Origin:
    """Who answered; empty strings where the answer did not say.

    Attributes:
        region: For example `us-east-1`.
        slot: `blue` or `green`.
        version: The release, for example `1.1.0`.
    """

    region: str = ""
    slot: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One request of the load.

    Attributes:
        due_s: When the schedule wanted it sent: seconds since the epoch, steady clock.
        sent_s: When its first byte (or its connect) left; NaN when it was never sent.
        done_s: When its answer or its error was complete; NaN when it was never sent.
        outcome: How it ended.
        status: HTTP status, 0 without an answer.
        connection: New or reused.
        kind: `meter`, `analyst` or `collector`.
        operation: What it asked for, in the workload's words.
        origin: Who answered.
        error: The error's text, bounded in length; empty when there was none.
    """

    due_s: float
    sent_s: float
    done_s: float
    outcome: Outcome
    status: int
    connection: Connection
    kind: str
    operation: str
    origin: Origin
    error: str = ""
