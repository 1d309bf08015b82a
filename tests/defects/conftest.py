"""Drilling the twin with something wrong on purpose, and reading what the drill made of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from drillbook.domain.verdict import Verdict
from drillbook.twin.layout import CLIENT, PROFILES, state_directory
from features.rejudge import judge

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from drillbook.evidence.rejudge import Rejudged
    from drillbook.twin.layout import Region

PROJECT = Path(__file__).resolve().parents[2]
_DRILL_DEADLINE_S = 900.0
_EVENT_DEADLINE_S = 300.0
PSQL = (
    "exec", "postgres-0", "--namespace=data", "--container=postgres", "--", "psql", "--host=/run/postgresql",
    "--username=postgres", "-Atc",
)  # fmt: skip
"""For kubectl, before a statement: a region's database is asked by its superuser."""


@dataclass(frozen=True)
class Outcome:
    """What a drill made of a defect."""

    code: int
    checks: list[dict[str, Any]]
    drills: list[dict[str, Any]]
    output: str
    environment: Path
    judged_again: Rejudged

    def recover(self) -> subprocess.CompletedProcess[str]:
        """`drillbook recover` in the drill's environment."""
        command = [sys.executable, "-m", "drillbook", "recover", "--environment", str(self.environment)]
        return subprocess.run(
            command, cwd=PROJECT, capture_output=True, text=True, timeout=_DRILL_DEADLINE_S, check=False
        )

    def verdict_of(self, check_id: str) -> set[str]:
        """Verdicts of all checks of this id."""
        return {check["verdict"] for check in self.checks if check["objective"]["id"].startswith(check_id)}

    def not_passed(self) -> dict[str, str]:
        """Id and reason of each check that did not pass."""
        return {
            check["objective"]["id"]: f"{check['verdict']}: {check['objective']['statement']}: {check['reason']}"
            for check in self.checks
            if check["verdict"] != "PASS"
        }

    def __str__(self) -> str:
        reasons = "\n".join(self.not_passed().values())
        return f"exit code {self.code}\n{reasons}\n{self.output[-3000:]}"


@dataclass(frozen=True)
class Saboteur:
    """Waits for a moment of the drill and then does something to the twin."""

    runs: Path
    region: Region = PROFILES["staging"].regions[0]

    def after(self, kind: str, name: str) -> None:
        """Wait until the timeline has this event."""
        deadline = time.monotonic() + _EVENT_DEADLINE_S
        while time.monotonic() < deadline:
            for path in self.runs.glob("*/timeline.jsonl"):
                for line in path.read_text().splitlines():
                    if f'"kind": "{kind}"' in line and f'"{name}"' in line:
                        return
            time.sleep(0.05)
        raise TimeoutError(f"the drill never came to {name} ({kind})")

    def kubectl(self, *arguments: str, given: str | None = None) -> str:
        """As the administrator of the region; `given` is its standard input."""
        return kubectl(self.region, *arguments, given=given)

    def wait_for(self, wanted: str, *arguments: str) -> None:
        """Wait until `kubectl` prints this."""
        deadline = time.monotonic() + _EVENT_DEADLINE_S
        while (printed := self.kubectl(*arguments)) != wanted:
            if time.monotonic() > deadline:
                raise TimeoutError(f"kubectl {' '.join(arguments)} printed {printed!r} to the last, and not {wanted!r}")
            time.sleep(0.5)

    def kill_pods(self, slot: str) -> None:
        """SIGKILL for what runs in a slot's pods of the primary region: no drain, no word to the gateway."""
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    inside = (entry / "environ").read_bytes().split(b"\0")
                except (FileNotFoundError, ProcessLookupError, PermissionError):
                    continue
                if {f"SLOT={slot}".encode(), b"REGION=us-east-1"} <= set(inside):
                    os.kill(int(entry.name), signal.SIGKILL)

    def load_process(self) -> int:
        """PID of the load."""
        return process_of("loadtests", str(self.runs))


def kubectl(region: Region, *arguments: str, given: str | None = None, within_s: float = 60.0) -> str:
    """As the administrator of a region; answers what it printed. `given` is its standard input."""
    command = [
        "nsenter", f"--net=/run/netns/{CLIENT.namespace}", str(state_directory() / "bin" / "kubectl"),
        f"--kubeconfig={region.kubeconfig}", *arguments,
    ]  # fmt: skip
    return subprocess.run(command, input=given, capture_output=True, text=True, timeout=within_s, check=True).stdout


def process_of(module: str, told: str = "") -> int:
    """PID of a process that was started as this Python module, and was told something besides."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if module.encode() in words and told.encode() in b" ".join(words):
                return int(entry.name)
    raise ProcessLookupError(f"no process runs {module} {told}".strip())


@pytest.fixture
def drilled(tmp_path: Path) -> Callable[..., Outcome]:
    """Drill one scenario in an environment that is the twin's but for what is wrong with it."""

    def drill(
        scenario: str,
        *,
        release: Mapping[str, object] | None = None,
        change: Callable[[dict[str, Any]], None] | None = None,
        sabotage: Callable[[Saboteur], None] | None = None,
        only: str = "",
        programs: Path | None = None,
    ) -> Outcome:
        environment = _environment(tmp_path, release or {}, change)
        runs = tmp_path / "runs"
        runs.mkdir()
        errors: list[BaseException] = []
        if sabotage is not None:
            threading.Thread(target=_guarded, args=(sabotage, Saboteur(runs), errors), daemon=True).start()
        command = [
            sys.executable, "-m", "pytest", "features", "-q", f"--environment={environment}", f"--runs={runs}",
            "-k", scenario, "--lock-wait=120", f"--only={only}",
        ]  # fmt: skip
        # What stands in the place of programs that the harness calls.
        path = os.environ["PATH"] if programs is None else f"{programs}:{os.environ['PATH']}"
        done = subprocess.run(
            command, cwd=PROJECT, capture_output=True, text=True, timeout=_DRILL_DEADLINE_S, check=False,
            env={**os.environ, "PATH": path},
        )  # fmt: skip
        assert not errors, errors
        output = done.stdout + done.stderr
        [run] = runs.iterdir()
        # Whatever was wrong with the platform, the run's own raw data must say what its record says.
        again = judge(run)
        assert again.agreement is not Verdict.FAIL, again
        return Outcome(done.returncode, _lines(runs, "checks.jsonl"), _drills(runs), output, environment, again)

    return drill


def _environment(
    tmp_path: Path, release: Mapping[str, object], change: Callable[[dict[str, Any]], None] | None
) -> Path:
    yaml = YAML(typ="safe", pure=True)
    document = yaml.load((PROJECT / "environments" / "twin.yaml").read_text())
    document["name"] = "defect"
    if release:
        document["releases"]["overrides"]["1.1.0"] = dict(release)
    if change is not None:
        change(document)
    directory = tmp_path / "environments"
    directory.mkdir()
    (tmp_path / "system").symlink_to(PROJECT / "system")
    path = directory / "defect.yaml"
    with path.open("w") as file:
        yaml.dump(document, file)
    return path


def _guarded(sabotage: Callable[[Saboteur], None], saboteur: Saboteur, errors: list[BaseException]) -> None:
    try:
        sabotage(saboteur)
    except BaseException as error:  # noqa: BLE001 -- told by the test's own thread
        errors.append(error)


def _lines(runs: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for path in runs.glob(f"*/{name}") for line in path.read_text().splitlines()]


def _drills(runs: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in runs.glob("*/drills/*/drill.json")]
