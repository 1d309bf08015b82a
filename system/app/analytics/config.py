"""What the service is told by its environment, as values, checked before anything starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from analytics.defects import Defects
from analytics.release import Release
from analytics.sessions import SHORTEST_KEY

if TYPE_CHECKING:
    from collections.abc import Mapping


class ConfigurationError(Exception):
    """An environment variable is missing or wrong; the text says which and what it should be."""


@dataclass(frozen=True)
class Settings:
    """The service's configuration.

    Attributes:
        release: What this image is and what it can do (`VERSION`, set by the image).
        slot: `blue` or `green` (`SLOT`).
        region: Region that serves (`REGION`).
        database_url: PostgreSQL connection URI (`DATABASE_URL`, or the file that `DATABASE_URL_FILE` names).
        scoring_url: Base URL of the external scoring service (`SCORING_URL`).
        scoring_timeout_s: Longest wait for a score (`SCORING_TIMEOUT_S`).
        port: Port listened on (`PORT`).
        drain_s: How long to go on serving after SIGTERM (`DRAIN_SECONDS`).
        longest_request_s: After the drain, how long requests in flight may still take (`LONGEST_REQUEST_SECONDS`).
        log_every_request: Log each request, not only failed and slow ones (`LOG_REQUESTS=all`).
        pool_size: Most connections to the database (`DATABASE_POOL_SIZE`).
        defects: What a bad release does wrong; nothing in a good one.
        session_key: That sessions are signed with (in the file that `SESSION_KEY_FILE` names); empty for no sessions.
    """

    release: Release
    slot: str
    region: str
    database_url: str
    scoring_url: str
    scoring_timeout_s: float = 1.0
    port: int = 8000
    drain_s: float = 3.0
    longest_request_s: float = 5.0
    log_every_request: bool = False
    pool_size: int = 8
    defects: Defects = field(default_factory=Defects)
    session_key: bytes = field(default=b"", repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read the settings.

        Raises:
            ConfigurationError: When a variable is missing or not of its form.
        """
        try:
            release = Release(_required(environment, "VERSION"))
            defects = Defects.from_environment(environment)
        except ValueError as error:
            raise ConfigurationError(str(error)) from error
        return cls(
            release=release,
            slot=_required(environment, "SLOT"),
            region=_required(environment, "REGION"),
            database_url=database_url(environment),
            scoring_url=_required(environment, "SCORING_URL").rstrip("/"),
            scoring_timeout_s=_number(environment, "SCORING_TIMEOUT_S", cls.scoring_timeout_s),
            port=int(_number(environment, "PORT", cls.port)),
            drain_s=_number(environment, "DRAIN_SECONDS", cls.drain_s),
            longest_request_s=_number(environment, "LONGEST_REQUEST_SECONDS", cls.longest_request_s),
            log_every_request=environment.get("LOG_REQUESTS", "problems") == "all",
            pool_size=int(_number(environment, "DATABASE_POOL_SIZE", cls.pool_size)),
            defects=defects,
            session_key=_session_key(environment),
        )


def database_url(environment: Mapping[str, str]) -> str:
    """The database's URI, from the variable or from the file that a Secret was mounted as.

    Raises:
        ConfigurationError: When neither is given or the file cannot be read.
    """
    if "DATABASE_URL_FILE" not in environment:
        return _required(environment, "DATABASE_URL")
    return _mounted(environment, "DATABASE_URL_FILE")


def _session_key(environment: Mapping[str, str]) -> bytes:
    if "SESSION_KEY_FILE" not in environment:
        return b""
    key = _mounted(environment, "SESSION_KEY_FILE").encode()
    if len(key) < SHORTEST_KEY:
        message = f"SESSION_KEY_FILE holds a key of {len(key)} bytes; it has to have {SHORTEST_KEY} at least."
        raise ConfigurationError(message)
    return key


def _mounted(environment: Mapping[str, str], name: str) -> str:
    path = Path(environment[name])
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        message = f"{name} names {path}, which cannot be read ({error.strerror}); mount the Secret there."
        raise ConfigurationError(message) from error


def _required(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "").strip()
    if not value:
        message = f"The environment variable {name} is not set; the chart or the image has to give it."
        raise ConfigurationError(message)
    return value


def _number(environment: Mapping[str, str], name: str, default: float) -> float:
    text = environment.get(name, "").strip()
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e6:  # noqa: PLR2004 - far above any port or time-out, and it refuses inf and nan
        message = f"The environment variable {name} is {text!r}; it has to be a number from 0 to 1000000."
        raise ConfigurationError(message)
    return value
