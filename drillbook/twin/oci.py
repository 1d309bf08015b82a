"""Writes OCI image layouts: the same content gives the same bytes, on any machine and at any time.

Layers are not compressed: they travel over a bridge of this machine, where unpacking costs more than the bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import shutil
import tarfile
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
_CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
_INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
_EPOCH = "1970-01-01T00:00:00Z"
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One path of a layer.

    Attributes:
        path: In the image, without a leading slash.
        kind: What it is.
        mode: Permission bits; of no meaning for a link.
        source: File on this machine with the content of a file, when it is not in `content`.
        content: Content of a file.
        target: What a symbolic link points to.
        owner: Number of the user and of the group.
    """

    path: str
    kind: Literal["file", "directory", "link"]
    mode: int = 0o755
    source: Path | None = None
    content: bytes = b""
    target: str = ""
    owner: int = 0

    @property
    def fingerprint(self) -> str:
        """Equal for entries that a container could not tell apart."""
        if self.kind == "link":
            body = self.target
        elif self.kind == "file":
            with self.open() as stream:
                body = hashlib.sha256(stream.read()).hexdigest()
        else:
            body = ""
        return f"{self.kind} {self.mode:o} {self.owner} {body}"

    def open(self) -> IO[bytes]:
        """The content of a file."""
        return self.source.open("rb") if self.source else io.BytesIO(self.content)

    @property
    def size(self) -> int:
        """Bytes of a file's content."""
        return self.source.stat().st_size if self.source else len(self.content)


@dataclass(frozen=True, slots=True)
class Layer:
    """A written layer.

    Attributes:
        path: The tar file.
        digest: `sha256:` and 64 hex digits.
        size: Bytes.
    """

    path: Path
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Command:
    """How an image's process starts.

    Attributes:
        entrypoint: Program and its fixed arguments.
        arguments: Arguments that a pod replaces.
        environment: Variables, by name.
        user: Number of the user and group.
        directory: Working directory.
        ports: TCP ports, for people.
    """

    entrypoint: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    user: int = 10001
    directory: str = "/"
    ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Layout:
    """An image on disk, as the OCI image layout specification says.

    Attributes:
        directory: With `oci-layout`, `index.json` and `blobs/sha256/`.
        digest: The manifest's.
    """

    directory: Path
    digest: str

    @classmethod
    def load(cls, directory: Path) -> Layout:
        """Read one that was written."""
        index = json.loads((directory / "index.json").read_text(encoding="utf-8"))
        return cls(directory, str(index["manifests"][0]["digest"]))

    @property
    def manifest(self) -> bytes:
        """The manifest's bytes, as they are pushed."""
        return self.blob(self.digest).read_bytes()

    @property
    def blobs(self) -> dict[str, int]:
        """What the manifest refers to: digest to size in bytes, layers first."""
        content = cast("dict[str, Any]", json.loads(self.manifest))
        return {part["digest"]: part["size"] for part in (*content["layers"], content["config"])}

    @property
    def size(self) -> int:
        """Bytes of all that it holds."""
        return sum(self.blobs.values()) + len(self.manifest)

    def blob(self, digest: str) -> Path:
        """File of a blob."""
        return self.directory / "blobs" / digest.replace(":", "/")


def architecture() -> str:
    """This machine's, as Go and OCI name it."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def entries_of(directory: Path, *, at: str = "", without: Sequence[str] = (), owner: int | None = 0) -> list[Entry]:
    """Everything below a directory, with the modes it has there.

    Args:
        directory: On this machine.
        at: Path in the image where it is to lie, without slashes at its ends.
        without: Patterns of paths (relative to `directory`) to leave out with all below; `*` matches slashes too.
        owner: Number of the user and group; None for that of the files on this machine.
    """
    entries: list[Entry] = []
    for parent, directories, files in os.walk(directory):
        inside = Path(parent).relative_to(directory)
        kept = [name for name in directories if not _matches(str(inside / name), without)]
        directories[:] = kept
        for name in (*kept, *files):
            relative = str(inside / name)
            path = Path(parent) / name
            if _matches(relative, without) or not (path.is_symlink() or path.is_file() or path.is_dir()):
                continue
            entries.append(_entry(path, f"{at}/{relative}".lstrip("/"), owner))
    return entries


def parents_of(path: str) -> list[Entry]:
    """The directories above a path of an image."""
    parts = path.split("/")[:-1]
    return [Entry("/".join(parts[: n + 1]), "directory") for n in range(len(parts))]


def write_layer(path: Path, entries: Iterable[Entry]) -> Layer:
    """Write a layer; of entries with the same path the last one counts."""
    unique = {entry.path: entry for entry in entries}
    with path.open("wb") as stream:
        hashing = _Hashing(stream)
        with tarfile.open(fileobj=cast("IO[bytes]", hashing), mode="w|", format=tarfile.PAX_FORMAT) as archive:
            for name in sorted(unique):
                _add(archive, unique[name])
    return Layer(path, f"sha256:{hashing.digest.hexdigest()}", path.stat().st_size)


def fingerprints(layer: Path) -> dict[str, str]:
    """Path to fingerprint of all that a layer holds."""
    found: dict[str, str] = {}
    with tarfile.open(layer) as archive:
        for member in archive:
            if member.issym():
                entry = Entry(member.name, "link", member.mode, target=member.linkname, owner=member.uid)
            elif member.isdir():
                entry = Entry(member.name, "directory", member.mode, owner=member.uid)
            else:
                stream = archive.extractfile(member)
                body = stream.read() if stream else b""
                entry = Entry(member.name, "file", member.mode, content=body, owner=member.uid)
            found[member.name] = entry.fingerprint
    return found


def write_layout(
    directory: Path, reference: str, layers: Sequence[Layer], command: Command, annotations: Mapping[str, str]
) -> Layout:
    """Write an image into an empty directory; layers are linked, not copied, where the file system can.

    Args:
        directory: Empty.
        reference: `name:tag`, for tools that read layouts.
        layers: Lowest first.
        command: How it starts.
        annotations: For the manifest.
    """
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for layer in layers:
        _link(layer.path, blobs / layer.digest.removeprefix("sha256:"))
    config = _put(blobs, _configuration(layers, command))
    descriptors = [{"mediaType": _LAYER_TYPE, "digest": layer.digest, "size": layer.size} for layer in layers]
    manifest = _put(blobs, {
        "schemaVersion": 2, "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": _CONFIG_TYPE, **config},
        "layers": descriptors,
        "annotations": dict(sorted(annotations.items())),
    })  # fmt: skip
    described = {
        "mediaType": MANIFEST_TYPE, **manifest, "annotations": {"org.opencontainers.image.ref.name": reference},
    }  # fmt: skip
    index = {"schemaVersion": 2, "mediaType": _INDEX_TYPE, "manifests": [described]}
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}\n', encoding="utf-8")
    (directory / "index.json").write_bytes(_json(index))
    return Layout(directory, str(manifest["digest"]))


def _configuration(layers: Sequence[Layer], command: Command) -> dict[str, Any]:
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8", **command.environment}
    process: dict[str, Any] = {
        "User": f"{command.user}:{command.user}",
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "Entrypoint": list(command.entrypoint),
        "WorkingDir": command.directory,
    }
    if command.arguments:
        process["Cmd"] = list(command.arguments)
    if command.ports:
        process["ExposedPorts"] = {f"{port}/tcp": {} for port in command.ports}
    return {
        "created": _EPOCH, "architecture": architecture(), "os": "linux", "config": process,
        "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
        "history": [{"created": _EPOCH, "created_by": "drillbook"} for _ in layers],
    }  # fmt: skip


def _entry(path: Path, name: str, given_owner: int | None) -> Entry:
    status = path.lstat()
    mode = status.st_mode & 0o1777  # nothing in a pod may become another user
    owner = status.st_uid if given_owner is None else given_owner
    if path.is_symlink():
        return Entry(name, "link", 0o777, target=str(path.readlink()), owner=owner)
    if path.is_dir():
        return Entry(name, "directory", mode, owner=owner)
    return Entry(name, "file", mode, source=path, owner=owner)


def _add(archive: tarfile.TarFile, entry: Entry) -> None:
    member = tarfile.TarInfo(entry.path)
    member.mode, member.uid, member.gid, member.mtime = entry.mode, entry.owner, entry.owner, 0
    if entry.kind == "link":
        member.type, member.linkname, member.mode = tarfile.SYMTYPE, entry.target, 0o777
        archive.addfile(member)
    elif entry.kind == "directory":
        member.type = tarfile.DIRTYPE
        archive.addfile(member)
    else:
        member.size = entry.size
        with entry.open() as stream:
            archive.addfile(member, stream)


def _matches(path: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(path, pattern) for pattern in patterns)


def _put(blobs: Path, content: Mapping[str, Any]) -> dict[str, str | int]:
    body = _json(content)
    digest = hashlib.sha256(body).hexdigest()
    (blobs / digest).write_bytes(body)
    return {"digest": f"sha256:{digest}", "size": len(body)}


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


def _link(source: Path, target: Path) -> None:
    if target.exists():
        return
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


class _Hashing:
    """A stream that hashes what is written to it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.digest = hashlib.sha256()
        self._stream = stream

    def write(self, data: bytes) -> int:
        """Write and hash."""
        self.digest.update(data)
        return self._stream.write(data)
