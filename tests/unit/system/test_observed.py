"""Every answer says who gave it, and is counted, whatever happens inside."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from analytics.config import Settings
from analytics.defects import Defects, Mischief
from analytics.metrics import Metrics
from analytics.observed import Observed, State, send_json
from analytics.release import Release

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SETTINGS = Settings(Release("1.1.0"), "green", "us-east-1", "postgresql://db", "http://scoring")


class _Answer:
    def __init__(self, messages: list[Message]) -> None:
        self.status: int = messages[0]["status"]
        self.headers = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
        self.body: bytes = b"".join(message.get("body", b"") for message in messages[1:])


def _ask(application: ASGIApp, path: str = "/v1/events", headers: Iterable[tuple[bytes, bytes]] = ()) -> _Answer:
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        messages.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "headers": list(headers)}
    asyncio.run(application(scope, receive, send))
    return _Answer(messages)


async def _fine(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send_json(send, 200, {"fine": True})


async def _broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
    message = "unforeseen"
    raise RuntimeError(message)


def _observed(application: ASGIApp, state: State | None = None, defects: Defects | None = None) -> Observed:
    return Observed(
        application,
        _SETTINGS,
        Metrics(_SETTINGS),
        state or State(started=True),
        Mischief(defects) if defects else None,
    )


@pytest.mark.parametrize(("application", "status"), [(_fine, 200), (_broken, 500)])
def test_every_answer_says_who_gave_it_and_is_counted(application: ASGIApp, status: int) -> None:
    observed = _observed(application)
    answer = _ask(observed)
    assert answer.status == status
    assert (answer.headers["x-version"], answer.headers["x-slot"], answer.headers["x-region"]) == (
        "1.1.0",
        "green",
        "us-east-1",
    )
    assert len(answer.headers["x-correlation-id"]) == 24
    metrics = _ask(observed, "/metrics").body.decode()
    own = 'region="us-east-1",route="unmatched",slot="green",version="1.1.0"'
    assert f'http_requests_total{{code="{status}",method="GET",{own}}} 1.0' in metrics
    assert 'http_requests_in_progress{region="us-east-1",slot="green",version="1.1.0"} 0.0' in metrics


@pytest.mark.parametrize(("given", "kept"), [(b"drill-1:7", True), (b"a b", False), (b"x" * 200, False)])
def test_a_correlation_id_is_kept_when_it_is_harmless(given: bytes, kept: bool) -> None:
    answer = _ask(_observed(_fine), headers=[(b"x-correlation-id", given)])
    assert (answer.headers["x-correlation-id"] == given.decode()) is kept


def test_series_that_can_be_foreseen_begin_at_zero() -> None:
    metrics = _ask(_observed(_fine), "/metrics").body.decode()
    assert 'http_requests_total{code="500",method="POST",region="us-east-1",route="/v1/events"' in metrics


def test_while_starting_the_api_answers_503_and_health_goes_through() -> None:
    observed = _observed(_fine, State(started=False))
    assert _ask(observed).status == 503
    assert _ask(observed, "/healthz").status == 200


def test_while_draining_clients_are_asked_to_connect_elsewhere() -> None:
    state = State(started=True)
    observed = _observed(_fine, state)
    assert "connection" not in _ask(observed).headers
    state.draining = True
    assert _ask(observed).headers["connection"] == "close"


def test_a_bad_release_fails_the_api_and_no_health_check() -> None:
    observed = _observed(_fine, defects=Defects(error_share=1.0))
    answer = _ask(observed)
    assert answer.status == 500
    body: dict[str, Any] = json.loads(answer.body)
    assert "failed" in body["error"]
    assert _ask(observed, "/readyz").status == 200
