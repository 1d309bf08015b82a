"""`drillbook ledger`: of everything that was acknowledged in many runs, what became of it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drillbook.domain.night import Account
    from drillbook.evidence.record import DrillRecord, RunRecord

PROJECT = Path(__file__).resolve().parents[2]
FEATURES, RUNS = PROJECT / "features", PROJECT / "reports" / "runs"
EXIT_REFUSED = 2
_POINT = "recovery.point"
_OLD_LOSSES = (_POINT, "recovery.point_at_fence")
_LATER_LOSSES = ("recovery.lost_since_fence", "recovery.lost_since_restore")
"""What a drill judges of the lost server's writes, and of those that were acknowledged by the one in its place."""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(ledger)


def ledger(
    runs: Annotated[Path, typer.Option(help="Where the folders of the runs are.")] = RUNS,
    since: Annotated[str, typer.Option(help="Only runs begun after this: 2026-11-23T08:15:00Z.")] = "",
    environment: Annotated[str, typer.Option(help="Only runs in this environment; its name, or its file's path.")] = "",
) -> None:
    """All acknowledged writes of all drills: present, lost, altered, there twice, not known.

    Exit code 0 when none is unaccounted for and none was lost that no recovery point allowed, 1 when one was, 75 when
    it is not known of one or when nothing was written, 2 when there are no runs to look at.
    """
    from drillbook.afterwards import gate
    from drillbook.domain.night import night
    from drillbook.evidence import tracing
    from drillbook.evidence.text import printable
    from drillbook.run.environment import name_of

    try:
        after_s = gate.moment(since) if since else 0.0
    except (ValueError, OverflowError) as error:
        typer.echo(f"ledger: {error}", err=True)
        raise typer.Exit(EXIT_REFUSED) from error
    if not runs.is_dir():
        typer.echo(f"there is no folder {runs}: give the folder of the runs with --runs", err=True)
        raise typer.Exit(EXIT_REFUSED)
    # A run that does not say where it was, or when it began, may be of this night.
    name = name_of(environment)
    chosen = [
        run
        for run in tracing.read_runs(runs)
        if (not name or run.environment.get("name", name) == name) and (run.began_s is None or run.began_s >= after_s)
    ]
    gone_on_with = {run.continues.run_id for run in chosen if run.continues is not None}
    found = night(account for run in chosen for account in _accounts(run, asked=run.run_id not in gone_on_with))
    typer.echo(
        f"{found.acknowledged} writes were acknowledged in {found.loads} loads of {len(chosen)} runs: "
        f"{found.present} present, {found.lost} lost, {found.altered} altered, {found.unknown} not known; "
        f"{found.duplicated} there more than once"
    )
    there = found.indeterminate_present
    typer.echo(f"{found.indeterminate} were neither acknowledged nor refused, of which {there} are present")
    for sentence in found.broken:
        typer.echo(printable(f"broken: {sentence}"))
    for sentence in found.unaccounted:
        typer.echo(printable(f"unaccounted for: {sentence}"))
    typer.echo(f"{found.verdict}: " + ("none unaccounted for" if not found.unaccounted else "not all is accounted for"))
    raise typer.Exit(found.verdict.exit_code)


def _accounts(run: RunRecord, *, asked: bool) -> Iterator[Account]:
    """Of all users of every drill that had some, or of which nobody knows whether it had.

    Args:
        run: Whose.
        asked: Whether what it was asked for and did not come to is missed; not where another run has gone on with it.
    """
    from drillbook.domain.night import Account
    from drillbook.run.planning import STATIC

    for drill in run.drills:
        folder, name = run.path / "drills" / drill.id, f"{run.run_id}, {drill.id}"
        loads = sorted(path.parent for path in folder.rglob("load") if path.is_dir() and any(path.iterdir()))
        for place in loads:
            within = "" if place == folder else f", {place.relative_to(folder).as_posix()}"
            yield _account(place, drill, f"{name}{within}")
        if not loads and not (STATIC in drill.tags or drill.unused):
            yield Account(name, None, "its users left no record")
    for missing in run.missing if asked else ():
        if missing not in _about_files():
            yield Account(f"{run.run_id}, {missing}", None, "it was asked for, and left no record")


@cache
def _about_files() -> frozenset[str]:
    """Titles of the scenarios that nobody writes in."""
    from drillbook.run import planning

    try:
        return frozenset(drill.title for drill in planning.drills(FEATURES) if planning.STATIC in drill.tags)
    except planning.PlanError:
        return frozenset()  # All that left no record is missed then.


def _account(folder: Path, drill: DrillRecord, name: str) -> Account:
    from drillbook.domain.night import Account
    from probes.integrity import ledger as kept
    from probes.integrity import unread
    from probes.recording import recording

    try:
        load = recording(folder)
        why = "; ".join(unread(load)) or ("" if load.rows("ledger") else "its ledger has no write")
        fate = None if why else kept(folder)
    except (OSError, KeyError, TypeError, ValueError) as error:
        return Account(name, None, f"its ledger cannot be read: {error!r}")
    return Account(name, fate, why, may_lose=_within_its_point(drill))


def _within_its_point(drill: DrillRecord) -> bool:
    """Whether all that was lost was judged, and found to be allowed: what the lost server had, and what came after."""
    from drillbook.domain.verdict import Verdict

    found = {
        id_: [check.verdict for check in drill.checks if check.recorded.objective.id == id_]
        for id_ in (*_OLD_LOSSES, *_LATER_LOSSES)
    }
    whole = bool(found[_POINT]) and any(found[id_] for id_ in _LATER_LOSSES)
    return whole and all(verdict is Verdict.PASS for verdicts in found.values() for verdict in verdicts)
