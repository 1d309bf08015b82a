from __future__ import annotations

import copy

import pytest

from loadtests.plan import PlanError, parse, read

GOOD = {
    "base_url": "http://example.test:8080/api/",
    "workload": "loadtests.analytics:AnalyticsWorkload",
    "meter": {"rate_hz": 100},
    "output": "out",
    "namespace": "drill-1",
}


def changed(path, value):
    plan = copy.deepcopy(GOOD)
    *parents, last = path.split(".")
    place = plan
    for name in parents:
        place = place.setdefault(name, {})
    if value is None:
        del place[last]
    else:
        place[last] = value
    return plan


def test_defaults():
    plan = parse(GOOD)
    assert (plan.target.host, plan.target.port, plan.target.prefix) == ("example.test", 8080, "/api")
    assert plan.metering.timeout_s == 5
    assert plan.metering.max_in_flight >= 2 * 100 * 5
    assert (plan.analysts, plan.collectors) == (0, 0)
    assert plan.adapter().metered(0, 7).key == "drill-1-7"


def test_https_and_the_contract_s_keys():
    plan = parse(
        GOOD
        | {
            "base_url": "https://example.test",
            "workload_options": {"write_every": 3},
            "analysts": 2,
            "collectors": 1,
            "clock": {"wall_s": 1.5, "monotonic_s": 0.5},
            "nameservers": ["10.0.0.53"],
            "headers": {"X-Drillbook-Slot": "green"},
        }
    )
    assert (plan.target.port, plan.target.nameservers) == (443, ("10.0.0.53",))
    assert plan.clock.wall_s == 1.5


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("base_url", None, "the plan lacks base_url"),
        ("base_url", "example.test", "base_url has to look like"),
        ("base_url", "http://example.test:99999", "has no valid port"),
        ("base_url", 5, "base_url has to be a text"),
        ("meter", None, "the plan lacks meter"),
        ("meter", [], "meter has to be a JSON object"),
        ("meter.rate_hz", None, "the plan lacks meter.rate_hz"),
        ("meter.rate_hz", 0, "meter.rate_hz has to be a number from 0.1 to 5000"),
        ("meter.rate_hz", float("nan"), "meter.rate_hz has to be a number"),
        ("meter.rate_hz", "100", "meter.rate_hz has to be a number"),
        ("meter.rate_hz", True, "meter.rate_hz has to be a number"),
        ("meter.max_in_flight", 1, "meter.max_in_flight has to be a whole number of at least 2"),
        ("meter.rate", 5, "keys that nobody knows: meter.rate"),
        ("analysts", -1, "analysts has to be a whole number of at least 0"),
        ("analysts", 1.5, "analysts has to be a whole number"),
        ("surprise", 1, "keys that nobody knows: surprise"),
        ("namespace", "", "namespace has to be a text"),
        ("nameservers", "10.0.0.53", "nameservers has to be a JSON list"),
        ("nameservers", ["ns.test"], "nameservers have to be addresses"),
        ("nameservers", ["10.0.0.53#x"], "nameservers have to be addresses"),
        ("headers", [], "headers has to be a JSON object"),
        ("clock.wall_s", 1, "the plan lacks clock.monotonic_s"),
        ("read_back.deadline_s", 0, "read_back.deadline_s has to be a number from 1"),
    ],
)
def test_a_wrong_plan_is_refused_by_name(path, value, message):
    with pytest.raises(PlanError, match=message.replace(".", r"\.")):
        parse(changed(path, value))


@pytest.mark.parametrize(
    ("workload", "options", "message"),
    [
        ("loadtests.analytics", {}, "has to look like package.module:Class"),
        ("loadtests.nowhere:Workload", {}, "cannot be imported: ModuleNotFoundError"),
        ("nowhere.py:Workload", {}, "cannot be imported: FileNotFoundError"),
        ("loadtests.analytics:Nothing", {}, "has no class Nothing"),
        ("loadtests.analytics:AnalyticsWorkload", {"colour": 1}, "no option colour"),
        ("loadtests.analytics:AnalyticsWorkload", {"write_every": 0}, "write_every has to be a whole number"),
    ],
)
def test_a_wrong_workload_is_refused_by_name(workload, options, message):
    with pytest.raises(PlanError, match=message):
        parse(GOOD | {"workload": workload, "workload_options": options}).adapter()


def test_a_workload_may_be_a_file(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("class Mine:\n    def __init__(self, namespace, options):\n        self.seen = namespace\n")
    assert parse(GOOD | {"workload": f"{file}:Mine"}).adapter().seen == "drill-1"


def test_files_that_hold_no_plan(tmp_path):
    with pytest.raises(PlanError, match="cannot be read"):
        read(tmp_path / "none.json")
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(PlanError, match="is not JSON"):
        read(tmp_path / "plan.json")
    (tmp_path / "plan.json").write_text("[]")
    with pytest.raises(PlanError, match="the plan has to be a JSON object"):
        read(tmp_path / "plan.json")


def test_writes_are_looked_up_where_they_were_written_unless_the_plan_says_where_else():
    assert parse(GOOD).reading_back.target is None
    here = parse(GOOD).target
    by_header = parse(GOOD | {"read_back": {"headers": {"X-Slot": "green"}}}).reading_back.target
    assert by_header is not None
    assert (by_header.host, by_header.port, by_header.headers) == (here.host, here.port, {"X-Slot": "green"})
    by_address = parse(GOOD | {"read_back": {"base_url": "https://other.test/v2/"}}).reading_back.target
    assert by_address is not None
    assert (by_address.scheme, by_address.host, by_address.port, by_address.prefix) == (
        "https",
        "other.test",
        443,
        "/v2",
    )
    with pytest.raises(PlanError, match="has to look like"):
        parse(GOOD | {"read_back": {"base_url": "other.test"}})
