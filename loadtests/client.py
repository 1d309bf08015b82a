"""A small HTTP/1.1 client under gevent that tells how a request failed, within one deadline for the whole of it.

What the Python clients do not give together: a deadline for name look-up, connect, send and the whole answer; the
difference between refused, reset and timed out; and no retry of their own. A reset on a connection that was open before
is a failure here, also where a client would repeat a GET in silence: the system promised to keep serving it.
"""

from __future__ import annotations

import errno
import ssl
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import gevent
import gevent.socket
import gevent.ssl
from geventhttpclient._parser import HTTPParseError
from geventhttpclient.response import HTTPResponse

from drillbook.domain.traffic import Outcome
from loadtests.addresses import Addresses, LookupFailed
from loadtests.workload import Reply, Request

if TYPE_CHECKING:
    from loadtests.clock import SteadyClock
    from loadtests.plan import Target

BODY_LIMIT = 1 << 20
_HEAD_LIMIT = 1 << 16
_ERROR_LENGTH = 200
_CLOSE_WITHIN_S = 0.2
# Our own lack of ports, files or buffers: the system was never asked.
_OWN_LACKS = {errno.EADDRNOTAVAIL, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


@dataclass(slots=True)
class Exchange:
    """One request as it went.

    Attributes:
        sent_s: When work on it began: the name look-up of a new connection, the first byte on an open one.
        done_s: When the answer or the error was complete.
        outcome: OK for any complete HTTP answer; the status is judged elsewhere.
        fresh: Whether it opened its connection.
        reply: The answer, if there was one.
        error: What went wrong; empty without an error.
    """

    sent_s: float
    done_s: float
    outcome: Outcome
    fresh: bool
    reply: Reply | None = None
    error: str = ""


class _Failed(Exception):
    def __init__(self, outcome: Outcome, text: str) -> None:
        super().__init__(text)
        self.outcome = outcome


class _Parser(HTTPResponse):
    """The parser of geventhttpclient (llhttp), with a bound on the body."""

    def __init__(self, method: str) -> None:
        super().__init__(method)
        self.body = bytearray()

    def _on_body(self, buf: bytes | bytearray) -> None:
        self.body += buf

    def reply(self) -> Reply:
        headers = {name.lower(): value for name, value in self.items()}
        return Reply(self.status_code, headers, bytes(self.body))


class Client:
    """Makes connections to one target and exchanges requests for answers on them."""

    def __init__(self, target: Target, clock: SteadyClock, timeout_s: float) -> None:
        """`timeout_s` is the whole time of one request."""
        self._clock = clock
        self._timeout_s = timeout_s
        self._target = target
        self._addresses = Addresses(target.host, target.nameservers, timeout_s)
        default_port = target.port == (443 if target.scheme == "https" else 80)
        host = f"[{target.host}]" if ":" in target.host else target.host
        common = {"Host": host if default_port else f"{host}:{target.port}", "User-Agent": "drillbook"}
        common |= {("Host" if name.lower() == "host" else name): value for name, value in target.headers.items()}
        self._common = "".join(f"{name}: {value}\r\n" for name, value in common.items())
        self._tls = gevent.ssl.create_default_context(cafile=target.ca_file) if target.scheme == "https" else None

    def once(self, request: Request) -> Exchange:
        """On a connection of its own.

        The request says `Connection: close` and the server is given a moment to close first, so that the lingering
        socket is its and the meter does not run out of ports at hundreds of connections a second.
        """
        exchange, connection = self._exchange(request, None, close=True)
        if connection is not None:
            gevent.spawn(_close_after_peer, connection)
        return exchange

    def through(self, pool: Pool, request: Request) -> Exchange:
        """On one of a pool's connections; on a fresh one when the pool has none idle, like any client with a pool."""
        idle = pool.take()
        exchange, connection = self._exchange(request, idle, close=False)
        pool.give_back(connection)
        return exchange

    def _exchange(
        self, request: Request, idle: gevent.socket.socket | None, *, close: bool
    ) -> tuple[Exchange, gevent.socket.socket | None]:
        """The exchange, and its connection if that can still be used (or is to be closed in peace)."""
        raw = self._raw(request, close=close)
        connection = idle
        fresh = idle is None
        reusable = False
        reply: Reply | None = None
        outcome, error = Outcome.OK, ""
        now = self._clock.now
        sent_s = now()
        deadline = gevent.Timeout.start_new(self._timeout_s)
        try:
            if connection is None:
                connection = self._connect()
            connection.sendall(raw)
            reply, reusable = _receive(connection, request.method)
        except gevent.Timeout as expired:
            if expired is not deadline:
                raise
            outcome, error = Outcome.TIMEOUT, f"no complete answer within {self._timeout_s:g} s"
        except gevent.GreenletExit:
            outcome, error = Outcome.CANCELLED, "given up at the end of the load"
        except _Failed as failure:
            outcome, error = failure.outcome, str(failure)
        except LookupFailed as failure:
            outcome, error = Outcome.DNS, str(failure)
        except OSError as failure:
            outcome, error = _classified(failure), _text(failure, fresh=fresh)
        except HTTPParseError as failure:
            outcome, error = Outcome.WRONG_ANSWER, f"not an HTTP answer: {failure}"
        finally:
            deadline.close()
        done_s = now()
        if connection is not None and (reply is None or not (reusable or close)):
            connection.close()
            connection = None
        return Exchange(sent_s, done_s, outcome, fresh, reply, error[:_ERROR_LENGTH]), connection

    def _connect(self) -> gevent.socket.socket:
        """To the first address that takes it."""
        addresses = self._target.at or self._addresses.now()
        for number, address in enumerate(addresses, 1):
            family = gevent.socket.AF_INET6 if ":" in address else gevent.socket.AF_INET
            connection = gevent.socket.socket(family, gevent.socket.SOCK_STREAM)
            try:
                connection.setsockopt(gevent.socket.IPPROTO_TCP, gevent.socket.TCP_NODELAY, 1)
                connection.connect((address, self._target.port))
                if self._tls is not None:
                    return self._tls.wrap_socket(connection, server_hostname=self._target.host)
            except OSError:
                connection.close()
                if number == len(addresses):
                    raise
            except BaseException:
                connection.close()
                raise
            else:
                return connection
        raise AssertionError

    def _raw(self, request: Request, *, close: bool) -> bytes:
        lines = [f"{request.method} {self._target.prefix}{request.path} HTTP/1.1\r\n", self._common]
        lines += [f"{name}: {value}\r\n" for name, value in request.headers.items()]
        if request.body or request.method in {"POST", "PUT", "PATCH"}:
            lines.append(f"Content-Length: {len(request.body)}\r\n")
        lines.append("Connection: close\r\n\r\n" if close else "\r\n")
        return "".join(lines).encode("latin-1") + request.body


class Pool:
    """Connections that are kept open, used in turn so that each of them is tried again and again.

    The pool is filled by the requests that find it below its size. A connection that the server closed in peace while
    it was idle (its FIN is there before we send) is replaced without a failure, as every client does; one that breaks
    under a request is that request's failure.
    """

    def __init__(self, size: int) -> None:
        """Up to `size` connections stay open between requests."""
        self._size = size
        self._idle: deque[gevent.socket.socket] = deque()
        self._open = 0

    def take(self) -> gevent.socket.socket | None:
        """An open connection, or None when the request has to open one; either is then counted as open."""
        if self._open >= self._size:
            while self._idle:
                connection = self._idle.popleft()
                if _still_open(connection):
                    return connection
                connection.close()
                self._open -= 1
        self._open += 1
        return None

    def give_back(self, connection: gevent.socket.socket | None) -> None:
        """After a request; None when its connection is gone."""
        if connection is None or self._open > self._size:
            self._open -= 1
            if connection is not None:
                connection.close()
        else:
            self._idle.append(connection)

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            self._idle.popleft().close()
            self._open -= 1


def _receive(connection: gevent.socket.socket, method: str) -> tuple[Reply, bool]:
    parser = _Parser(method)
    received = 0
    while not parser.message_complete or parser.status_code < 200:  # noqa: PLR2004 - interim answers come before the one
        data = connection.recv(65536)
        if not data:
            if parser.headers_complete:
                parser.feed(b"")  # an answer may be as long as its connection
            if parser.message_complete:
                break
            where = "in the middle of the answer" if received else "before any byte of the answer"
            raise _Failed(Outcome.RESET, f"the connection was closed {where}")
        received += len(data)
        if received > BODY_LIMIT + _HEAD_LIMIT or len(parser.body) > BODY_LIMIT:
            raise _Failed(Outcome.WRONG_ANSWER, f"the answer is longer than {BODY_LIMIT} bytes")
        parser.feed(data)
    return parser.reply(), not parser.should_close()


def _classified(error: OSError) -> Outcome:
    if error.errno in _OWN_LACKS:
        return Outcome.UNABLE
    if isinstance(error, ssl.SSLError):
        return Outcome.REFUSED
    if isinstance(error, ConnectionResetError | BrokenPipeError | ConnectionAbortedError):
        return Outcome.RESET
    if error.errno == errno.ETIMEDOUT:
        return Outcome.TIMEOUT
    return Outcome.REFUSED


def _text(error: OSError, *, fresh: bool) -> str:
    where = "" if fresh else " on a connection that was open before"
    return f"{error.strerror or error}{where}"


def _still_open(connection: gevent.socket.socket) -> bool:
    """Whether an idle connection has neither ended nor brought anything unasked."""
    connection.settimeout(0)
    try:
        connection.recv(1)
    except (BlockingIOError, ssl.SSLWantReadError):
        connection.settimeout(None)
        return True
    except OSError:
        return False
    return False


def _close_after_peer(connection: gevent.socket.socket) -> None:
    try:
        gevent.with_timeout(_CLOSE_WITHIN_S, connection.recv, 1, timeout_value=None)
    except OSError:
        pass
    finally:
        connection.close()
