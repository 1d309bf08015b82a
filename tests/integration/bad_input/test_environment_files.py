"""A wrong environment file is refused at the command line: which file, which line, what would be right."""

from __future__ import annotations

import re

import pytest

from bad_input.conftest import PROJECT, Said, at, drillbook, written

DURATION = "should be a duration"
WRONG_VALUES = {
    "an-unknown-key": (at("loadd", to={}), "has no key 'loadd'; did you mean 'load'"),
    "a-wrong-unit": (at("strategy", "watch", to="12 parsecs"), f'strategy.watch is "12 parsecs", and {DURATION}'),
    "no-unit": (at("objectives", "outage", to=5), f"objectives.outage is 5, and {DURATION} with its unit"),
    "a-negative-rate": (at("load", "rate", to=-50), "load.rate is -50"),
    "a-negative-limit": (at("objectives", "latency", to="-300 ms"), f'objectives.latency is "-300 ms", and {DURATION}'),
    "a-share-above-one": (at("objectives", "availability", to=99.9), "objectives.availability is 99.9"),
    "words-for-a-number": (at("load", "rate", to="fast"), 'load.rate is "fast"'),
    "a-wrong-router": (at("router", "driver", to="nginx"), 'router.driver is "nginx", and should be one of'),
    "wrong-metrics": (at("metrics", "driver", to="graphite"), 'metrics.driver is "graphite", and should be one of'),
    "no-metrics": (lambda document: document.pop("metrics"), "the file lacks metrics"),
    "two-primaries": (
        lambda document: document["regions"].update({"us-west-2": dict(document["regions"]["us-east-1"])}),
        "exactly one region is the primary, and 2 are",
    ),
    "one-backend-for-both": (at("router", "backends", to={"blue": "a", "green": "a"}), "both slots have the backend"),
    "no-chart": (at("releases", "chart", to="../nowhere"), "holds no Chart.yaml"),
    "no-values-file": (at("releases", "values", to=["absent.yaml"]), "there is no file"),
    "no-slot-in-a-release": (at("releases", "release", to="analytics"), 'releases.release is "analytics"'),
    "no-url": (at("metrics", "url", to="prometheus"), 'metrics.url is "prometheus"'),
    "another-name": (at("name", to="other"), "the name is 'other', and the file is called another-name.yaml"),
}  # fmt: skip
WRONG_BYTES = {
    "no-yaml": (b"name: [unclosed", "is not YAML"),
    "no-mapping": (b"- one\n- two\n", "where a mapping with name, tier, regions ... is expected"),
    "nothing": (b"", "where a mapping with name, tier, regions ... is expected"),
    "not-utf-8": (b"name: \xff\xfe\n", "is not UTF-8"),
    "a-key-twice": (b"name: a\nname: b\n", "is not YAML"),
    "too-large": (b"# " + b"x" * 2_000_000, "is larger than 1 MiB"),
    "no-text-at-all": (bytes(range(256)), "is not"),
}
WRONG = WRONG_VALUES | WRONG_BYTES


@pytest.fixture(scope="module")
def checked(tmp_path_factory) -> Said:
    """What `drillbook check` says of all of them and of one that is right."""
    directory = tmp_path_factory.mktemp("checked")
    paths = [written(directory, name, change) for name, (change, _) in WRONG_VALUES.items()]
    for name, (content, _) in WRONG_BYTES.items():
        paths.append(directory / "environments" / f"{name}.yaml")
        paths[-1].write_bytes(content)
    return drillbook("check", *paths, written(directory, "right"))


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_with_its_file_and_line(checked, case):
    checked.refused()
    about_it = [line for line in checked.output.splitlines() if f"/{case}.yaml" in line]
    assert len(about_it) == 1, "each file has one fault, and it is told once"
    assert WRONG[case][1] in about_it[0]
    if case in WRONG_VALUES:
        assert re.search(rf"/{case}\.yaml:\d+:\d+: ", about_it[0])


def test_a_right_file_among_wrong_ones_is_fine(checked):
    assert "right.yaml: fine" in checked.output


@pytest.mark.parametrize("command", ["verify", "plan", "recover"])
def test_each_command_refuses_a_wrong_file(environment, command):
    path = environment(at("objectives", "rollback", to="2 minutes"))
    drillbook(command, "--environment", path).refused(f"{path}:", 'objectives.rollback is "2 minutes", and', DURATION)


def test_a_tag_that_would_run_code_is_no_more_than_text(environment, tmp_path):
    path, proof = environment(), tmp_path / "proof"
    path.write_text(f"name: !!python/object/apply:os.system ['touch {proof}']\n")
    drillbook("check", path).refused(f"{path}:1:1: ")
    assert not proof.exists()


def test_an_environment_that_is_not_there_is_answered_with_those_that_are():
    drillbook("verify", "--environment", "atlantis").refused("there is no environment 'atlantis'", "twin")


@pytest.mark.parametrize("name", ["nowhere.yaml", "environments"])
def test_a_path_that_is_no_file(tmp_path, name):
    (tmp_path / "environments").mkdir()
    drillbook("check", tmp_path / name).refused(f"{tmp_path / name}: cannot be read: ")


def _in_production(document):
    document["tier"] = "production"
    document["regions"]["us-east-1"]["context"] = "here"


REFUSED = {
    "production whose context anybody may change": (at("tier", to="production"), "regions.us-east-1 lacks context"),
    "a load that shows nothing": (at("load", "rate", to=1), "cannot reach a verdict"),
    "a namespace that the guard does not list": (at("guard", "namespaces", to=["other"]), "guard.namespaces"),
    "a run longer than allowed": (at("guard", "max_duration", to="10 s"), "guard.max_duration"),
    "production without its flag": (_in_production, "--production-allowed"),
    "an adapter that is not there": (at("workload", "adapter", to="nowhere.py:Workload"), "nowhere.py"),
    "an adapter's unknown option": (at("workload", "options", to={"colour": "red"}), "no option colour"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_run_that_may_not_be_is_refused_before_anything_is_asked(environment, case):
    change, said = REFUSED[case]
    # Nobody listens at its cluster: had it been asked, the run would be inconclusive.
    drillbook("verify", "--environment", environment(change)).refused(said)


def test_a_stop_file(environment, tmp_path):
    stop = tmp_path / "stop"
    stop.touch()
    drillbook("verify", "--environment", environment(at("guard", "stop_file", to=str(stop)))).refused(str(stop))


@pytest.mark.parametrize("command", ["verify", "plan"])
def test_drills_that_are_not_there_are_answered_with_those_that_are(environment, command):
    said = drillbook(command, "--environment", environment(), "--only", "rollback,cutovr")
    features = {path.stem for path in (PROJECT / "features").rglob("*.feature")}
    known = sorted({"nightly", "offered", "performance", "resilience", *features})
    assert {"cutover", "gate", "pipeline", "rollback", "switchover"} <= set(known)
    said.refused(f"--only: there is no feature cutovr; there are {', '.join(known)}")
