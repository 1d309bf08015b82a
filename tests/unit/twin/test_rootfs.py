"""Which apt sources the images are made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drillbook.twin import rootfs

if TYPE_CHECKING:
    from pathlib import Path

_DEBIAN = "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\nComponents: main"
_OTHERS = "Types: deb\nURIs: https://example.com/node\nSuites: nodistro\nComponents: main"
_SOURCE_ONLY = _DEBIAN.replace("Types: deb", "Types: deb-src")
_OFF = f"Enabled: no\n{_DEBIAN}"


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An /etc/apt without sources."""
    (tmp_path / "apt/sources.list.d").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    monkeypatch.setattr(rootfs, "_SOURCES", tmp_path / "apt")
    return tmp_path / "apt"


def test_only_debians_own_sources_are_used(apt: Path, tmp_path: Path) -> None:
    """Neither those of others, nor sources of source packages, nor what is switched off."""
    (apt / "sources.list.d/all.sources").write_text(f"{_DEBIAN}\n\n{_OTHERS}\n\n{_SOURCE_ONLY}\n\n{_OFF}\n")
    [written] = rootfs.debian_sources(tmp_path / "out")
    assert written.read_text().strip() == _DEBIAN


def test_one_line_sources_are_understood(apt: Path, tmp_path: Path) -> None:
    """With and without options."""
    debian = "deb [signed-by=/usr/share/keyrings/k.gpg] http://mirror.example/debian bookworm main"
    security = "deb http://mirror.example/security bookworm-security main"
    (apt / "sources.list").write_text(f"# mine\n{debian}\ndeb-src http://mirror.example/debian bookworm main\n")
    (apt / "sources.list.d/more.list").write_text(f"{security}\ndeb http://mirror.example/x cloud-bookworm main\n")
    [written] = rootfs.debian_sources(tmp_path / "out")
    assert written.read_text().splitlines() == [security, debian]


@pytest.mark.usefixtures("apt")
def test_a_machine_without_debian_sources_is_refused(tmp_path: Path) -> None:
    """The error says what the images are made of."""
    with pytest.raises(rootfs.RootError, match="no apt source for Debian bookworm"):
        rootfs.debian_sources(tmp_path / "out")


def test_the_key_follows_the_recipe() -> None:
    """Another package, another root."""
    assert rootfs.inputs(rootfs.BASE) != rootfs.inputs(rootfs.PYTHON_ROOT)
    assert rootfs.inputs(rootfs.BASE) == rootfs.inputs(rootfs.BASE)
