"""The twin as a whole: idempotent, mended after a crash, gone without remains. These replace the twin that is up."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from drillbook.twin import commands, down, fabric, machines, state
from drillbook.twin.layout import CLIENT, DATABASE_VOLUME, PROFILES, Machine
from drillbook.twin.network import inside

pytestmark = [pytest.mark.twin, pytest.mark.slow]
STAGING = PROFILES["staging"]
UP = [sys.executable, "-m", "drillbook", "twin", "up"]


def processes() -> set[int]:
    """The programs that the machines' supervisors started; what those start themselves comes and goes."""
    found = machines.processes_in([name for name in fabric.namespaces() if name != CLIENT.namespace])
    supervisors = {pid for pid in found if status_of(pid).get("NSpid", "").endswith("\t1")}
    return {pid for pid in found if int(status_of(pid).get("PPid", "0")) in supervisors}


def status_of(pid: int) -> dict[str, str]:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


@pytest.fixture(scope="module", autouse=True)
def twin():
    assert commands.bring_up("staging", replace=True) == 0


def test_up_twice_is_up_once(capsys):
    before = processes()
    assert before
    assert commands.bring_up("staging", replace=True) == 0
    assert processes() >= before, "a process was replaced by a second `twin up`"
    assert "building" not in capsys.readouterr().out


def tracked(machine: Machine, *arguments: str) -> str:
    return asked_of(machine, "conntrack", *arguments)


def translated(machine: Machine, *arguments: str) -> str:
    return asked_of(machine, "iptables", "-w", "5", "--table=nat", *arguments)


def asked_of(machine: Machine, *arguments: str) -> str:
    command = ["nsenter", f"--net=/run/netns/{machine.namespace}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout


def connection_to(node: Machine) -> socket.socket:
    """From where users are, to a port that its kubelet listens on."""
    with inside(CLIENT.namespace):
        connection = socket.socket()
    connection.settimeout(5.0)
    try:
        connection.connect((node.address, 10250))
    except OSError:
        connection.close()
        raise
    return connection


def test_a_lost_node_is_seen_and_brought_back(capsys):
    node = STAGING.regions[1].workers[1]
    # Somebody asks it for a connection that nobody answers any more.
    asked = ("--proto=tcp", f"--src={CLIENT.address}", f"--dst={node.address}", "--sport=7", "--dport=7")
    tracked(node, "--create", *asked, "--state=SYN_SENT", "--timeout=600")
    translated(node, "--new-chain", "BEFORE")
    with connection_to(node) as connection:
        machines.stop(node)
        with pytest.raises(TimeoutError):
            connection.recv(1)
    with pytest.raises(OSError) as error:  # noqa: PT011 - which one depends on how long nobody has heard of it
        connection_to(node)
    assert not isinstance(error.value, ConnectionError), "its network still answers"
    assert "SYN_SENT" in tracked(node, "--dump", *asked)
    assert commands.show_status() == commands.EXIT_REFUSED
    assert f"{node.name:<10} {node.address:<12} DOWN" in capsys.readouterr().out
    assert commands.bring_up("staging", replace=True) == 0
    assert commands.show_status() == 0
    assert tracked(node, "--dump", *asked) == ""
    assert "BEFORE" not in translated(node, "--list-rules")
    assert asked_of(node, "sysctl", "-n", "net.netfilter.nf_conntrack_tcp_timeout_syn_sent").strip() == "5"


def test_a_twin_all_of_whose_processes_died_at_once_is_brought_back_as_quickly_as_a_new_one():
    for machine in STAGING.machines:
        machines.stop(machine)
    assert commands.show_status() == commands.EXIT_REFUSED
    assert commands.bring_up("staging", replace=True) == 0
    assert commands.show_status() == 0
    for worker in STAGING.regions[0].workers:
        log = (worker.directory / "log" / "kubelet.log").read_text()
        assert "Failed to create existing container" not in log[log.rindex("Kubelet version") :], worker.name


def test_each_database_has_a_disk_of_its_own():
    for region in STAGING.regions:
        volume = region.workers[0].volume(DATABASE_VOLUME)
        command = machines.enter_command(region.workers[0], ["stat", "--file-system", "--format=%T", str(volume)])
        kind = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
        assert kind == "ext2/ext3", (region.name, kind)
        assert volume.stat().st_dev == volume.parent.stat().st_dev, "this machine has it mounted as well"


def test_nothing_leads_out_of_the_twin():
    for machine in STAGING.machines:
        routes = subprocess.run(
            ["ip", "-netns", machine.namespace, "route", "show", "default"], capture_output=True, text=True, check=True
        )
        assert routes.stdout == "", machine.name


def test_the_host_has_no_interface_or_mount_of_the_twins_but_the_namespaces():
    left = down.remains()
    assert left.interfaces == ()
    assert all("/netns/" in mount for mount in left.mounts)


def test_another_checkouts_twin_is_not_replaced_when_that_is_forbidden(monkeypatch, capsys):
    monkeypatch.setattr(state, "checkout", lambda: "/somewhere/else")
    before = processes()
    assert commands.bring_up("staging", replace=False) == commands.EXIT_REFUSED
    assert "belongs to" in capsys.readouterr().out
    assert processes() == before


@pytest.mark.slow
@pytest.mark.parametrize("after_s", [1.0, 5.0, 12.0, 25.0])
def test_a_twin_up_that_is_killed_half_way_is_mended_by_the_next(after_s):
    assert commands.take_down() == 0
    process = subprocess.Popen(UP, start_new_session=True)
    time.sleep(after_s)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert commands.bring_up("staging", replace=True) == 0
    assert commands.show_status() == 0


@pytest.mark.slow
def test_down_leaves_nothing_and_up_comes_back():
    assert commands.take_down() == 0
    left = down.remains()
    assert left.nothing, left
    assert commands.bring_up("staging", replace=True) == 0


@pytest.mark.slow
def test_the_development_profile_is_one_cluster_of_three_nodes():
    try:
        assert commands.bring_up("development", replace=True) == 0
        assert sorted(fabric.namespaces()) == sorted(
            [fabric.FABRIC_NAMESPACE, *(machine.namespace for machine in PROFILES["development"].machines)]
        )
    finally:
        assert commands.bring_up("staging", replace=True) == 0
