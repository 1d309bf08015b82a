"""A history in which runs are signed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where the sample of a run's folder is

from signed_runs import Signed, make_key


@pytest.fixture
def signed(tmp_path: Path) -> Signed:
    (tmp_path / "runs").mkdir()
    return Signed(tmp_path / "runs", make_key(tmp_path / "key.pem"))
