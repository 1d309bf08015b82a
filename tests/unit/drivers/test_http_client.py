from __future__ import annotations

import asyncio
import time

import pytest

from drillbook.domain.traffic import Origin, Outcome
from drillbook.drivers.http_client import MAX_BODY, HttpClient
from drillbook.drivers.layer_probe import gateway
from drillbook.drivers.reach import Names, enter_network
from drillbook.ports import Answer, Unreachable


def client(url: str, **options) -> HttpClient:
    return HttpClient(url, lambda headers: Origin(version=headers.get("x-version", "")), **options)


def test_an_answer_has_lower_case_headers_and_an_origin(server) -> None:
    server.says(200, {"alive": True}, **{"X-Version": "1.1.0"})
    asking = client(server.url)
    answer = asking.get("/healthz", headers={"X-Drillbook-Slot": "green"})
    assert (answer.status, answer.body) == (200, b'{"alive": true}')
    assert asking.origin(answer) == Origin(version="1.1.0")
    assert server.asked[0].headers["x-drillbook-slot"] == "green"
    assert server.asked[0].headers["connection"] == "close"


def test_an_error_status_is_an_answer(server) -> None:
    server.says(503, {"error": "starting"})
    assert client(server.url).get("/").status == 503


def test_a_json_body_is_sent_and_raw_bytes_stay_raw(server) -> None:
    client(server.url).send("POST", "/v1/events", body={"value": 1})
    client(server.url).send("POST", "/v1/events", body=b"raw", headers={"Content-Type": "text/plain"})
    assert [asked.body for asked in server.asked] == [b'{"value": 1}', b"raw"]


def test_nobody_listening_is_unreachable() -> None:
    with pytest.raises(Unreachable, match="was not answered: ConnectionRefusedError"):
        client("http://127.0.0.1:9").get("/")


def test_a_late_answer_is_unreachable_in_time(server) -> None:
    server.answer = lambda _: (time.sleep(0.6), (200, {}, b""))[1]
    started = time.monotonic()
    with pytest.raises(Unreachable, match=r"within 0\.2 s"):
        client(server.url).get("/", timeout_s=0.2)
    assert time.monotonic() - started < 0.5


def test_a_huge_answer_is_refused(server) -> None:
    server.says(200, b"x" * (MAX_BODY + 1))
    with pytest.raises(Unreachable, match="larger than"):
        client(server.url).get("/")


def test_a_name_without_address_names_the_resolver() -> None:
    with pytest.raises(Unreachable, match=r"nothing\.invalid cannot be resolved"):
        client("http://nothing.invalid").get("/")
    with pytest.raises(Unreachable, match=r"cannot be resolved by 127\.0\.0\.1"):
        Names(("127.0.0.1",), timeout_s=0.1).addresses("analytics.drillbook.test", 80)


@pytest.mark.parametrize("content", [None, "-----BEGIN CERTIFICATE-----\nMIIB"], ids=["away", "half written"])
def test_authorities_that_are_just_being_replaced_are_unreachable(tmp_path, content) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(Unreachable, match=r"the authorities in .*ca\.pem cannot be read"):
        client("https://127.0.0.1:9", ca_file=file).get("/")


def test_a_gateway_is_charged_with_no_authorities_of_our_own(tmp_path) -> None:
    asking = gateway("https://127.0.0.1:9", ["127.0.0.1"], "/", "", tmp_path / "away.pem", 1.0)
    told = asyncio.run(asking.ask())
    assert told.outcome is Outcome.UNABLE
    assert "away.pem" in told.text


def test_whom_a_rule_that_breaks_on_an_answer_is_about_nobody_can_tell() -> None:
    asking = HttpClient("http://127.0.0.1:9", lambda headers: Origin(slot=headers["x-slot"]))
    with pytest.raises(Unreachable, match="nobody can tell who answered: the adapter could not read it: KeyError"):
        asking.origin(Answer(503, {}, b"", 0.1))


def test_a_network_that_is_not_there_says_what_to_do() -> None:
    with pytest.raises(Unreachable, match="twin up"):
        enter_network("drillbook-nowhere")
