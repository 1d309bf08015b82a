"""Flagger at work on the twin: brought up, given releases, taken away again."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from benchmarks.peers import flagger_objects as objects
from benchmarks.peers import harm
from drillbook import wiring
from drillbook.run.clock import SteadyClock
from drillbook.run.load import Load
from drillbook.twin import golang
from drillbook.twin.kubectl import ClusterError, Kubectl, wait_until
from drillbook.twin.layout import PROFILES, state_directory
from drillbook.twin.state import write_private

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drillbook.domain.environment import Environment

FLAGGER = golang.Program(
    "flagger", "1.36.1", "github.com/fluxcd/flagger/cmd/flagger", 120, modules=Path(__file__).parent / "go"
)
_UP_S, _GONE_S, _TRIAL_S, _RUNNING_S = 180.0, 120.0, 240.0, 30.0
_PORT = 18083
_LABEL = "drillbook.test/peer"
_RULINGS = {"Failed": "abort", "Succeeded": "promote"}


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of one release.

    Attributes:
        ruling: `abort`, `promote` or `undecided`.
        reason: In the tool's own words.
        harm: What its users had; None when there were none.
    """

    ruling: str
    reason: str
    harm: harm.Harm | None


class Lab:
    """Flagger with a release that is live, in a namespace of its own; entered once, and gone when left."""

    def __init__(
        self, program: Path, folder: Path, target: Environment, steps: Sequence[int], most_errors: float
    ) -> None:
        """Touches nothing.

        Args:
            program: Flagger.
            folder: For its log and those of the loads.
            target: The twin; its network namespace is entered.
            steps: Weights of the canary in percent.
            most_errors: Percent of bad answers that Flagger takes.
        """
        region = next(region for region in PROFILES["staging"].regions if region.role == "primary")
        self._address = region.workers[0].address
        self._admin = region.kubeconfig
        self._kubectl = Kubectl(state_directory() / "bin" / "kubectl", region.kubeconfig)
        self._program, self._folder, self._target = program, folder, target
        self._canary = objects.canary(target.metrics.url, steps, most_errors)
        self._process: subprocess.Popen[bytes] | None = None
        self._like: dict[str, Any] = {}
        self._trials = 0

    def __enter__(self) -> Self:
        """Bring it up.

        Raises:
            ClusterError: When there is a Flagger that is not ours, or ours does not come up in time.
        """
        self._refuse_strangers()
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            self._remove()
            self._bring_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End Flagger and remove all that was made."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)
        self._remove()

    def trial(self, version: str, error_share: float, *, traffic: bool) -> Trial:
        """Release, and wait until Flagger has decided.

        Raises:
            ClusterError: When Flagger ends, or does not begin with the release.
            LoadError: When there is no load.
        """
        self._trials += 1
        output = self._folder / f"load-{self._trials}"
        load = self._load(output) if traffic else None
        try:
            if load is not None:
                load.wait_running(deadline_s=_RUNNING_S)
            self._release(version, error_share)
            phase, reason = self._decided()
            if load is not None:
                load.stop()
        finally:
            if load is not None:
                load.kill()
        suffered = harm.of_folder(output, version) if traffic else None
        return Trial(_RULINGS.get(phase, "undecided"), reason, suffered)

    def _refuse_strangers(self) -> None:
        found = self._kubectl.get("customresourcedefinitions")["items"]
        kinds = [each for each in found if each["metadata"]["name"] in objects.KINDS]
        if any(_LABEL not in each["metadata"].get("labels", {}) for each in kinds):
            msg = "this cluster has a Flagger that is not this benchmark's; it is left alone, so nothing is compared"
            raise ClusterError(msg)

    def _remove(self) -> None:
        # The namespace first: its canaries need their kind as long as they are there.
        self._kubectl.run("delete", "namespace", objects.NAMESPACE, "--ignore-not-found", "--wait=false")

        def left() -> str:
            names = [each["metadata"]["name"] for each in self._kubectl.get("namespaces")["items"]]
            return f"the namespace {objects.NAMESPACE} is still there" if objects.NAMESPACE in names else ""

        wait_until(left, deadline_s=_GONE_S, pace_s=1.0)
        self._kubectl.run("delete", "customresourcedefinitions", *objects.KINDS, "--ignore-not-found", "--timeout=30s")

    def _bring_up(self) -> None:
        kubectl, space = self._kubectl, "--namespace=analytics"
        live = kubectl.get("deployments", space, "--selector=app.kubernetes.io/name=analytics")["items"]
        self._like = next(each for each in live if each["status"].get("readyReplicas"))
        told = [
            kubectl.get(*named, space)
            for named in (
                ("secret", "analytics-database"), ("secret", "analytics-sessions"), ("configmap", "analytics-database"),
            )
        ]  # fmt: skip
        kubectl.apply_files([_definitions()])
        kubectl.run("label", "customresourcedefinitions", *objects.KINDS, f"{_LABEL}=flagger", "--overwrite")
        kubectl.run("wait", "--for=condition=Established", "--timeout=30s",
                    *(f"customresourcedefinition/{kind}" for kind in objects.KINDS))  # fmt: skip
        kubectl.apply([objects.namespace(), *objects.given(*told), *objects.account()])
        kubectl.apply([objects.release(self._like, objects.STABLE, 0, 0.0)])
        kubectl.wait_pods(objects.NAMESPACE, deadline_s=_UP_S)
        kubectl.apply(self._canary)
        self._start()

        def missing() -> str:
            self._must_live()
            phase, reason = self._phase()
            return "" if phase == "Initialized" else f"Flagger's canary is {phase or 'new'}: {reason}"

        wait_until(missing, deadline_s=_UP_S, pace_s=1.0)

    def _start(self) -> None:
        token = self._kubectl.run("create", "token", "flagger", f"--namespace={objects.NAMESPACE}", "--duration=1h")
        admin = json.loads(Kubectl(self._kubectl.program, self._admin).run("config", "view", "--raw", "--output=json"))
        file = self._folder / "kubeconfig.json"
        write_private(file, json.dumps(objects.kubeconfig(admin, token.strip())))
        with (self._folder / "flagger.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(self._program), f"-kubeconfig={file}", f"-namespace={objects.NAMESPACE}",
                    "-mesh-provider=gatewayapi:v1", f"-metrics-server={self._target.metrics.url}",
                    f"-port={_PORT}", "-log-level=info", "-selector-labels=app",
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def _must_live(self) -> None:
        if self._process is None or self._process.poll() is not None:
            log = (self._folder / "flagger.log").read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(f"Flagger ended by itself: {log[-1500:]}")

    def _load(self, output: Path) -> Load:
        clock = SteadyClock.starting_now()
        plan = wiring.load_plan(self._target, clock, output, f"peer-{time.time_ns():x}-{self._trials}")
        plan |= {"base_url": f"http://{self._address}", "headers": {"Host": objects.HOST}, "max_duration_s": 600}
        return Load.start(plan, output)

    def _release(self, version: str, error_share: float) -> None:
        template = objects.release(self._like, version, self._trials, error_share)["spec"]["template"]
        self._kubectl.run(
            "patch", "deployment", objects.NAME, f"--namespace={objects.NAMESPACE}", "--type=merge",
            f"--patch={json.dumps({'spec': {'template': template}})}",
        )  # fmt: skip

    def _decided(self) -> tuple[str, str]:
        """The phase that it ends in, and why; the last one seen when it does not end in time."""
        begun, deadline = False, time.monotonic() + _TRIAL_S
        while True:
            self._must_live()
            phase, reason = self._phase()
            begun = begun or phase not in {"Initialized", *_RULINGS}
            if begun and phase in _RULINGS:
                return phase, reason
            if time.monotonic() > deadline:
                if not begun:
                    msg = f"Flagger did not begin with the release within {_TRIAL_S:.0f} s: it is {phase}, {reason}"
                    raise ClusterError(msg)
                return phase, f"still {phase} after {_TRIAL_S:.0f} s: {reason}"
            time.sleep(1.0)

    def _phase(self) -> tuple[str, str]:
        status = self._kubectl.get("canary", objects.NAME, f"--namespace={objects.NAMESPACE}").get("status", {})
        reason = next((str(each.get("message", "")) for each in status.get("conditions", [])), "")
        return str(status.get("phase", "")), reason


def _definitions() -> Path:
    """The kinds that Flagger brings, out of its own module.

    Raises:
        BuildError: When the module is not there.
    """
    command = [str(golang.toolchain()), "list", "-m", "-f", "{{.Dir}}", "github.com/fluxcd/flagger"]
    done = subprocess.run(command, cwd=FLAGGER.sources, capture_output=True, text=True, check=False, timeout=120)
    path = Path(done.stdout.strip()) / "artifacts" / "flagger" / "crd.yaml"
    if done.returncode != 0 or not path.is_file():
        msg = f"Flagger's module has no {path.name} here: {done.stderr.strip()}"
        raise golang.BuildError(msg)
    return path
