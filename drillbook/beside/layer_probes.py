"""Asks every layer of a platform by itself, all at the same moments, and writes each answer down: an own process.

`python -m drillbook.beside.layer_probes --plan PLAN`. The schedule is open: a question is asked when it is due,
whatever became of those before, until the process is told to end (SIGTERM). `probes.jsonl` has a line for each
question, `stalls.jsonl` for each time that this process did not run when it should have, and `state.json` says
`running` once every layer that has to serve from the start has come through.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from drillbook.beside.process import Companion, in_one_line
from drillbook.domain.probed_layers import ProbedLayers, ProbedServer
from drillbook.domain.requests import LATEST_SEND_S
from drillbook.domain.traffic import Outcome
from drillbook.drivers import credentials, layer_probe
from drillbook.drivers.layer_probe import AskName, AskServer, Told
from drillbook.ports import Unreachable
from drillbook.run.clock import SteadyClock

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

    from drillbook.drivers.layer_probe import Question

RATE_HZ = 5.0
"""Each layer is asked so often."""
STARTS_WITHIN_S = 30.0
_STALL_S = 0.05
_ANSWERS_S = 1.0
"""Beside its time-out: for a question to be given up by those who carry it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What `plan.json` says.

    Attributes:
        layers: Where they are.
        public_url: What users open.
        ca_file: Authorities that its certificate is verified against; the system's when None.
        nameservers: Of the users; the system's when empty.
        regions: Region to the addresses of its gateway, the one that serves when all is well first.
        rate_hz: Questions a second to each layer.
        timeout_s: Of each.
        output: Folder.
        clock: The run's.
    """

    layers: ProbedLayers
    public_url: str
    ca_file: Path | None
    nameservers: tuple[str, ...]
    regions: Mapping[str, tuple[str, ...]]
    rate_hz: float
    timeout_s: float
    output: Path
    clock: SteadyClock

    @classmethod
    def read(cls, path: Path) -> Plan:
        """From its file."""
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        layers = document["layers"]
        pooler = layers["pooler"]
        return cls(
            layers=ProbedLayers(
                ProbedServer(**layers["database"]),
                None if pooler is None else ProbedServer(**pooler),
                str(layers["health_path"]),
            ),
            public_url=str(document["public_url"]),
            ca_file=Path(document["ca_file"]) if document["ca_file"] else None,
            nameservers=tuple(document["nameservers"]),
            regions={region: tuple(addresses) for region, addresses in document["regions"].items()},
            rate_hz=float(document["rate_hz"]),
            timeout_s=float(document["timeout_s"]),
            output=Path(document["output"]),
            clock=SteadyClock.from_document(document["clock"]),
        )

    def document(self) -> Mapping[str, Any]:
        """What `read` reads, with what is asked from the deepest layer up and what is not, for who judges it."""
        return {
            "layers": asdict(self.layers),
            "public_url": self.public_url,
            "ca_file": str(self.ca_file or ""),
            "nameservers": list(self.nameservers),
            "regions": {region: list(addresses) for region, addresses in self.regions.items()},
            "rate_hz": self.rate_hz,
            "timeout_s": self.timeout_s,
            "output": str(self.output),
            "clock": self.clock.as_document(),
            "asked": self.asked,
            "from_the_start": self.from_the_start,
            "not_asked": [] if self.layers.pooler is not None else ["pooler"],
        }

    @property
    def asked(self) -> list[str]:
        """The layers' names, from the deepest up."""
        servers = ["database", *(["pooler"] if self.layers.pooler is not None else [])]
        by_region = [f"{kind} {region}" for kind in ("gateway", "application") for region in self.regions]
        return [*servers, *by_region, "dns"]

    @property
    def from_the_start(self) -> list[str]:
        """Those that have to come through before anything goes wrong: the other regions' application may be away."""
        home = next(iter(self.regions))
        return [it for it in self.asked if not it.startswith("application ") or it == f"application {home}"]


def questions(plan: Plan, variables: Mapping[str, str]) -> dict[str, Question]:
    """What is asked of each layer.

    Args:
        plan: Where the layers are.
        variables: Environment variables, for the credentials.

    Raises:
        Unreachable: When a credential is not there.
    """
    url, path, within_s = plan.public_url, plan.layers.health_path, plan.timeout_s
    found: dict[str, Question] = {"database": _server(plan.layers.database, within_s, variables)}
    if plan.layers.pooler is not None:
        found["pooler"] = _server(plan.layers.pooler, within_s, variables, pooled=True)
    for region, at in plan.regions.items():
        nobodys = layer_probe.NOBODYS_NAME
        found[f"gateway {region}"] = layer_probe.gateway(url, at, "/", nobodys, plan.ca_file, within_s)
        found[f"application {region}"] = layer_probe.gateway(url, at, path, "", plan.ca_file, within_s)
    found["dns"] = AskName(urlsplit(url).hostname or "", plan.nameservers, plan.regions, within_s)
    return found


def _server(server: ProbedServer, timeout_s: float, variables: Mapping[str, str], *, pooled: bool = False) -> AskServer:
    password = credentials.read(server.password, variables)
    return AskServer(server.address, password, server.write, timeout_s, pooled)


@dataclass(slots=True)
class Layers:
    """The questions as they are asked.

    Attributes:
        plan: When, and where to write.
        questions: Layer to what is asked of it.
    """

    plan: Plan
    questions: Mapping[str, Question]
    _process: Companion = field(init=False)
    _asked: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _last: dict[str, Told] = field(default_factory=dict[str, Told])
    _awaited: set[str] = field(default_factory=set[str])

    def __post_init__(self) -> None:
        self._process = Companion(self.plan.output, self.plan.clock)

    async def ask(self) -> None:
        """Until told to end; then until the last answer.

        Raises:
            Unreachable: When a layer that has to come through from the start does not.
        """
        unanswered = len(self.questions) * (round(self.plan.rate_hz * self.plan.timeout_s) + 1)
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(unanswered, "layers"))
        self._awaited = set(self.plan.from_the_start)
        self._process.begin()
        with (
            (self.plan.output / "probes.jsonl").open("a", buffering=1, encoding="utf-8") as answers,
            (self.plan.output / "stalls.jsonl").open("a", buffering=1, encoding="utf-8") as stalls,
        ):
            await self._keep_asking(answers, stalls)
            if self._asked:
                await asyncio.wait(self._asked, timeout=self.plan.timeout_s + _ANSWERS_S)
        self._process.enter("done")

    async def _keep_asking(self, answers: TextIO, stalls: TextIO) -> None:
        now, period_s = self.plan.clock.now, 1.0 / self.plan.rate_hz
        start_s = now() + period_s
        number = 0
        while await self._process.is_due(due_s := start_s + number * period_s):
            late_s = now() - due_s
            if late_s > _STALL_S:
                stalls.write(f"{json.dumps({'start_s': due_s, 'end_s': due_s + late_s})}\n")
            for layer, question in self.questions.items():
                if late_s > LATEST_SEND_S:
                    _tell(answers, layer, due_s, None, Told(Outcome.UNSENT, f"{late_s:.2f} s late"))
                else:
                    task = asyncio.create_task(self._once(answers, layer, question, due_s))
                    self._asked.add(task)
                    task.add_done_callback(self._asked.discard)
            number += 1
            if self._awaited and due_s - start_s > STARTS_WITHIN_S:
                raise Unreachable(f"within {STARTS_WITHIN_S:g} s no question came through to {self._lacking()}")

    async def _once(self, answers: TextIO, layer: str, question: Question, due_s: float) -> None:
        sent_s = self.plan.clock.now()
        asking = asyncio.create_task(question.ask())
        if await self._process.is_done(asking, self.plan.timeout_s):
            told = asking.result()
        else:
            told = Told(Outcome.TIMEOUT, f"no answer within {self.plan.timeout_s:g} s")
        _tell(answers, layer, due_s, (sent_s, self.plan.clock.now()), told)
        self._last[layer] = told
        if told.outcome is Outcome.OK and layer in self._awaited:
            self._awaited.discard(layer)
            if not self._awaited:
                self._process.enter("running")

    def _lacking(self) -> str:
        """The layers that did not come through, with what they answered."""
        return "; ".join(f"{it} ({self._last[it].text if it in self._last else '-'})" for it in sorted(self._awaited))


def _tell(answers: TextIO, layer: str, due_s: float, times_s: tuple[float, float] | None, told: Told) -> None:
    """A line; `times_s` is when it was sent and done, None when it was not sent."""
    sent_s, done_s = times_s or (None, None)
    line = {
        "layer": layer, "due_s": due_s, "sent_s": sent_s, "done_s": done_s, "outcome": told.outcome.value,
        "told": in_one_line(told.text), "leads": list(told.leads),
    }  # fmt: skip
    answers.write(f"{json.dumps(line)}\n")


def main() -> None:
    """Ask what the plan describes."""
    plan = Plan.read(Path(sys.argv[sys.argv.index("--plan") + 1]))
    try:
        asyncio.run(Layers(plan, questions(plan, os.environ)).ask())
    except Unreachable as error:
        sys.exit(f"the layers cannot be asked: {error}")


if __name__ == "__main__":
    main()
