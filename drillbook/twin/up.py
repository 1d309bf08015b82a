"""Brings the twin up, part by part; every part is idempotent, so that a crash half-way is mended by the next try."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from drillbook.twin import addons, builds, down, fabric, kubernetes, platform, services, state
from drillbook.twin.everywhere import in_each
from drillbook.twin.kubectl import Kubectl
from drillbook.twin.layout import CLIENT, PROFILES, state_directory
from drillbook.twin.network import inside
from drillbook.twin.state import Ownership

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager

    from drillbook.twin.layout import Profile, ProfileName, Region

_OTHERS_DEADLINE_S = 1800.0


class Progress(Protocol):
    """Shows a person what is happening."""

    def part(self, name: str) -> AbstractContextManager[Callable[[str], None]]:
        """One part of the work; the block gets a function that says what goes on inside."""
        ...


@dataclass(frozen=True, slots=True)
class Timing:
    """How long one part took, in seconds."""

    part: str
    seconds: float


def bring_up(profile_name: ProfileName, progress: Progress, *, replace: bool = True) -> list[Timing]:
    """Bring the twin of this checkout up, replacing one of another checkout's or profile's when allowed.

    Raises:
        TwinBusy: When another process works on it for half an hour, or it is another checkout's and `replace` is off.
        TwinError: A part's own, which names the part, what it waited for and where its log is.
    """
    profile = PROFILES[profile_name]
    timings: list[Timing] = []

    def timed(name: str) -> AbstractContextManager[Callable[[str], None]]:
        return _timed(progress, name, timings)

    with state.exclusively(deadline_s=_OTHERS_DEADLINE_S, progress=lambda text: _note(progress, text)):
        _make_way(profile_name, progress, replace=replace)
        state.write(Ownership(state.checkout(), profile_name, complete=False))
        with timed("programs and images") as say:
            built = builds.build(say)
            _link_programs(built)
        with timed("network"):
            fabric.lay(profile)
        with timed("registry and DNS") as say:
            services.start(builds.registry_storage())
            with inside(CLIENT.namespace):
                services.wait_ready(deadline_s=30)
                built.publish(say)
        with timed("Kubernetes"):
            _start_clusters(profile, built)
        with timed("platform") as say, inside(CLIENT.namespace):
            platform.install(profile, built, say)
        state.write(Ownership(state.checkout(), profile_name, complete=True, up_at_s=time.time()))
    return timings


def _make_way(profile_name: ProfileName, progress: Progress, *, replace: bool) -> None:
    owner = state.read()
    if owner is None:
        if not down.remains().nothing:
            _note(progress, "removing what an interrupted twin left")
            down.take_down(lambda _text: None)
        return
    if owner.checkout == state.checkout() and owner.profile == profile_name:
        return
    if not replace:
        msg = f"the twin here belongs to {owner.checkout} ({owner.profile}); take it down there, or allow replacing it"
        raise state.TwinBusy(msg)
    _note(progress, f"replacing the {owner.profile} twin of {owner.checkout}")
    down.take_down(lambda _text: None)


def _link_programs(built: builds.Built) -> None:
    """Give helm and kubectl a path that environment files can name, whatever the cache calls them."""
    directory = state_directory() / "bin"
    directory.mkdir(parents=True, exist_ok=True)
    for program in (built.helm, built.kubectl):
        pending = directory / f".{program.name}"
        pending.unlink(missing_ok=True)
        pending.symlink_to(program)
        pending.replace(directory / program.name)


def _start_clusters(profile: Profile, built: builds.Built) -> None:
    def start(region: Region) -> None:
        kubernetes.start(region, built.components, built.image("pause"))

    in_each(profile.regions, start)
    with inside(CLIENT.namespace):
        in_each(profile.regions, lambda region: _make_ready(region, built))


def _make_ready(region: Region, built: builds.Built) -> None:
    kubectl = Kubectl(built.kubectl, region.kubeconfig)
    kubectl.wait_nodes([worker.name for worker in region.workers], deadline_s=90)
    addons.install(kubectl, region, built.image("coredns"), built.gateway_api)


def _timed(progress: Progress, name: str, timings: list[Timing]) -> AbstractContextManager[Callable[[str], None]]:
    @contextmanager
    def block() -> Generator[Callable[[str], None]]:
        started = time.monotonic()
        with progress.part(name) as say:
            yield say
        timings.append(Timing(name, time.monotonic() - started))

    return block()


def _note(progress: Progress, text: str) -> None:
    with progress.part(text):
        pass
