"""Chromium, axe-core, and pages to be looked at."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "unit" / "evidence"))  # where the samples of run folders are

import browser as browsers

HERE = Path(__file__).parent
_INSTALLS_WITHIN_S = 300


def pytest_addoption(parser: pytest.Parser) -> None:
    """Known when this folder is named on the command line."""
    parser.addoption("--pictures", help="Keep the pictures of the documents in this folder: docs/images.")


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """Chromium; skips where there is none."""
    if browsers.CHROMIUM is None:
        pytest.skip("no Chromium here: install the package chromium to run these")
    with browsers.running(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture(scope="session")
def axe(tmp_path_factory) -> str:
    """The source of axe-core, installed as the lock says; skips, with the reason, where that cannot be done."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not on this machine's PATH, and axe-core comes from there")
    folder = tmp_path_factory.mktemp("axe")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / "axe" / name, folder)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    installed = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=_INSTALLS_WITHIN_S, check=False
    )
    assert installed.returncode == 0, installed.stderr
    return (folder / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")
