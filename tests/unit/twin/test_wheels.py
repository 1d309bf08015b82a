"""Reading a lock file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drillbook.twin import layers, wheels

if TYPE_CHECKING:
    from pathlib import Path

_LOCK = """\
# by uv
a-b==1.0 \\
    --hash=sha256:aa \\
    --hash=sha256:ab
    # via x
c==2.0 ; python_full_version < '3.12' \\
    --hash=sha256:ca
c==3.0 ; python_full_version >= '3.12' \\
    --hash=sha256:cb
d==4.0 \\
    --hash=sha256:da
"""


def test_a_subset_keeps_versions_and_hashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are compared as PEP 503 says; what differs by marker is kept whole."""
    (tmp_path / "lock").write_text(_LOCK)
    monkeypatch.setattr(wheels, "_uv", lambda *_: "A_b==1.0\nc==2.0\n")
    text = wheels.subset(tmp_path / "lock", ["a.b"], python="3.11")
    unwanted = ("# ", "d==", ":da")
    assert text.splitlines() == [line for line in _LOCK.splitlines() if not any(word in line for word in unwanted)]


def test_a_lock_that_lacks_something_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do."""
    (tmp_path / "lock").write_text(_LOCK)
    monkeypatch.setattr(wheels, "_uv", lambda *_: "e==1\n")
    with pytest.raises(wheels.WheelError, match=r"lacks e; write it anew with `make lock`"):
        wheels.subset(tmp_path / "lock", ["e"], python="3.11")


def test_the_applications_requirements_are_this_projects() -> None:
    """The image follows pyproject.toml."""
    wanted = wheels.group(layers.PROJECT / "pyproject.toml", "system")
    assert any(requirement.startswith("fastapi") for requirement in wanted)
