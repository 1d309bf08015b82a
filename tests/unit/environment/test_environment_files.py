from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from drillbook.run.environment import (
    DIRECTORY,
    SCHEMA,
    EnvironmentFileError,
    find,
    load,
    name_of,
    recorded,
    seconds,
)

if TYPE_CHECKING:
    from pathlib import Path

TWIN = (DIRECTORY / "twin.yaml").read_text()


def written(tmp_path: Path, text: str, name: str = "twin.yaml") -> Path:
    """The twin's file, changed, where its relative paths still lead somewhere."""
    path = tmp_path / "environments" / name
    path.parent.mkdir()
    (tmp_path / "system").symlink_to(DIRECTORY.parent / "system")
    path.write_text(text)
    return path


def faults(tmp_path: Path, text: str, name: str = "twin.yaml") -> str:
    path = written(tmp_path, text, name)
    with pytest.raises(EnvironmentFileError) as refused:
        load(path)
    return str(refused.value).replace(str(path), "FILE")


def test_the_twins_own_file_is_read(tmp_path):
    environment = load(written(tmp_path, TWIN))
    assert environment.primary.name == "us-east-1"
    assert environment.objectives.rollback_s == 120.0
    assert environment.load.rate_hz == 50.0
    assert environment.strategy.canary.steps == (5, 10, 25, 50, 100)
    assert environment.strategy.canary.margins.latency_s == 0.01
    assert environment.releases.chart.name == "analytics"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("tier: staging", "tier: production"), "regions.us-east-1 lacks context: in production the context of the"),
        (("tier: staging", "tier: stage"), 'FILE:4:1: tier is "stage", and should be one of development, staging,'),
        (("strategy:", "stratgy:"), "the file has no key 'stratgy'; did you mean 'strategy'?"),
        (("rollback: 2 min", "rollback: 2 minutes"), 'objectives.rollback is "2 minutes", and should be a duration'),
        (("rollback: 2 min", "rollback: 120"), "objectives.rollback is 120, and should be a duration with its unit"),
        (("rollback: 2 min", "rollback: -2 min"), 'objectives.rollback is "-2 min", and should be a duration'),
        (("rate: 50", "rate: -5"), "load.rate is -5"),
        (("rate: 50", "rate: fast"), 'load.rate is "fast"'),
        (("analysts: 2", "analysts: -1"), "load.analysts is -1"),
        (("availability: 0.999", "availability: 99.9"), "objectives.availability is 99.9"),
        (("availability: 0.999", "availability: 0"), "objectives.availability is 0"),
        (("driver: helm", "driver: kustomize"), 'releases.driver is "kustomize", and should be one of helm'),
        (("driver: gateway-api", "driver: istio"), 'router.driver is "istio", and should be one of gateway-api'),
        (("driver: prometheus", "driver: datadog"), 'metrics.driver is "datadog", and should be one of prometheus'),
        (
            ("public_url: http://analytics.drillbook.test", "public_url: analytics.drillbook.test"),
            "and should be like 'https://shop.example.org' (Where users go: scheme, name and port; no credentials)",
        ),
        (("url: http://10.77.1.11:30090", "url: 10.77.1.11:30090"), "be like 'http://prometheus.example.org:9090'"),
        (("probe_path: /healthz", "probe_path: healthz"), "should be like '/healthz' (A cheap path that says who"),
        (("password: file:", "password: "), "be like 'file:/run/secrets/database' (Where the password is; relative"),
        (("public_url: http://analytics.drillbook.test\n", ""), "the file lacks public_url"),
        (("release: analytics-{slot}\n", "release: analytics\n"), 'releases.release is "analytics"'),
        (("release: analytics-{slot}\n", "release: shop-{slot}-{color}\n"), "release is 'shop-{slot}-{color}'"),
        (("deployment: analytics-{slot}", "deployment: 'a-{slot}-{'"), "is 'a-{slot}-{', and only {slot} is"),
        (("deployment: analytics-{slot}", "deployment: 'a-{slot}-{slot!r}'"), "only {slot} is filled in there"),
        (("scrape_interval: 1 s", "scrape_interval: 0 s"), "metrics.scrape_interval is 0 s, and should be longer"),
        (("health_paths: [/healthz, /readyz]", "health_paths: []"), "workload.health_paths is []"),
        (("  witness: us-west-2\n", ""), "to lose a region (cut, nodes, partition) recovery.witness has to name"),
        (("witness: us-west-2", "witness: us-east-1"), "recovery.witness is us-east-1, and has to be another region"),
        (("  machines: [use1-cp, use1-n1, use1-n2]\n", ""), "recovery.machines has to name all of its machines"),
        (("silence: 75 s", "silence: 0 s"), "recovery.database.silence has to say when a primary nobody reaches"),
        (("steps: [5, 10, 25, 50, 100]", "steps: [5, 50]"), "strategy.canary: a canary's weights rise to 100 %"),
        (("steps: [5, 10, 25, 50, 100]", "steps: [50, 10, 100]"), "strategy.canary: a canary's weights rise to 100 %"),
        (("hold: 90 s", "hold: 25"), "strategy.canary.hold is 25, and should be a duration with its unit"),
        (("latency: 1.5", "latency: 0.5"), "strategy.canary.margins.latency is 0.5"),
        (("least_answers: 60", "least_answer: 60"), "did you mean 'least_answers'?"),
        (("role: secondary", "role: primary"), "exactly one region is the primary, and 2 are: us-east-1, us-west-2"),
        (("role: primary", "role: secondary"), "exactly one region is the primary, and 0 are"),
        (("green: analytics-green", "green: analytics-blue"), "both slots have the backend 'analytics-blue'"),
        (("charts/analytics\n", "charts/analytcs\n"), "holds no Chart.yaml"),
        (("values-staging.yaml", "values-stage.yaml"), "there is no file"),
        (("name: twin", "name: other"), "the name is 'other', and the file is called twin.yaml"),
        (("name: twin", "name: twin\nname: twin"), "is not YAML"),
        (("name: twin", "name: [twin"), "is not YAML"),
        (("name: twin", "name: !!python/object/apply:os.system [id]"), "name is"),
        (("name: twin", 'name: "twin\ttab'), "is not YAML"),
        (("pods_share: 0.5", "pods_share: .nan"), "guard.pods_share is nan, and should be a number"),
        (("bad_share: 0.5", "bad_share: .nan"), "guard.burn.bad_share is nan, and should be a number"),
        (("rate: 50", "rate: .inf"), "load.rate is inf"),
        (("for: 20 s", "for: 300 ms"), "guard.burn.for is 300 ms, and should be 1 s to 600 s"),
        (("for: 20 s", "for: 1 h"), "guard.burn.for is 1 h, and should be 1 s to 600 s"),
        (("pods_share: 0.5", "regions: [us-est-1]"), "there is no region 'us-est-1'; did you mean 'us-east-1'?"),
        (("namespaces: [analytics, data,", "namespaces: analytics #"), 'guard.namespaces is "analytics"'),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_place_and_what_is_right(tmp_path, change, expected):
    assert change[0] in TWIN
    assert expected in faults(tmp_path, TWIN.replace(*change))


def test_all_faults_are_told_at_once(tmp_path):
    text = TWIN.replace("tier: staging", "tier: stage").replace("rate: 50", "rate: -5")
    assert len(faults(tmp_path, text).splitlines()) == 2


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words", "null"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path, text):
    assert "where a mapping" in faults(tmp_path, text)


def test_a_huge_file_is_refused_without_being_parsed(tmp_path):
    assert "larger than 1 MiB" in faults(tmp_path, "a: " + "x" * 2**20)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = written(tmp_path, "")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(EnvironmentFileError, match="not UTF-8"):
        load(path)


def test_an_unknown_environment_is_answered_with_the_known_ones():
    with pytest.raises(EnvironmentFileError, match=r"there are .*twin"):
        find("stagging")


def test_a_name_is_looked_up_where_one_stands_before_where_drillbook_lies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find("twin") == DIRECTORY / "twin.yaml"
    for name in ("staging.yaml", "twin.yaml"):
        (tmp_path / "environments").mkdir(exist_ok=True)
        (tmp_path / "environments" / name).write_text("name: whatever")
    assert find("staging") == tmp_path / "environments" / "staging.yaml"
    assert find("twin") == tmp_path / "environments" / "twin.yaml"


def test_who_looks_for_an_unknown_one_is_told_where_it_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EnvironmentFileError) as nowhere:
        find("staging")
    assert f"there are none in {tmp_path / 'environments'} and twin in {DIRECTORY}, or give a path" in str(
        nowhere.value
    )
    monkeypatch.chdir(DIRECTORY.parent)
    with pytest.raises(EnvironmentFileError, match=f"there are twin in {DIRECTORY}, or give a path"):
        find("staging")


def test_a_folder_that_is_gone_hides_no_environment(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert find("twin") == DIRECTORY / "twin.yaml"


def test_a_path_is_about_the_environment_that_a_record_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "live.yaml").symlink_to(tmp_path / "eu-staging.yaml")
    assert name_of("staging") == "staging"
    assert name_of("eu.staging") == "eu.staging"
    assert name_of("environments/staging.yaml") == name_of("/builds/shop/environments/staging.yml") == "staging"
    assert name_of("live.yaml") == "eu-staging", "whose file has to be called as it is"


@pytest.mark.parametrize("name", ["../secrets", "/etc/passwd", "a/b", "..", ""])
def test_a_name_that_climbs_is_no_environment(name):
    with pytest.raises(EnvironmentFileError, match="there is no environment"):
        find(name)


@pytest.mark.parametrize(("text", "expected"), [("300 ms", 0.3), ("30 s", 30), ("2 min", 120), ("4h", 14400)])
def test_durations(text, expected):
    assert seconds(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["3", "3 days", "-3 s", "3 s extra", "", "NaN s", "1e9 s"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="is not a duration"):
        seconds(text)


def test_a_stop_file_lies_beside_the_file_that_names_it(tmp_path):
    path = written(tmp_path, TWIN.replace("pods_share: 0.5", "stop_file: STOP"))
    assert load(path).guard.stop_file == str(path.parent / "STOP")


OVERRIDE = "1.1.0 without its migration: {version: 1.1.0, migrations.enabled: false}"
QUOTES = "put it in quotes"


@pytest.mark.parametrize(
    ("written_as", "expected"),
    [
        ("1.1.0: {version: 1.10}", "FILE:58:22: releases.overrides.1.1.0.version is a number"),
        ("1.1.0: {version: 1.1.0, image.tag: 0012}", "releases.overrides.1.1.0.image.tag is a number"),
        ("1.1.0: {version: 1.1.0, image.tag: 1e3}", "releases.overrides.1.1.0.image.tag is a number"),
        ("1.1.0: {version: 1.1.0, image.tag: 0x1F}", "releases.overrides.1.1.0.image.tag is a number"),
        ("1.1.0: {version: 1.1.0, image.tag: 1_000}", "releases.overrides.1.1.0.image.tag is a number"),
        ("1.1.0: {version: 1.1.0, told: True}", "releases.overrides.1.1.0.told is true or false"),
        ("1.1.0: {version: 1.1.0, at: 2026-11-04T10:00:00Z}", "releases.overrides.1.1.0.at is a date"),
        ("1.10: {version: 1.1.0}", "FILE:58:5: releases.overrides has the key 1.10, which is a number"),
        ("1.1.0: {version: 1.1.0, 1.10: x}", "releases.overrides.1.1.0 has the key 1.10, which is a number"),
        ("1.1.0: {version: 1.1.0, true: x}", "releases.overrides.1.1.0 has the key true, which is true or false"),
        ("1.1.0: {version: 1.1.0, ~: x}", "releases.overrides.1.1.0 has the key ~, which is no text"),
        ("1.1.0: {<<: {image.tag: 1.10}}", "releases.overrides.1.1.0.image.tag is a number"),
    ],
)
def test_what_would_be_deployed_as_another_text_than_is_written_is_refused(tmp_path, written_as, expected):
    assert OVERRIDE in TWIN
    (said,) = faults(tmp_path, TWIN.replace(OVERRIDE, written_as)).splitlines()
    assert expected in said
    assert said.endswith(QUOTES)


def test_what_is_set_for_all_releases_is_kept_as_it_is_written_or_refused(tmp_path):
    said = faults(tmp_path, TWIN.replace("region: us-east-1}", "region: us-east-1, image.tag: 1.10}"))
    assert "releases.settings.image.tag is a number" in said


def test_numbers_whose_text_is_theirs_need_no_quotes(tmp_path):
    kept = '1.1.0: {version: "1.10", a: 12, b: 0.5, c: true, d: -3, e: no, f: 2026-11-04, g: !!str 1.10}'
    environment = load(written(tmp_path, TWIN.replace(OVERRIDE, kept)))
    texts = "version=1.10 a=12 b=0.5 c=true d=-3 e=no f=2026-11-04 g=1.10"
    assert environment.releases.overrides["1.1.0"] == dict(part.split("=") for part in texts.split())


def test_a_run_of_before_that_was_deployed_as_another_text_can_still_be_read(tmp_path):
    environment = recorded(written(tmp_path, TWIN.replace(OVERRIDE, "1.1.0: {version: 1.10}")))
    assert environment.releases.overrides["1.1.0"]["version"] == "1.1"


def test_what_an_adapter_is_given_stays_a_number(tmp_path):
    path = written(tmp_path, TWIN.replace("probe_path: /healthz", "probe_path: /healthz\n  options: {share: 0.10}"))
    assert load(path).workload.options == {"share": 0.1}


def patterns(schema, place=()):
    """Every part of the schema with a pattern, and where it is."""
    if isinstance(schema, dict):
        if "pattern" in schema:
            yield ".".join(place), schema
        for key, part in schema.items():
            yield from patterns(part, (*place, key))
    elif isinstance(schema, list):
        for part in schema:
            yield from patterns(part, place)


PATTERNS = dict(patterns(json.loads(SCHEMA.read_text())))


@pytest.mark.parametrize("place", PATTERNS)
def test_whatever_has_to_look_in_some_way_has_an_example_that_does(place):
    part = PATTERNS[place]
    assert all(re.search(part["pattern"], example) for example in part["examples"])


@pytest.mark.parametrize(
    ("written_as", "fine"),
    [
        ("answers queries wrongly: {defects.wrongAggregates: 1}", False),
        ("answers queries wrongly: {version: 1.2.0-bad, defects.wrongAggregates: 1}", True),
        ("1.1.0: {defects.wrongAggregates: 1}", True),
    ],
)
def test_a_release_by_another_name_than_its_version_says_its_version(tmp_path, written_as, fine):
    text = TWIN.replace("answers queries wrongly: {version: 1.2.0-bad, defects.wrongAggregates: 1}", written_as)
    if fine:
        load(written(tmp_path, text))
        return
    assert "releases.overrides.answers queries wrongly lacks version: the one that is deployed" in faults(
        tmp_path, text
    )


def test_a_home_is_whose_who_gives_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ann")
    theirs = TWIN.replace("/var/lib/drillbook/twin/kubeconfig/us-east-1-release.yaml", "~/.kube/config")
    environment = load(written(tmp_path, theirs))
    assert str(environment.primary.kubeconfig) == "/home/ann/.kube/config"
