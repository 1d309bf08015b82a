from __future__ import annotations

import json
import math
import time

import pytest

from drillbook.drivers.prometheus import MAX_BODY, Prometheus, kept
from drillbook.ports import Unreachable


def vector(*results: tuple[dict[str, str], str]) -> dict[str, object]:
    entries = [{"metric": labels, "value": [1700000000.5, value]} for labels, value in results]
    return {"status": "success", "data": {"resultType": "vector", "result": entries}}


def prometheus(url: str, **options) -> Prometheus:
    return Prometheus(url, now=lambda: 1700000001.0, **options)


def test_a_vector_becomes_samples(server) -> None:
    server.says(200, vector(({"slot": "blue"}, "3"), ({"slot": "green"}, "NaN")))
    blue, green = prometheus(server.url).query("up", at_s=1700000000.5)
    assert (blue.labels, blue.value, blue.at_s) == ({"slot": "blue"}, 3.0, 1700000000.5)
    assert math.isnan(green.value)
    assert "time=1700000000.500" in server.asked[0].path


def test_nothing_is_an_empty_answer(server) -> None:
    server.says(200, vector())
    assert prometheus(server.url).query("up") == []


def test_the_raw_answer_is_kept_also_when_it_is_strange(server, tmp_path) -> None:
    asking = prometheus(server.url, queries=tmp_path / "queries")
    server.says(200, vector(({}, "1")))
    asking.query("up")
    server.says(502, b"<html>bad gateway</html>")
    with pytest.raises(Unreachable):
        asking.query("down")
    first, second = (json.loads(path.read_text()) for path in sorted((tmp_path / "queries").iterdir()))
    assert first["promql"] == "up"
    assert first["body"]["data"]["result"][0]["value"][1] == "1"
    assert (second["status"], second["body"]) == (502, "<html>bad gateway</html>")


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (500, b"boom", "answered 500 with something"),
        (200, b"<html></html>", "no instant vector"),
        (200, b"null", "no instant vector"),
        (200, b'{"status": "success"}', "no instant vector"),
        (200, b'{"status": "success", "data": {"resultType": "scalar", "result": [1, "2"]}}', "no instant vector"),
        (200, b'{"status": "success", "data": {"resultType": "vector", "result": [{}]}}', "no instant vector"),
        (400, b'{"status": "error", "error": "parse error at char 3"}', "answered 400: parse error at char 3"),
        (
            200,
            b'{"status": "success", "warnings": ["stale"], "data": {"resultType": "vector", "result": []}}',
            "warning",
        ),
    ],
)
def test_what_is_no_vector_is_unreachable(server, status, body, says) -> None:
    server.says(status, body)
    with pytest.raises(Unreachable, match=says):
        prometheus(server.url).query("up")


def test_a_huge_answer_is_refused(server) -> None:
    server.says(200, b"x" * (MAX_BODY + 1))
    with pytest.raises(Unreachable, match="larger than"):
        prometheus(server.url).query("up")


def test_a_late_answer_is_unreachable_in_time(server) -> None:
    server.answer = lambda _: (time.sleep(0.6), (200, {}, b"{}"))[1]
    started = time.monotonic()
    with pytest.raises(Unreachable, match="did not answer within"):
        prometheus(server.url, timeout_s=0.2).query("up")
    assert time.monotonic() - started < 0.5


def test_nobody_listening_is_unreachable() -> None:
    with pytest.raises(Unreachable, match="could not be asked"):
        prometheus("http://127.0.0.1:9").query("up")


def test_its_credential_is_not_fetched_before_the_first_question(server) -> None:
    server.says(200, vector())
    fetched = []

    def credential():
        fetched.append("once more")
        return {"Authorization": "Bearer t1"}

    asking = prometheus(server.url, headers=credential)
    assert fetched == []
    asking.query("up")
    assert [asked.headers["authorization"] for asked in server.asked] == ["Bearer t1"]


def test_a_question_without_its_credential_is_kept_as_unanswered(server, tmp_path) -> None:
    def credential():
        raise Unreachable("there is no credential at vault:secret/data/metrics#token")

    with pytest.raises(Unreachable, match="has no credential to be asked with: there is no credential at vault:"):
        prometheus(server.url, headers=credential, queries=tmp_path).query("up")
    assert server.asked == []
    with pytest.raises(Unreachable):
        kept(json.loads((tmp_path / "001.json").read_text()))
