"""What a drill's timeline tells."""

from __future__ import annotations

import math

import pytest

from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Window
from drillbook.run.timeline import Event
from probes import story

RAN = ["registry:5000/analytics@sha256:1"]


def deployed(kind="observed", version="1.1.0", images=RAN, action="deploy-release"):
    return Event(1.0, "cutover", kind, "slot green is whole", {"action": action, "version": version, "images": images})


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ([deployed()], RAN),
        ([deployed(images=["older"]), deployed()], RAN),
        ([], []),
        ([deployed(kind="intent")], []),
        ([deployed(version="1.2.0")], []),
        ([deployed(), deployed(version="1.2.0")], []),
        ([deployed(action="switch-traffic")], []),
    ],
)
def test_the_images_are_those_of_the_release_that_was_deployed_last(events, found):
    assert story.images(events, "1.1.0") == found


def test_where_no_release_was_to_stay_there_are_none():
    assert story.images([deployed(version="")], "") == []


WHOLE = ["requests.cpu", "requests.memory", "limits.cpu", "limits.memory"]


def unbounded(*looks):
    events = [Event(float(number), "d", "note", "", {"activity": "start", **data}) for number, data in enumerate(looks)]
    return story.containers_unbounded(events, Window(0.0, 1.0))


@pytest.mark.parametrize(
    ("problems", "wrong", "found"),
    [
        (["query was answered wrongly: 3"], {"wrong": 1}, Interval(1, 1)),
        (["query was answered wrongly: 3"], {}, Interval(1, 1)),
        (["the gateway did not answer within 5 s"], {"wrong": 0}, Interval(0, 1)),
        (["the gateway did not answer within 5 s"], {}, Interval(0, 1)),
        ([], {"wrong": 0}, Interval(0, 0)),
    ],
)
def test_a_validation_that_fails_for_another_reason_has_found_no_wrong_answer(problems, wrong, found):
    data = {"activity": "validate_release", "problems": problems, "tried": 41, **wrong}
    event = Event(1.0, "cutover", "decided", "not fit", data)
    assert story.wrong_answers_found([event], Window(0, 2)).interval == found


def test_a_validation_that_was_never_made_has_found_nothing():
    assert story.wrong_answers_found([], Window(0, 2)).interval is None


def test_a_container_without_a_limit_is_counted_and_named():
    found = unbounded({"bounds": {"a/app": WHOLE, "a/beside": ["requests.cpu", "limits.memory"]}})
    assert (found.interval, found.samples) == (Interval.exactly(1), 2)
    assert "a/beside has no limits.cpu and no requests.memory" in found.name


def test_where_no_container_was_looked_at_nothing_is_known_of_limits():
    assert unbounded({"bounds": {"a/app": WHOLE}}).interval == Interval.exactly(0)
    assert unbounded().interval is None
    assert unbounded({}).interval is None
    assert unbounded({"bounds": {}}).interval is None


def released(*looks, action="deploy-release", kind="observed"):
    """A start with nothing to complain of, and what was seen of the releases that came after it."""
    start = Event(0.0, "d", "note", "", {"activity": "start", "bounds": {"a/app": WHOLE}})
    after = [Event(1.0, "d", kind, "", {"action": action, **data}) for data in looks]
    return story.containers_unbounded([start, *after], Window(0.0, 1.0))


@pytest.mark.parametrize("action", ["deploy-release", "update-release"])
def test_the_release_that_comes_live_is_held_to_its_limits_as_the_one_before_it(action):
    found = released({"bounds": {"b/app": WHOLE, "b/beside": WHOLE[:3]}}, action=action)
    assert (found.interval, found.samples) == (Interval.exactly(1), 3)
    assert "b/beside has no limits.memory" in found.name
    assert released({"bounds": {"b/app": WHOLE}}, action=action).interval == Interval.exactly(0)


@pytest.mark.parametrize("data", [{}, {"bounds": {}}])
def test_where_the_containers_of_a_release_were_not_looked_at_its_limits_are_not_known(data):
    assert released(data).interval == Interval(0, math.inf)
    assert released(data, {"bounds": {"b/app": []}}).interval == Interval(1, math.inf)


def test_a_release_that_was_never_seen_whole_was_not_live():
    assert released({}, kind="intent").interval == Interval.exactly(0)


def test_a_release_can_be_reached_from_the_first_weight_that_was_meant_for_it():
    told = [
        Event(at_s, "canary", kind, "send 5 % there", {"action": "shift-traffic"})
        for at_s, kind in ((2.0, "intent"), (2.1, "injected"), (9.0, "intent"))
    ]
    assert story.reached_s(told) == 2.0
    assert story.reached_s([deployed()]) is None


def decided(text, **data):
    return Event(9.0, "d", "decided", text, {"activity": "watch_release", "ruling": "roll back", **data})


@pytest.mark.parametrize("flaw", ["errors", "latency"])
def test_a_decision_says_what_a_release_was_found_bad_for(flaw):
    assert story.found_bad_for([decided("roll back: so it was", flaw=flaw)]) == flaw


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("roll back: clients saw 9 of 90 answers that failed or were wrong (10.0%), where 0.20% is allowed", "errors"),
        ("roll back: Prometheus saw 9 of 90 answers that failed (10.0%), where 0.20% is allowed", "errors"),
        (
            "roll back: clients saw 9 of 90 answers that took longer than 0.3 s (10.0%), where 5.00% is fine",
            "latency",
        ),
        ("abort: 9 of the canary's 90 answers were bad and 0 of stable's 900, which is more", "errors"),
        ("abort: 9 of 90 requests failed without an answer that names a release since the canary has 5 %", "errors"),
        ("abort: half of the canary's answers took up to 60.0 ms and 99 % up to 70.0 ms", "latency"),
        ("it was so", "latency"),
    ],
)
def test_one_that_was_recorded_before_it_said_so_has_it_in_its_sentence(text, flaw):
    assert story.found_bad_for([decided(text)]) == flaw


def test_a_release_that_was_not_sent_back_takes_all_its_answers_for_bad():
    kept = Event(9.0, "d", "decided", "keep: 0 failed", {"activity": "watch_release", "ruling": "keep"})
    assert story.found_bad_for([kept]) == "latency"
    assert story.found_bad_for([]) == "latency"
