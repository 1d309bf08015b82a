"""Machines of the twin: each a process tree with namespaces of its own, under supervisor as PID 1.

Killing a machine's first process kills everything on it at once, as pulling the plug would, and the
kernel then drops its mounts: that is what makes `twin down` complete and a lost node a real loss. Its
network namespace outlives it, and would still answer and forward, so its cable is pulled first.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from drillbook.twin import fabric, groups
from drillbook.twin.errors import TwinError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from drillbook.twin.layout import Machine

_STOP_DEADLINE_S = 20.0
_START_DEADLINE_S = 20.0
_BOOT = "boot.sh"


class MachineError(TwinError):
    """A machine did not start or stop; the text has its log's path."""


@dataclass(frozen=True, slots=True)
class Program:
    """A long-running process of a machine; restarted when it ends.

    Attributes:
        name: Also the name of its log.
        command: Program and arguments; no shell.
        environment: Added to the machine's own.
        user: Account to run as; empty for root.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] | None = None
    user: str = ""


@dataclass(frozen=True, slots=True)
class Bind:
    """A directory of the machine's own in the place of one of the host's.

    Attributes:
        source: Host path; made when missing.
        target: Path as the machine sees it.
    """

    source: Path
    target: Path


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system of the machine's own, so that it can be full while this machine's disk is not.

    It is mounted through a loop device, which the kernel gives back when the machine dies. Where none can be had, or
    the directory holds data of a machine that had no such disk, the directory is used as it is, and the machine's
    `boot.log` says so.

    Attributes:
        directory: Where it is mounted, as the machine sees it; its image lies beside it.
        mib: Its size, of which only what is written takes room.
    """

    directory: Path
    mib: int

    @property
    def image(self) -> Path:
        """The file that holds it."""
        return self.directory.with_name(f"{self.directory.name}.ext4")

    def commands(self) -> list[str]:
        """Of the machine's boot: shell, which does not stop a boot."""
        made, image, directory = f"{self.image}.new", self.image, self.directory
        return [
            f"mkdir -p {directory}",
            (
                f'if [ -n "$(ls -A {directory})" ]; then echo "{directory}: has data already, and gets no disk"; '
                f"elif {{ [ -f {image} ] || {{ truncate --size={self.mib}M {made} && mkfs.ext4 -q -F -m 0 {made} && "
                f"mv {made} {image}; }}; }} && mount -o loop {image} {directory}; then :; "
                f'else echo "{directory}: gets no disk of its own: no loop device"; fi'
            ),
        ]


def start(
    machine: Machine, programs: Sequence[Program], binds: Sequence[Bind] = (), disks: Sequence[Disk] = ()
) -> None:
    """Start a machine that is not running; a running one with the same programs is left alone.

    Raises:
        MachineError: When it does not come up in 20 s.
    """
    configuration = _supervisor_configuration(machine, programs)
    path = machine.directory / "supervisord.conf"
    if is_running(machine):
        if path.is_file() and path.read_text() == configuration:
            _in_fabric(fabric.plug_in, machine)
            return
        stop(machine)
    machine.directory.mkdir(parents=True, exist_ok=True)
    (machine.directory / "log").mkdir(exist_ok=True)
    path.write_text(configuration)
    (machine.directory / _BOOT).write_text(_boot_script(machine, binds, disks))
    for bind in binds:
        bind.source.mkdir(parents=True, exist_ok=True)
    boot(machine)


def boot(machine: Machine) -> None:
    """Start a machine again as it was started last; one that runs is left alone, but for its cable.

    Raises:
        MachineError: When it was never started, or does not come up in 20 s.
    """
    if is_running(machine):
        _in_fabric(fabric.plug_in, machine)
        return
    script = machine.directory / _BOOT
    if not script.is_file():
        msg = f"machine {machine.name} was never started; bring the twin up first"
        raise MachineError(msg)
    # Of pods that died with the machine: the kubelet asks after each such group for 3 s before it starts a pod.
    groups.clear(machine.name)
    _in_fabric(fabric.forget, machine)
    _in_fabric(fabric.plug_in, machine)
    # What the last start left: by it nobody could tell that this one is done.
    (machine.directory / "supervisor.sock").unlink(missing_ok=True)
    # `setsid --fork` leaves at once: the machine is no child of whoever brings the twin up, and outlives it.
    command = [
        "setsid", "--fork", "nsenter", f"--net=/run/netns/{machine.namespace}", "--",
        "unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc",
        "--propagation", "private",
        "/bin/sh", str(script),
    ]  # fmt: skip
    with (machine.directory / "log" / "boot.log").open("ab") as log:
        subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env=_environment(), check=True
        )
    _wait_for_supervisor(machine)


def is_running(machine: Machine) -> bool:
    """Whether the machine's first process lives."""
    return _first_process(machine) is not None


def stop(*those: Machine) -> None:
    """Pull the plugs: nobody hears of a machine any more, its processes are killed, its mounts go with it.

    Raises:
        MachineError: When a process is still there after 20 s.
    """
    # The kernel says good-bye to everybody in the name of a process that is killed; a machine without power does not.
    for machine in those:
        _in_fabric(fabric.unplug, machine)
    end_processes(
        processes_in([machine.namespace for machine in those]), f"machine {', '.join(one.name for one in those)}"
    )


def enter_command(machine: Machine, command: Sequence[str]) -> list[str]:
    """A command line that runs `command` on a running machine.

    Raises:
        MachineError: When the machine is not running.
    """
    pid = _first_process(machine)
    if pid is None:
        msg = f"machine {machine.name} is not running; bring the twin up first"
        raise MachineError(msg)
    return ["nsenter", f"--target={pid}", "--mount", "--net", "--uts", "--ipc", "--pid", "--", *command]


def processes_in(namespaces: Sequence[str]) -> list[int]:
    """All processes whose network namespace is one of these, by asking the kernel and not a file of ours.

    Pods have network namespaces of their own but share their node's PID namespace's death: they are not listed.
    """
    wanted = {inode for name in namespaces if (inode := _inode(Path("/run/netns") / name)) is not None}
    return sorted(
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and int(entry.name) != os.getpid() and _inode(entry / "ns" / "net") in wanted
    )


def end_processes(pids: Sequence[int], whose: str) -> None:
    """Kill processes of the twin and wait until the kernel has let go of them.

    Raises:
        MachineError: When one is still there after 20 s.
    """
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    deadline = time.monotonic() + _STOP_DEADLINE_S
    while alive := [pid for pid in pids if _is_alive(pid)]:
        if time.monotonic() > deadline:
            msg = f"processes {alive} of {whose} are still there {_STOP_DEADLINE_S:.0f} s after SIGKILL"
            raise MachineError(msg)
        time.sleep(0.02)


def _boot_script(machine: Machine, binds: Sequence[Bind], disks: Sequence[Disk]) -> str:
    lines = [
        "set -e",
        f"hostname {machine.name}",
        "mount -t tmpfs -o mode=755 tmpfs /run",
        "mkdir -p /run/lock /run/netns",
    ]
    lines += [f"mount --bind {bind.source} {bind.target}" for bind in binds]
    lines += [command for disk in disks for command in disk.commands()]
    lines += [
        "mount --make-rshared /",
        f"exec {sys.executable} -m supervisor.supervisord -c {machine.directory}/supervisord.conf",
    ]
    return "\n".join(lines) + "\n"


def _supervisor_configuration(machine: Machine, programs: Sequence[Program]) -> str:
    log = machine.directory / "log"
    text = textwrap.dedent(f"""\
        [supervisord]
        nodaemon=true
        user=root
        logfile={log}/supervisord.log
        logfile_maxbytes=1MB
        logfile_backups=1
        pidfile=/run/supervisord.pid
        childlogdir={log}
        minfds=16384

        [unix_http_server]
        file={machine.directory}/supervisor.sock
        chmod=0700

        [rpcinterface:supervisor]
        supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
        """)
    for program in programs:
        text += textwrap.dedent(f"""\

            [program:{program.name}]
            command={" ".join(_quote(word) for word in program.command)}
            redirect_stderr=true
            stdout_logfile={log}/{program.name}.log
            stdout_logfile_maxbytes=10MB
            stdout_logfile_backups=1
            autorestart=true
            startsecs=1
            startretries=1000000
            stopwaitsecs=10
            """)
        if program.user:
            text += f"user={program.user}\n"
        if program.environment:
            pairs = ",".join(f'{name}="{_escape(value)}"' for name, value in program.environment.items())
            text += f"environment={pairs}\n"
    return text


def _quote(word: str) -> str:
    escaped = _escape(word)
    return f'"{escaped}"' if any(c in word for c in " ;'") else escaped


def _escape(text: str) -> str:
    return text.replace("%", "%%")


def _environment() -> dict[str, str]:
    """What a machine's processes inherit: a path and nothing of the caller's, which may hold secrets."""
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/15/bin"
    return {"PATH": path, "LANG": "C.UTF-8", "HOME": "/root"}


def _in_fabric(change: Callable[[Machine], None], machine: Machine) -> None:
    try:
        change(machine)
    except fabric.FabricError as error:
        msg = f"the network of machine {machine.name} could not be changed: {error}"
        raise MachineError(msg) from error


def _wait_for_supervisor(machine: Machine) -> None:
    deadline = time.monotonic() + _START_DEADLINE_S
    socket = machine.directory / "supervisor.sock"
    while not (socket.exists() and _first_process(machine) is not None):
        if time.monotonic() > deadline:
            log = machine.directory / "log" / "boot.log"
            msg = f"machine {machine.name} did not start within {_START_DEADLINE_S:.0f} s: {_tail(log)}\nsee {log}"
            raise MachineError(msg)
        time.sleep(0.02)


def _first_process(machine: Machine) -> int | None:
    """PID, as the host sees it, of the machine's PID 1."""
    inside = processes_in([machine.namespace])
    for pid in inside:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        levels = fields.get("NSpid", "").split()
        if len(levels) > 1 and levels[-1] == "1" and not fields.get("State", "").startswith("Z"):
            return pid
    return None


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except (FileNotFoundError, PermissionError, ProcessLookupError):
        return None
    return found.st_dev, found.st_ino


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in {"Z", "X"}


def _tail(path: Path, lines: int = 15) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.is_file() else "(no log)"


def discard(machine: Machine) -> None:
    """Delete a stopped machine's state."""
    shutil.rmtree(machine.directory, ignore_errors=False) if machine.directory.exists() else None
