"""What this process knows of secrets, so that none is written: to a run's folder, a log, a terminal or a cluster.

Every process of a run learns them for itself: from its environment variables, and from the environment file, whose path
it inherits. Secrets are never handed from one to the other on a command line.
"""

from __future__ import annotations

import base64
import binascii
import io
import os
import re
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlsplit

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from drillbook.domain.redaction import Redactor

if TYPE_CHECKING:
    from typing import TextIO

SOURCE_VARIABLE = "DRILLBOOK_SECRETS_OF"
"""Environment variable with the path of the environment file whose secrets a process has to know."""

_NAMES = re.compile(r"TOKEN|PASSW(OR)?D|SECRET|KEY|CREDENTIAL", re.IGNORECASE)
_NAMES_OF_VALUES = re.compile(
    r"(token|passw(or)?d|passphrase|secret|api[_-]?key|(access|private|secret|client)[_-]?key|credentials?)$",
    re.IGNORECASE,
)
_OBJECT_NAME = re.compile(r"[a-z]([a-z.-]*[a-z])?")
_MOST_BYTES = 2**20
_MOST_VALUES = 2000


class _Known:
    """The redactor of this process, made anew when it learns something."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: frozenset[str] = frozenset()
        self._redactor: Redactor | None = None
        self._secrets: frozenset[str] = frozenset()

    def learn(self, secrets: Iterable[str], said_in_the_open: Iterable[str] = ()) -> None:
        with self._lock:
            self._secrets |= frozenset(secrets)
            self._open |= frozenset(said_in_the_open)
            self._redactor = None

    def forget(self) -> None:
        with self._lock:
            self._secrets = self._open = frozenset()
            self._redactor = None

    def redactor(self) -> Redactor:
        found = self._redactor
        if found is None:
            with self._lock:
                everything = self._secrets | frozenset(_of_variables(os.environ))
                # Everybody sees where this runs, and the run's own records are read again by it.
                shown = (*self._open, os.uname().nodename, str(Path.cwd()))
                found = self._redactor = Redactor(
                    secret for secret in everything if not any(secret in text for text in shown)
                )
        return found


_known = _Known()


def text(text: str) -> str:
    """A text without the secrets that this process knows."""
    return _known.redactor().text(text)


def document(document: object) -> Any:
    """The same for every text of a JSON-like document."""
    return _known.redactor().document(document)


def learn(secrets: Iterable[str]) -> None:
    """Know further secrets from now on."""
    _known.learn(secrets)


def forget() -> None:
    """Know only what the environment variables say, read anew."""
    _known.forget()


def learn_environment_file(path: Path, content: object) -> None:
    """Know the secrets of an environment file, and of what it names; processes started from now on know them as well.

    What it says in the open, such as the name of a slot, is no secret, whatever variable holds the same text.

    Args:
        path: The file.
        content: What it holds, as loaded; of any shape.
    """
    document = _mapping(content)
    secrets: set[str] = {secret for value in _texts(document) for secret in _of_url(value)}
    for region in _mapping(document.get("regions")).values():
        secrets |= set(of_kubeconfig(path.parent / str(_mapping(region).get("kubeconfig", ""))))
    for name in _items(_mapping(document.get("releases")).get("values")):
        secrets |= set(_of_values(_yaml(path.parent / str(name))))
    os.environ[SOURCE_VARIABLE] = str(path)
    _known.learn(secrets, (value for value in _texts(document) if not any(_of_url(value))))


def learn_inherited() -> None:
    """Know what the process that started this one knew of its environment file."""
    source = os.environ.get(SOURCE_VARIABLE)
    if source:
        learn_environment_file(Path(source), _yaml(Path(source)))


def of_kubeconfig(path: Path) -> Iterator[str]:
    """Tokens, passwords and private keys of a kubeconfig and of the files that it names; none when it is unreadable."""
    for entry in _items(_mapping(_yaml(path)).get("users")):
        user = _mapping(_mapping(entry).get("user"))
        yield from (str(user[key]) for key in ("token", "password") if user.get(key))
        encoded = str(user.get("client-key-data") or "")
        yield encoded
        yield _decoded(encoded)
        yield from (_file(path.parent / str(user[key])) for key in ("tokenFile", "client-key") if user.get(key))
        for variable in _items(_mapping(user.get("exec")).get("env")):
            if _NAMES.search(str(_mapping(variable).get("name", ""))):
                yield str(_mapping(variable).get("value", ""))


def guard_streams() -> None:
    """From now on nothing that this process prints has a secret in it; idempotent."""
    if not isinstance(sys.stdout, Redacting):
        sys.stdout = Redacting(sys.stdout)
    if not isinstance(sys.stderr, Redacting):
        sys.stderr = Redacting(sys.stderr)


class Redacting(io.TextIOBase):
    """A text stream that takes secrets out, line by line: one may be written in several pieces."""

    def __init__(self, stream: TextIO) -> None:
        """What is written goes on to `stream`."""
        super().__init__()
        self._stream = stream
        self._rest = ""
        self._own = threading.RLock()

    def write(self, text: str, /) -> int:
        """Pass whole lines on."""
        with self._own:
            whole, end, self._rest = (self._rest + text).rpartition("\n")
            if end:
                self._stream.write(_known.redactor().text(whole + end))
        return len(text)

    def flush(self) -> None:
        """Pass on what there is."""
        with self._own:
            if not self._stream.closed:
                rest, self._rest = self._rest, ""
                self._stream.write(_known.redactor().text(rest))
                self._stream.flush()

    def close(self) -> None:
        """The stream behind stays open: it is the interpreter's."""
        self.flush()

    def writable(self) -> bool:
        """It is."""
        return True

    def isatty(self) -> bool:
        """Whether a person looks on."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Of the stream behind."""
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Of the stream behind."""
        return self._stream.encoding

    @property
    def errors(self) -> str | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Of the stream behind."""
        return self._stream.errors


def _of_variables(variables: Mapping[str, str]) -> Iterator[str]:
    """Secrets of environment variables: those whose names say so, and credentials in URLs."""
    for name, value in variables.items():
        yield from _of_url(value)
        if not _NAMES.search(name):
            continue
        if name.upper().endswith("_FILE"):
            yield _file(Path(value))
        elif not value.startswith("/"):  # a path names what is secret, and is none
            yield value


def _of_values(node: object) -> Iterator[str]:
    """Secrets in a values file, by the names of its keys; the name of a Kubernetes Secret is none."""
    if isinstance(node, Mapping):
        for key, value in cast("Mapping[object, object]", node).items():
            if isinstance(value, str) and _NAMES_OF_VALUES.search(str(key)) and not _OBJECT_NAME.fullmatch(value):
                yield value
            yield from _of_values(value)
    elif isinstance(node, list):
        for value in cast("list[object]", node):
            yield from _of_values(value)
    elif isinstance(node, str):
        yield from _of_url(node)


def _of_url(text: str) -> Iterator[str]:
    if "://" not in text or "@" not in text:
        return
    try:
        parts = urlsplit(text)
    except ValueError:
        return
    if parts.password:
        yield from {parts.password, unquote(parts.password), f"{parts.username}:{parts.password}"}
    elif parts.username:
        yield from {parts.username, unquote(parts.username)}


def _texts(node: object) -> Iterator[str]:
    if isinstance(node, Mapping):
        for key, value in cast("Mapping[object, object]", node).items():
            yield str(key)
            yield from _texts(value)
    elif isinstance(node, list):
        for value in cast("list[object]", node):
            yield from _texts(value)
    elif isinstance(node, str):
        yield node


def _yaml(path: Path) -> object:
    """What a file holds; nothing when it is absent, too large or no YAML: whoever needs it says so."""
    try:
        return YAML(typ="safe", pure=True).load(_file(path))
    except (YAMLError, ValueError, RecursionError):
        return None


def _file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode(errors="replace").strip()
    except OSError:
        return ""


def _decoded(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode(errors="replace")
    except (binascii.Error, ValueError):
        return ""


def _mapping(node: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", node) if isinstance(node, Mapping) else {}


def _items(node: object) -> list[object]:
    return cast("list[object]", node) if isinstance(node, list) else []
