"""Two runs at once, a hundred times: never both inside."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise

import pytest

from drillbook.twin.layout import CLIENT, PROFILES

pytestmark = pytest.mark.twin

ROUNDS = 100
CONTENDER = """
import json, os, sys, time
from pathlib import Path
from drillbook.drivers.kubernetes import connect
from drillbook.drivers.kubernetes_lease import KubernetesLease
from drillbook.drivers.reach import enter_network

kubeconfig, network, rounds = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
enter_network(network)
lock = KubernetesLease(connect(kubeconfig), name="contended", sleep=lambda _: time.sleep(0.002))
for _ in range(rounds):
    holder = lock.acquire(f"contender {os.getpid()}", wait_s=60)
    began = time.monotonic()
    time.sleep(0.003)
    lock.check()
    ended = time.monotonic()
    lock.release()
    print(json.dumps([began, ended, holder.fencing]), flush=True)
"""


def test_two_that_start_together_are_never_both_inside():
    kubeconfig = PROFILES["staging"].regions[0].kubeconfig
    command = [sys.executable, "-c", CONTENDER, str(kubeconfig), CLIENT.namespace, str(ROUNDS)]
    contenders = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = [contender.communicate(timeout=300)[0] for contender in contenders]
    assert [contender.returncode for contender in contenders] == [0, 0]
    stays = sorted(json.loads(line) for text in printed for line in text.splitlines())
    assert len(stays) == 2 * ROUNDS
    for former, latter in pairwise(stays):
        assert former[1] <= latter[0], "both were inside"
        assert former[2] < latter[2], "a fencing token was given twice"
    changes = sum(text.splitlines() != [] for text in printed)
    print(f"{len(stays)} stays of {changes} contenders, none beside another")
