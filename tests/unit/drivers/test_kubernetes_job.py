"""A job after a CronJob's template: what it is made of, and that it is removed whatever becomes of it."""

from __future__ import annotations

import pytest

from drillbook.domain.backup import BackupSchedule
from drillbook.drivers.backup_host import PgBackRest
from drillbook.drivers.kubernetes_job import TemplateJob
from drillbook.ports import Unreachable
from tests.unit.drivers.recorded_api import RecordedApi

CRON_JOB = "GET /apis/batch/v1/namespaces/data/cronjobs/backup-full"
JOB = "GET /apis/batch/v1/namespaces/data/jobs/drill-1"


def template(*containers):
    pod = {"spec": {"restartPolicy": "OnFailure", "containers": [dict(it) for it in containers]}}
    return {"metadata": {"name": "backup-full"}, "spec": {"schedule": "", "jobTemplate": {"spec": {"template": pod}}}}


@pytest.fixture
def api():
    found = {
        "name": "backup",
        "image": "pg",
        "command": ["backup"],
        "args": ["full"],
        "env": [{"name": "A", "value": "b"}],
    }
    pod = {"metadata": {"name": "drill-1-x"}, "spec": {"containers": []}}
    return RecordedApi({
        CRON_JOB: template(found),
        JOB: {"status": {"succeeded": 1}},
        "GET /api/v1/namespaces/data/pods": {"items": [pod]},
        "GET /api/v1/namespaces/data/pods/drill-1-x/log": "printed",
    })  # fmt: skip


@pytest.fixture
def jobs(api):
    now = [0.0]

    def sleep(seconds):
        now[0] += seconds

    return TemplateJob(api, "data", "backup-full", lambda: now[0], sleep)


def test_a_job_that_another_run_has_left_is_found_and_removed(api, jobs) -> None:
    api.answers[JOB.replace("drill-1", "drill-2")] = 404
    api.answers[JOB.replace("GET", "DELETE").replace("drill-1", "drill-2")] = 404
    assert jobs.exists("drill-1")
    assert not jobs.exists("drill-2")
    jobs.remove("drill-2")
    assert ("delete", "jobs") in done(api)


def done(api):
    return [(right.verb, right.resource) for right in api.rights]


def test_it_is_the_cron_jobs_own_pod_with_another_command(api, jobs) -> None:
    assert "printed" in jobs.run("drill-1", ["ask", "it"], deadline_s=9)
    made = next(body for body in api.bodies if body and body.get("kind") == "Job")
    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert (container["command"], container.get("args"), container["image"]) == (["ask", "it"], None, "pg")
    assert container["env"] == [{"name": "A", "value": "b"}]
    assert made["spec"]["template"]["spec"]["restartPolicy"] == "Never"
    assert (made["spec"]["backoffLimit"], made["spec"]["activeDeadlineSeconds"]) == (0, 9)
    assert made["spec"]["ttlSecondsAfterFinished"] > 0, "nobody would remove it when we are gone"
    assert done(api)[-1] == ("delete", "jobs")


def test_a_job_that_fails_is_told_with_its_last_words_and_removed(api, jobs) -> None:
    api.answers[JOB] = {"status": {"failed": 1}}
    with pytest.raises(Unreachable, match="printed"):
        jobs.run("drill-1", ["ask"], deadline_s=9)
    assert done(api)[-1] == ("delete", "jobs")


def test_a_job_that_does_not_end_is_not_waited_for_for_ever(api, jobs) -> None:
    api.answers[JOB] = {"status": {}}
    with pytest.raises(Unreachable, match="did not end within 24 s"):
        jobs.run("drill-1", ["ask"], deadline_s=9)
    assert done(api)[-1] == ("delete", "jobs")


def test_of_two_containers_none_is_chosen(api, jobs) -> None:
    api.answers[CRON_JOB] = template({"name": "a", "image": "a"}, {"name": "b", "image": "b"})
    with pytest.raises(Unreachable, match="has 2 containers"):
        jobs.run("drill-1", ["ask"], deadline_s=9)
    assert ("create", "jobs") not in done(api)


@pytest.mark.parametrize(
    ("suspend", "suspended"), [({}, False), ({"suspend": False}, False), ({"suspend": True}, True)]
)
def test_the_schedule_is_told_with_whether_it_is_suspended(api, jobs, suspend, suspended) -> None:
    api.answers[CRON_JOB]["spec"] |= {"schedule": "0 1 * * *", **suspend}
    assert PgBackRest(jobs).schedules() == (BackupSchedule("data/backup-full", "0 1 * * *", suspended),)
    assert done(api) == [("get", "cronjobs")]


@pytest.mark.parametrize(("answer", "says"), [(404, "it does not exist"), (403, "the account lacks the right")])
def test_a_schedule_that_is_not_there_or_may_not_be_read_is_not_told(api, jobs, answer, says) -> None:
    api.answers[CRON_JOB] = answer
    with pytest.raises(Unreachable, match=f"show the CronJob data/backup-full.*{says}"):
        PgBackRest(jobs).schedules()


def test_who_may_not_make_it_is_told_so(api, jobs) -> None:
    api.answers["POST /apis/batch/v1/namespaces/data/jobs"] = 403
    with pytest.raises(Unreachable, match="make the job data/drill-1"):
        jobs.run("drill-1", ["ask"], deadline_s=9)
