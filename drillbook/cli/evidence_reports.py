"""Reports: of a run in all its forms, and over all runs; `drillbook report`, `trace` and `history`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from drillbook.evidence.history import History
    from drillbook.evidence.tracing import Matrix, Row

PROJECT = Path(__file__).resolve().parents[2]
FEATURES = PROJECT / "features"
RUNS = PROJECT / "reports" / "runs"
EXIT_NOT_PROVED = 1
EXIT_LOOK_INTO = 1
EXIT_REFUSED = 2


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(report)
    app.command()(trace)
    app.command()(history)


def report(
    run: Annotated[str, typer.Argument(help="A run's id, the path of its folder, or `latest`.")],
    pdf: Annotated[bool, typer.Option("--pdf", help="Also report.pdf, for archives.")] = False,
    oscal: Annotated[bool, typer.Option("--oscal", help="Also oscal/: assessment plan and results.")] = False,
    allure: Annotated[bool, typer.Option("--allure", help="Also allure/: results for Allure.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="A new folder for all of it; the run's own when left out, as before signing.")
    ] = None,
    runs: Annotated[Path, typer.Option(help="Where a run's id, and the latest, is looked for.")] = RUNS,
) -> None:
    """Render the report of a run again, from its folder alone."""
    from drillbook.domain.verdict import Verdict
    from drillbook.evidence import junit
    from drillbook.evidence import report as html

    folder = _run_folder(run, runs)
    target = out or folder
    try:
        _make_way(folder, out)
        typer.echo(f"report: {html.render(folder, target)}")
        typer.echo(f"junit:  {junit.render(folder, target)}")
        _more(folder, target, pdf=pdf, oscal=oscal, allure=allure)
    except OSError as error:
        typer.echo(
            f"the report cannot be written into {target}: {error.strerror}; make room, or give --out another folder",
            err=True,
        )
        raise typer.Exit(Verdict.INCONCLUSIVE.exit_code) from error


def trace(
    runs: Annotated[Path, typer.Option(help="Where the folders of the runs are.")] = RUNS,
    max_age: Annotated[float, typer.Option(help="Days after which evidence is stale.", min=0.0)] = 7.0,
    environment: Annotated[str, typer.Option(help="Only runs in this environment; its name, or its file's path.")] = "",
    features: Annotated[Path, typer.Option(help="Where the features are.")] = FEATURES,
    out: Annotated[Path | None, typer.Option(help="The page; beside the runs' folder when left out.")] = None,
) -> None:
    """Every requirement with its proof. Exit code 0 when all are proved, 1 when not."""
    from drillbook.evidence import history as past
    from drillbook.evidence import requirements, scenarios, trace_report, tracing
    from drillbook.run.environment import name_of
    from drillbook.run.limits import Limits

    _there_is(runs)
    try:
        found = scenarios.read(features)
    except scenarios.UnreadableFeatures as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_REFUSED) from error
    records = tracing.read_runs(runs, name_of(environment))
    newest = {str(run.environment.get("name")): run.path for run in records}
    given = Path(environment).resolve() if Path(environment).is_file() else None
    limits = Limits(newest, given)
    matrix = tracing.trace(
        requirements.catalogue(), found, records, now_s=time.time(), max_age_days=max_age,
        held_to_its_limits=lambda run: limits.are_those_of(run.path, str(run.environment.get("name"))),
    )  # fmt: skip
    for section in matrix.catalogue.sections:
        typer.echo(f"{section.id} {section.title}")
        for row in matrix.rows:
            if row.requirement in section.requirements:
                typer.echo(_line(row))
    _summary(matrix)
    target = out or runs.resolve().parent / "traceability.html"
    _keep(target, lambda: trace_report.render(target, matrix, past.of(records)))
    raise typer.Exit(0 if matrix.proved else EXIT_NOT_PROVED)


def history(
    runs: Annotated[Path, typer.Option(help="Where the folders of the runs are.")] = RUNS,
    environment: Annotated[str, typer.Option(help="Only runs in this environment; its name, or its file's path.")] = "",
    out: Annotated[Path | None, typer.Option(help="The page; beside the runs' folder when left out.")] = None,
) -> None:
    """Verdicts and figures over all runs, and what they show. Exit code 1 when something has to be looked into."""
    from drillbook.evidence import history as past
    from drillbook.evidence import history_report, tracing
    from drillbook.run.environment import name_of

    _there_is(runs)
    found = past.of(tracing.read_runs(runs, name_of(environment)))
    for line in _nights(found):
        typer.echo(line)
    target = out or runs.resolve().parent / "history.html"
    _keep(target, lambda: history_report.render(target, found))
    raise typer.Exit(EXIT_LOOK_INTO if found.findings else 0)


def _there_is(runs: Path) -> None:
    """Refuses where there is no folder of runs."""
    if not runs.is_dir():
        typer.echo(f"there is no folder {runs}: give the folder of the runs with --runs", err=True)
        raise typer.Exit(EXIT_REFUSED)


def _keep(target: Path, render: Callable[[], Path]) -> None:
    """Write a page, and say where it is."""
    try:
        typer.echo(f"page: {render()}")
    except OSError as error:
        typer.echo(f"the page cannot be written to {target}: {error.strerror}; give another place with --out", err=True)
        raise typer.Exit(EXIT_REFUSED) from error


def _nights(past: History) -> list[str]:
    """The history for a terminal: a line of signs for each scenario, the newest run at the right."""
    from drillbook.domain.wording import quantity, span
    from drillbook.evidence import history_report
    from drillbook.evidence.pages import SYMBOLS
    from drillbook.evidence.text import printable

    lines: list[str] = []
    for one in past.pasts:
        signs = "".join(SYMBOLS[verdict] if verdict else "·" for verdict in one.verdicts[-history_report.MOST_NIGHTS :])
        lines += [past.named(one), f"  {signs}  {one.passed} of {len(one.drilled)} passed, {one.in_a_row} in a row"]
        lines.append(f"  at {history_report.CONFIDENCE} confidence: {history_report.shown(one)}")
    for series in past.recovery:
        objective, newest = series.objective, series.figures[-1].interval
        told = "nothing" if newest is None else span(newest, objective.unit)
        lines.append(f"{objective.statement} ({', '.join(objective.requirements)}), {past.named(series)}")
        lines.append(f"  newest {told}, limit {quantity(objective.limit, objective.unit)}")
        lines.append(f"  at {history_report.CONFIDENCE} confidence: {history_report.recovered(series)}")
    lines += [f"look into: {sentence}" for sentence in past.findings]
    return [printable(line) for line in [*lines, history_report.summary(past)]]


def _run_folder(name: str, runs: Path) -> Path:
    from drillbook.evidence import folder

    try:
        return folder.find(name, runs)
    except folder.NotARun as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_REFUSED) from error


def _make_way(folder: Path, out: Path | None) -> None:
    """Make the folder that was asked for, or say what writing into the run's own does to one that was signed."""
    from drillbook.evidence.statement import ENVELOPE_NAME

    if out is None:
        if (folder / ENVELOPE_NAME).exists():
            typer.echo(
                f"{folder.name} is signed, and `drillbook evidence verify` will call what this adds to its folder, or "
                "makes otherwise there, added or changed; to write it elsewhere, give --out FOLDER",
                err=True,
            )
        return
    if out.resolve().is_relative_to(folder.resolve()):
        typer.echo(f"--out: {out} is in the run's folder; give one elsewhere", err=True)
        raise typer.Exit(EXIT_REFUSED)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        typer.echo(f"--out: {out} is there already and holds something; give a new or an empty folder", err=True)
        raise typer.Exit(EXIT_REFUSED)
    out.mkdir(parents=True, exist_ok=True)


def _more(folder: Path, target: Path, *, pdf: bool, oscal: bool, allure: bool) -> None:
    """The other forms of a run's report, and where they are; what cannot be made ends with a sentence."""
    from drillbook.evidence import allure as allure_results
    from drillbook.evidence import oscal_files
    from drillbook.evidence import pdf as paper
    from drillbook.evidence.oscal import NothingToAssess

    try:
        if pdf:
            typer.echo(f"pdf:    {paper.render(folder, target)}")
        if oscal:
            for path in oscal_files.render(folder, target):
                typer.echo(f"oscal:  {path}")
        if allure:
            typer.echo(f"allure: {allure_results.render(folder, target)}")
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
    unshown = row.requirement.unshown and f"not shown: {row.requirement.unshown}"
    below = "".join(f"\n           {printable(line)}" for line in (proofs, unshown) if line)
    return told + typer.style(state, fg=colour) + below


def _summary(matrix: Matrix) -> None:
    counts = matrix.counts()
    parts = [f"{count} {state}" for state, count in counts.items() if count]
    typer.echo(f"{len(matrix.rows)} requirements: {', '.join(parts)}; {len(matrix.runs)} runs read")
    if matrix.unknown:
        typer.echo(f"scenarios name what is not promised: {', '.join(matrix.unknown)}", err=True)
