"""Signing by an SSH agent: the real one where this machine has it, and one that a test scripts."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from drillbook.drivers.ssh_agent import SshAgent
from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ANY = "SHA256:uNiVztksCsDhcc0u9e8BrPXVUDXuFOu7s57NDQFqjjg"


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[tuple[SshAgent, str]]:
    """The real agent with a key, and the key's fingerprint."""
    if not all(map(shutil.which, ("ssh-agent", "ssh-add", "ssh-keygen"))):
        pytest.skip("this machine has no ssh-agent (openssh-client)")
    path, key = tmp_path / "agent", tmp_path / "key"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        environment = {**os.environ, "SSH_AUTH_SOCK": str(path)}
        subprocess.run(["ssh-add", "-q", str(key)], check=True, env=environment)
        listed = subprocess.run(["ssh-add", "-l"], check=True, env=environment, capture_output=True, text=True).stdout
        yield SshAgent(str(path)), listed.split()[1]
        process.terminate()


def test_what_the_agent_signs_is_its_keys(agent):
    asked, fingerprint = agent
    key = Ed25519PublicKey.from_public_bytes(asked.public_key(fingerprint))
    key.verify(asked.signature(fingerprint, b"data"), b"data")


def test_a_key_that_the_agent_lacks_is_named(agent):
    with pytest.raises(Unreachable, match=f"has no key {ANY}"):
        agent[0].public_key(ANY)


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[Callable[[bytes], SshAgent]]:
    """An agent that gives one answer and hangs up."""
    threads: list[threading.Thread] = []
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "scripted"))
    listening.listen()
    listening.settimeout(5)

    def answering(answer: bytes) -> SshAgent:
        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        return SshAgent(str(tmp_path / "scripted"))

    yield answering
    for thread in threads:
        thread.join()
    listening.close()


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"", "hung up"),
        (struct.pack(">I", 1) + b"\x05", "refused"),
        (struct.pack(">I", 2**31), "no SSH agent"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "no SSH agent"),
        (struct.pack(">IBI", 5, 12, 0), "has no key"),
        (struct.pack(">IBII", 9, 12, 1, 99), "breaks off"),
    ],
)
def test_an_odd_answer_signs_nothing(scripted, answer, says):
    with pytest.raises(Unreachable, match=says):
        scripted(answer).signature(ANY, b"data")


def test_an_agent_that_is_not_there_is_named(tmp_path):
    with pytest.raises(Unreachable, match="nowhere does not answer"):
        SshAgent(str(tmp_path / "nowhere")).public_key(ANY)
