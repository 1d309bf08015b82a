"""Whatever is killed, whenever: the platform is put back. The boundaries come from the undo journal of a clean run."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from tests.crashes.conftest import PROJECT, RESTORED_WITHIN_S, recover

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.crashes.conftest import Run, Twin

pytestmark = pytest.mark.twin

SWITCH = "a_planned_switch_loses_no_write"
LOST = "server_is_gone_and_does_not_come_back"
DESTROYED = "dropped_under_load"
PROVED = "each_repository_alone"
JOB_ENDS_WITHIN_S = 240.0
STATE = "files_and_secrets_are_in_the_other_region"
CANARY = "no_worse_is_promoted_in_steps"
UPDATED = "an_update_rolls_out_under_load"
SCENARIOS = (
    "a_good_release_replaces_the_live_one",
    "a_release_that_fails_its_validation_never_takes_traffic",
    "an_operator_takes_back",
    # One of the outline's three: they differ in what is wrong with the release, not in what is changed.
    "taken_back_by_itself and fails",
    SWITCH,
    # One entry of the journal covers all weights; the tests of the action kill it at each of them.
    CANARY,
    LOST,
)
REGION_LOSSES = {how: f"people_use_it and {word}" for how, word in (
    ("cut", "network"), ("nodes", "nodes"), ("partition", "parted"),
)}  # fmt: skip
ONLY = {
    CANARY: ("--only=canary",), LOST: ("--only=database_primary_lost",),
    DESTROYED: ("--only=data_destroyed",), PROVED: ("--only=backup_proof",),
    STATE: ("--only=state_in_other_region",), UPDATED: ("--only=update_in_place",),
    **dict.fromkeys(REGION_LOSSES.values(), ("--only=region_lost",)),
}  # fmt: skip
"""What is drilled only where it is asked for."""
FAULTS = tuple(sorted(path.stem for path in (PROJECT / "features" / "resilience").glob("*.feature")))
"""Features whose faults are made in steady state, and the run is killed."""

REGION_RESTORED_WITHIN_S = 420.0
"""Its machines boot, its database is rebuilt, and the place is handed back, each on a machine of two cores."""

LIFTED_STEP_BY_STEP = ("disk_filled", "dns_stopped", "node_drained", "node_killed")
"""Those whose undo takes its time."""

PARTS: tuple[tuple[str, ...], ...] = (
    ("runner",),
    ("experiment",),
    ("load",),
    ("watchdog",),
    ("runner", "watchdog"),
)


@dataclass(frozen=True)
class Case:
    """One kill and what came of it."""

    scenario: str
    parts: tuple[str, ...]
    boundary: int
    restored_s: float
    by: str
    wrong: str

    def __str__(self) -> str:
        what = f"{self.scenario[:38]:<38} {'+'.join(self.parts):<16} boundary {self.boundary}"
        return f"{what}  {self.wrong or f'restored after {self.restored_s:5.1f} s by {self.by}'}"


def kill(
    start: Callable[..., Run],
    twin: Twin,
    scenario: str,
    parts: tuple[str, ...],
    boundary: int,
    *more: str,
    after_s: float = 0.0,
    restored_within_s: float = RESTORED_WITHIN_S,
    once: tuple[str, str] | None = None,
) -> Case:
    """Start, kill at the boundary, wait until the platform is as it was; an end of its own is waited for.

    Args:
        start: Starts a run.
        twin: Shows the platform.
        scenario: Which one is drilled.
        parts: What is killed.
        boundary: When.
        more: Arguments of the run.
        after_s: So much later, in the middle of a change that takes its time.
        restored_within_s: For the platform to be as it was.
        once: Not before this event of this activity, which shows at no boundary.
    """
    run = start(scenario, *ONLY.get(scenario, ()), *more)
    run.wait_for_boundary(boundary)
    if once is not None:
        run.wait_for_event(*once)
    run.wait_for_parts(parts)
    time.sleep(after_s)
    killed = run.kill(parts)
    killed_s = time.monotonic()
    by, wrong = "the run", ""
    try:
        assert killed, f"there was no {' or '.join(parts)} to kill"
        code = run.end()
        if parts == ("runner",):
            by = "the watchdog"
        if parts == ("runner", "watchdog"):
            by = "recover"
            done = recover()
            assert done.returncode == 0, done.stdout + done.stderr
        twin.wait_until_clean(restored_within_s)
        if "watchdog" not in parts or "runner" in parts:
            assert code != 0, "a run that lost a part of itself passed"
        for part in ("experiment", "load"):
            assert run.pids(part) == [], f"{part} is still there"
    except AssertionError as error:
        wrong = str(error).splitlines()[0]
        recover()  # whatever comes next is to begin on a platform that is as it was
    return Case(scenario, parts, boundary, time.monotonic() - killed_s, by, wrong)


@pytest.mark.parametrize(
    ("parts", "boundary"),
    [
        (("runner",), 4),
        (("watchdog",), 2),
        (("runner", "watchdog"), 4),
        pytest.param(("runner",), 1, marks=pytest.mark.slow),
        pytest.param(("experiment",), 3, marks=pytest.mark.slow),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, tuple) else f"at-{value}",
)
def test_what_is_killed_is_put_back(start, twin, parts, boundary):
    case = kill(start, twin, SCENARIOS[0], parts, boundary)
    print(case)
    assert not case.wrong, case


@pytest.mark.slow
@pytest.mark.parametrize("parts", [("runner",), ("experiment",), ("runner", "watchdog")], ids="+".join)
@pytest.mark.parametrize(
    ("boundary", "when"),
    [(1, {}), (2, {}), (2, {"after_s": 4.0}), (2, {"after_s": 0.5, "once": ("decided", "roll_back")})],
    ids=["meant", "declared", "half rolled out", "rolling back"],
)
def test_an_update_in_place_that_dies_half_way_is_rolled_back(start, twin, parts, boundary, when):
    case = kill(start, twin, UPDATED, parts, boundary, **when)
    print(f"{case} {when}")
    assert not case.wrong, case


@pytest.mark.slow
@pytest.mark.parametrize("after_s", [0.3, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("parts", [("runner",), ("experiment",), ("runner", "watchdog")], ids="+".join)
def test_a_switch_of_the_database_that_dies_half_way_is_put_back(start, twin, parts, after_s):
    case = kill(start, twin, SWITCH, parts, 1, after_s=after_s)
    print(f"{case} ({after_s:g} s into the switch)")
    assert not case.wrong, case


@pytest.mark.slow
@pytest.mark.parametrize("parts", [("runner",), ("runner", "watchdog")], ids="+".join)
@pytest.mark.parametrize(
    ("boundary", "after_s"), [(1, 0.0), (2, 0.0), (3, 0.1), (3, 0.5), (4, 0.0), (5, 0.1), (5, 0.5), (6, 0.0)],
    ids=["loss meant", "lost", "fencing", "stopping", "fenced", "asking to promote", "promoting", "promoted"],
)  # fmt: skip
def test_a_failover_that_dies_half_way_is_put_back(start, twin, parts, boundary, after_s):
    case = kill(start, twin, LOST, parts, boundary, after_s=after_s)
    print(case)
    assert not case.wrong, case


@pytest.mark.slow
@pytest.mark.parametrize("parts", [("runner",), ("runner", "watchdog")], ids="+".join)
@pytest.mark.parametrize(
    ("boundary", "after_s"), [(1, 0.0), (2, 1.0), (3, 0.0), (3, 8.0), (4, 0.0)],
    ids=["loss meant", "lost", "restore meant", "restoring", "restored"],
)  # fmt: skip
def test_a_destroyed_table_is_brought_back(start, twin, parts, boundary, after_s):
    case = kill(start, twin, DESTROYED, parts, boundary, after_s=after_s)
    print(case)
    assert not case.wrong, case


@pytest.mark.slow
@pytest.mark.parametrize("parts", [("runner",), ("runner", "watchdog")], ids="+".join)
@pytest.mark.parametrize(
    "boundary", [1, 2, 4, 6, 8, 10, 12],
    ids=["loss meant", "lost", "fenced", "promoted", "repointed", "scaled up", "led away"],
)  # fmt: skip
@pytest.mark.parametrize("how", REGION_LOSSES)
def test_a_failover_to_the_other_region_that_dies_half_way_is_put_back(start, twin, how, parts, boundary):
    case = kill(start, twin, REGION_LOSSES[how], parts, boundary, restored_within_s=REGION_RESTORED_WITHIN_S)
    print(case)
    assert not case.wrong, case


@pytest.mark.slow
def test_a_job_of_a_restore_whose_run_is_dead_and_destroyed_nothing_is_removed_by_itself(start, twin):
    run = start(PROVED, *ONLY[PROVED])
    give_up = time.monotonic() + JOB_ENDS_WITHIN_S
    while not (jobs := [name for name in twin.jobs() if "-restore-" in name]):
        assert time.monotonic() < give_up, "no restore was begun"
        time.sleep(0.2)
    run.kill(("runner", "watchdog"))
    run.end()
    killed_s = time.monotonic()
    while left := [name for name in twin.jobs() if name in jobs]:
        assert time.monotonic() < killed_s + JOB_ENDS_WITHIN_S, f"there is still {left}"
        time.sleep(0.5)
    print(f"removed {time.monotonic() - killed_s:.1f} s after the run was dead")
    assert recover().returncode == 0
    twin.wait_until_clean()


@pytest.mark.slow
@pytest.mark.parametrize("parts", [("runner",), ("experiment",), ("runner", "watchdog")], ids="+".join)
@pytest.mark.parametrize("boundary", [1, 2, 3, 4], ids=["file meant", "file written", "secret meant", "secret written"])
def test_markers_of_a_run_that_dies_are_removed_in_both_regions(start, twin, parts, boundary):
    case = kill(start, twin, STATE, parts, boundary)
    print(case)
    assert not case.wrong, case
    assert twin.markers() == []


@pytest.mark.slow
@pytest.mark.parametrize("parts", [("runner",), ("experiment",), ("runner", "watchdog")], ids="+".join)
@pytest.mark.parametrize("boundary", [1, 2], ids=["meant", "made"])
@pytest.mark.parametrize("feature", FAULTS)
def test_a_fault_of_a_run_that_is_killed_is_undone(start, twin, feature, parts, boundary):
    case = replace(kill(start, twin, "steady", parts, boundary, f"--only={feature}"), scenario=feature)
    print(case)
    assert not case.wrong, case


@pytest.mark.slow
@pytest.mark.parametrize("parts", [("runner",), ("experiment",), ("runner", "watchdog")], ids="+".join)
@pytest.mark.parametrize("feature", LIFTED_STEP_BY_STEP)
def test_a_fault_whose_lifting_dies_half_way_is_undone(start, twin, feature, parts):
    case = kill(start, twin, "steady", parts, 2, f"--only={feature}", after_s=0.5, once=("intent", "lift_fault"))
    print(f"{replace(case, scenario=feature)} (0.5 s into its lifting)")
    assert not case.wrong, case


@pytest.mark.slow
@pytest.mark.soak
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_part_at_every_boundary(start, twin, scenario):
    clean = start(scenario, *ONLY.get(scenario, ()))
    assert clean.end() == 0, clean.output.read_text()
    boundaries = range(len(clean.lines("undo.jsonl")))
    cases: list[Case] = []
    for boundary in boundaries:
        for parts in PARTS:
            cases.append(kill(start, twin, scenario, parts, boundary))
            print(cases[-1], flush=True)
    wrong = [str(case) for case in cases if case.wrong]
    assert len(cases) == len(boundaries) * len(PARTS)
    assert not wrong, "\n".join(wrong)
