"""This project's own pipeline, as its files say it."""

from __future__ import annotations

from pathlib import Path

import pytest

from drillbook.run import pipeline_file

PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def own():
    return pipeline_file.read(PROJECT / ".gitlab-ci.yml")
