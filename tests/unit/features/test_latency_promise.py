"""Prometheus counts the environment's latency, whose bucket there is, where that is no looser than the sentence's."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from drillbook.domain.environment import Objectives
from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Measurement, Window
from drillbook.drills.drill import Drill
from drillbook.drills.seen import NotReady
from features.sentences import say
from probes import slo

SENTENCE = "Prometheus counted at least 99 % of requests within 0.3 s"


@pytest.fixture
def checked(monkeypatch):
    """What the sentence is held against in an environment that promises this latency, in seconds."""

    def check(latency_s):
        found = []
        objectives = Objectives(latency_s=latency_s)
        drill = SimpleNamespace(
            objectives=objectives,
            latency_counted=lambda limit_s: Drill.latency_counted(drill, limit_s),
            platform=SimpleNamespace(metrics=None, series=None),
            seen=SimpleNamespace(window_of_servers=Window(0.0, 60.0), unscraped=list),
            check=lambda id_, statement, direction, limit, _: found.append((id_, statement, direction, limit)),
        )
        measured = Measurement("share", Interval.exactly(1.0), "ratio", 3000, Window(0.0, 60.0), "prometheus", ())
        monkeypatch.setattr(slo, "within_latency", lambda *_, **__: measured)
        say(drill, SENTENCE)
        return found

    return check


@pytest.mark.parametrize("latency_s", [0.3, 0.25])
def test_one_that_is_as_strict_or_stricter_is_judged(checked, latency_s):
    assert checked(latency_s) == [
        ("slo.latency", f"99.00% of requests within {latency_s:g} s", "at_least", 0.99),
    ]


def test_by_one_that_is_looser_nothing_is_shown(checked):
    with pytest.raises(NotReady, match=r"those within 0\.5 s.*make objectives\.latency 0\.3 s or less"):
        checked(0.5)
