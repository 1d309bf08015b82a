"""What a pipeline calls beside `drillbook verify`: the gate, telling people, and keeping the evidence."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated

import typer

RUNS = Path(__file__).resolve().parents[2] / "reports" / "runs"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(gate)
    app.command()(notify)
    app.command()(archive)


def gate(
    run: Annotated[str, typer.Argument(help="A run's id, the path of its folder, or `latest`.")],
    runs: Annotated[Path, typer.Option(help="Where a run's id, and the latest, is looked for.")] = RUNS,
    environment: Annotated[
        str, typer.Option(help="Only a run in this environment counts; its name, or its file's path.")
    ] = "",
    release: Annotated[str, typer.Option(help="Only a run that let this version stay counts.")] = "",
    since: Annotated[str, typer.Option(help="Only a run begun after this: 2026-11-23T08:15:00Z.")] = "",
    max_age: Annotated[float, typer.Option(help="Only a run that ended so many hours ago, at most.", min=0.0)] = 24.0,
) -> None:
    """Let a release through or not, by a run's verdict file. Exit code 0 PASS, 1 FAIL, 75 INCONCLUSIVE, else 2."""
    from drillbook.afterwards import gate as gates
    from drillbook.run.environment import name_of

    try:
        demands = gates.Demands(name_of(environment), release, gates.moment(since) if since else 0.0, max_age * 3600)
    except (ValueError, OverflowError) as error:
        typer.echo(f"gate closed: {error}", err=True)
        raise typer.Exit(gates.NO_VERDICT) from error
    try:
        folder = gates.named(run, runs)
    except gates.NoVerdict as error:
        ruling = gates.Ruling(gates.NO_VERDICT, f"closed: {error}")
    else:
        ruling = gates.decide(folder, demands, now_s=time.time())
    typer.echo(f"gate {ruling.text}", err=not ruling.promotes)
    raise typer.Exit(ruling.exit_code)


def notify(
    run: Annotated[str, typer.Argument(help="A run's id, the path of its folder, or `latest`.")],
    runs: Annotated[Path, typer.Option(help="Where a run's id, and the latest, is looked for.")] = RUNS,
    environment: Annotated[str, typer.Option(help="Where it was, for the case that there is no run.")] = "",
    link: Annotated[
        str, typer.Option(help="To the report; GitLab's page of the pipeline when left out.", envvar="CI_PIPELINE_URL")
    ] = "",
) -> None:
    """Send a run's verdict to $DRILLBOOK_WEBHOOK and, with $DRILLBOOK_GITLAB_TOKEN, to its merge request.

    Each may lie in a file instead, whose path is in the same variable with _FILE behind its name. Exit code 0, also
    when nobody could be told: that changes nothing about the verdict.
    """
    from drillbook.afterwards import gate as gates
    from drillbook.run.environment import name_of

    folder: Path | None = None
    try:
        folder = gates.named(run, runs)
    except gates.NoVerdict as error:
        typer.echo(str(error), err=True)
    tell(folder, name_of(environment), link)


def tell(folder: Path | None, environment: str, link: str, *, exit_code: int | None = None) -> None:
    """Tell whoever the variables name of a run, and say who was told; never fails."""
    from drillbook.afterwards import notify as notifying

    told = notifying.tell_of(folder, os.environ, environment=environment, link=link, exit_code=exit_code)
    for receiver in told.receivers:
        typer.echo(f"told: {receiver}")
    for failure in told.failures:
        typer.echo(failure, err=True)
    if not told.receivers and not told.failures:
        typer.echo("nobody is to be told: neither DRILLBOOK_WEBHOOK nor DRILLBOOK_GITLAB_TOKEN is set", err=True)


def archive(
    run: Annotated[str, typer.Argument(help="A run's id, the path of its folder, or `latest`.")],
    bucket: Annotated[str, typer.Option(help="With object lock.")],
    runs: Annotated[Path, typer.Option(help="Where a run's id, and the latest, is looked for.")] = RUNS,
    days: Annotated[int, typer.Option(help="For how long nobody can delete the copy.", min=1, max=36_500)] = 400,
    prefix: Annotated[str, typer.Option(help="Of the names in the bucket, before the run's id.")] = "",
    endpoint: Annotated[str, typer.Option(help="URL of an S3 that is not AWS'.", envvar="AWS_ENDPOINT_URL_S3")] = "",
    governance: Annotated[
        bool, typer.Option("--governance", help="A privileged account may delete it sooner.")
    ] = False,
) -> None:
    """Copy a run's evidence to an S3 bucket that keeps it as it is. Exit code 0 when all of it lies there, else 2."""
    from drillbook.afterwards import archive as archiving
    from drillbook.afterwards import gate as gates
    from drillbook.domain.wording import moment
    from drillbook.drivers.write_once import WriteOnceBucket
    from drillbook.ports import Unreachable

    try:
        folder = gates.named(run, runs)
        place = WriteOnceBucket(bucket, endpoint=endpoint, mode="GOVERNANCE" if governance else "COMPLIANCE")
        until_s = time.time() + days * archiving.DAY_S
        done = archiving.archive(folder.resolve(), place, until_s, prefix=prefix, progress=typer.echo)
    except (Unreachable, gates.NoVerdict, OSError) as error:
        typer.echo(f"not archived: {error}", err=True)
        raise typer.Exit(gates.NO_VERDICT) from error
    typer.echo(
        f"archived: {done.files} files, {done.size} bytes, {done.sent} of them sent now, under {bucket}/{done.prefix}, "
        f"locked until {moment(done.until_s)}; its {archiving.LIST} has the digest {done.sha256}"
    )
