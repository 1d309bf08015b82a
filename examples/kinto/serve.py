"""Kinto behind waitress, with what a blue-green release needs of any application: who answers, and counters.

Kinto itself is as it came. A WSGI middleware signs its answers and counts them, as any team could put one in front of
theirs; Kinto's own `kinto.plugins.prometheus` has no gauge of requests in flight and no label for the release.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kinto
import waitress
from kinto.core.scripts import migrate  # pyright: ignore[reportUnknownVariableType] - has no types
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PORT = 8888
THREADS = 6
"""Each holds up to two connections of the database, whose number all pods of both slots share."""

FLAWED_AFTER = 100
"""Answers to users before a flaw begins, so that it passes smoke checks, as a leak would."""


class Signed:
    """A WSGI application, signed and counted."""

    def __init__(self, application: Any, *, version: str, slot: str, region: str, failing: float = 0.0) -> None:
        """With `failing`, this share of users' requests is answered 503 after a while: a release that is bad."""
        who = {"version": version, "slot": slot, "region": region}
        self._application = application
        self._signature = [(f"X-{name.title()}", value) for name, value in who.items()]
        self._failing = failing
        self._answered = 0
        self._who = who
        self._requests = Counter("kinto_requests", "Requests answered", ("method", "part", "status", *who))
        self._seconds = Histogram(
            "kinto_request_seconds", "Seconds to an answer", ("part", *who), buckets=(0.05, 0.1, 0.3, 0.5, 1.0, 2.5)
        )
        self._in_flight = Gauge("kinto_requests_in_flight", "Requests being worked on", tuple(who)).labels(**who)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """One request."""
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if path == "/metrics":
            start_response("200 OK", [("Content-Type", CONTENT_TYPE_LATEST), *self._signature])
            return [generate_latest()]
        part = "users" if path.startswith("/v1/buckets/") else "probes"
        began = time.perf_counter()
        statuses: list[str] = []

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            statuses.append(status[:3])
            return start_response(status, [*headers, *self._signature], *rest)

        with self._in_flight.track_inprogress():
            try:
                if part == "users" and self._fails():
                    start("503 Service Unavailable", [("Content-Length", "0")])
                    return [b""]
                return self._application(environ, start)
            finally:
                status = statuses[-1] if statuses else "500"
                self._requests.labels(method=method, part=part, status=status, **self._who).inc()
                self._seconds.labels(part=part, **self._who).observe(time.perf_counter() - began)

    def _fails(self) -> bool:
        self._answered += 1
        return self._answered > FLAWED_AFTER and random.random() < self._failing  # noqa: S311 - no secret


def settings() -> dict[str, str]:
    """Kinto's: everything in PostgreSQL, so that both slots see the same. Others come as `KINTO_...` variables."""
    url = Path(os.environ["DATABASE_URL_FILE"]).read_text(encoding="utf-8").strip()
    parts = ("storage", "permission", "cache")
    return {
        **{f"kinto.{part}_backend": f"kinto.core.{part}.postgresql" for part in parts},
        **{f"kinto.{part}_url": url for part in parts},
        **{f"kinto.{part}_pool_size": str(THREADS) for part in parts},
        # Nobody has to say who they are: Kinto 25 recognises nobody beside pyramid-multiauth 1.1.
        "kinto.bucket_create_principals": "system.Everyone",
    }


def main() -> None:
    """Serve until SIGTERM; with the argument `tables`, make or upgrade the tables instead."""
    application: Any = kinto.main({}, **settings())  # pyright: ignore[reportUnknownVariableType] - has no types
    if sys.argv[1:] == ["tables"]:
        migrate({"registry": application.registry})
        return
    signed = Signed(
        application, version=os.environ["VERSION"], slot=os.environ["SLOT"], region=os.environ["REGION"],
        failing=float(os.environ.get("FAILING", "0")),
    )  # fmt: skip
    # The first process of a container has no default action for SIGTERM; waitress ends orderly on SystemExit.
    signal.signal(signal.SIGTERM, _end)
    waitress.serve(signed, host=os.environ.get("HOST", "0.0.0.0"), port=PORT, threads=THREADS)  # noqa: S104


def _end(_number: int, _frame: object) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    main()
