"""The reaper's image has what `drillbook recover` imports: one that cannot start puts nothing back."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata

import pytest

from drillbook.twin import layers, wheels

STARTS = ("drillbook.cli", "drillbook.afterwards.recovery", "drillbook.wiring")
BLOCKED = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent}:
            raise ModuleNotFoundError(f"{{name}} is not in the reaper's image", name=name)
        return None

sys.meta_path.insert(0, Blocked())
import {module}
"""


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def in_image() -> set[str]:
    """Names of the distributions that the image's wheels come to, those that they need included."""
    pending = [normal(re.split(r"[^\w.-]", it)[0]) for it in wheels.group(layers.PROJECT / "pyproject.toml", "reaper")]
    found: set[str] = set()
    while pending:
        if (name := pending.pop()) in found:
            continue
        found.add(name)
        needed = [it for it in metadata.requires(name) or () if "extra ==" not in it]
        pending += [normal(re.split(r"[^\w.-]", it)[0]) for it in needed if is_there(it)]
    return found


def is_there(requirement: str) -> bool:
    """What another Python or another system needs is not installed here."""
    try:
        metadata.distribution(re.split(r"[^\w.-]", requirement)[0])
    except metadata.PackageNotFoundError:
        return False
    return True


@pytest.fixture(scope="module")
def absent() -> list[str]:
    """Modules of this environment that no distribution of the image has."""
    there = in_image()
    return sorted(
        module
        for module, owners in metadata.packages_distributions().items()
        if not {normal(owner) for owner in owners} & {*there, "drillbook"}
    )


@pytest.mark.parametrize("module", STARTS)
def test_what_recovers_is_importable_in_the_reapers_image(absent, module):
    assert {"numpy", "locust", "pyarrow", "pytest"} <= set(absent)
    program = BLOCKED.format(absent=set(absent), module=module)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=layers.PROJECT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
