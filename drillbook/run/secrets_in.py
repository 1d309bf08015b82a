"""Finds secrets where they are kept: environment variables, kubeconfigs, values files, URLs. Never fails, never writes.

Whoever needs one of these files says what is wrong with it; here an absent or damaged one just holds no secret.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast
from urllib.parse import unquote, urlsplit

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from drillbook.run.yaml_file import too_deep

_NAMES = re.compile(r"TOKEN|PASSW(OR)?D|SECRET|KEY|CREDENTIAL", re.IGNORECASE)
_NAMES_OF_VALUES = re.compile(
    r"(token|passw(or)?d|passphrase|secret|api[_-]?key|(access|private|secret|client)[_-]?key|credentials?)$",
    re.IGNORECASE,
)
_NAMES_OF_OBJECTS = re.compile(r"(secret|credentials?)$", re.IGNORECASE)
_OBJECT_NAME = re.compile(r"[a-z]([a-z.-]*[a-z])?")
_MOST_BYTES = 2**20


def of_kubeconfig(path: Path) -> Iterator[str]:
    """Tokens, passwords and private keys of a kubeconfig and of the files that it names; none when it is unreadable."""
    for entry in items(mapping(yaml(path)).get("users")):
        user = mapping(mapping(entry).get("user"))
        yield from (str(user[key]) for key in ("token", "password") if user.get(key))
        encoded = str(user.get("client-key-data") or "")
        yield encoded
        yield _decoded(encoded)
        yield from (_file(path.parent / str(user[key])) for key in ("tokenFile", "client-key") if user.get(key))
        for variable in items(mapping(user.get("exec")).get("env")):
            if _NAMES.search(str(mapping(variable).get("name", ""))):
                yield str(mapping(variable).get("value", ""))


def of_variables(variables: Mapping[str, str]) -> Iterator[str]:
    """Secrets of environment variables: those whose names say so, and credentials in URLs."""
    for name, value in variables.items():
        yield from of_url(value)
        if not _NAMES.search(name):
            continue
        if name.upper().endswith("_FILE"):
            yield _file(Path(value))
        elif not value.startswith("/"):  # a path names what is secret, and is none
            yield value


def is_credential(name: str, value: object) -> bool:
    """Whether a setting's name and value say that it is one; the name of a Kubernetes Secret is none."""
    if not isinstance(value, str) or not _NAMES_OF_VALUES.search(name):
        return False
    return not (_NAMES_OF_OBJECTS.search(name) and _OBJECT_NAME.fullmatch(value))


def of_values(document: object) -> Iterator[str]:
    """Secrets in a values file, by the names of its keys, and in URLs."""
    for name, value in _leaves(document):
        if is_credential(name, value):
            yield value
        yield from of_url(value)


def of_url(text: str) -> Iterator[str]:
    """Password, or token in the place of a user, of a URL; else nothing."""
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


def texts(document: object) -> Iterator[str]:
    """Every key and every text."""
    for name, value in _leaves(document):
        yield name
        yield value


def _leaves(document: object) -> Iterator[tuple[str, str]]:
    """Every text with its key; what aliases stand for comes once, since a few lines of them can stand for billions."""
    seen: set[int] = set()
    todo: list[tuple[str, object]] = [("", document)]
    while todo:
        name, node = todo.pop()
        if isinstance(node, str):
            yield name, node
        elif isinstance(node, Mapping | list) and id(cast("object", node)) not in seen:
            seen.add(id(cast("object", node)))
            if isinstance(node, Mapping):
                todo += [(str(key), value) for key, value in cast("Mapping[object, object]", node).items()]
            else:
                todo += [(name, value) for value in cast("list[object]", node)]


def yaml(path: Path) -> object:
    """What a file holds; nothing when it is absent, too large or no YAML: whoever needs it says so."""
    try:
        text = _file(path)
        return None if too_deep(text) else YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, RecursionError, AttributeError):
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


def mapping(node: object) -> Mapping[str, object]:
    """What is a mapping; else an empty one."""
    return cast("Mapping[str, object]", node) if isinstance(node, Mapping) else {}


def items(node: object) -> list[object]:
    """What is a list; else an empty one."""
    return cast("list[object]", node) if isinstance(node, list) else []
