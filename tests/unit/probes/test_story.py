"""What a drill's timeline tells."""

from __future__ import annotations

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


def test_a_container_without_a_limit_is_counted_and_named():
    found = unbounded({"bounds": {"a/app": WHOLE, "a/beside": ["requests.cpu", "limits.memory"]}})
    assert (found.interval, found.samples) == (Interval.exactly(1), 2)
    assert "a/beside has no limits.cpu and no requests.memory" in found.name


def test_where_no_container_was_looked_at_nothing_is_known_of_limits():
    assert unbounded({"bounds": {"a/app": WHOLE}}).interval == Interval.exactly(0)
    assert unbounded().interval is None
    assert unbounded({}).interval is None
    assert unbounded({"bounds": {}}).interval is None


def test_a_release_can_be_reached_from_the_first_weight_that_was_meant_for_it():
    told = [
        Event(at_s, "canary", kind, "send 5 % there", {"action": "shift-traffic"})
        for at_s, kind in ((2.0, "intent"), (2.1, "injected"), (9.0, "intent"))
    ]
    assert story.reached_s(told) == 2.0
    assert story.reached_s([deployed()]) is None
