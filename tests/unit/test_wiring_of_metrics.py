"""Prometheus' token is fetched by whoever asks: what is put back is put back without it."""

from __future__ import annotations

import dataclasses
import json

import pytest
from ruamel.yaml import YAML

from drillbook import wiring
from drillbook.ports import Unreachable
from drillbook.run.clock import SteadyClock
from drillbook.run.environment import DIRECTORY

MISSING = "token cannot be read: No such file or directory"


@pytest.fixture
def environment(tmp_path):
    """The twin's, for a machine that is in its network, with a token that is not there."""
    document = YAML(typ="safe", pure=True).load((DIRECTORY / "twin.yaml").read_text())
    del document["reach"], document["recovery"]
    document["regions"] = {"us-east-1": {"kubeconfig": "kubeconfig.yaml", "role": "primary"}}
    document["name"] = "sample"
    document["metrics"] |= {"url": "http://127.0.0.1:1", "token": "file:token"}
    (tmp_path / "kubeconfig.yaml").write_text(json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "c", "users": [{"name": "u", "user": {"token": "t0"}}],
        "clusters": [{"name": "k", "cluster": {"server": "http://127.0.0.1:1"}}],
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
    }))  # fmt: skip
    path = tmp_path / "sample.yaml"
    path.write_text(json.dumps(document))
    return wiring.read_environment(str(path), releases=False)


def test_the_ports_are_made_without_it_and_whoever_asks_is_told(environment):
    ports = wiring.platform(environment, SteadyClock.starting_now())
    with pytest.raises(Unreachable, match=MISSING):
        ports.metrics.query("up")


def test_a_run_finds_before_it_begins_that_it_is_missing(environment, tmp_path):
    with pytest.raises(Unreachable, match=MISSING):
        wiring.check_metrics(environment)
    (tmp_path / "token").write_text("t1")
    wiring.check_metrics(environment)


def test_a_drill_has_it_before_it_seals_the_vault(environment, tmp_path):
    with pytest.raises(Unreachable, match=MISSING):
        wiring.platform(environment, SteadyClock.starting_now(), queries=tmp_path / "queries")


def test_what_tells_a_failure_is_known_by_its_labels(environment):
    metrics = dataclasses.replace(environment.metrics, failures='status=~"5..",route!="/slow"')
    assert wiring.series(metrics, 0.3, 0.3).failure_labels == ("status", "route")


def test_what_is_slow_to_the_watch_has_a_bucket_of_its_own(environment):
    series = wiring.series(environment.metrics, 0.3, 2.5)
    assert 'le="0.3"' in series.in_time
    assert series.fast == series.in_time.replace('le="0.3"', 'le="2.5"')


@pytest.mark.parametrize(
    ("ends_s", "matcher"),
    [
        (0.3, 'le="0.3"'),
        (1.0, 'le=~"1|1[.]0"'),
        (10.0, 'le=~"10|10[.]0"'),
        (2.5, 'le="2.5"'),
    ],
)
def test_a_bucket_is_found_whichever_way_its_end_is_written(environment, ends_s, matcher):
    """Prometheus 3 and the client of Python write 1.0 where Go's client and Prometheus 2 have 1."""
    series = wiring.series(environment.metrics, ends_s, ends_s)
    assert series.in_time.endswith(f",{matcher}}}")
    assert series.fast == series.in_time
