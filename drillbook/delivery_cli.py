"""What a pipeline calls: `drillbook gate`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

RUNS = Path(__file__).resolve().parents[1] / "reports" / "runs"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(gate)


def gate(
    run: Annotated[str, typer.Argument(help="The path of a run's folder, or `latest`.")],
    runs: Annotated[Path, typer.Option(help="Where `latest` looks.")] = RUNS,
    environment: Annotated[str, typer.Option(help="Only a run in this environment counts.")] = "",
    release: Annotated[str, typer.Option(help="Only a run that let this version stay counts.")] = "",
    since: Annotated[str, typer.Option(help="Only a run begun after this: 2026-11-23T08:15:00Z.")] = "",
    max_age: Annotated[float, typer.Option(help="Only a run that ended so many hours ago, at most.", min=0.0)] = 24.0,
) -> None:
    """Let a release through or not, by a run's verdict file alone. Exit code 0 PASS, 1 FAIL, 75 INCONCLUSIVE, else 2."""
    from drillbook import gate as gates

    try:
        demands = gates.Demands(environment, release, gates.moment(since) if since else 0.0, max_age * 3600)
    except (ValueError, OverflowError) as error:
        typer.echo(f"gate closed: {error}", err=True)
        raise typer.Exit(gates.NO_VERDICT) from error
    try:
        folder = gates.latest(runs) if run == "latest" else Path(run)
    except gates.NoVerdict as error:
        ruling = gates.Ruling(gates.NO_VERDICT, f"closed: {error}")
    else:
        ruling = gates.decide(folder, demands, now_s=time.time())
    typer.echo(f"gate {ruling.text}", err=not ruling.promotes)
    raise typer.Exit(ruling.exit_code)
