"""Reports beyond the page of a run: `drillbook trace`, and the other forms of `drillbook report`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from drillbook.evidence.tracing import Matrix, Row

PROJECT = Path(__file__).resolve().parents[1]
FEATURES = PROJECT / "features"
RUNS = PROJECT / "reports" / "runs"
EXIT_NOT_PROVED = 1
EXIT_REFUSED = 2


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(trace)


def trace(
    runs: Annotated[Path, typer.Option(help="Where the folders of the runs are.")] = RUNS,
    max_age: Annotated[float, typer.Option(help="Days after which evidence is stale.", min=0.0)] = 7.0,
    environment: Annotated[str, typer.Option(help="Only runs in this environment.")] = "",
    features: Annotated[Path, typer.Option(help="Where the features are.")] = FEATURES,
    out: Annotated[Path | None, typer.Option(help="The page; beside the runs' folder when left out.")] = None,
) -> None:
    """Every requirement with its proof. Exit code 0 when all are proved, 1 when not."""
    from drillbook.evidence import history, requirements, scenarios, trace_report, tracing

    if not runs.is_dir():
        typer.echo(f"there is no folder {runs}: give the folder of the runs with --runs", err=True)
        raise typer.Exit(EXIT_REFUSED)
    try:
        found = scenarios.read(features)
    except scenarios.UnreadableFeatures as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_REFUSED) from error
    records = tracing.read_runs(runs, environment)
    matrix = tracing.trace(requirements.catalogue(), found, records, now_s=time.time(), max_age_days=max_age)
    for section in matrix.catalogue.sections:
        typer.echo(f"{section.id} {section.title}")
        for row in matrix.rows:
            if row.requirement in section.requirements:
                typer.echo(_line(row))
    _summary(matrix)
    target = out or runs.resolve().parent / "traceability.html"
    try:
        page = trace_report.render(target, matrix, history.of(records))
    except OSError as error:
        typer.echo(f"the page cannot be written to {target}: {error.strerror}; give another place with --out", err=True)
        raise typer.Exit(EXIT_REFUSED) from error
    typer.echo(f"page: {page}")
    raise typer.Exit(0 if matrix.proved else EXIT_NOT_PROVED)


def more(folder: Path, *, pdf: bool, oscal: bool, allure: bool) -> None:
    """The other forms of a run's report, and where they are; what cannot be made ends with a sentence."""
    from drillbook.evidence import allure as allure_results
    from drillbook.evidence import oscal_files
    from drillbook.evidence import pdf as paper
    from drillbook.evidence.oscal import NothingToAssess

    try:
        if pdf:
            typer.echo(f"pdf:    {paper.render(folder)}")
        if oscal:
            for path in oscal_files.render(folder):
                typer.echo(f"oscal:  {path}")
        if allure:
            typer.echo(f"allure: {allure_results.render(folder)}")
    except (paper.NoPdf, oscal_files.NoTrestle, oscal_files.NotOscal, NothingToAssess) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_REFUSED) from error


def _line(row: Row) -> str:
    """One requirement, for a terminal."""
    from drillbook.evidence.text import printable

    proofs = "; ".join(
        proof.scenario.name + (f" ({proof.state})" if not proof.state.proved else "") for proof in row.proofs
    )
    state = "proved" if row.state.proved else f"NOT PROVED: {row.state}"
    colour = typer.colors.GREEN if row.state.proved else typer.colors.RED
    told = printable(f"  {row.requirement.id:<8} {row.requirement.says}: ")
    return told + typer.style(state, fg=colour) + (f"\n           {printable(proofs)}" if proofs else "")


def _summary(matrix: Matrix) -> None:
    counts = matrix.counts()
    parts = [f"{count} {state}" for state, count in counts.items() if count]
    typer.echo(f"{len(matrix.rows)} requirements: {', '.join(parts)}; {len(matrix.runs)} runs read")
    if matrix.unknown:
        typer.echo(f"scenarios name what is not promised: {', '.join(matrix.unknown)}", err=True)
