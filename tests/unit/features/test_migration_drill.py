"""What a scenario about a migration asks of the environment before anything is touched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Measurement, Window
from drillbook.domain.verdict import Objective, Verdict, judge
from drillbook.drills import migration, release
from drillbook.drills.seen import NotReady
from drillbook.ports import Conflict
from features.sentences import say
from features.steps import migration as steps


def drill(**settings: Any):
    """One in an environment that proves 1.0.0 to 1.1.0; nothing that it could touch is there."""
    given: dict[str, Any] = {"older": "1.0.0", "newer": "1.1.0 without its migration", "progress": ""} | settings
    given["deadline_s"] = 120.0
    given["table"] = SimpleNamespace(unfilled=given.pop("unfilled", ""))
    return SimpleNamespace(
        release="",
        platform=SimpleNamespace(
            environment=SimpleNamespace(name="here"),
            migration=SimpleNamespace(settings=SimpleNamespace(**given)) if settings.get("proof") != "none" else None,
            version_of=lambda release: release.partition(" ")[0],
        ),
    )


@pytest.mark.parametrize(
    ("act", "made", "said"),
    [
        (lambda it: migration.prepare(it, 10, "1.0.0"), drill(proof="none"), "here does not say how a migration"),
        (lambda it: migration.prepare(it, 10, "0.9.0"), drill(), "from release 1.0.0, and not from 0.9.0"),
        (lambda it: migration.prove(it, "1.2.0", 5.0), drill(), "of release 1.1.0, and not of 1.2.0"),
        (lambda it: migration.kill_backfill(it, 10), drill(), "does not say how far a back-fill is"),
        (lambda it: migration.kill_backfill(it, 10), drill(progress="SELECT 1"), "which rows a back-fill has still to"),
    ],
)
def test_what_the_environment_lacks_is_said(act, made, said: str) -> None:
    with pytest.raises(NotReady, match=said):
        act(made)


def test_no_row_is_added_where_nobody_knows_the_way_back_from_the_schema() -> None:
    made = drill(before="0001")

    def refuses() -> None:
        raise Conflict("the schema is at 0003")

    made.platform.migration.migrate = lambda to: SimpleNamespace(to=to, capture=refuses)
    with pytest.raises(Conflict, match="the schema is at 0003"):
        migration.prepare(made, 10, "1.0.0")


def test_the_experiment_gets_the_release_and_the_numbers_of_the_sentence(monkeypatch) -> None:
    monkeypatch.setattr(release, "within_s", lambda _drill: 300.0)
    made = drill(progress="SELECT 1", unfilled="stored_by IS NULL")
    ran: list[tuple[str, dict[str, str]]] = []
    made.run_experiment = lambda name, **given: ran.append((name, given))
    migration.prove(made, "1.1.0", 5.0)
    migration.kill_backfill(made, 20_000)
    assert made.release == "1.1.0"
    assert all(given.pop("deadline_s") >= 300.0 + 4 * 120.0 for _, given in ran)
    assert ran == [
        ("migration", {"release": "1.1.0 without its migration", "hold_s": "5"}),
        ("backfill", {"release": "1.1.0 without its migration", "at_rows": "20000"}),
    ]


def test_what_is_there_twice_for_the_other_release_is_looked_for(monkeypatch) -> None:
    nothing = Measurement("n", Interval.exactly(0), "events", 1, Window(0, 1), "ledger")
    twice = replace(nothing, interval=Interval.exactly(5))
    monkeypatch.setattr("probes.migration.recorded", lambda _folder: None)
    monkeypatch.setattr("probes.migration.lost_crosswise", lambda *_: nothing)
    monkeypatch.setattr(steps, "events_duplicated", lambda folder: twice if folder.name == "newer" else nothing)
    judged = {}
    made: Any = SimpleNamespace(
        folder=Path("drill"),
        check=lambda id_, said, direction, limit, measured: judged.update(
            {id_: judge(Objective(id_, said, direction, limit, "events"), measured).verdict}
        ),
    )
    say(made, "what each release acknowledged is there for the other, once and unchanged", "then")
    assert judged == {
        "migration.crosswise.older": Verdict.PASS, "migration.doubled.older": Verdict.PASS,
        "migration.crosswise.newer": Verdict.PASS, "migration.doubled.newer": Verdict.FAIL,
    }  # fmt: skip
