from __future__ import annotations

import json

import pytest

from loadtests.analytics import AnalyticsWorkload
from loadtests.workload import ReadBack, Reply, SessionWorkload, WriteState


def reply(status, document=None):
    return Reply(
        status, {"x-version": "1.0.0", "x-slot": "blue"}, b"?" if document is None else json.dumps(document).encode()
    )


WORKLOAD = AnalyticsWorkload("n", {"seeded_events": 4})
RIGHT = {
    "source": "n-seed",
    "count": 4,
    "sum": 5.5,
    "mean": 1.375,
    "min": 1.0,
    "max": 1.75,
    "as_of": "now",
    "median": 1.4,
}


def test_the_seed_gives_the_right_answer():
    values = [json.loads(request.body)["value"] for request in WORKLOAD.seed()]
    assert sum(values) == RIGHT["sum"]
    assert WORKLOAD.wrong(WORKLOAD.query(0), reply(200, RIGHT)) == ""


@pytest.mark.parametrize("change", [{"count": 5}, {"sum": 5.6}, {"mean": None}, {"source": "other"}, {"max": "1.75"}])
def test_a_wrong_aggregate_is_told(change):
    assert next(iter(change)) in WORKLOAD.wrong(WORKLOAD.query(0), reply(200, RIGHT | change))


def test_an_answer_that_is_no_object_is_wrong():
    assert WORKLOAD.wrong(WORKLOAD.query(0), reply(200)) == "the answer is not a JSON object"
    assert WORKLOAD.wrong(WORKLOAD.query(0), reply(200, [])) == "the answer is not a JSON object"


@pytest.mark.parametrize(
    ("status", "document", "state"),
    [
        (201, {"key": "n-3", "stored": True}, WriteState.ACKNOWLEDGED),
        (200, {"key": "n-3", "stored": True}, WriteState.ACKNOWLEDGED),
        (201, {"key": "n-4", "stored": True}, WriteState.INDETERMINATE),
        (201, None, WriteState.INDETERMINATE),
        (409, {}, WriteState.REFUSED),
        (503, {}, WriteState.INDETERMINATE),
    ],
)
def test_what_an_answer_to_a_write_tells(status, document, state):
    assert WORKLOAD.state(WORKLOAD.write(3), reply(status, document)) is state


def event(**changes):
    document = json.loads(WORKLOAD.write(3).body) | {"key": "n-3"} | changes
    return reply(200, document)


@pytest.mark.parametrize(
    ("replies", "found"),
    [
        ((event(), reply(200, {"count": 1})), ReadBack(1, equal=True)),
        ((event(occurred_at="2026-01-01T01:00:03+01:00"), reply(200, {"count": 1})), ReadBack(1, equal=True)),
        ((event(value=9), reply(200, {"count": 1})), ReadBack(1, equal=False)),
        ((event(occurred_at="?"), reply(200, {"count": 1})), ReadBack(1, equal=False)),
        ((event(), reply(200, {"count": 2})), ReadBack(2, equal=True)),
        ((reply(404), reply(200, {"count": 0})), ReadBack(0, equal=False)),
        ((reply(503), reply(200, {"count": 0})), None),
        ((event(), reply(503)), None),
        ((event(), reply(200, {"count": "many"})), None),
    ],
)
def test_reading_back(replies, found):
    assert len(WORKLOAD.read_back("n-3")) == 2
    assert WORKLOAD.found("n-3", replies) == found


def test_reads_and_writes_take_turns_and_answers_name_their_origin():
    assert [WORKLOAD.metered(turn, 9).operation for turn in range(4)] == ["ingest", "query", "ingest", "query"]
    assert WORKLOAD.origin(reply(200)).slot == "blue"


@pytest.mark.parametrize(
    ("status", "document", "honoured"),
    [
        (200, {"user": "Ada", "until": "later"}, True),
        (200, {"user": "Eve", "until": "later"}, False),
        (200, None, False),
        (401, {"error": "over"}, False),
        (503, {"error": "busy"}, None),
        (404, {}, None),
    ],
)
def test_a_session_is_honoured_by_an_answer_that_names_its_user(status, document, honoured):
    assert WORKLOAD.honours("Ada", reply(status, document)) is honoured


def test_a_session_is_opened_and_asked_for_with_its_token():
    opening = WORKLOAD.open_session("Ada", 60.0)
    assert (opening.method, opening.path, json.loads(opening.body)) == (
        "POST", "/v1/sessions", {"user": "Ada", "lasts_s": 60.0},
    )  # fmt: skip
    assert WORKLOAD.token(reply(201, {"token": "a.b"})) == "a.b"
    assert WORKLOAD.token(reply(200, {"token": "a.b"})) == WORKLOAD.token(reply(503, {})) == ""
    assert WORKLOAD.ask_session("a.b").headers == {"Authorization": "Bearer a.b"}
    assert isinstance(WORKLOAD, SessionWorkload)


def test_a_forged_token_says_the_same_under_another_signature():
    content, _, signature = WORKLOAD.forged("content.signature").partition(".")
    assert content == "content"
    assert len(signature) == 43
    assert signature != WORKLOAD.forged("content.signature").partition(".")[2]
