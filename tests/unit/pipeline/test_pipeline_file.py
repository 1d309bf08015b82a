"""A pipeline's files are read as GitLab reads them, and what cannot be read is said."""

from __future__ import annotations

import json

import pytest

from drillbook.domain.pipeline import Need, NotAPipeline, Pipeline, Rule
from drillbook.run import pipeline_file


@pytest.fixture
def project(tmp_path):
    def write(**files):
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/")
            path.parent.mkdir(exist_ok=True)
            path.with_suffix(".yml").write_text(text)
        return pipeline_file.read(tmp_path / "pipeline.yml")

    return write


def test_our_own_has_what_its_components_bring(own) -> None:
    assert own.unseen == ()
    assert own.stages == (".pre", "check", "test", "build", "scan", "verify", "gate", "production", ".post")
    gate = own.jobs["release-gate"]
    assert gate.needs == (Need("release-gate:drill"),)
    assert gate.commands[-1] == 'drillbook gate latest $DRILLBOOK_GATE --since "$CI_PIPELINE_CREATED_AT"'
    promote = own.jobs["release-gate:promote"]
    assert promote.environment == "production"
    assert promote.commands[-1] == 'scripts/promote "$CANDIDATE" "$CI_REGISTRY_IMAGE/analytics:$RELEASE"'
    assert own.jobs["nightly"].tolerated == {75}


def test_as_it_was_kept_it_is_the_same(own) -> None:
    kept = json.loads(json.dumps(own.as_document()))
    assert Pipeline.from_document(kept) == own
    del kept["jobs"]["nightly"]["needs"]
    with pytest.raises(NotAPipeline, match="needs"):
        Pipeline.from_document(kept)


COMPONENT = """
spec:
  inputs:
    name:
    codes: {type: array, default: [75]}
    strict: {type: boolean, default: true}
    mode: {default: a, options: [a, b]}
---
"$[[ inputs.name ]]:x":
  script: ["run $[[ inputs.mode ]] $[[ inputs.strict ]]"]
  allow_failure:
    exit_codes: $[[ inputs.codes ]]
"""


@pytest.mark.parametrize(
    "include",
    [
        "local: /templates/c.yml", "local: templates/c.yml",
        "component: $CI_SERVER_FQDN/$CI_PROJECT_PATH/c@$CI_COMMIT_SHA",
    ],
)  # fmt: skip
def test_inputs_fill_a_component(project, include) -> None:
    found = project(
        pipeline=f"include:\n  - {include}\n    inputs: {{name: n, codes: [1, 2]}}\n", templates__c=COMPONENT
    )
    job = found.jobs["n:x"]
    assert (job.commands, job.tolerated, job.stage) == (("run a true",), {1, 2}, "test")
    assert found.unseen == ()


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ("{}", "asks for the input name"),
        ("{name: n, mode: c}", "none of its options"),
        ("{name: n, y: 1}", "no input y"),
    ],
)
def test_wrong_inputs_are_refused(project, inputs, says) -> None:
    with pytest.raises(NotAPipeline, match=says):
        project(pipeline=f"include: [{{local: templates/c.yml, inputs: {inputs}}}]\n", templates__c=COMPONENT)


def test_what_extends_and_refers_is_put_together(project) -> None:
    found = project(
        pipeline="""
include: more.yml
default: {before_script: [first]}
.base: {stage: deploy, rules: [{if: $A}], artifacts: {when: always, paths: [reports/runs/]}}
job:
  extends: [.base, .more]
  script: [one, !reference [.lines, script], [two]]
  rules: [!reference [.base, rules], {when: manual, allow_failure: true, changes: [x]}]
  needs: [{job: other, optional: true}]
other: {script: echo, before_script: [], only: [main]}
""",
        more=".lines: {script: [a, b]}\n.more: {stage: test, resource_group: g}\nother: {stage: build}\n",
    )
    job, other = found.jobs["job"], found.jobs["other"]
    assert (job.stage, job.resource_group, job.commands) == ("test", "g", ("first", "one", "a", "b", "two"))
    assert job.rules == (Rule("$A"), Rule("", "manual", True, sometimes=True))
    assert (job.needs, job.keeps) == ((Need("other", optional=True),), ("reports/runs/",))
    assert (other.commands, other.stage, other.rules) == (("echo",), "build", (Rule(sometimes=True),))


@pytest.mark.parametrize(
    "include",
    [
        "https://example.com/x.yml", "[{remote: https://example.com/x.yml}]", "[{template: Jobs/SAST.gitlab-ci.yml}]",
        "[{project: a/b, file: c.yml}]", "[{component: $CI_SERVER_FQDN/a/b/c@1}]", "ci/*.yml",
        "[{local: x.yml, rules: [{if: $A}]}]",
    ],
)  # fmt: skip
def test_what_lies_elsewhere_is_named(project, include) -> None:
    found = project(pipeline=f"include: {include}\njob: {{script: [x]}}\n")
    assert len(found.unseen) == 1
    assert "was not seen" in found.unseen[0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has no job"), ("- x\n", "has no job"), ("a: [", "is not YAML"), ("[" * 5000, "nested deeper"),
        ("include: pipeline.yml\n", "included by itself"), ("include: ../../etc/x.yml\n", "outside of the project"),
        ("include: none.yml\n", "cannot be read"), ("job: {script: [x], when: soon}\n", "nothing that GitLab knows"),
        ("job: {extends: job}\n", "extends itself"), ("job: {extends: .none}\n", "which there is not"),
        ("job: {script: [!reference [job, script]]}\n", "refers to itself"),
        ("job: &a {b: *a}\n", "more than any pipeline"),
        ("job: {script: [x]}\njob: {script: [y]}\n", "is not YAML"), ("# \x00", "is not YAML"),
    ],
)  # fmt: skip
def test_what_is_no_pipeline_is_refused(project, text, says) -> None:
    with pytest.raises(NotAPipeline, match=says):
        project(pipeline=text)
