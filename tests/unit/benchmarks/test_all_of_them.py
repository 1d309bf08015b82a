"""Whoever asks what there is starts nothing: some benchmarks replace the twin that others work on."""

from __future__ import annotations

import runpy
import subprocess
import sys
from types import SimpleNamespace

import pytest


@pytest.fixture
def started(monkeypatch) -> list[str]:
    """Modules that were run, of which one fails."""
    modules: list[str] = []

    def run(command, **_options):
        modules.append(command[2])
        return SimpleNamespace(returncode=3 if command[2] == "benchmarks.meter" else 0)

    monkeypatch.setattr(subprocess, "run", run)
    return modules


def ask(monkeypatch, *arguments: str) -> int:
    """Exit code of `python -m benchmarks ARGUMENTS`."""
    monkeypatch.setattr(sys, "argv", ["benchmarks", *arguments])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("benchmarks", run_name="__main__")
    return ended.value.code


def test_help_runs_none(monkeypatch, started, capsys):
    assert ask(monkeypatch, "--help") == 0
    assert started == []
    assert "takes the twin down" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("wrong", [("--only", "nothing"), ("meter",)])
def test_what_is_not_known_runs_none(monkeypatch, started, wrong):
    assert ask(monkeypatch, *wrong) == 2
    assert started == []


def test_those_that_are_named_are_run(monkeypatch, started):
    assert ask(monkeypatch, "--only", "canary", "--only", "report") == 0
    assert started == ["benchmarks.report", "benchmarks.canary"]


def test_without_a_name_all_are_run_and_the_worst_one_tells(monkeypatch, started):
    assert ask(monkeypatch) == 3
    assert len(started) > 5


def test_help_of_the_twins_says_what_becomes_of_the_twin():
    """It is a program of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.twin", "--help"], capture_output=True, text=True, timeout=60, check=True
    )
    assert "takes the twin down" in " ".join(done.stdout.split())
