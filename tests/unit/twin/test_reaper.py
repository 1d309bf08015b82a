"""The reaper's image has what `drillbook recover` imports: one that cannot start puts nothing back."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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


def in_image() -> set[str]:
    """Names of the distributions that the image's wheels come to, those that they need included."""
    pending = [Requirement(it) for it in wheels.group(layers.PROJECT / "pyproject.toml", "reaper")]
    found: set[str] = set()
    while pending:
        wanted = pending.pop()
        needs = [it for it in map(Requirement, metadata.requires(wanted.name) or ()) if applies(it, wanted.extras)]
        pending += [it for it in needs if canonicalize_name(it.name) not in found]
        found.add(canonicalize_name(wanted.name))
    return found


def applies(needed: Requirement, extras: set[str]) -> bool:
    """Not for another Python or system, and not for an extra that nobody asked for."""
    return needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in ("", *extras))


@pytest.fixture(scope="module")
def absent() -> list[str]:
    """Modules of this environment that no distribution of the image has."""
    there = in_image()
    return sorted(
        module
        for module, owners in metadata.packages_distributions().items()
        if not {canonicalize_name(owner) for owner in owners} & {*there, "drillbook"}
    )


@pytest.mark.parametrize("module", STARTS)
def test_what_recovers_is_importable_in_the_reapers_image(absent, module):
    assert {"numpy", "locust", "pyarrow", "pytest"} <= set(absent)
    program = BLOCKED.format(absent=set(absent), module=module)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=layers.PROJECT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
