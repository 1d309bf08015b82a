"""What a killed `twin up` has left of the network half-made is made again, and all else stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from drillbook.twin import fabric
from drillbook.twin.layout import CLIENT, PROFILES

STAGING = PROFILES["staging"]
_BRIDGE_MADE = "link add fabric0 type bridge forward_delay 0"


class Network:
    """As much of `ip` and `mount` as makes namespaces, and dies when it is told to.

    Attributes:
        directory: Of the namespaces' names.
        mounted: Those that the kernel knows; the others are files.
        done: All that was done.
        ends_before: What it does not come to any more.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.mounted: set[str] = set()
        self.links: dict[str, set[str]] = {}
        self.done: list[str] = []
        self.ends_before = ""

    def run(self, command: list[str], text: str | None = None) -> str:
        """One command, or each of a batch."""
        for line in (text or "").splitlines():
            self._note(line)
            words = line.split()
            if words[:2] == ["link", "add"]:
                assert words[2] not in self.links[command[2]], f"{words[2]} exists"
                self.links[command[2]].add(words[2])
        if text is not None:
            return ""
        self._note(" ".join(command))
        match command:
            case ["ip", "netns", "add", name]:
                assert not (self.directory / name).exists(), f"{name} exists"
                (self.directory / name).touch()
                self._note("mount of ip netns add")
                self._mount(name)
            case ["ip", "netns", "delete", name]:
                (self.directory / name).unlink()
                self.mounted.discard(name)
            case ["mount", "--bind", _, target]:
                self._mount(target.rpartition("/")[2])
            case ["ip", "-netns", name, "-brief", "link"]:
                return "".join(f"{link}@if2 UP\n" for link in sorted(self.links[name]))
            case ["ip", "-netns", name, "link", "delete", link]:
                self.links[name].remove(link)
            case _:
                raise AssertionError(command)
        return ""

    def _mount(self, name: str) -> None:
        self.mounted.add(name)
        self.links[name] = set()

    def _note(self, what: str) -> None:
        if self.ends_before and what.startswith(self.ends_before):
            raise KeyboardInterrupt
        self.done.append(what)


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Network:
    """A machine without a twin."""
    made = Network(tmp_path)
    monkeypatch.setattr(fabric, "_NAMESPACES", tmp_path)
    monkeypatch.setattr(fabric, "_run", made.run)
    monkeypatch.setattr(fabric, "_is_namespace", lambda name: name in made.mounted)
    return made


def whole(network: Network) -> bool:
    names = {fabric.FABRIC_NAMESPACE, *(machine.namespace for machine in STAGING.machines)}
    ports = {f"to-{machine.name}" for machine in STAGING.machines}
    return network.mounted == names == set(fabric.namespaces()) and network.links[fabric.FABRIC_NAMESPACE] >= ports


@pytest.mark.parametrize("moment", [
    "mount of ip netns add", _BRIDGE_MADE, "link set fabric0 up", f"ip netns add {CLIENT.namespace}.new",
    f"link add to-{CLIENT.name}", f"link set to-{CLIENT.name} master", "address add", "mount --bind",
    f"ip netns delete {CLIENT.namespace}.new", "route replace",
])  # fmt: skip
def test_it_is_mended_whenever_it_was_killed(network: Network, moment: str) -> None:
    network.ends_before = moment
    with pytest.raises(KeyboardInterrupt):
        fabric.lay(STAGING)
    network.ends_before = ""
    fabric.lay(STAGING)
    assert whole(network)
    assert network.done.count(_BRIDGE_MADE) == 1
    assert "link set fabric0 up" in network.done


def test_what_is_whole_stays(network: Network) -> None:
    fabric.lay(STAGING)
    assert whole(network)
    network.done.clear()
    fabric.lay(STAGING)
    assert whole(network)
    assert not [what for what in network.done if "add" in what.split() or "delete" in what]


def test_a_file_that_no_namespace_is_mounted_on_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fabric, "_NAMESPACES", tmp_path)
    (tmp_path / "drillbook-client").touch()
    assert not fabric._is_namespace("drillbook-client")


def test_a_namespace_is_known_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process' own, which lies on the same kind of file system as those with names."""
    monkeypatch.setattr(fabric, "_NAMESPACES", Path("/proc/self/ns"))
    assert fabric._is_namespace("net")
