"""The cache never shows anything half-built, whatever dies when."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from drillbook.twin.cache import Cache, CacheError, content_key, tree_digest

_FORTNIGHT_S = 15 * 86400


def _write(text: str):
    def build(directory: Path) -> None:
        (directory / "file").write_text(text)

    return build


def test_an_entry_is_built_once(tmp_path: Path) -> None:
    """The second asking does not build."""
    cache = Cache(tmp_path)
    lines: list[str] = []
    first = cache.obtain("thing", {"a": "1"}, _write("one"), progress=lines.append)
    second = cache.obtain("thing", {"a": "1"}, _write("two"), progress=lines.append)
    assert first == second == cache.find("thing", {"a": "1"})
    assert (first / "file").read_text() == "one"
    assert len(lines) == 1
    assert lines[0].startswith("thing: built in ")


def test_any_other_input_is_another_entry(tmp_path: Path) -> None:
    """Both stay."""
    cache = Cache(tmp_path)
    one = cache.obtain("thing", {"a": "1"}, _write("one"))
    two = cache.obtain("thing", {"a": "2"}, _write("two"))
    assert (one / "file").read_text() == "one"
    assert (two / "file").read_text() == "two"


def test_a_build_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """Neither an entry nor its remains."""
    cache = Cache(tmp_path)

    def build(directory: Path) -> None:
        (directory / "half").write_text("half")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        cache.obtain("thing", {}, build)
    assert cache.find("thing", {}) is None
    assert list((tmp_path / "pending").iterdir()) == []


def test_a_build_that_is_killed_leaves_nothing_that_is_taken_for_whole(tmp_path: Path) -> None:
    """After SIGKILL in the middle the next one builds afresh."""
    program = textwrap.dedent(f"""
        import os, pathlib, signal
        from drillbook.twin.cache import Cache
        def build(directory):
            (directory / "left").write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
        Cache(pathlib.Path({str(tmp_path)!r})).obtain("thing", {{}}, build)
    """)
    done = subprocess.run([sys.executable, "-c", program], check=False, timeout=20)
    assert done.returncode == -signal.SIGKILL
    assert Cache(tmp_path).find("thing", {}) is None
    entry = Cache(tmp_path).obtain("thing", {}, _write("whole"))
    assert [p.name for p in entry.iterdir()] == ["file"]


def test_who_waits_says_for_whom_and_gives_up_in_time(tmp_path: Path) -> None:
    """Two builders of one entry exclude each other; others do not wait."""
    cache = Cache(tmp_path, wait_s=0.3)
    lines: list[str] = []

    def build(directory: Path) -> None:
        del directory
        assert (cache.obtain("other", {}, _write("other")) / "file").is_file()
        with pytest.raises(CacheError, match=rf"waited 0 s for process {os.getpid()}, which is building thing-"):
            cache.obtain("thing", {}, _write("twice"), progress=lines.append)

    started_s = time.monotonic()
    cache.obtain("thing", {}, build)
    assert time.monotonic() - started_s < 3
    assert len(lines) == 1
    assert f"waiting for process {os.getpid()}" in lines[0]


def _build_slowly(root: Path, log: Path) -> None:
    def build(directory: Path) -> None:
        with log.open("a") as stream:
            stream.write("built\n")
        time.sleep(0.2)
        (directory / "file").write_text("whole")

    assert (Cache(root).obtain("thing", {}, build) / "file").read_text() == "whole"


def test_many_at_once_build_once(tmp_path: Path) -> None:
    """All get the whole entry, one builds it."""
    context = multiprocessing.get_context("fork")
    log = tmp_path / "log"
    workers = [context.Process(target=_build_slowly, args=(tmp_path / "cache", log)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(20)
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert log.read_text() == "built\n"


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    """With the directory, and what to do."""

    def build(_directory: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(CacheError, match=r"No space left.*Free some space there, or set DRILLBOOK_CACHE"):
        Cache(tmp_path).obtain("thing", {}, build)


def test_a_builders_own_mistake_is_not_blamed_on_the_cache(tmp_path: Path) -> None:
    """A missing file is the builder's."""

    def build(_directory: Path) -> None:
        Path("/nonexistent/program").read_text()

    with pytest.raises(FileNotFoundError):
        Cache(tmp_path).obtain("thing", {}, build)


def test_old_entries_that_nobody_asks_for_go(tmp_path: Path) -> None:
    """The two used last stay however old they are."""
    cache = Cache(tmp_path)
    entries = [cache.obtain("thing", {"n": str(n)}, _write(str(n))) for n in range(4)]
    other = cache.obtain("thing-else", {}, _write("other"))
    old_s = time.time() - _FORTNIGHT_S
    for age, entry in enumerate([*reversed(entries), other]):
        os.utime(entry, (old_s - age, old_s - age))
    cache.obtain("thing", {"n": "new"}, _write("new"))
    assert [entry.is_dir() for entry in entries] == [False, False, False, True]
    assert other.is_dir()


def test_keys_do_not_depend_on_order() -> None:
    """But on every name and value."""
    assert content_key({"a": "1", "b": "2"}) == content_key({"b": "2", "a": "1"})
    assert content_key({"a": "12"}) != content_key({"a1": "2"})


def test_a_trees_digest_tells_names_and_contents(tmp_path: Path) -> None:
    """Compiled Python does not count."""
    (tmp_path / "a").write_text("1")
    first = tree_digest(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__/a.pyc").write_text("x")
    assert tree_digest(tmp_path) == first
    (tmp_path / "a").rename(tmp_path / "b")
    assert tree_digest(tmp_path) != first
