"""`drillbook twin ...`: what a person asks of the twin, with exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from drillbook.twin import doctor, down, machines, packages, state, up
from drillbook.twin.errors import TwinError
from drillbook.twin.layout import CLIENT, PROFILES
from drillbook.twin.network import inside

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from drillbook.twin.layout import ProfileName

EXIT_REFUSED = 2
_FAILURES = (TwinError, OSError, subprocess.SubprocessError)
"""All that says of itself what is in the way; the exit code of anything else would be that of a drill that failed."""


class Lines:
    """Progress as plain lines: what begins, what goes on inside, what it took. Needs no terminal."""

    @contextmanager
    def part(self, name: str) -> Generator[Callable[[str], None]]:
        """Announce a part and how long it took."""
        started = time.monotonic()

        def say(text: str) -> None:
            _print(f"      {time.monotonic() - started:6.1f} s  {text}")

        _print(f"twin: {name}")
        yield say
        _print(f"      {time.monotonic() - started:6.1f} s  done: {name}")


def bring_up(profile: ProfileName, *, replace: bool) -> int:
    """`twin up`: 0, or 2 with what to do."""
    started = time.monotonic()
    try:
        lacking = [finding for finding in doctor.examine(_missing_packages) if not finding.healthy]
        if lacking:
            _print_findings(lacking)
            return EXIT_REFUSED
        up.bring_up(profile, Lines(), replace=replace)
    except _FAILURES as error:
        _print(f"twin: could not be brought up: {error}")
        _print("twin: `drillbook twin up` again goes on from here; `drillbook twin down` removes it")
        return EXIT_REFUSED
    _print(f"twin: up after {time.monotonic() - started:.1f} s")
    return 0


def take_down() -> int:
    """`twin down`: 0 when nothing is left, 2 otherwise."""
    try:
        with state.exclusively(deadline_s=60, progress=_print):
            down.take_down(lambda text: _print(f"twin: {text}"))
        left = down.remains()
    except _FAILURES as error:
        _print(f"twin: could not be taken down: {error}")
        _print("twin: `drillbook twin down` again goes on from here")
        return EXIT_REFUSED
    if left.nothing:
        _print("twin: down; nothing is left of it but its cache")
        return 0
    _print(f"twin: something is left: {left}")
    return EXIT_REFUSED


def show_status() -> int:
    """`twin status`: 0 when it is up and complete, 2 otherwise."""
    owner = state.read()
    if owner is None:
        _print("twin: down")
        return EXIT_REFUSED
    _print(f"twin: {owner.profile}, of {owner.checkout}, {'complete' if owner.complete else 'incomplete'}")
    healthy = owner.complete
    for machine in PROFILES[owner.profile].machines:
        if machine is CLIENT:
            continue
        running = machines.is_running(machine)
        healthy = healthy and running
        _print(f"      {machine.name:<10} {machine.address:<12} {'running' if running else 'DOWN'}")
    return 0 if healthy else EXIT_REFUSED


def show_doctor() -> int:
    """`twin doctor`: 0 when this machine can carry the twin, 2 otherwise."""
    findings = doctor.examine(_missing_packages)
    _print_findings(findings)
    return 0 if all(finding.healthy for finding in findings) else EXIT_REFUSED


def execute(command: Sequence[str], machine_name: str = CLIENT.name) -> int:
    """`twin exec [--machine NAME] -- COMMAND`: run a command on a machine; does not come back.

    On the client machine it runs with the caller's files and only the twin's network.
    """
    owner = state.read()
    if owner is None:
        _print("twin: down; bring it up first: drillbook twin up")
        return EXIT_REFUSED
    known = {machine.name: machine for machine in PROFILES[owner.profile].machines}
    if machine_name not in known:
        _print(f"twin: there is no machine {machine_name!r}; there are {', '.join(known)}")
        return EXIT_REFUSED
    try:
        if machine_name == CLIENT.name:
            with inside(CLIENT.namespace):
                os.execvp(command[0], list(command))
        entering = machines.enter_command(known[machine_name], command)
        os.execvp(entering[0], entering)
    except _FAILURES as error:
        _print(f"twin: the command could not be run: {error}")
    return EXIT_REFUSED


def _print_findings(findings: Sequence[doctor.Finding]) -> None:
    for finding in findings:
        _print(f"doctor: {'ok  ' if finding.healthy else 'LACK'} {finding.subject}: {finding.found}")
        if finding.remedy:
            _print(f"             {finding.remedy}")


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _missing_packages() -> list[str]:
    return [package.name for package in packages.missing()]
