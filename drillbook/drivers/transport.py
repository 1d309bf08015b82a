"""Why a server could not be asked, in words: the libraries tell it in nested exceptions that name their own classes."""

from __future__ import annotations

import ssl

from urllib3 import exceptions

from drillbook.drivers.bounds import TooLarge

_LONGEST = 200
_WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (exceptions.NameResolutionError, "its name cannot be resolved"),
    (exceptions.ReadTimeoutError, "no whole answer came in time"),
    (exceptions.ConnectTimeoutError, "nobody there took the connection in time"),
    (TimeoutError, "nobody there took the connection in time"),
    (ConnectionRefusedError, "nothing listens there"),
    (exceptions.ProtocolError, "it broke off its answer"),
    (ConnectionError, "it broke off its answer"),
)


def reason(error: BaseException) -> str:
    """The innermost cause of a failed request, for the person who has to mend it."""
    cause = _innermost(error)
    if isinstance(cause, exceptions.SSLError | ssl.SSLError):
        return f"its certificate or its TLS is not accepted: {_text(cause)}"
    return next((words for kind, words in _WORDS if isinstance(cause, kind)), _text(cause))


def _innermost(error: BaseException) -> BaseException:
    """What the wrappers of requests and urllib3 are about."""
    cause = error
    while True:
        inner = getattr(cause, "reason", None) or next(iter(cause.args), None)
        if type(cause) is exceptions.NewConnectionError:
            inner = cause.__cause__
        elif isinstance(cause, exceptions.ProtocolError) and isinstance(cause.args[-1], TooLarge):
            inner = cause.args[-1]
        if not isinstance(inner, Exception):
            return cause
        cause = inner


def _text(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error)[:_LONGEST] or type(error).__name__
