"""What a scenario about a migration asks of the environment before anything is touched."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from drillbook.drills import migration
from drillbook.drills.seen import NotReady
from drillbook.ports import Conflict


def drill(**settings: Any):
    """One in an environment that proves 1.0.0 to 1.1.0; nothing that it could touch is there."""
    given: dict[str, Any] = {"older": "1.0.0", "newer": "1.1.0 without its migration", "progress": ""} | settings
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


def test_the_experiment_gets_the_release_and_the_numbers_of_the_sentence() -> None:
    made = drill(progress="SELECT 1", unfilled="stored_by IS NULL")
    ran: list[tuple[str, dict[str, str]]] = []
    made.run_experiment = lambda name, **given: ran.append((name, given))
    migration.prove(made, "1.1.0", 5.0)
    migration.kill_backfill(made, 20_000)
    assert made.release == "1.1.0"
    assert ran == [
        ("migration", {"release": "1.1.0 without its migration", "hold_s": "5"}),
        ("backfill", {"release": "1.1.0 without its migration", "at_rows": "20000"}),
    ]
