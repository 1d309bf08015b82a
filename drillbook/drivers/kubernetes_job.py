"""A command that runs once in a pod as a CronJob makes its own: with the same image, settings and secrets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from drillbook.domain.backup import BackupSchedule
from drillbook.drivers.kubernetes import TIMEOUT_S, asking
from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PREFIX = "drill-"
"""Of the names of jobs that the harness makes."""

_REMOVED_AFTER_S = 60
_PACE_S = 0.5
_MARGIN_S = 15.0
_SAID_LINES = 5
_MOST_OUTPUT = 16 * 1024 * 1024
_ABSENT = 404


@dataclass(frozen=True, slots=True)
class TemplateJob:
    """Jobs after a CronJob's template.

    Attributes:
        api: The cluster's client.
        namespace: Of the CronJob, and of the jobs.
        cron_job: Its name.
        now: The run's clock, in seconds.
        sleep: Waits.
    """

    api: client.ApiClient
    namespace: str
    cron_job: str
    now: Callable[[], float]
    sleep: Callable[[float], None]

    def run(self, name: str, command: Sequence[str], *, deadline_s: float) -> str:
        """What it printed; the job is removed, and by the cluster when nobody is left to do that.

        Args:
            name: Of the job, which begins with `PREFIX`.
            command: What its one container runs instead.
            deadline_s: The cluster ends it after this.

        Raises:
            Unreachable: When the cluster refuses or does not answer, or the command fails or does not end in time.
        """
        manifest = self._manifest(name, command, deadline_s)
        batch = client.BatchV1Api(self.api)
        with asking(self.api, f"make the job {self.namespace}/{name}"):
            batch.create_namespaced_job(self.namespace, cast("Any", manifest), _request_timeout=TIMEOUT_S)
        try:
            succeeded = self._ended(name, deadline_s + _MARGIN_S)
            printed = self._printed(name)
        finally:
            self.remove(name)
        if not succeeded:
            last = " | ".join(printed.strip().splitlines()[-_SAID_LINES:])
            raise Unreachable(f"the job {self.namespace}/{name} failed; it printed last: {last[:500] or 'nothing'}")
        return printed

    def remove(self, name: str) -> None:
        """Remove a job with its pod, as far as it is there.

        Raises:
            Unreachable: When the cluster refuses or does not answer.
        """
        options = client.V1DeleteOptions(propagation_policy="Background")
        with asking(self.api, f"delete the job {self.namespace}/{name}"):
            try:
                client.BatchV1Api(self.api).delete_namespaced_job(
                    name, self.namespace, body=options, _request_timeout=TIMEOUT_S
                )
            except ApiException as error:
                if error.status != _ABSENT:
                    raise

    def exists(self, name: str) -> bool:
        """Whether a job is there.

        Raises:
            Unreachable: When the cluster refuses or does not answer.
        """
        with asking(self.api, f"show the job {self.namespace}/{name}"):
            try:
                client.BatchV1Api(self.api).read_namespaced_job(name, self.namespace, _request_timeout=TIMEOUT_S)
            except ApiException as error:
                if error.status != _ABSENT:
                    raise
                return False
        return True

    def schedule(self) -> BackupSchedule:
        """When the CronJob itself makes its jobs, and whether it does.

        Raises:
            Unreachable: When it is not there, or the cluster refuses or does not answer.
        """
        spec = self._cron_job().spec
        return BackupSchedule(f"{self.namespace}/{self.cron_job}", str(spec.schedule), suspended=bool(spec.suspend))

    def _cron_job(self) -> Any:
        with asking(self.api, f"show the CronJob {self.namespace}/{self.cron_job}"):
            return client.BatchV1Api(self.api).read_namespaced_cron_job(
                self.cron_job, self.namespace, _request_timeout=TIMEOUT_S
            )

    def _manifest(self, name: str, command: Sequence[str], deadline_s: float) -> dict[str, Any]:
        template: dict[str, Any] = cast("Any", self.api).sanitize_for_serialization(
            self._cron_job().spec.job_template.spec.template
        )
        containers = template["spec"]["containers"]
        if len(containers) != 1:
            raise Unreachable(
                f"the CronJob {self.namespace}/{self.cron_job} has {len(containers)} containers, and it cannot be told "
                "in which one a command is to run"
            )
        containers[0]["command"] = list(command)
        containers[0].pop("args", None)
        template["spec"]["restartPolicy"] = "Never"
        return {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {
                "template": template,
                "backoffLimit": 0,
                "activeDeadlineSeconds": max(1, round(deadline_s)),
                "ttlSecondsAfterFinished": _REMOVED_AFTER_S,
            },
        }

    def _ended(self, name: str, within_s: float) -> bool:
        give_up_s = self.now() + within_s
        while self.now() < give_up_s:
            with asking(self.api, f"show the job {self.namespace}/{name}"):
                found: Any = client.BatchV1Api(self.api).read_namespaced_job(
                    name, self.namespace, _request_timeout=TIMEOUT_S
                )
            if found.status.succeeded or found.status.failed:
                return bool(found.status.succeeded)
            self.sleep(_PACE_S)
        raise Unreachable(f"the job {self.namespace}/{name} did not end within {within_s:g} s; see its pod's events")

    def _printed(self, name: str) -> str:
        core = client.CoreV1Api(self.api)
        with asking(self.api, f"read what the job {self.namespace}/{name} printed"):
            pods: Any = core.list_namespaced_pod(
                self.namespace, label_selector=f"job-name={name}", _request_timeout=TIMEOUT_S
            )
            if not pods.items:
                return ""
            return str(
                core.read_namespaced_pod_log(
                    pods.items[0].metadata.name, self.namespace, limit_bytes=_MOST_OUTPUT, _request_timeout=TIMEOUT_S
                )
            )
