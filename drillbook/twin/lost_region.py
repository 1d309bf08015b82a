"""A whole region of the twin that is lost: cut from the network, parted from the other region, or killed.

What takes it away works in its machines; whether it is gone is seen from the machines of others, which try to connect.
"""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from drillbook.ports import Observation, Unreachable
from drillbook.twin import machines, vaults
from drillbook.twin.layout import CLIENT, PROFILES, SERVICES
from drillbook.twin.lost_machine import asked
from drillbook.twin.network import inside
from drillbook.twin.packet_filter import PacketFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from drillbook.ports import Clock
    from drillbook.twin.layout import Machine, Region

CUT, PARTED = "DRILLBOOK-CUT", "DRILLBOOK-PARTED"
_API_PORT, _KUBELET_PORT = 6443, 10250
_CONNECTS_WITHIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Way:
    """A way to a region's machines.

    Attributes:
        start: Machine that tries to connect.
        to: The region.
        open: Whether it is while the region is lost.
    """

    start: Machine
    to: Region
    open: bool = False


@dataclass(frozen=True, slots=True)
class LostRegion:
    """One loss; a `drillbook.ports.Fault`.

    Attributes:
        region: Which one.
        does: What is done, in words.
        take: Takes it away; idempotent.
        give_back: Gives it back, whoever took it; idempotent.
        ways: By which its loss is seen, and that it is over.
        answers: Asks its control plane something, with the harness' credentials; raises Unreachable.
        clock: The run's.
        whole: Whether all that ran before runs again, where that takes more than its machines.
    """

    region: Region
    does: str
    take: Callable[[], None]
    give_back: Callable[[], None]
    ways: tuple[Way, ...]
    answers: Callable[[], object]
    clock: Clock
    whole: Callable[[], bool] = lambda: True

    def describe(self) -> str:
        """In words."""
        return self.does

    def inject(self) -> None:
        """Take it away."""
        self.take()

    def bit(self) -> Observation:
        """Whether each way is as it is to be: closed to all machines, or still open to all."""
        wrong, at_s = "", self.clock.now()
        for way in self.ways:
            answering = _answering(way)
            expected = _names(way.to) if way.open else frozenset[str]()
            if answering != expected:
                wrong = _said(way, answering)
                break
        text = wrong or "; ".join(_said(way, _names(way.to) if way.open else frozenset()) for way in self.ways)
        return Observation(not wrong, text, at_s)

    def undo(self) -> None:
        """Give it back."""
        self.give_back()

    def undone(self) -> Observation:
        """Whether every machine is reached by every way, and its control plane answers; a database may be fenced."""
        for way in self.ways:
            answering = _answering(way)
            if answering != _names(way.to):
                return Observation(False, _said(way, answering), self.clock.now())
        self.answers()
        if not self.whole():
            return Observation(False, f"the vault in {self.region.name} is not open yet", self.clock.now())
        return Observation(True, f"every machine in {self.region.name} is reached again", self.clock.now())


def losses(names: Sequence[str], answers: Callable[[], object], clock: Clock) -> dict[str, LostRegion]:
    """Each loss of the region whose machines these are, by its name in an environment.

    Args:
        names: All of the region's machines.
        answers: See `LostRegion`.
        clock: The run's.

    Raises:
        Unreachable: When they are not those of one region of the twin.
    """
    region, others = _region(names)
    everywhere_else = tuple(f"{machine.address}/32" for machine in (CLIENT, SERVICES)) + tuple(
        f"{address}/32" for address in SERVICES.addresses[1:]
    )
    elsewhere = tuple(network for other in others for network in _networks(other))
    cut = _filter(CUT, region, (*everywhere_else, *elsewhere))
    parted = _filter(PARTED, region, elsewhere)
    from_outside = (Way(CLIENT, region), *(Way(other.control_plane, region) for other in others))
    parted_ways = (
        *from_outside[1:],
        *(Way(region.control_plane, other) for other in others),
        Way(CLIENT, region, open=True),
        *(Way(CLIENT, other, open=True) for other in others),
    )
    made = partial(LostRegion, region, answers=answers, clock=clock)
    return {
        "cut": made(f"cut {region.name} from the network", cut.put, cut.clear, from_outside),
        "partition": made(
            f"part {region.name} from {' and '.join(other.name for other in others)}",
            parted.put,
            parted.clear,
            parted_ways,
        ),
        "nodes": made(
            f"kill every machine in {region.name}",
            partial(_kill, region),
            partial(_boot, region),
            from_outside,
            whole=partial(vaults.is_open, region),
        ),
    }


def _region(names: Sequence[str]) -> tuple[Region, tuple[Region, ...]]:
    regions = PROFILES["staging"].regions
    for region in regions:
        if _names(region) == frozenset(names):
            return region, tuple(other for other in regions if other is not region)
    known = "; ".join(f"{region.name} has {', '.join(sorted(_names(region)))}" for region in regions)
    raise Unreachable(
        f"{', '.join(names)} are not all machines of one region of the twin ({known}): correct recovery.machines in "
        "the environment file"
    )


def _filter(chain: str, region: Region, networks: Sequence[str]) -> PacketFilter:
    ways = tuple(f"{way} {network}" for network in networks for way in ("-s", "-d"))
    return PacketFilter(chain, tuple(machine.namespace for machine in _machines(region)), ways)


def _networks(region: Region) -> tuple[str, str]:
    return f"10.77.{region.index}.0/24", region.pod_network


def _machines(region: Region) -> tuple[Machine, ...]:
    return (region.control_plane, *region.workers)


def _names(region: Region) -> frozenset[str]:
    return frozenset(machine.name for machine in _machines(region))


def _kill(region: Region) -> None:
    """All at once."""
    asked(machines.stop, *_machines(region))


def _boot(region: Region) -> None:
    """Each as it was started last, the control plane first; then whoever holds the vault's key opens it."""
    for machine in _machines(region):
        asked(machines.boot, machine)
    vaults.open_again(region)


def _answering(way: Way) -> frozenset[str]:
    """The machines to which a connection can be made, by what listens on each while it lives.

    Raises:
        Unreachable: When nobody can try.
    """
    try:
        with inside(way.start.namespace):
            callers = [(machine, socket.socket()) for machine in _machines(way.to)]
    except OSError as error:
        raise Unreachable(f"nobody can try the way from {way.start.name} to {way.to.name}: {error.strerror}") from error
    try:
        with ThreadPoolExecutor(len(callers)) as pool:
            connected = list(pool.map(_connects, callers))
    finally:
        for _, caller in callers:
            caller.close()
    return frozenset(machine.name for (machine, _), yes in zip(callers, connected, strict=True) if yes)


def _connects(call: tuple[Machine, socket.socket]) -> bool:
    machine, caller = call
    caller.settimeout(_CONNECTS_WITHIN_S)
    try:
        caller.connect((machine.address, _API_PORT if machine.role == "control-plane" else _KUBELET_PORT))
    except OSError:
        return False
    return True


def _said(way: Way, answering: frozenset[str]) -> str:
    whom = ", ".join(sorted(answering)) or "no machine"
    return f"from {way.start.name} {whom} in {way.to.name} {'are' if len(answering) > 1 else 'is'} reached"
