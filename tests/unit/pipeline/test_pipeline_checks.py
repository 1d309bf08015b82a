"""Our own pipeline holds what is promised of it, and no longer does once a part of it is taken away."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from drillbook.domain import pipeline_checks as checks
from drillbook.domain.pipeline import Job, Need, NotAPipeline, Pipeline, Rule, on_every_occasion

PRODUCTION = {
    "tested": partial(checks.tested, stages=2),
    "scanned": checks.scanned,
    "drilled": checks.drilled,
    "approved": checks.approved,
}


def found(pipeline, *names):
    """What these checks miss; all of them when none is named."""
    problems = {
        name: checks.nightly(pipeline) if name == "nightly" else checks.of_production(pipeline, PRODUCTION[name])
        for name in names or (*PRODUCTION, "nightly")
    }
    return {name: said for name, said in problems.items() if said}


def changed(pipeline, name, **changes):
    return replace(pipeline, jobs={**pipeline.jobs, name: replace(pipeline.jobs[name], **changes)})


def without(pipeline, name):
    """As if nobody had ever written it."""
    kept = {
        job.name: replace(job, needs=tuple(n for n in job.needs if n.job != name) if job.needs is not None else None)
        for job in pipeline.jobs.values()
        if job.name != name
    }
    return replace(pipeline, jobs=kept)


def test_nothing_is_missing_in_our_own(own) -> None:
    assert found(own) == {}


@pytest.mark.parametrize(
    ("removed", "missed_by"),
    [
        ("code-scan", {"scanned"}), ("secret-scan", {"scanned"}), ("dependency-scan", {"scanned"}),
        ("infrastructure-scan", {"scanned"}), ("image-scan", {"scanned"}),
        ("release-gate", {"drilled", "approved"}), ("release-gate:drill", {"drilled", "scanned", "tested"}),
        ("release-gate:approve", {"approved"}), ("nightly", {"nightly"}), ("nightly:recover", {"nightly"}),
        ("release-gate:promote", {"tested", "scanned", "drilled", "approved"}),
    ],
)  # fmt: skip
def test_what_is_removed_is_missed(own, removed, missed_by) -> None:
    assert missed_by == set(found(without(own, removed), *missed_by))


SCANNERS = ("code-scan", "secret-scan", "dependency-scan", "infrastructure-scan", "image-scan")


@pytest.mark.parametrize(("name", "check"), [("image-scan", "scanned"), ("release-gate", "drilled")])
@pytest.mark.parametrize(
    "changes",
    [
        {"allow_failure": True}, {"tolerated": frozenset({75})}, {"when": "always"},
        {"when": "manual", "allow_failure": None, "rules": None},
        {"commands": ("true",)}, {"rules": (Rule('$CI_PIPELINE_SOURCE == "merge_request_event"'),)},
        {"rules": (Rule(when="never"),)}, {"rules": (Rule("$SKIP", when="never"), Rule())},
        {"rules": (Rule('$FAST != "1"'),)}, {"rules": (Rule(sometimes=True),)},
    ],
)  # fmt: skip
def test_a_guard_that_can_be_got_past_is_none(own, name, check, changes) -> None:
    assert found(changed(own, name, **changes), check)


def test_a_scanner_whose_error_is_swallowed_is_none(own) -> None:
    jobs = {name: replace(own.jobs[name], commands=(f"{own.jobs[name].commands[-1]} || true",)) for name in SCANNERS}
    said = " ".join(found(replace(own, jobs={**own.jobs, **jobs}), "scanned")["scanned"])
    assert all(f"waits for no scan of {kind} " in said for kind in checks.SCANNERS)


@pytest.mark.parametrize(
    "changes",
    [
        {"needs": ()}, {"needs": (Need("build"),)}, {"when": "always", "rules": None},
        {"when": "on_failure", "rules": None},
    ],
)  # fmt: skip
def test_a_promotion_that_waits_for_nothing_is_found(own, changes) -> None:
    missed = found(changed(own, "release-gate:promote", **changes), "drilled", "approved")
    assert set(missed) == {"drilled", "approved"}


def test_a_second_way_to_production_is_found(own) -> None:
    hotfix = Job("hotfix", "production", ("deploy",), (), (Rule("$HOTFIX"),), environment="production/eu")
    said = found(replace(own, jobs={**own.jobs, "hotfix": hotfix}))
    assert {"drilled", "approved", "scanned", "tested"} <= set(said)
    assert any("$HOTFIX=true, hotfix waits for nobody's approval" in sentence for sentence in said["approved"])


def test_an_approval_before_the_gate_is_none(own) -> None:
    said = found(changed(own, "release-gate:approve", needs=(Need("build"),)), "approved")
    assert any("before the gate has said anything" in sentence for sentence in said["approved"])


def test_a_gate_that_asks_for_no_time_is_none(own) -> None:
    commands = tuple(line.replace("--since", "--whenever") for line in own.jobs["release-gate"].commands)
    assert found(changed(own, "release-gate", commands=commands), "drilled")


def test_a_gate_that_lets_inconclusive_through_is_named(own) -> None:
    said = found(changed(own, "release-gate", tolerated=frozenset({75})), "drilled")["drilled"]
    assert any("release-gate passes over what it finds" in sentence for sentence in said)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"tolerated": frozenset({1, 75})}, "passes over more than INCONCLUSIVE"),
        ({"allow_failure": True}, "passes over more than INCONCLUSIVE"),
        ({"resource_group": ""}, "has no resource_group"),
        ({"keeps": ()}, "does not keep the runs' folders"),
        ({"rules": (Rule('$CI_PIPELINE_SOURCE == "push"'),)}, "drills nothing"),
    ],
)
def test_a_night_that_tells_less_is_found(own, changes, says) -> None:
    assert any(says in sentence for sentence in found(changed(own, "nightly", **changes), "nightly")["nightly"])


NEVER_BY_NIGHT = (Rule('$CI_PIPELINE_SOURCE == "schedule"', when="never"),)


def test_a_night_for_which_no_pipeline_is_made_is_found(own) -> None:
    said = found(replace(own, rules=(*NEVER_BY_NIGHT, *(own.rules or (Rule(),)))), "nightly")
    assert said == {"nightly": ["no pipeline is made on a schedule, so there is no night that verifies anything"]}


def test_a_night_without_a_job_is_found(own) -> None:
    jobs = {job.name: replace(job, rules=(*NEVER_BY_NIGHT, *(job.rules or (Rule(),)))) for job in own.jobs.values()}
    said = found(replace(own, jobs=jobs), "nightly")
    assert said == {"nightly": ["no pipeline is made on a schedule, so there is no night that verifies anything"]}


def test_what_puts_back_runs_whatever_happened(own) -> None:
    recover = replace(own.jobs["nightly:recover"], rules=(Rule('$CI_PIPELINE_SOURCE == "schedule"'),))
    said = found(replace(own, jobs={**own.jobs, recover.name: recover}), "nightly")["nightly"]
    assert any("followed by no job that puts back" in sentence for sentence in said)


def test_what_was_not_seen_is_no_pass(own) -> None:
    said = found(replace(own, unseen=("what it includes by remote x was not seen",)))
    assert set(said) == {*PRODUCTION, "nightly"}


@pytest.mark.parametrize(
    ("job", "says"),
    [
        (Job("x", "nowhere"), "which stages does not name"),
        (Job("x", "test", needs=(Need("nobody"),)), "needs nobody, which there is not"),
        (Job("x", "test", rules=(Rule("$A ="),)), "cannot be understood"),
        (Job("x", "test", rules=tuple(Rule(f"$A{n}") for n in range(12))), "can be set in 4096 ways"),
    ],
)
def test_what_nobody_can_tell_is_refused(job, says) -> None:
    with pytest.raises(NotAPipeline, match=says.replace("$", r"\$")):
        list(on_every_occasion(Pipeline(("test",), {"x": job})))


def test_a_person_whose_click_keeps_nothing_back_is_no_approval() -> None:
    approve = Job("approve", "gate", ("true",), when="manual")
    deploy = Job("deploy", "production", ("deploy",), environment="production")
    pipeline = Pipeline(("gate", "production"), {"approve": approve, "deploy": deploy})
    assert checks.of_production(pipeline, checks.approved), (
        "GitLab passes over manual jobs unless a rule made them manual"
    )
    waiting = replace(approve, allow_failure=False)
    said = checks.of_production(replace(pipeline, jobs={"approve": waiting, "deploy": deploy}), checks.approved)
    assert all("before the gate has said anything" in sentence for sentence in said)
