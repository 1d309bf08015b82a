"""Control groups are there as the kubelet wants them, on either version of the kernel's interface."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from drillbook.twin import doctor, groups

_CONTROLLERS = "cpuset cpu io memory hugetlb pids rdma misc"
_KUBELET_ASKS_FOR = {"cpu", "cpuset", "memory", "hugetlb", "pids"}


class Kernel:
    """As much of a unified hierarchy as matters: a group has the controllers that the one above lets through.

    Attributes:
        root: Where it is mounted.
        written: What was written to `cgroup.subtree_control`, with the group's name.
    """

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.written: list[tuple[str, str]] = []
        self._mkdir, self._write_text = Path.mkdir, Path.write_text

        def mkdir(path: Path, *args, **options) -> None:
            self._make(path, *args, **options)

        def write_text(path: Path, text: str, *args) -> int:
            return self._write(path, text, *args)

        monkeypatch.setattr(Path, "mkdir", mkdir)
        monkeypatch.setattr(Path, "write_text", write_text)

    def occupy(self) -> None:
        """Be a container's: no group at the top, and with processes in it."""
        self._write_text(self.root / "cgroup.type", "domain\n")
        self._write_text(self.root / "cgroup.procs", "1\n7\n")

    def _make(self, path: Path, *args, **options) -> None:
        new = not path.exists()
        self._mkdir(path, *args, **options)
        if new and self.root in path.parents:
            for file in ("cgroup.procs", "cgroup.subtree_control"):
                self._write_text(path / file, "")
            self._write_text(path / "cgroup.type", "domain\n")
            self._let_through(path.parent)

    def _write(self, path: Path, text: str, *args) -> int:
        if path.name != "cgroup.subtree_control":
            return self._write_text(path, text, *args)
        group = path.parent
        self.written.append((group.name if group != self.root else "/", text))
        if (group / "cgroup.type").is_file() and (group / "cgroup.procs").read_text():
            raise OSError(errno.EBUSY, "Device or resource busy")
        asked = {word.removeprefix("+") for word in text.split()}
        if not asked <= set((group / "cgroup.controllers").read_text().split()):
            raise OSError(errno.ENOENT, "No such file or directory")
        self._write_text(path, " ".join(sorted(asked | set(path.read_text().split()))))
        self._let_through(group)
        return len(text)

    def _let_through(self, group: Path) -> None:
        passed = (group / "cgroup.subtree_control").read_text()
        for child in (entry for entry in group.iterdir() if entry.is_dir()):
            self._write_text(child / "cgroup.controllers", passed)
            if "cpu" in passed.split() and not (child / "cpu.weight").exists():
                self._write_text(child / "cpu.weight", "100\n")


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """One that has all controllers, and lets through what Debian's systemd does."""
    (tmp_path / "cgroup.controllers").write_text(_CONTROLLERS)
    (tmp_path / "cgroup.subtree_control").write_text("cpu memory pids")
    (tmp_path / "cgroup.procs").write_text("1\n2\n")
    monkeypatch.setattr(groups, "_ROOT", tmp_path)
    return Kernel(tmp_path, monkeypatch)


def test_a_nodes_group_has_all_controllers_that_the_kubelet_asks_for(kernel: Kernel) -> None:
    groups.make("use1-n1")
    there = (kernel.root / "drillbook" / "use1-n1" / "cgroup.controllers").read_text().split()
    assert set(there) == _KUBELET_ASKS_FOR


def test_only_what_is_not_let_through_yet_is_asked_for(kernel: Kernel) -> None:
    groups.make("use1-n1")
    groups.make("use1-n2")
    assert kernel.written == [("/", "+cpuset +hugetlb"), ("drillbook", "+cpu +cpuset +memory +pids +hugetlb")]


def test_a_kernel_without_huge_pages_is_not_asked_for_them(kernel: Kernel) -> None:
    (kernel.root / "cgroup.controllers").write_text("cpuset cpu io memory pids")
    groups.make("use1-n1")
    assert kernel.written[0] == ("/", "+cpuset")


def test_all_of_a_nodes_pods_count_for_more_than_one_process(kernel: Kernel) -> None:
    groups.make("use1-n1")
    for group in (kernel.root / "drillbook", kernel.root / "drillbook" / "use1-n1"):
        assert (group / "cpu.weight").read_text() == "1600"


def test_a_container_whose_processes_are_in_the_way_is_told_so(kernel: Kernel) -> None:
    kernel.occupy()
    with pytest.raises(groups.GroupError, match=r"processes of its own.*mkdir -p .*/init"):
        groups.make("use1-n1")


def test_the_doctor_finds_that_beforehand(kernel: Kernel) -> None:
    assert doctor._cgroups().healthy
    kernel.occupy()
    found = doctor._cgroups()
    assert not found.healthy
    assert "processes of its own" in found.found
    assert found.remedy.startswith("mkdir -p ")


def test_a_container_that_lets_everything_through_already_is_healthy(kernel: Kernel) -> None:
    kernel.occupy()
    (kernel.root / "cgroup.subtree_control").unlink()
    (kernel.root / "cgroup.subtree_control").touch()
    assert not doctor._cgroups().healthy
    with (kernel.root / "cgroup.subtree_control").open("w") as file:
        file.write(_CONTROLLERS)
    assert doctor._cgroups().healthy
    groups.make("use1-n1")


def test_another_refusal_has_the_kernels_words(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, text: str) -> int:
        raise OSError(errno.EROFS, f"Read-only file system: {text}", str(path))

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(groups.GroupError, match="Read-only file system"):
        groups.make("use1-n1")
    assert not (kernel.root / "drillbook").exists()


@pytest.fixture
def hybrid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Version 1, with one hierarchy of version 2 beside it that has nothing that the kubelet looks at."""
    for name in ("cpu", "cpuset", "memory", "pids", "unified"):
        (tmp_path / name).mkdir()
    (tmp_path / "cpuacct").symlink_to("cpu")
    (tmp_path / "unified" / "cgroup.controllers").write_text("hugetlb")
    (tmp_path / "unified" / "cgroup.subtree_control").write_text("")
    monkeypatch.setattr(groups, "_ROOT", tmp_path)
    return tmp_path


def test_version_1_has_a_group_in_every_hierarchy_and_lets_nothing_through(hybrid: Path) -> None:
    (hybrid / "cpu" / "drillbook").mkdir()
    (hybrid / "cpu" / "drillbook" / "cpu.shares").write_text("1024")
    groups.make("use1-n1")
    assert all((hybrid / name / "drillbook" / "use1-n1").is_dir() for name in ("cpu", "memory", "unified"))
    assert (hybrid / "cpu" / "drillbook" / "cpu.shares").read_text() == "16384"
    assert (hybrid / "unified" / "cgroup.subtree_control").read_text() == ""
    assert doctor._cgroups().found == "version 1"


def test_what_is_left_is_found_and_goes_away(hybrid: Path) -> None:
    assert groups.left() == ()
    for name in ("cpu", "memory"):
        (hybrid / name / "drillbook" / "use1-n1" / "kubepods").mkdir(parents=True)
    assert groups.left() == tuple(str(hybrid / name / "drillbook") for name in ("cpu", "memory"))
    groups.clear("use1-n1")
    assert not any((hybrid / name / "drillbook" / "use1-n1" / "kubepods").exists() for name in ("cpu", "memory"))
    assert (hybrid / "cpu" / "drillbook" / "use1-n1").is_dir()
    groups.remove()
    assert groups.left() == ()


def test_this_machines_own_hierarchies_are_found() -> None:
    """Read only."""
    assert all(path.is_dir() and not path.is_symlink() for path in groups._hierarchies())
