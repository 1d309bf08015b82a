"""Images are the same bytes for the same content, and valid ones."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

from drillbook.twin import oci
from drillbook.twin.oci import Command, Entry, Layout

if TYPE_CHECKING:
    from pathlib import Path


def test_a_layer_does_not_depend_on_order_or_time(tmp_path: Path) -> None:
    """Nor on the files' own times."""
    source = tmp_path / "source"
    source.write_text("content")
    entries = [
        Entry("b", "file", 0o644, source=source),
        Entry("a", "directory"),
        Entry("a/link", "link", target="../b"),
    ]
    first = oci.write_layer(tmp_path / "1.tar", entries)
    os.utime(source, (1, 1))
    second = oci.write_layer(tmp_path / "2.tar", reversed(entries))
    assert first.digest == second.digest
    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.size == (tmp_path / "1.tar").stat().st_size


def test_a_layer_holds_what_it_was_given(tmp_path: Path) -> None:
    """With numeric owners and no times; the last entry of a path counts."""
    oci.write_layer(tmp_path / "layer.tar", [
        Entry("etc", "directory"),
        Entry("etc/name", "file", 0o600, content=b"old", owner=1),
        Entry("etc/name", "file", 0o640, content=b"new", owner=10001),
    ])  # fmt: skip
    with tarfile.open(tmp_path / "layer.tar") as archive:
        [directory, file] = archive.getmembers()
        stream = archive.extractfile(file)
        assert stream is not None
        assert stream.read() == b"new"
    assert (directory.name, directory.isdir(), directory.mode) == ("etc", True, 0o755)
    assert (file.uid, file.gid, file.uname, file.mode, file.mtime) == (10001, 10001, "", 0o640, 0)


def test_entries_leave_out_what_is_unwanted(tmp_path: Path) -> None:
    """A pattern takes everything below it; set-user-id bits never travel."""
    (tmp_path / "usr/share/doc/x").mkdir(parents=True)
    (tmp_path / "usr/share/doc/x/readme").write_text("")
    program = tmp_path / "usr/su"
    program.write_text("")
    program.chmod(0o4755)
    (tmp_path / "link").symlink_to("usr/su")
    entries = {entry.path: entry for entry in oci.entries_of(tmp_path, at="top", without=("usr/share/doc",))}
    assert sorted(entries) == ["top/link", "top/usr", "top/usr/share", "top/usr/su"]
    assert entries["top/usr/su"].mode == 0o755
    assert entries["top/link"].target == "usr/su"


def test_fingerprints_match_what_was_written(tmp_path: Path) -> None:
    """So that a layer can leave out what the one below holds."""
    entries = [
        Entry("a", "directory", 0o1777),
        Entry("a/b", "file", 0o644, content=b"x"),
        Entry("a/c", "link", 0o777, target="b"),
    ]
    written = oci.write_layer(tmp_path / "layer.tar", entries)
    assert oci.fingerprints(written.path) == {entry.path: entry.fingerprint for entry in entries}


def _layout(directory: Path) -> Layout:
    directory.mkdir()
    layer = oci.write_layer(directory.with_suffix(".tar"), [Entry("hello", "file", 0o644, content=b"hello")])
    command = Command(("/hello",), ("--now",), {"A": "1"}, ports=(8000,))
    return oci.write_layout(directory, "hello:1", [layer], command, {"title": "hello"})


def test_an_image_is_reproducible(tmp_path: Path) -> None:
    """The same digest wherever it is made."""
    one, two = _layout(tmp_path / "one"), _layout(tmp_path / "two")
    assert one.digest == two.digest
    assert Layout.load(tmp_path / "one") == one


def test_a_layouts_blobs_are_what_their_digests_say(tmp_path: Path) -> None:
    """All parts that the manifest names are there."""
    layout = _layout(tmp_path / "one")
    for digest, size in {**layout.blobs, layout.digest: len(layout.manifest)}.items():
        blob = layout.blob(digest)
        assert blob.stat().st_size == size
        done = subprocess.run(["sha256sum", str(blob)], capture_output=True, text=True, check=True)
        assert done.stdout.split()[0] == digest.removeprefix("sha256:")
    assert layout.size == sum(layout.blobs.values()) + len(layout.manifest)


def test_the_process_is_numeric_and_explicit(tmp_path: Path) -> None:
    """Pod Security's `runAsNonRoot` needs a number."""
    layout = _layout(tmp_path / "one")
    config = json.loads(layout.blob(list(layout.blobs)[-1]).read_bytes())["config"]
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["/hello"]
    assert config["Cmd"] == ["--now"]
    assert "A=1" in config["Env"]


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed")
def test_other_tools_read_our_layouts(tmp_path: Path) -> None:
    """A second opinion on the format."""
    layout = _layout(tmp_path / "one")
    done = subprocess.run(
        ["skopeo", "inspect", f"oci:{layout.directory}:hello:1"], capture_output=True, text=True, check=True, timeout=20
    )
    assert json.loads(done.stdout)["Digest"] == layout.digest
