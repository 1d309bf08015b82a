"""From restores at several sizes to production: `drillbook capacity`, an estimate beside what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drillbook.domain.interval import Interval
    from drillbook.domain.scaling import Drill, Estimate, Model, Production

RUNS = Path(__file__).resolve().parents[2] / "reports" / "runs"
EXIT_NOT_SUPPORTED = 1
EXIT_REFUSED = 2
_HOUR_S = 3600.0


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(capacity)


def capacity(
    measured: Annotated[Path, typer.Argument(help="What restores took: by python -m benchmarks.restore_sizes --json.")],
    wal_rate: Annotated[str, typer.Option(help="WAL that production writes a second at most, over a day: 2MiB.")],
    backup_every: Annotated[float, typer.Option(help="Hours from one backup to the next.", min=0.0)],
    backup_rate: Annotated[str, typer.Option(help="Data that production's backup gets through a second: 50MiB.")],
    environment: Annotated[str, typer.Option("--environment", "-e", help="Whose recovery time is promised.")] = "twin",
    size: Annotated[str, typer.Option(help="Of production's database: 500GiB; without it only the certificate.")] = "",
    stages: Annotated[
        list[str] | None,
        typer.Option(help="Runs that drilled the loss of a database or a region: they tell detect, decide, reroute."),
    ] = None,
    runs: Annotated[Path, typer.Option(help="Where the runs of --stages are.")] = RUNS,
) -> None:
    """How long a restore from backup would take in production, and the largest database for which the promise holds.

    An estimate, never in the place of a measured recovery time. Exit code 0 when the promise is supported, 1 when it is
    not, 75 when that is not known, 2 when the drills carry no estimate.
    """
    from drillbook.domain import byte_size, scaling
    from drillbook.domain.scaling import Production
    from drillbook.evidence import folder, sizes
    from drillbook.run.environment import EnvironmentFileError, find, load

    try:
        promised_s = load(find(environment), releases=False).objectives.recovery_time_s
        production = Production(byte_size.parsed(wal_rate), backup_every * _HOUR_S, byte_size.parsed(backup_rate))
        wanted = byte_size.parsed(size) if size else None
        drills = sizes.read(measured)
        told = sizes.stages([folder.read(folder.find(name, runs), load=False) for name in stages or ()])
        found = scaling.model(drills, apart=told)
        _told_by(stages or (), told)
        _measured(drills)
        code = _certificate(found, production, promised_s)
        if wanted is not None:
            code = _judged(found, production, wanted, promised_s)
    except (ValueError, EnvironmentFileError, folder.NotARun) as error:
        typer.echo(f"capacity: {error}", err=True)
        raise typer.Exit(EXIT_REFUSED) from error
    for sentence in found.assumptions(production):
        typer.echo(f"assumed: {sentence}")
    raise typer.Exit(code)


def _told_by(runs: Sequence[str], told: Mapping[str, Sequence[Interval]]) -> None:
    """What runs were given for."""
    if runs:
        counts = ", ".join(f"{term} by {len(took)}" for term, took in sorted(told.items()))
        typer.echo(f"told by drills of losses: {counts or 'nothing'}")


def _measured(drills: Sequence[Drill]) -> None:
    from drillbook.domain import byte_size
    from drillbook.domain.wording import span

    largest = max(drills, key=lambda drill: drill.data_bytes)
    took = span(largest.total, "s")
    typer.echo(f"measured: {len(drills)} recoveries; the largest, {byte_size.told(largest.data_bytes)}, took {took}")


def _certificate(found: Model, production: Production, promised_s: float) -> int:
    from drillbook.domain import byte_size
    from drillbook.domain.capacity import certificate

    given = certificate(found, production, promised_s)
    if given.data_bytes is None:
        typer.echo(f"capacity: no size is supported in {promised_s / _HOUR_S:g} h; {given.because}")
        return EXIT_NOT_SUPPORTED
    typer.echo(
        f"capacity: up to {byte_size.told(given.data_bytes)} in {promised_s / _HOUR_S:g} h at {found.confidence:.0%} "
        f"confidence; there it ends: {given.because}"
    )
    return 0


def _judged(found: Model, production: Production, wanted: float, promised_s: float) -> int:
    from drillbook.domain.measurement import Window
    from drillbook.domain.scaling import estimate_measured
    from drillbook.domain.verdict import Objective, judge

    estimate = found.estimate(wanted, production)
    _terms(estimate)
    objective = Objective(
        "capacity.recovery", f"recovered within {promised_s / _HOUR_S:g} h", "at_most", promised_s, "s", ("DR-1.5",)
    )
    judged = judge(objective, estimate_measured(found, estimate, Window(0.0, 0.0)))
    typer.echo(f"{judged.verdict}: {judged.reason}")
    return judged.verdict.exit_code


def _terms(estimate: Estimate) -> None:
    from drillbook.domain import byte_size, scaling
    from drillbook.domain.wording import duration

    typer.echo(
        f"estimated for {byte_size.told(estimate.data_bytes)}: {duration(estimate.expected_s)}, at most "
        f"{duration(estimate.bounds.high)}"
    )
    slowest = max((term for term in estimate.terms if term.name in scaling.RESTORE), key=lambda it: it.bounds.high)
    for term in estimate.terms:
        beside = "  (at once with the slowest)" if term.name in scaling.RESTORE and term is not slowest else ""
        typer.echo(
            f"  {term.name:<10}{byte_size.told(term.size):>10}  {duration(term.expected_s):>12}, at most "
            f"{duration(term.bounds.high)}{beside}"
        )
    for reason in estimate.unproven:
        typer.echo(f"  unproven: {reason}")
