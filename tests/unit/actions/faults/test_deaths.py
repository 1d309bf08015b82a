"""Whatever step the harness dies at, making a fault or undoing it: the region is put back from its own documents."""

from __future__ import annotations

import contextlib

import pytest
from region_in_memory import Died, Region, offered

from drillbook.domain.fault import CATALOGUE


def moments():
    """Each step of making and of undoing each fault, and the moment after the last one."""
    found = []
    for name in CATALOGUE:
        region = Region.started()
        action = offered(region).choose(name).action
        before = action.capture()
        action.do()
        making = len(region.steps)
        action.undo(before)
        assert making >= 2, name
        found += [(name, "making", step) for step in range(1, making + 2)]
        found += [(name, "undoing", step) for step in range(1, len(region.steps) - making + 2)]
    return found


@pytest.mark.parametrize(("name", "phase", "step"), moments())
def test_a_region_is_put_back_whenever_the_harness_dies(region, harness, name, phase, step):
    before = region.picture()
    if phase == "undoing":
        harness.make(name)
    region.dies_at = len(region.steps) + step
    with contextlib.suppress(Died):
        harness.make(name) if phase == "making" else harness.recover()
    region.dies_at = 0
    assert all(found.restored for found in harness.recover()), region.steps
    assert region.picture() == before, region.steps
    assert not harness.store
