"""Killing parts of a run at a boundary of its undo journal, and looking whether the platform is as it was."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from drillbook.run import processes
from drillbook.run.folder import DRILL_VARIABLE, FOLDER_VARIABLE
from drillbook.twin import backups, vault_contents, vaults
from drillbook.twin.layout import CLIENT, DNS_ADDRESS, PROFILES, PUBLIC_NAME, state_directory
from drillbook.twin.network import inside

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from drillbook.twin.layout import Machine

PROJECT = Path(__file__).resolve().parents[2]
RUN_WITHIN_S = 700.0
BOUNDARY_WITHIN_S = 400.0
PARTS_WITHIN_S = 30.0
RESTORED_WITHIN_S = 90.0
_CLEAN = "everything is as it was"
_VAULT = "/api/v1/namespaces/vault/services/http:openbao:8200/proxy/v1/sys/seal-status"
_DATABASES = ("f|0|0|0|f", "t|0|1|0|f")
"""By region: is it a standby, are writes held, does it stream, connections held, is there ballast; no orders."""
_APPLICATIONS = (("postgres.data.svc.cluster.local", "2"), ("10.77.1.11", "1"))
"""By region: the database that is tried first, and the pods of the live slot."""


@dataclass
class Run:
    """A run of one scenario.

    Attributes:
        process: Its runner.
        runs: Where its folder is.
        output: What it printed.
    """

    process: subprocess.Popen[bytes]
    runs: Path
    output: Path

    @property
    def folder(self) -> Path | None:
        return next(iter(self.runs.glob("*/")), None)

    @property
    def _timeline(self) -> Path:
        assert self.folder is not None
        return self.folder / "timeline.jsonl"

    @property
    def boundary(self) -> int:
        """How many states of changes the undo journal has; -1 before there is load."""
        if self.folder is None:
            return -1
        timeline, journal = self._timeline, self.folder / "undo.jsonl"
        if not journal.is_file() and (
            not timeline.is_file() or b"users and meter are on the platform" not in timeline.read_bytes()
        ):
            return -1
        return journal.read_bytes().count(b"\n") if journal.is_file() else 0

    def wait_for_boundary(self, boundary: int) -> None:
        """Return within a millisecond or so of the journal's having this many lines."""
        self._wait_for(lambda: self.boundary >= boundary, f"boundary {boundary}")

    def wait_for_event(self, kind: str, activity: str) -> None:
        """Likewise of the timeline's having it."""
        words = f'"kind": "{kind}"', f'"activity": "{activity}"'
        self._wait_for(
            lambda: (
                self.boundary >= 0
                and self._timeline.is_file()
                and any(all(word in line for word in words) for line in self._timeline.read_text().splitlines())
            ),
            f"{activity} ({kind})",
        )

    def _wait_for(self, come: Callable[[], bool], where: str) -> None:
        give_up = time.monotonic() + BOUNDARY_WITHIN_S
        while not come():
            assert self.process.poll() is None, f"the run ended before {where}: {self.output.read_text()}"
            assert time.monotonic() < give_up, f"the run did not come to {where}"
            time.sleep(0.001)

    def wait_for_parts(self, parts: Sequence[str]) -> None:
        """Return once each is there: before the first change, the experiment may not have begun."""
        give_up = time.monotonic() + PARTS_WITHIN_S
        while missing := [part for part in parts if not self.pids(part)]:
            assert self.process.poll() is None, f"the run ended without {' and '.join(missing)}"
            assert time.monotonic() < give_up, f"there was no {' and no '.join(missing)} within {PARTS_WITHIN_S:g} s"
            time.sleep(0.01)

    def pids(self, part: str) -> list[int]:
        """Processes of a part of the run: `runner`, `experiment`, `load` or `watchdog`."""
        if part == "runner":
            return [self.process.pid]
        assert self.folder is not None
        marked = processes.carrying({FOLDER_VARIABLE: str(self.folder)})
        if part == "experiment":
            return processes.carrying({FOLDER_VARIABLE: str(self.folder), DRILL_VARIABLE: self.drill})
        word = {"load": b"loadtests", "watchdog": b"drillbook.beside.watchdog"}[part]
        return [pid for pid in marked if word in words_of(pid)]

    @property
    def drill(self) -> str:
        assert self.folder is not None
        return next((self.folder / "drills").iterdir()).name

    def kill(self, parts: Sequence[str], number: int = signal.SIGKILL) -> list[int]:
        """All at once, so that none can react to another's end."""
        pids = [pid for part in parts for pid in self.pids(part)]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return pids

    def end(self) -> int:
        """Wait for its own end; answers its exit code."""
        return self.process.wait(RUN_WITHIN_S)

    def lines(self, name: str) -> list[dict[str, Any]]:
        assert self.folder is not None
        return [json.loads(line) for line in (self.folder / name).read_text().splitlines()]


def words_of(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


class Twin:
    """The platform, asked without any of the harness' own code for it."""

    def kubectl(self, *arguments: str, region: int = 0) -> str:
        command = [
            "nsenter", f"--net=/run/netns/{CLIENT.namespace}", str(state_directory() / "bin" / "kubectl"),
            f"--kubeconfig={PROFILES['staging'].regions[region].kubeconfig}", *arguments,
        ]  # fmt: skip
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout

    def left(self) -> str:
        """What differs from the starting state; a fixed sentence when nothing does."""
        differences: list[str] = []
        route = json.loads(self.kubectl("get", "httproute", "analytics", "-n", "analytics", "-o", "json"))
        weights = {ref["name"]: ref["weight"] for ref in route["spec"]["rules"][-1]["backendRefs"]}
        if weights != {"analytics-blue": 100, "analytics-green": 0}:
            differences.append(f"weights {weights}")
        everything = json.loads(
            self.kubectl("get", "deployments,pods,services,pdb,secrets", "-n", "analytics", "-o", "json")
        )
        names = [f"{item['kind']} {item['metadata']['name']}" for item in everything["items"]]
        differences += [name for name in names if "green" in name and name != "Service analytics-green"]
        blue = next(
            i for i in everything["items"] if i["kind"] == "Deployment" and i["metadata"]["name"].endswith("blue")
        )
        if not blue["status"].get("readyReplicas") == blue["spec"]["replicas"] == 2:
            differences.append(f"blue has {blue['status'].get('readyReplicas')} of {blue['spec']['replicas']} pods")
        blue_on = {
            item["spec"].get("nodeName")
            for item in everything["items"]
            if item["kind"] == "Pod" and "blue" in item["metadata"]["name"]
        }
        if len(blue_on) == 1:
            differences.append(f"all pods of blue are on node {blue_on.pop()}")
        differences += self.left_by_faults()
        differences += self.left_in_database()
        for region in range(2):
            documents = self.kubectl("get", "configmaps", "-n", "drillbook", "-o", "name", region=region).split()
            differences += [f"{name} in region {region}" for name in documents if "undo-" in name]
        differences += [
            f"the database of region {region} is {found!r}"
            for region, wanted in enumerate(_DATABASES)
            if (found := self.database(region)) != wanted
        ]
        differences += [
            f"the database of region {region} is asked for {replicas or 'no'} times"
            for region in range(2)
            if (replicas := self.servers_asked_for(region)) != "1"
        ]
        differences += self.led_elsewhere()
        differences += self.unserved()
        return "; ".join(differences) or _CLEAN

    def unserved(self) -> list[str]:
        """Whether users are answered at each address: pods may be ready while a node leads to those of before."""
        found: list[str] = []
        with inside(CLIENT.namespace):
            for worker in PROFILES["staging"].regions[0].workers:
                try:
                    for _ in range(10):
                        requests.get(
                            f"http://{worker.address}/healthz", headers={"Host": PUBLIC_NAME, "Connection": "close"},
                            timeout=3,
                        ).raise_for_status()  # fmt: skip
                except requests.RequestException as error:
                    found.append(f"users at {worker.address} are not served: {error}")
        return found

    def led_elsewhere(self) -> list[str]:
        """Whether the other region is still prepared for everybody, or users are led there."""
        found: list[str] = []
        for region, (host, replicas) in enumerate(_APPLICATIONS):
            hosts = self.kubectl(
                "get", "configmap", "analytics-database", "-n", "analytics", "-o", "jsonpath={.data.hosts}",
                region=region,
            )  # fmt: skip
            pods = self.kubectl(
                "get", "deployment", "analytics-blue", "-n", "analytics", "-o", "jsonpath={.spec.replicas}",
                region=region,
            )  # fmt: skip
            if (hosts.split(",")[0], pods) != (host, replicas):
                found.append(f"the application of region {region} has {pods} pods and tries {hosts}")
        address = subprocess.run(
            ["nsenter", f"--net=/run/netns/{CLIENT.namespace}", "dig", "+short", "+time=3", f"@{DNS_ADDRESS}",
             PUBLIC_NAME], capture_output=True, text=True, timeout=20, check=True,
        ).stdout.split()  # fmt: skip
        home = {worker.address for worker in PROFILES["staging"].regions[0].workers}
        return [*found, *([] if address and set(address) <= home else [f"users are led to {address}"])]

    def database(self, region: int) -> str:
        """What a region's server says it is, and what it was last ordered to be."""
        orders = self.kubectl(
            "get", "configmap", "postgres-orders", "-n", "data", "--ignore-not-found", "-o", "jsonpath={.data.orders}",
            region=region,
        )  # fmt: skip
        try:
            said = self.kubectl(
                "exec", "postgres-0", "-n", "data", "-c", "postgres", "--", "psql", "-h", "/run/postgresql", "-XAtc",
                "SELECT pg_is_in_recovery(), count(*) FILTER (WHERE name = 'default_transaction_read_only'), (SELECT "
                "count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'), (SELECT count(*) FROM "
                "pg_stat_activity WHERE application_name = 'drillbook-holds'), (SELECT size IS NOT NULL FROM "
                "pg_stat_file('/var/lib/postgresql/drillbook-ballast', true)) FROM pg_file_settings", region=region,
            )  # fmt: skip
        except subprocess.CalledProcessError as error:
            said = error.stderr
        return f"{said.strip()} {orders}".strip()

    def servers_asked_for(self, region: int) -> str:
        """One that is not may answer for a while."""
        return self.kubectl(
            "get", "statefulset", "postgres", "-n", "data", "-o", "jsonpath={.spec.replicas}", region=region
        )

    def jobs(self) -> list[str]:
        """Those of drills beside the database, whatever their state."""
        names = self.kubectl("get", "jobs", "-n", "data", "-o", "jsonpath={.items[*].metadata.name}").split()
        return [name for name in names if name.startswith("drill-")]

    def left_in_database(self) -> list[str]:
        """A table that is gone or kept aside, and jobs that might put one back."""
        found = self.kubectl(
            "exec", "postgres-0", "-n", "data", "-c", "postgres", "--", "psql", "-h", "/run/postgresql", "-XAtc",
            "SELECT to_regclass('public.events') IS NOT NULL, to_regnamespace('drillbook_aside') IS NULL", "analytics",
        ).strip()  # fmt: skip
        return [*([] if found == "t|t" else [f"public.events is there, and nothing aside: {found}"]), *self.jobs()]

    def left_by_faults(self) -> list[str]:
        """What faults take away and has not come back, and what only they make."""
        nodes = json.loads(self.kubectl("get", "nodes", "-o", "json"))["items"]
        found = [f"node {node['metadata']['name']} is cordoned" for node in nodes if node["spec"].get("unschedulable")]
        found += [f"node {node['metadata']['name']} is not ready" for node in nodes if not is_ready(node)]
        dns = json.loads(self.kubectl("get", "deployment", "coredns", "-n", "kube-system", "-o", "json"))
        if not dns["status"].get("readyReplicas") == dns["spec"]["replicas"] == 1:
            found.append(f"DNS has {dns['status'].get('readyReplicas')} of {dns['spec']['replicas']} pods")
        found += self.vault()
        machines = PROFILES["staging"].machines
        found += [f"packets are dropped in {machine.name}" for machine in machines if drops(machine)]
        helpers = self.kubectl(
            "get", "pods", "-A", "-l", "app.kubernetes.io/name=drillbook-fault", "-o", "name"
        ).split()
        return [*found, *helpers]

    def markers(self) -> list[str]:
        """What drills have left in the buckets and the vaults, as their administrators list it."""
        found: list[str] = []
        with inside(CLIENT.namespace):
            for region in PROFILES["staging"].regions:
                store = backups.client(region, backups.key("owner"))
                listed = store.list_objects_v2(Bucket=backups.FILES, Prefix=f"{vault_contents.OURS}/").get(
                    "Contents", ()
                )
                found += [f"{it['Key']} in {region.name}" for it in listed]
                token = json.loads(vaults.made(region).read_text())["root_token"]
                url = f"{vaults.url(region)}/{vault_contents.MOUNT}/metadata/{vault_contents.OURS}"
                answer = requests.get(f"{url}?list=true", headers={"X-Vault-Token": token}, timeout=10)
                found += [f"{key} in {region.name}" for key in answer.json().get("data", {}).get("keys", ())]
        return found

    def vault(self) -> list[str]:
        try:
            sealed = json.loads(self.kubectl("get", "--raw", _VAULT))["sealed"]
        except subprocess.CalledProcessError as error:
            return [f"the vault does not answer: {error.stderr.strip()}"]
        return ["the vault is sealed"] if sealed else []

    @property
    def clean(self) -> bool:
        return self.left() == _CLEAN

    def left_as_far_as_seen(self) -> str:
        """The same; a region that does not answer is no starting state."""
        try:
            return self.left()
        except subprocess.CalledProcessError as error:
            return f"{' '.join(error.cmd[-6:])}: {error.stderr.strip()}"
        except subprocess.TimeoutExpired as error:
            return f"no answer within {error.timeout:g} s"

    def wait_until_clean(self, deadline_s: float = RESTORED_WITHIN_S) -> None:
        give_up = time.monotonic() + deadline_s
        while (left := self.left_as_far_as_seen()) != _CLEAN:
            assert time.monotonic() < give_up, f"after {deadline_s:g} s there is still: {left}"
            time.sleep(0.25)


def is_ready(node: dict[str, Any]) -> bool:
    return any(told["type"] == "Ready" and told["status"] == "True" for told in node["status"]["conditions"])


def drops(machine: Machine) -> bool:
    """Whether its packet filters have a chain that only faults make."""
    command = ["nsenter", f"--net=/run/netns/{machine.namespace}", "iptables", "-w", "5", "-S"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    return "-N DRILLBOOK-" in told


@pytest.fixture(scope="session")
def twin() -> Twin:
    found = Twin()
    found.wait_until_clean()
    return found


@pytest.fixture
def start(tmp_path: Path) -> Generator[Callable[..., Run]]:
    """Start a run of one scenario; none of it outlives the test."""
    made: list[Run] = []

    def begin(scenario: str, *arguments: str, environment: Path | str = "twin", wait: float = 300) -> Run:
        number = len(made)
        runs, output = tmp_path / f"runs-{number}", tmp_path / f"output-{number}"
        runs.mkdir(exist_ok=True)
        # Tests that run in the background have SIGINT ignored, and a run would respect that.
        command = [
            "env", "--default-signal=INT,HUP", sys.executable, "-m", "pytest", "features", "-q",
            f"--environment={environment}", f"--runs={runs}", "-k", scenario, f"--lock-wait={wait}", *arguments,
        ]  # fmt: skip
        with output.open("wb") as file:
            process = subprocess.Popen(command, cwd=PROJECT, stdout=file, stderr=file, start_new_session=True)
        made.append(Run(process, runs, output))
        return made[-1]

    yield begin
    for run in made:
        if run.process.poll() is None:
            run.process.terminate()
            run.process.wait(RUN_WITHIN_S)


def recover() -> subprocess.CompletedProcess[str]:
    """From what might be another machine: nothing but the environment file."""
    return subprocess.run(
        [sys.executable, "-m", "drillbook", "recover", "--environment", "twin"],
        cwd=PROJECT, capture_output=True, text=True, timeout=RUN_WITHIN_S, check=False,
    )  # fmt: skip
