"""Scores from the external scoring service, which may be slow, wrong or away."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from analytics.config import Settings

_log = logging.getLogger(__name__)
_LOOK_EVERY_S = 10.0


class ScoringUnavailableError(Exception):
    """The scoring service gave no usable score in time."""


class ScoringService:
    """The external scoring service, and whether it was reachable at the last look."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is connected until the first call."""
        self._client = httpx.AsyncClient(
            base_url=settings.scoring_url, timeout=settings.scoring_timeout_s, trust_env=False
        )
        self._timeout_s = settings.scoring_timeout_s
        self.reachable = False

    async def score(self, source: str, value: float, correlation_id: str) -> float:
        """The score of one value.

        Raises:
            ScoringUnavailableError: When none came within the time-out.
        """
        try:
            # httpx limits each read by itself: a server that trickles would hold the request for ever.
            async with asyncio.timeout(self._timeout_s):
                answer = await self._client.post(
                    "/v1/score",
                    json={"source": source, "value": value},
                    headers={"X-Correlation-Id": correlation_id},
                )
            answer.raise_for_status()
            score = float(answer.json()["score"])
        except (httpx.HTTPError, TimeoutError, ValueError, KeyError, TypeError) as error:
            self.reachable = False
            message = f"The scoring service gave no score within {self._timeout_s:g} s: {type(error).__name__}."
            raise ScoringUnavailableError(message) from error
        self.reachable = True
        return score

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncGenerator[None]:
        """Look from time to time whether the service is there, until the block ends."""
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await self._client.aclose()

    async def _watch(self) -> None:
        while True:
            before = self.reachable
            try:
                async with asyncio.timeout(self._timeout_s):
                    answer = await self._client.get("/healthz")
                self.reachable = answer.is_success
            except (httpx.HTTPError, TimeoutError):
                self.reachable = False
            if self.reachable != before:
                _log.info("The scoring service is %s.", "reachable" if self.reachable else "not reachable")
            await asyncio.sleep(_LOOK_EVERY_S)
