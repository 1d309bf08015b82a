"""An object store of the twin that answers slowly: packets of its port are dropped beyond a rate on its machine."""

# ruff: noqa: ARG002 - a pair is given what was noted, also one that needs none of it

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drillbook.ports import NotAsked, Unreachable
from drillbook.ports.fault import Look
from drillbook.twin.packet_filter import PacketFilter, above

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CHAIN = "DRILLBOOK-STORE"
SLOW_S = 0.5
"""An answer that takes longer is slow: on one machine it takes some milliseconds."""


@dataclass(frozen=True, slots=True)
class SlowStore:
    """One object store.

    Attributes:
        namespaces: Network namespaces of the machines that it may run on.
        port: TCP port of its pod.
        kib_s: What is let through, in KiB a second in each direction.
        ask: Asks it for something and answers once the whole answer is there; raises Unreachable.
    """

    namespaces: tuple[str, ...]
    port: int
    kib_s: int
    ask: Callable[[], object]

    @property
    def named(self) -> str:
        """Which one."""
        return f"object store at port {self.port}"

    def note(self) -> Mapping[str, Any]:
        """Nothing; `look` says whether it is well."""
        return {}

    def take(self) -> None:
        """Slow it down."""
        self._filter.put()

    def give_back(self, noted: Mapping[str, Any]) -> None:
        """Let everything through again."""
        self._filter.clear()

    def look(self, noted: Mapping[str, Any]) -> Look:
        """How long an answer takes, or that none comes.

        Raises:
            NotAsked: When what it takes to ask is missing here.
        """
        began_s = time.monotonic()
        try:
            self.ask()
        except NotAsked:
            raise
        except Unreachable as error:
            return Look(gone=True, well=False, text=f"the {self.named} does not answer in time: {error}")
        took_s = time.monotonic() - began_s
        text = f"the {self.named} answers in {took_s:.2f} s"
        return Look(took_s > SLOW_S, took_s <= SLOW_S / 2, text, {"took_s": took_s})

    @property
    def _filter(self) -> PacketFilter:
        matches = tuple(f"-p tcp --{end} {self.port}{above(self.kib_s)}" for end in ("sport", "dport"))
        return PacketFilter(CHAIN, self.namespaces, matches)
