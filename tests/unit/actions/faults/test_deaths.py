"""Whatever step the harness dies at, making a fault or undoing it: the region is put back from its own documents."""

from __future__ import annotations

import contextlib

import pytest
from region_in_memory import Died

from drillbook.domain.fault import CATALOGUE

STEPS = 14
"""More than any fault takes; the test of the longest says so."""


@pytest.mark.parametrize("name", CATALOGUE)
@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_dying_while_a_fault_is_made(region, harness, name, step):
    before = region.picture()
    region.dies_at = step
    with contextlib.suppress(Died):
        harness.make(name)
    region.dies_at = 0
    assert all(found.restored for found in harness.recover()), region.steps
    assert region.picture() == before, region.steps
    assert not harness.store


@pytest.mark.parametrize("name", CATALOGUE)
@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_dying_while_a_fault_is_undone(region, harness, name, step):
    before = region.picture()
    harness.make(name)
    region.dies_at = len(region.steps) + step
    with contextlib.suppress(Died):
        harness.recover()
    region.dies_at = 0
    assert all(found.restored for found in harness.recover()), region.steps
    assert region.picture() == before, region.steps
    assert not harness.store


@pytest.mark.parametrize("name", CATALOGUE)
def test_no_fault_takes_more_steps_than_are_tried(region, harness, name):
    harness.make(name)
    harness.recover()
    assert 0 < len(region.steps) <= STEPS
