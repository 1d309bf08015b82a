"""Prometheus, through prometheus-api-client with the care that it lacks.

The library drops warnings, has no time-out of its own and hides what the server said. So it is given a session that
bounds each answer in time and size and shows it to us, and every raw answer is kept for whoever judges the run again.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import requests
import requests.adapters
from prometheus_api_client.exceptions import PrometheusApiClientException
from prometheus_api_client.prometheus_connect import PrometheusConnect
from urllib3.util.retry import Retry

from drillbook.drivers import bounds
from drillbook.drivers.transport import reason
from drillbook.ports import Sample, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

MAX_BODY = 8 * 1024 * 1024
"""Bytes of one answer; a larger one is refused."""

_CONNECT_S = 2.0
_CHUNK = 64 * 1024
_KEPT_OF_STRANGE = 10_000


@dataclass(slots=True)
class _Heard:
    """What the server last said, before the library makes something of it."""

    status: int = 0
    body: bytes = b""


class _BoundedSession(requests.Session):
    """Reads each answer within a total time and size."""

    def __init__(self, heard: _Heard, timeout_s: float) -> None:
        self._heard = heard
        self._timeout_s = timeout_s
        super().__init__()
        # Neither a proxy nor a .netrc of the machine's comes in between: who is asked is what the environment says.
        self.trust_env = False

    def mount(self, prefix: str | bytes, adapter: requests.adapters.BaseAdapter) -> None:
        if isinstance(adapter, requests.adapters.HTTPAdapter):
            bounds.bound_pools(adapter.poolmanager, most_bytes=MAX_BODY + bounds.HEAD, within_s=self._timeout_s)
        super().mount(prefix, adapter)

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **options: Any) -> requests.Response:  # type: ignore[override]
        options.update(stream=True, timeout=(min(_CONNECT_S, self._timeout_s), self._timeout_s), allow_redirects=False)
        deadline = time.monotonic() + self._timeout_s
        self._heard.status, self._heard.body = 0, b""
        response = super().request(method, url, *args, **options)
        self._heard.status = response.status_code
        parts: list[bytes] = []
        size = 0
        for part in response.iter_content(_CHUNK):
            parts.append(part)
            size += len(part)
            if size > MAX_BODY:
                response.close()
                raise requests.RequestException(f"the answer is larger than {MAX_BODY} bytes")
            if time.monotonic() > deadline:
                response.close()
                raise requests.Timeout(f"the answer was not complete within {self._timeout_s:g} s")
        # The library calls .json() on it, which reads this attribute.
        response._content = b"".join(parts)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        self._heard.body = b"".join(parts)
        return response


class Prometheus:
    """Instant queries to one server."""

    def __init__(
        self,
        url: str,
        *,
        now: Callable[[], float],
        queries: Path | None = None,
        timeout_s: float = 5.0,
        headers: Callable[[], Mapping[str, str]] = dict,
        ca_file: Path | None = None,
        redact: Callable[[str], str] = str,
    ) -> None:
        """Nothing is asked yet.

        Args:
            url: Of the server, without `/api/v1`.
            now: Seconds since the epoch on the run's steady clock.
            queries: Directory in which the raw answers are kept, one file each; None keeps none.
            timeout_s: For one query, in all.
            headers: Asked before each query what is sent with it, for example for authorization; never written down.
                May raise Unreachable.
            ca_file: Authorities that its certificate is verified against; the usual ones when left out.
            redact: Takes secrets out of what is kept and said.
        """
        self._url = url.rstrip("/")
        self._now = now
        self._queries = queries
        self._timeout_s = timeout_s
        self._redact = redact
        self._headers = headers
        self._heard = _Heard()
        session = _BoundedSession(self._heard, timeout_s)
        session.verify = str(ca_file) if ca_file is not None else True
        self._library = PrometheusConnect(
            url=self._url,
            session=session,
            retry=Retry(0, read=False),
        )

    def query(self, promql: str, *, at_s: float | None = None) -> Sequence[Sample]:
        """An instant query, by default for now.

        Raises:
            Unreachable: When there is no credential, or the server does not answer in time, or warns, or answers
                anything but a vector.
        """
        asked_s = self._now()
        params = {"time": f"{at_s:.3f}"} if at_s is not None else {}
        problem: str | None = None
        try:
            # The library has no other way for what is known only now.
            self._library.headers = dict(self._headers())
            self._library.custom_query(promql, params=params)
        except Unreachable as error:
            problem = f"has no credential to be asked with: {error}"
        except PrometheusApiClientException:
            problem = _refusal(self._heard)
        except requests.Timeout:
            problem = f"did not answer within {self._timeout_s:g} s"
        except (requests.exceptions.JSONDecodeError, KeyError, TypeError, RecursionError):
            problem = _strange(self._heard)
        except requests.RequestException as error:
            problem = f"could not be asked: {reason(error)}"
        self._keep(promql, at_s if at_s is not None else asked_s, asked_s)
        samples: list[Sample] = []
        if problem is None:
            samples, problem = _vector(self._heard)
        if problem is not None:
            raise Unreachable(self._redact(f"Prometheus at {self._url} {problem}; the query was {promql!r}"))
        return samples

    def _keep(self, promql: str, at_s: float, asked_s: float) -> None:
        if self._queries is None:
            return
        self._queries.mkdir(parents=True, exist_ok=True)
        document = {
            "promql": promql,
            "at_s": at_s,
            "asked_s": asked_s,
            "answered_s": self._now(),
            "status": self._heard.status,
            "body": _document(self._heard.body),
        }
        text = self._redact(json.dumps(document, indent=1, ensure_ascii=False)) + "\n"
        number = sum(1 for _ in self._queries.glob("*.json")) + 1
        while True:  # several processes of a drill ask; the first to make a name has it
            try:
                with (self._queries / f"{number:03d}.json").open("x") as file:
                    file.write(text)
            except FileExistsError:
                number += 1
            else:
                return


def kept(document: Mapping[str, Any]) -> Sequence[Sample]:
    """What a kept answer said.

    Raises:
        Unreachable: When it was none, as whoever asked was told.
    """
    body = document.get("body")
    text = body if isinstance(body, str) else json.dumps(body)
    samples, problem = _vector(_Heard(int(document.get("status") or 0), text.encode()))
    if problem is not None:
        raise Unreachable(f"Prometheus {problem}; the query was {document.get('promql')!r}")
    return samples


def _vector(heard: _Heard) -> tuple[list[Sample], str | None]:
    document = _mapping(_document(heard.body))
    if document.get("warnings"):
        return [], f"answers with a warning, so part of the data may be missing: {document['warnings']}"
    data = _mapping(document.get("data"))
    if document.get("status") != "success" or data.get("resultType") != "vector":
        return [], _strange(heard)
    try:
        return [
            Sample(dict(entry["metric"]), float(entry["value"][1]), float(entry["value"][0]))
            for entry in data["result"]
        ], None
    except (KeyError, IndexError, TypeError, ValueError):
        return [], _strange(heard)


def _refusal(heard: _Heard) -> str:
    error = _mapping(_document(heard.body)).get("error")
    return f"answered {heard.status}: {error}" if error else _strange(heard)


def _strange(heard: _Heard) -> str:
    start = heard.body[:80].decode(errors="replace")
    return f"answered {heard.status} with something that is no instant vector, beginning {start!r}"


def _mapping(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _document(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body[:_KEPT_OF_STRANGE].decode(errors="replace")
