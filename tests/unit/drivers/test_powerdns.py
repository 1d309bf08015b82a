from __future__ import annotations

from dataclasses import replace

import pytest

from drillbook.drivers.powerdns import PowerDnsName
from drillbook.ports import Unreachable

RECORD = (
    "A \"ifurlup('http://a.test/readyz', {{'10.1.0.1', '10.1.0.2'}, {'10.2.0.1'}}, {selector='all', timeout='5'})\""
)


def zone(content=RECORD):
    return {"rrsets": [{"name": "a.test.", "type": "LUA", "ttl": 30, "records": [{"content": content}]}]}


@pytest.fixture
def name(server) -> PowerDnsName:
    server.says(200, zone())
    regions = {"east": ["10.1.0.1", "10.1.0.2"], "west": ["10.2.0.1"]}
    resolve = lambda: frozenset({"10.2.0.1", "10.9.9.9"})  # noqa: E731 - a stand-in
    return PowerDnsName(server.url, lambda: "the-key", "test", "a.test", regions, resolve)


def test_the_order_is_that_of_the_record(name) -> None:
    assert name.order() == ("east", "west")


def test_an_answer_is_kept_for_as_long_as_is_declared_or_as_a_resolver_makes_of_it(name) -> None:
    assert name.kept_for_s() == 30
    assert replace(name, answered_ttl_s=lambda: 29.0).kept_for_s() == 30
    assert replace(name, answered_ttl_s=lambda: 3600.0).kept_for_s() == 3600


def test_only_the_order_is_changed(server, name) -> None:
    name.prefer(["west", "east"])
    asked = server.asked[-1]
    assert (asked.method, asked.path, asked.headers["x-api-key"]) == ("PATCH", "/zones/test.", "the-key")
    (changed,) = asked.json["rrsets"]
    assert (changed["name"], changed["type"], changed["ttl"]) == ("a.test.", "LUA", 30)
    content = changed["records"][0]["content"]
    assert content == RECORD.replace(
        "{{'10.1.0.1', '10.1.0.2'}, {'10.2.0.1'}}", "{{'10.2.0.1'}, {'10.1.0.1', '10.1.0.2'}}"
    )
    server.says(200, zone(content))
    assert name.order() == ("west", "east")


@pytest.mark.parametrize("content", ["A \"ifurlup('http://a.test', {{'10.7.0.1'}})\"", "A \"'10.1.0.1'\""])
def test_a_record_of_somebody_elses_making_is_left(server, name, content) -> None:
    server.says(200, zone(content))
    with pytest.raises(Unreachable, match="does not name the addresses"):
        name.prefer(["west", "east"])
    assert [asked.method for asked in server.asked] == ["GET"]


@pytest.mark.parametrize(
    "ask", [PowerDnsName.order, PowerDnsName.kept_for_s, lambda name: name.prefer(["west", "east"])]
)
@pytest.mark.parametrize(
    "answer",
    [
        b"<html>under maintenance</html>", [], {}, {"rrsets": [{}]}, {"rrsets": [{"name": "a.test.", "type": "LUA"}]},
        {"rrsets": [{"name": "a.test.", "type": "LUA", "ttl": "soon", "records": [{"content": RECORD}]}]},
    ],
    ids=["no JSON", "a list", "nothing", "no name", "no records", "no time to live"],
)  # fmt: skip
def test_an_answer_that_is_no_zone_is_told_and_changes_nothing(server, name, ask, answer) -> None:
    server.says(200, answer)
    with pytest.raises(Unreachable, match=r"what answers at .* for the zone test is no PowerDNS"):
        ask(name)
    assert {asked.method for asked in server.asked} == {"GET"}


def test_a_refusal_is_told_without_the_key(server, name) -> None:
    server.says(401, {})
    with pytest.raises(Unreachable, match=r"refused at .* \(401\)") as told:
        name.order()
    assert "the-key" not in str(told.value)


def test_addresses_are_told_as_regions_and_strange_ones_as_they_are(name) -> None:
    assert name.resolved() == {"west", "10.9.9.9"}
