"""What a drill's timeline tells."""

from __future__ import annotations

import pytest

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
