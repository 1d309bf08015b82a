"""Installs wheels into a directory, each checked against the hash that is committed for it."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from drillbook.twin.errors import TwinError

if TYPE_CHECKING:
    from collections.abc import Sequence

_DEADLINE_S = 600.0


class WheelError(TwinError):
    """Wheels could not be resolved or installed; the text has the installer's own words."""


def install(lock: str, target: Path, *, python: str) -> None:
    """Install what `lock` lists, and nothing else, into `target`.

    Args:
        lock: Requirements with exact versions and hashes.
        target: Directory that becomes importable; made when missing.
        python: Version of the Python that will import it, for example `3.11`.

    Raises:
        WheelError: When a wheel is missing, or is not what its hash says.
    """
    target.mkdir(parents=True, exist_ok=True)
    requirements = target.with_name(f"{target.name}.lock")
    requirements.write_text(lock, encoding="utf-8")
    _uv([
        "pip", "install", "--quiet", "--require-hashes", "--only-binary=:all:", "--no-deps",
        "--link-mode=copy", f"--python={sys.executable}", f"--python-version={python}",
        f"--python-platform={platform.machine()}-manylinux_2_36",
        f"--target={target}", f"--requirements={requirements}",
    ])  # fmt: skip


def subset(lock: Path, wanted: Sequence[str], *, python: str) -> str:
    """The part of a lock file that `wanted` needs, with the lock's versions and hashes.

    Raises:
        WheelError: When the lock does not hold all that is needed.
    """
    names = {
        _name(line)
        for line in _uv(
            [
                "pip", "compile", "--quiet", "--no-header", "--no-annotate", f"--constraints={lock}",
                f"--python-version={python}", f"--python-platform={platform.machine()}-manylinux_2_36",
                "--only-binary=:all:", "-",
            ],
            "\n".join(wanted),
        ).splitlines()
        if line and not line.startswith(("#", " "))
    }  # fmt: skip
    blocks = _blocks(lock)
    missing = sorted(names - blocks.keys())
    if missing:
        message = f"{lock} lacks {', '.join(missing)}; write it anew with `make lock`."
        raise WheelError(message)
    return "\n".join("\n".join(blocks[name]) for name in sorted(names)) + "\n"


def group(project: Path, name: str) -> tuple[str, ...]:
    """The requirements of an optional dependency group of a pyproject.toml."""
    content = tomllib.loads(project.read_text(encoding="utf-8"))
    return tuple(content["project"]["optional-dependencies"][name])


def _blocks(lock: Path) -> dict[str, list[str]]:
    """Each requirement of a lock with its hash lines; several when they differ by marker."""
    blocks: dict[str, list[str]] = {}
    current: list[str] = []
    for line in lock.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not line.startswith(" "):
            current = blocks.setdefault(_name(line), [])
        current.append(line)
    return blocks


def _name(requirement: str) -> str:
    """A requirement's distribution name, normalised as PEP 503 says."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    return re.sub(r"[-_.]+", "-", found.group() if found else "").lower()


def _uv(arguments: Sequence[str], given: str | None = None) -> str:
    beside = Path(sys.executable).with_name("uv")
    program = str(beside) if beside.is_file() else shutil.which("uv")
    if program is None:
        message = "uv was not found; install the project's requirements first: make install"
        raise WheelError(message)
    try:
        done = subprocess.run(
            [program, *arguments], input=given, capture_output=True, text=True, timeout=_DEADLINE_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        message = f"uv did not finish within {_DEADLINE_S:.0f} s; is the package index reachable?"
        raise WheelError(message) from error
    if done.returncode != 0:
        message = f"uv {' '.join(arguments[:2])} failed: {done.stderr.strip()[-1500:]}"
        raise WheelError(message)
    return done.stdout
