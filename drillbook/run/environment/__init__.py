"""Reads an environment file: safely, against its schema, with errors that name the file, the line and what is right."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from drillbook.run import redaction, yaml_file
from drillbook.run.environment import building, contradictions, places, schema_faults, unquoted
from drillbook.run.environment.durations import seconds
from drillbook.run.yaml_file import EnvironmentFileError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ruamel.yaml.comments import CommentedMap

    from drillbook.domain.environment import Environment

__all__ = ["DIRECTORY", "SCHEMA", "EnvironmentFileError", "find", "load", "name_of", "recorded", "seconds"]

DIRECTORY = Path(__file__).resolve().parents[3] / "environments"
"""Of this checkout; whoever stands elsewhere may have a folder of this name there."""
SCHEMA = DIRECTORY / "schema.json"
_SUFFIXES = frozenset({".yaml", ".yml"})
"""Of paths; whatever ends otherwise is a name."""


def find(name: str) -> Path:
    """The file of an environment, by its name or by its path.

    A name is looked up in `environments/` of the folder that the command is given in, and then in that of this
    checkout: in an image Drillbook lies elsewhere than the project whose environments it drills, and whoever has a
    file of that name means that one.

    Raises:
        EnvironmentFileError: When there is none; names those that there are, and where.
    """
    path = Path(name)
    if path.suffix in _SUFFIXES:
        if path.is_file():
            return path.resolve()
        raise EnvironmentFileError(f"{name}: there is no such file")
    folders = _folders()
    if re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name):
        for folder in folders:
            if (candidate := folder / f"{name}.yaml").is_file():
                return candidate
    known = [f"{', '.join(sorted(p.stem for p in folder.glob('*.yaml'))) or 'none'} in {folder}" for folder in folders]
    raise EnvironmentFileError(f"there is no environment {name!r}; there are {' and '.join(known)}, or give a path")


def name_of(environment: str) -> str:
    """What a run's record calls the environment of a name or a path; its file need not be there.

    A file is called as its environment is, which `load` sees to.
    """
    path = Path(environment)
    return path.resolve().stem if path.suffix in _SUFFIXES else environment


def load(path: Path, *, releases: bool = True) -> Environment:
    """The environment in a file.

    Args:
        path: The file.
        releases: Whether what releases are made from has to be there: what was done is undone without it.

    Raises:
        EnvironmentFileError: With every fault that was found.
    """
    raw, document = yaml_file.read(path)
    redaction.learn_environment_file(path, document)
    faults = [*schema_faults.found(path, document, _schema()), *unquoted.faults(path, raw)]
    if not faults:
        faults = [
            *contradictions.found(path, document),
            *(contradictions.missing_files(path, document) if releases else []),
        ]
    if faults:
        raise EnvironmentFileError(redaction.text("\n".join(faults)))
    return _built(path, raw, document)


def recorded(path: Path) -> Environment:
    """The environment as a run has kept it; nothing that it names has to be there.

    Raises:
        EnvironmentFileError: When it is not whole.
    """
    raw, document = yaml_file.read(path)
    if faults := schema_faults.found(path, document, _schema()):
        raise EnvironmentFileError("\n".join(faults))
    try:
        return _built(path, raw, document)
    except ValueError as error:  # What the schema allows and cannot be so was not looked for.
        raise EnvironmentFileError(f"{path}: {error}") from error


def _schema() -> Mapping[str, Any]:
    return json.loads(SCHEMA.read_text(encoding="utf-8"))


def _built(path: Path, raw: bytes, document: CommentedMap) -> Environment:
    return building.environment(path, hashlib.sha256(raw).hexdigest(), cast("dict[str, Any]", places.plain(document)))


def _folders() -> list[Path]:
    """Where names are looked up, in this order."""
    try:
        here = Path.cwd() / DIRECTORY.name
    except FileNotFoundError:  # It was deleted, which must not keep `recover` from its work.
        return [DIRECTORY]
    return [DIRECTORY] if here.resolve() == DIRECTORY else [here, DIRECTORY]
