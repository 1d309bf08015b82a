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


_CLOUD_IMAGE = """\
Types: deb deb-src
URIs: mirror+file:///etc/apt/mirrors/debian.list
Suites: bookworm bookworm-updates bookworm-backports
Components: main

Types: deb deb-src
URIs: mirror+file:///etc/apt/mirrors/debian-security.list
Suites: bookworm-security
Components: main
"""
"""As Debian's own images for clouds have it; apt runs outside the new root, and reads the lists of mirrors here."""


def test_a_source_that_has_other_suites_as_well_is_used_without_them(apt: Path, tmp_path: Path) -> None:
    """Else the main archive would be missing."""
    (apt / "sources.list.d/debian.sources").write_text(_CLOUD_IMAGE)
    [written] = rootfs.debian_sources(tmp_path / "out")
    assert written.read_text().strip() == _CLOUD_IMAGE.replace(" bookworm-backports", "").strip()


def test_suites_may_go_on_in_the_next_line(apt: Path, tmp_path: Path) -> None:
    """As any field of these files."""
    suites = "Suites: bookworm\n bookworm-backports\n bookworm-updates"
    (apt / "sources.list.d/debian.sources").write_text(
        f"Types: deb\nURIs: http://mirror.example/debian\n{suites}\nComponents: main\n"
    )
    [written] = rootfs.debian_sources(tmp_path / "out")
    assert written.read_text().strip() == _DEBIAN


@pytest.mark.parametrize("name", ["sources.list", "sources.list.d/security.sources"])
def test_security_updates_alone_are_no_debian(apt: Path, tmp_path: Path, name: str) -> None:
    """They have what was mended, and nothing else."""
    (apt / name).write_text(
        "deb http://mirror.example/security bookworm-security main\n"
        if name == "sources.list"
        else "Types: deb\nURIs: http://mirror.example/security\nSuites: bookworm-security\nComponents: main\n"
    )
    with pytest.raises(rootfs.RootError, match="no apt source for Debian bookworm itself"):
        rootfs.debian_sources(tmp_path / "out")


@pytest.mark.usefixtures("apt")
def test_a_machine_without_debian_sources_is_refused(tmp_path: Path) -> None:
    """The error says what the images are made of."""
    with pytest.raises(rootfs.RootError, match="no apt source for Debian bookworm"):
        rootfs.debian_sources(tmp_path / "out")


def test_the_key_follows_the_recipe() -> None:
    """Another package, another root."""
    assert rootfs.inputs(rootfs.BASE) != rootfs.inputs(rootfs.PYTHON_ROOT)
    assert rootfs.inputs(rootfs.BASE) == rootfs.inputs(rootfs.BASE)
