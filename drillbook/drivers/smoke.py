"""Tries a slot through the public gateway by a header that names the slot, with the workload's own requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drillbook.domain.traffic import Origin
from drillbook.domain.wording import visible
from drillbook.ports import SmokeReport, Unreachable
from loadtests.reading import read
from loadtests.workload import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from drillbook.ports import Answer, Client
    from loadtests.workload import Request, Workload

_OK = 200


@dataclass(frozen=True, slots=True)
class GatewaySmoke:
    """Smoke checks of one release.

    Attributes:
        client: A user at the public address.
        workload: Makes a workload whose keys have the prefix given.
        prefix: Of the keys that it writes; unique to the drill.
        header: Names the slot to the gateway.
        health_paths: Each has to answer 200.
    """

    client: Client
    workload: Callable[[str], Workload]
    prefix: str
    header: str
    health_paths: tuple[str, ...] = ()

    def run(self, slot: str, *, times: int) -> SmokeReport:
        """Health, a write, its read-back and a read with a known right answer, `times` over."""
        trial = _Trial(self.client, {self.header: slot}, self.workload(f"{self.prefix}-smoke-{slot}"))
        for path in self.health_paths:
            trial.healthy(path)
        trial.seeded()
        for number in range(times):
            trial.writes(number)
            trial.answers_right(number)
        return SmokeReport(
            trial.tried,
            trial.written,
            tuple(visible(problem) for problem in trial.problems),
            tuple(sorted(trial.versions)),
            trial.wrong,
        )


class _Trial:
    def __init__(self, client: Client, headers: dict[str, str], workload: Workload) -> None:
        self.tried = 0
        self.written = 0
        self.wrong = 0
        self.problems: list[str] = []
        self.versions: set[str] = set()
        self._client = client
        self._headers = headers
        self._slot = next(iter(headers.values()))
        self._workload = workload

    def healthy(self, path: str) -> None:
        self.tried += 1
        answer = self._get(path)
        if answer is not None and answer.status != _OK:
            self.problems.append(f"{path} answered {answer.status}: {answer.body[:200].decode(errors='replace')}")

    def seeded(self) -> None:
        for request in self._workload.seed():
            self._right(request)

    def writes(self, number: int) -> None:
        """Write, and read the write back."""
        request = self._workload.write(number)
        self._right(request)
        self.tried += 1
        asked = [self._send(question) for question in self._workload.read_back(request.key)]
        replies = [reply for reply in asked if reply is not None]
        if len(replies) < len(asked):
            return
        found, unread = read(lambda: self._workload.found(request.key, replies), None)
        if found is None or found.copies != 1 or not found.equal:
            nothing = ": ".join(filter(None, ["nothing that could be judged", unread]))
            seen = nothing if found is None else f"{found.copies} copies, equal: {found.equal}"
            self.wrong += found is not None
            self.problems.append(f"the write {request.key} was acknowledged, and read back as {seen}")

    def answers_right(self, number: int) -> None:
        self._right(self._workload.query(number))

    def _right(self, request: Request) -> None:
        self.tried += 1
        answer = self._send(request)
        if answer is None:
            return
        self.written += bool(request.key)
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - HTTP's own classes
            self.problems.append(f"{request.operation} answered {answer.status}")
            return
        wrong = "".join(read(lambda: self._workload.wrong(request, answer), ""))
        if wrong:
            self.wrong += 1
            self.problems.append(f"{request.operation} was answered wrongly: {wrong}")

    def _get(self, path: str) -> Reply | None:
        return self._try("GET", path, None, {})

    def _send(self, request: Request) -> Reply | None:
        return self._try(request.method, request.path, request.body or None, request.headers)

    def _try(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Reply | None:
        try:
            answer = self._client.send(method, path, body=body, headers={**headers, **self._headers})
        except Unreachable as error:
            self.problems.append(str(error))
            return None
        self._identify(answer)
        return Reply(answer.status, answer.headers, answer.body)

    def _identify(self, answer: Answer) -> None:
        origin, unread = read(lambda: self._client.origin(answer), Origin())
        if unread:
            self.problems.append(f"nobody can tell who answered: {unread}")
        if origin.slot and origin.slot != self._slot:
            self.problems.append(f"the slot {origin.slot} answered where {self._slot} was asked")
        if origin.version:
            self.versions.add(origin.version)
