"""The HTTP API.

Handlers take the bare request and answer bare responses: FastAPI's models would cost more than the work itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from analytics.defects import Mischief
from analytics.metrics import Metrics
from analytics.observed import Observed, State
from analytics.scores import ScoringService, ScoringUnavailableError
from analytics.sessions import NoSessionError, NoSessionKeyError, Session, Sessions
from analytics.store import Event, EventStore, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from contextlib import AbstractAsyncContextManager

    from starlette.types import ASGIApp

    from analytics.config import Settings
    from analytics.release import Release

_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_Name = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{1,100}$")]
_Value = Annotated[float, Field(ge=-1e15, le=1e15, allow_inf_nan=False)]
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(9000, 1, 1, tzinfo=UTC)
_READY_WITHIN_S = 1.0
_LONGEST_SESSION_S = 86400.0


class NewEvent(BaseModel):
    """Body of an ingest request."""

    model_config = ConfigDict(extra="forbid")

    source: _Name
    occurred_at: Annotated[AwareDatetime, Field(ge=_EARLIEST, lt=_LATEST)]
    kind: _Name
    value: _Value


class ScoreRequest(BaseModel):
    """Body of a scoring request."""

    model_config = ConfigDict(extra="forbid")

    source: _Name
    value: _Value


class NewSession(BaseModel):
    """Body of a request to open a session, which ends by itself."""

    model_config = ConfigDict(extra="forbid")

    user: _Name
    lasts_s: Annotated[float, Field(gt=0, le=_LONGEST_SESSION_S)] = 3600.0


def application(settings: Settings, state: State) -> ASGIApp:
    """The service as an ASGI application; `state` is shared with the server, which knows when it has to end."""
    metrics = Metrics(settings)
    mischief = Mischief(settings.defects)
    store = EventStore(settings)
    scoring = ScoringService(settings)
    api = FastAPI(
        title="analytics", version=settings.release.version, lifespan=_lifespan(settings, state, store, scoring)
    )
    _add_health(api, settings, mischief, state, store, scoring)
    _add_events(api, metrics, mischief, store)
    _add_aggregates(api, settings, metrics, mischief, store)
    _add_scores(api, scoring)
    _add_sessions(api, Sessions(settings.session_key))
    api.add_exception_handler(ValidationError, _unprocessable)
    api.add_exception_handler(_RequestError, _unprocessable)
    api.add_exception_handler(StoreUnavailableError, _unavailable)
    api.add_exception_handler(ScoringUnavailableError, _unavailable)
    api.add_exception_handler(NoSessionError, _unauthorised)
    api.add_exception_handler(NoSessionKeyError, _unavailable)
    return Observed(api, settings, metrics, state, mischief if settings.defects.of_answers else None)


def _lifespan(
    settings: Settings, state: State, store: EventStore, scoring: ScoringService
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    async def finish_start() -> None:
        await asyncio.sleep(settings.defects.startup_ms / 1000)
        state.started = True

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        await store.open()
        start = asyncio.create_task(finish_start())
        async with scoring.watched():
            yield
        start.cancel()
        await store.close()

    return lifespan


def _add_health(  # noqa: PLR0917 - what readiness depends on
    api: FastAPI, settings: Settings, mischief: Mischief, state: State, store: EventStore, scoring: ScoringService
) -> None:
    @api.get("/healthz")
    async def healthz() -> JSONResponse:
        """The process is alive; says nothing of its dependencies, so that their outage restarts nobody."""
        return JSONResponse({"alive": True})

    @api.get("/readyz")
    async def readyz() -> JSONResponse:
        """Whether traffic should come here.

        The database decides, and its schema. The scoring service does not: without it one route answers 503, and
        taking every pod out of service would turn that into an outage of ingest and queries too.
        """
        schema = ""
        reasons: list[str] = []
        try:
            async with asyncio.timeout(_READY_WITHIN_S):
                schema = await store.schema()
        except (StoreUnavailableError, TimeoutError):
            reasons.append(f"The database did not answer within {_READY_WITHIN_S:g} s.")
        else:
            if not settings.release.serves_with(schema):
                reasons.append(f"The schema is at revision {schema or 'none'}, {_needed(settings.release)} is needed.")
        if not state.started:
            reasons.append("The start is not finished.")
        if state.draining:
            reasons.append("The process is about to end.")
        if mischief.flaps():
            reasons.append("This release has the defect that it denies its readiness now and then.")
        ready = not reasons or bool(settings.defects.ready_lies)
        return JSONResponse(
            {
                "ready": ready,
                "reasons": [] if ready else reasons,
                "schema": schema,
                "scoring": "reachable" if scoring.reachable else "degraded",
            },
            200 if ready else 503,
        )


def _needed(release: Release) -> str:
    return (
        f"{release.oldest_schema} to {release.newest_schema}"
        if release.newest_schema
        else f"{release.oldest_schema} on"
    )


def _add_events(api: FastAPI, metrics: Metrics, mischief: Mischief, store: EventStore) -> None:
    @api.post("/v1/events")
    async def ingest(request: Request) -> JSONResponse:
        key = request.headers.get("idempotency-key", "")
        if not _KEY.fullmatch(key):
            message = "The header Idempotency-Key has to hold 1 to 200 printable ASCII characters without blanks."
            raise _RequestError(message)
        event = Event(key=key, **dict(NewEvent.model_validate_json(await request.body())))
        if mischief.loses():
            return JSONResponse({"key": key, "stored": True}, 201)
        stored = await store.put(event)
        if stored == "different":
            message = "Another event was stored under this key before; use a new key for a new event."
            return JSONResponse({"error": message, "key": key}, 409)
        if stored == "created":
            metrics.ingested.inc()
        return JSONResponse({"key": key, "stored": True}, 201 if stored == "created" else 200)

    # The key may hold slashes.
    @api.get("/v1/events/{key:path}")  # noqa: FAST003 - read from the bare request
    async def event(request: Request) -> JSONResponse:
        key = request.path_params["key"]
        found = await store.get(key) if _KEY.fullmatch(key) else None
        if found is None:
            return JSONResponse({"error": "No event is stored under this key.", "key": key}, 404)
        return JSONResponse(
            {
                "key": found.key,
                "source": found.source,
                "occurred_at": found.occurred_at.isoformat(),
                "kind": found.kind,
                "value": found.value,
            }
        )


def _add_aggregates(api: FastAPI, settings: Settings, metrics: Metrics, mischief: Mischief, store: EventStore) -> None:
    @api.get("/v1/aggregates")
    async def aggregates(request: Request) -> JSONResponse:
        source = request.query_params.get("source", "")
        if not source or "\0" in source:
            message = "The parameter source has to name a source."
            raise _RequestError(message)
        start, end = _instant(request, "start"), _instant(request, "end")
        if end <= start:
            message = "The parameter end has to be later than start."
            raise _RequestError(message)
        found = await store.aggregate(source, start, end)
        if found.freshness_s is not None:
            metrics.freshness.set(found.freshness_s)
        answer: dict[str, Any] = {
            "source": source,
            "count": found.count,
            "sum": found.sum,
            "mean": found.mean,
            "min": found.min,
            "max": found.max,
            "as_of": found.as_of.isoformat(),
        }
        if settings.release.has_median:
            answer["median"] = found.median
        if mischief.distorts():
            answer["count"] += 1
            answer["sum"] = answer["sum"] * 1.1 + 1
            answer["mean"] = answer["sum"] / answer["count"]
        return JSONResponse(answer)


def _add_scores(api: FastAPI, scoring: ScoringService) -> None:
    @api.post("/v1/scores")
    async def scores(request: Request) -> JSONResponse:
        wanted = ScoreRequest.model_validate_json(await request.body())
        score = await scoring.score(wanted.source, wanted.value, request.scope["correlation_id"])
        return JSONResponse({"source": wanted.source, "score": score})


def _add_sessions(api: FastAPI, sessions: Sessions) -> None:
    @api.post("/v1/sessions")
    async def begin(request: Request) -> JSONResponse:
        wanted = NewSession.model_validate_json(await request.body())
        session = Session(wanted.user, time.time() + wanted.lasts_s)
        return JSONResponse({"token": sessions.open(session), **_told(session)}, 201)

    @api.get("/v1/sessions/current")
    async def current(request: Request) -> JSONResponse:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return JSONResponse(_told(sessions.honoured(token if scheme.lower() == "bearer" else "", time.time())))


def _told(session: Session) -> dict[str, str]:
    return {"user": session.user, "until": datetime.fromtimestamp(session.until_s, UTC).isoformat()}


class _RequestError(Exception):
    """The client's request is wrong; the text says what would be right."""


def _instant(request: Request, name: str) -> datetime:
    text = request.query_params.get(name, "")
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        value = None
    if value is None or value.tzinfo is None or not _EARLIEST <= value < _LATEST:
        message = f"The parameter {name} has to be an ISO 8601 time with a zone, like 2026-01-31T12:00:00Z."
        raise _RequestError(message)
    return value


async def _unprocessable(_: Request, error: Exception) -> JSONResponse:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        return JSONResponse({"error": f"{where}: {first['msg']}"}, 422)
    return JSONResponse({"error": str(error)}, 422)


async def _unavailable(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": str(error)}, 503, {"Retry-After": "1"})


async def _unauthorised(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": str(error)}, 401, {"WWW-Authenticate": "Bearer"})
