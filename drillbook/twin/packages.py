"""The Debian packages that the twin needs, and their installation without any of their services being started.

Run as `python3 -m drillbook.twin.packages` it installs what is missing; it imports nothing but the standard library, so
that it works before anything else is installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

_DEADLINE_S = 20 * 60.0
_POLICY = Path("/usr/sbin/policy-rc.d")
_MARK = "# Written by Drillbook while it installs packages; delete it when no such installation runs."
_DENIED = 101


class PackageError(Exception):
    """Packages could not be installed; the text has apt's own words."""


class AptRefused(PackageError):
    """Apt came to its end, and did not do as asked."""


@dataclass(frozen=True, slots=True)
class Package:
    """One Debian package.

    Attributes:
        name: Its name.
        purpose: What the twin does with it.
    """

    name: str
    purpose: str


NEEDED = (
    Package("ca-certificates", "trusts the mirrors"),
    Package("conntrack", "lets kube-proxy drop connections of pods that are gone"),
    Package("containerd", "runs containers on each node"),
    Package("containernetworking-plugins", "gives pods their addresses"),
    Package("bind9-dnsutils", "asks the DNS from the client's machine"),
    Package("docker-registry", "serves the images"),
    Package("e2fsprogs", "makes the database's file systems"),
    Package("etcd-client", "asks and repairs etcd"),
    Package("etcd-server", "stores each cluster's objects"),
    Package("iproute2", "lays the network"),
    Package("iptables", "routes services and cuts connections"),
    Package("mmdebstrap", "unpacks Debian for the images"),
    Package("mount", "mounts the machines' file systems"),
    Package("pdns-backend-sqlite3", "stores the authoritative DNS"),
    Package("pdns-server", "is the authoritative DNS"),
    Package("pgbackrest", "restores databases in the benchmarks on this machine"),
    Package("pgbouncer", "is the pooler of the tests on this machine"),
    Package("postgresql-15", "is the database of the tests on this machine"),
    Package("procps", "shows what runs"),
    Package("prometheus", "is put into the image of the same name"),
    Package("prometheus-alertmanager", "is put into the image of the same name"),
    Package("rsync", "copies projects into the pipelines of the tests"),
    Package("runc", "starts containers"),
    Package("skopeo", "checks and copies images"),
    Package("unbound", "is the resolver that users ask"),
    Package("util-linux", "makes and enters namespaces"),
)


def versions(names: Iterable[str]) -> dict[str, str]:
    """Version of each of these packages that is installed."""
    listing = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status} ${Version}\\n", *names],
        capture_output=True, text=True, timeout=30, check=False,
    ).stdout  # fmt: skip
    rows = (line.split() for line in listing.splitlines())
    return {row[0]: row[2] for row in rows if len(row) > 2 and row[1] == "installed"}  # noqa: PLR2004 - name, status, version


def missing() -> tuple[Package, ...]:
    """The needed packages that this machine lacks."""
    installed = versions(package.name for package in NEEDED)
    return tuple(package for package in NEEDED if package.name not in installed)


def install(progress: Callable[[str], None]) -> tuple[Package, ...]:
    """Install what is missing; answers what was.

    No service is started, now or at the next boot: the twin runs its own, with its own configuration.

    Raises:
        PackageError: When apt fails, or this is not root on Debian.
    """
    wanted = missing()
    if not wanted:
        return ()
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        names = " ".join(package.name for package in wanted)
        message = f"these packages are missing: {names}. Install them as root on Debian 12: make install"
        raise PackageError(message)
    names = [package.name for package in wanted]
    progress(f"installing {len(names)} Debian packages: {' '.join(names)}")
    before = _units()
    with _no_service_starts():
        _install(names)
    _disable(sorted(_units() - before))
    return wanted


def _install(names: Sequence[str]) -> None:
    command = ("install", "--quiet", "--yes", "--no-install-recommends", *names)
    try:
        _apt(*command)
    except AptRefused:
        # There are no package lists yet, or they name what a mirror has dropped since for a mended version.
        _apt("update", "--quiet")
        _apt(*command)


def _apt(*arguments: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1"}
    try:
        done = subprocess.run(
            ["apt-get", "-o", "DPkg::Lock::Timeout=120", "-o", "Dpkg::Options::=--force-confold", *arguments],
            env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_DEADLINE_S,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        message = f"apt-get {arguments[0]} did not end within {_DEADLINE_S:.0f} s; is the mirror reachable?"
        raise PackageError(message) from error
    if done.returncode != 0:
        message = f"apt-get {arguments[0]} failed: {(done.stderr or done.stdout).strip()[-1500:]}"
        raise AptRefused(message)


@contextmanager
def _no_service_starts() -> Generator[None]:
    """Debian's own way to say that an installation starts nothing: policy-rc.d answers 101."""
    aside = _POLICY.with_name("policy-rc.d.before-drillbook")
    ours = _POLICY.is_file() and _MARK in _POLICY.read_text(errors="replace")
    if _POLICY.exists() and not ours:
        if _exit_code(str(_POLICY), "drillbook", "start") == _DENIED:
            yield
            return
        _POLICY.rename(aside)
    _POLICY.write_text(f"#!/bin/sh\n{_MARK}\nexit {_DENIED}\n", encoding="utf-8")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)
        if aside.exists():
            aside.rename(_POLICY)


def _units() -> set[str]:
    """What systemd could start at boot."""
    directories = (Path("/lib/systemd/system"), Path("/usr/lib/systemd/system"))
    suffixes = {".service", ".timer", ".socket"}
    return {p.name for d in directories if d.is_dir() for p in d.iterdir() if p.suffix in suffixes}


def _disable(units: list[str]) -> None:
    """Take the new units out of the next boot; where there is no systemd there is nothing to take."""
    if units and shutil.which("systemctl"):
        for unit in units:
            # Templates and units without an [Install] section cannot be enabled, so a refusal is no harm.
            _exit_code("systemctl", "--quiet", "--no-reload", "disable", unit)


def _exit_code(*command: str) -> int:
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False
    ).returncode  # fmt: skip


def main() -> int:
    """Install what is missing and say so."""
    try:
        done = install(lambda line: print(line, flush=True))  # noqa: T201 - a command line
    except PackageError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    print(f"{len(done)} packages installed" if done else "all Debian packages are there")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
