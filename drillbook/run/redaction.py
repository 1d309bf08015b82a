"""What this process knows of secrets, so that none is written: to a run's folder, a log, a terminal or a cluster.

Every process of a run learns them for itself: from its environment variables, and from the environment file, whose path
it inherits. Secrets are never handed from one to the other on a command line.
"""

from __future__ import annotations

import io
import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drillbook.domain import redaction as cleaning
from drillbook.domain.redaction import Redactor
from drillbook.run import secrets_in

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

SOURCE_VARIABLE = "DRILLBOOK_SECRETS_OF"
"""Environment variable with the path of the environment file whose secrets a process has to know."""

_LOOK_EVERY_S = 1.0


class _Known:
    """The redactor of this process, made anew when it learns something."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: frozenset[str] = frozenset()
        self._redactor: Redactor | None = None
        self._secrets: frozenset[str] = frozenset()
        self._kubeconfigs: dict[Path, int] = {}
        self._looked_s = 0.0

    def learn(self, secrets: Iterable[str], said_in_the_open: Iterable[str] = ()) -> None:
        with self._lock:
            self._secrets |= frozenset(secrets)
            self._open |= frozenset(said_in_the_open)
            self._redactor = None

    def forget(self) -> None:
        with self._lock:
            self._secrets = self._open = frozenset()
            self._kubeconfigs.clear()
            self._redactor = None

    def follow(self, kubeconfig: Path) -> None:
        """Learn what a kubeconfig holds, and again whenever it is written anew: tokens are renewed in mid-drill."""
        with self._lock:
            self._kubeconfigs[kubeconfig] = _written(kubeconfig)
        self.learn(secrets_in.of_kubeconfig(kubeconfig))

    def redactor(self) -> Redactor:
        if time.monotonic() - self._looked_s > _LOOK_EVERY_S:
            self._looked_s = time.monotonic()
            for kubeconfig in [path for path, seen in tuple(self._kubeconfigs.items()) if _written(path) != seen]:
                self.follow(kubeconfig)
        found = self._redactor
        if found is None:
            with self._lock:
                everything = self._secrets | frozenset(secrets_in.of_variables(os.environ))
                # Everybody sees where this runs, and the run's own records are read again by it.
                shown = (*self._open, os.uname().nodename, str(Path.cwd()))
                found = self._redactor = Redactor(
                    secret for secret in everything if not any(secret in text for text in shown)
                )
        return found


_known = _Known()
cleaning.use(_known.redactor)


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
    document = secrets_in.mapping(content)
    secrets: set[str] = {secret for value in secrets_in.texts(document) for secret in secrets_in.of_url(value)}
    for region in secrets_in.mapping(document.get("regions")).values():
        access = secrets_in.mapping(region)
        for name in ("kubeconfig", "verify_kubeconfig", "resilience_kubeconfig"):
            _known.follow(path.parent / str(access.get(name, "")))
    for name in secrets_in.items(secrets_in.mapping(document.get("releases")).get("values")):
        secrets |= set(secrets_in.of_values(secrets_in.yaml(path.parent / str(name))))
    os.environ[SOURCE_VARIABLE] = str(path)
    _known.learn(secrets, (value for value in secrets_in.texts(document) if not any(secrets_in.of_url(value))))


def learn_inherited() -> None:
    """Know what the process that started this one knew of its environment file."""
    source = os.environ.get(SOURCE_VARIABLE)
    if source:
        learn_environment_file(Path(source), secrets_in.yaml(Path(source)))


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


def _written(path: Path) -> int:
    """When a file was last written, in nanoseconds; 0 when it is not there."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
