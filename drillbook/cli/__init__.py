"""The command line: `drillbook verify | plan | report | recover | check | twin ...`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from drillbook import __version__
from drillbook.cli import capacity, delivery, evidence_integrity, evidence_reports, ledger
from drillbook.domain import runbook
from drillbook.domain.verdict import Verdict
from drillbook.run import blast_radius, drills_process, guard, planning, redaction, yaml_file
from drillbook.run.environment import EnvironmentFileError, find, load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drillbook.domain.environment import Environment
    from drillbook.domain.guard import Plan
    from drillbook.run.planning import Drill
    from drillbook.twin.layout import ProfileName

PROJECT = Path(__file__).resolve().parents[2]
FEATURES = PROJECT / "features"
RUNS = PROJECT / "reports" / "runs"
EXIT_REFUSED = 2
_PYTEST_REFUSES = {4, 5}
"""Its exit codes for a wrong use, and for no drill at all."""

app = typer.Typer(
    help="Proves that a deployment strategy holds, by exercising it.", no_args_is_help=True, add_completion=False,
    pretty_exceptions_enable=False,
)  # fmt: skip
twin_app = typer.Typer(help="The reference platform on this machine.", no_args_is_help=True)
app.add_typer(twin_app, name="twin")
evidence_reports.register(app)
evidence_integrity.register(app)
delivery.register(app)
capacity.register(app)
ledger.register(app)

EnvironmentName = Annotated[
    str,
    typer.Option(
        "--environment", "-e", help="Name in environments/ here or in Drillbook's checkout, or a file's path."
    ),
]


@app.command("runbook")
def tell_runbook(
    experiment: Annotated[
        str,
        typer.Argument(
            help="failover, failback, failover_of_database, failback_of_database, switchover, traffic_moved, "
            "application_state, data_destroyed or both_servers_gone."
        ),
    ],
    environment: EnvironmentName = "twin",
    slot: Annotated[str, typer.Option(help="That serves.")] = "blue",
) -> None:
    """Print a recovery for people, from the experiment that drills it."""
    where = _environment(environment)
    path = PROJECT / "experiments" / f"{experiment}.yaml"
    if not path.is_file():
        typer.echo(f"runbook: {path} is missing", err=True)
        raise typer.Exit(EXIT_REFUSED)
    _, document = yaml_file.read(path)
    try:
        typer.echo(runbook.markdown(document, runbook.names_in(where, slot)))
    except ValueError as error:
        typer.echo(f"runbook: {error}", err=True)
        raise typer.Exit(EXIT_REFUSED) from error


@app.command()
def verify(
    environment: EnvironmentName = "twin",
    only: Annotated[
        str,
        typer.Option(
            help="Drills to run, separated by commas: cutover, rollback; nightly for what takes long, resilience for "
            "all faults; with offered, those of bad releases that there are none of are left out."
        ),
    ] = "",
    wait: Annotated[float, typer.Option(help="Seconds to wait for somebody else's run.")] = 0.0,
    production_allowed: Annotated[bool, typer.Option(help="Allow drills in a production environment.")] = False,
    approval: Annotated[Path | None, typer.Option(help="File with the approval of a production run.")] = None,
    runs: Annotated[Path, typer.Option(help="Where the run's folder is made.")] = RUNS,
    resume: Annotated[
        str, typer.Option(help="A run that was ended before its time, or `latest`: what it has drilled is kept.")
    ] = "",
    again: Annotated[
        str, typer.Option(help="A run, or `latest`: what did not pass is drilled in a run of its own.")
    ] = "",
    notify: Annotated[bool, typer.Option("--notify", help="Tell how it ended, as the command notify does.")] = False,
) -> None:
    """Drill an environment. Exit code 0 pass, 1 fail, 75 inconclusive, 2 refused."""
    where = _environment(environment)
    chosen, meant = _chosen(where, only)
    if not planning.touches_nothing(meant) and any(not line.decidable for line in planning.feasibility(where, meant)):
        typer.echo("this load cannot reach a verdict on every objective; nothing was touched:", err=True)
        _show_feasibility(where, meant)
        raise typer.Exit(EXIT_REFUSED)
    # A process of its own: pytest owns its signals, and this one's network stays as it is.
    command = [
        sys.executable, "-m", "pytest", str(PROJECT / "features"), f"--rootdir={PROJECT}", "-s", "-p",
        "no:terminalreporter", f"--environment={where.file}", f"--lock-wait={wait}",
        f"--runs={runs.resolve()}",
    ]  # fmt: skip
    if chosen:
        command.append(f"--only={','.join(chosen)}")
    if production_allowed:
        command.append("--production-allowed")
    if approval is not None:
        command.append(f"--approval={approval.resolve()}")
    if resume:
        command.append(f"--resume={_run(resume, runs)}")
    if again:
        command.append(f"--again={_run(again, runs)}")
    with drills_process.begun_run() as begun:
        code = _meaning(drills_process.run(command, PROJECT, begun))
        if notify:
            # Signals are still no more than handed on, to nobody by now: one in the middle of this keeps the exit code.
            # And it is not done by the drills' own process, which may be in a network that nobody else is in.
            delivery.tell(begun.folder(), where.name, os.environ.get("CI_PIPELINE_URL", ""), exit_code=code)
    raise typer.Exit(code)


def _run(name: str, runs: Path) -> Path:
    from drillbook.evidence import folder

    try:
        return folder.find(name, runs).resolve()
    except folder.NotARun as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_REFUSED) from error


@app.command()
def plan(
    environment: EnvironmentName = "twin",
    only: Annotated[str, typer.Option(help="See verify.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="The plan that is approved, and its hash.")] = False,
) -> None:
    """What verify would touch, how long it takes, which drills cannot be made, and what the load can decide.

    Touches nothing. Exit code 0 when verify could pass, 75 when it could not, 2 when it would refuse.
    """
    where = _environment(environment)
    chosen, meant = _plan(where, only)
    if as_json:
        typer.echo(json.dumps({"sha256": meant.sha256, "plan": asdict(meant)}, indent=2))
        return
    expected_s, lacking = planning.expected_s(chosen, RUNS), _lacking(where)
    typer.echo(f"{len(chosen)} drills, about {expected_s / 60:.1f} min, in {where.name} ({where.tier}):")
    for drill in chosen:
        note = "  (destructive)" if "destructive" in drill.tags else ""
        typer.echo(f"  {drill.feature}: {drill.title}  [{' '.join(drill.requirements)}]{note}")
        for reason in lacking.get(drill.title, ()):
            typer.echo(f"      cannot be made: {reason.removeprefix('not proved here: ')}")
    typer.echo("what would be touched:")
    for sentence in blast_radius.changed(where, chosen):
        typer.echo(f"  {sentence}")
    typer.echo("what the load can decide:")
    undecidable = _show_feasibility(where, chosen)
    typer.echo(f"its hash, which an approval names: {meant.sha256}")
    if refusal := guard.refused_at_any_time(where, meant, expected_s):
        typer.echo(f"verify would refuse it: {refusal}", err=True)
    unmade = sum(drill.title in lacking for drill in chosen)
    if unmade:
        typer.echo(
            f"{unmade} of {len(chosen)} drills cannot be made: verify would end with "
            f"{Verdict.INCONCLUSIVE.exit_code} at best, and no gate opens; add what they need, or leave those of bad "
            f"releases out with --only {planning.OFFERED}",
            err=True,
        )
    raise typer.Exit(EXIT_REFUSED if undecidable or refusal else Verdict.INCONCLUSIVE.exit_code if unmade else 0)


def _lacking(where: Environment) -> dict[str, list[str]]:
    """Title of each drill that cannot be made, with why; its sentences tell, which are known to the features only."""
    command = [sys.executable, "-m", "features.rehearsal", str(where.file)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = redaction.text(done.stderr).strip().rpartition("\n")[2]
        typer.echo(f"nobody can tell which drills can be made: {said}", err=True)
        raise typer.Exit(Verdict.INCONCLUSIVE.exit_code)
    return json.loads(done.stdout)


@app.command()
def credential(
    reference: Annotated[str, typer.Argument(help="file:PATH, env:VARIABLE or vault:PATH#KEY.")],
) -> None:
    """Print a token for Kubernetes' clients; for the exec section of a kubeconfig, not for people."""
    from drillbook.drivers import credentials, exec_credential
    from drillbook.ports import Unreachable

    out = sys.__stdout__
    if out is None or out.isatty():
        typer.echo("this prints a credential: name it in the exec section of a kubeconfig, see the guide", err=True)
        raise typer.Exit(EXIT_REFUSED)
    try:
        token = credentials.read(reference, os.environ)
    except Unreachable as unreachable:
        typer.echo(str(unreachable), err=True)
        raise typer.Exit(EXIT_REFUSED) from unreachable
    # Past the stream that takes secrets out: this one is what it is called for.
    out.write(exec_credential.document(token, os.environ.get("KUBERNETES_EXEC_INFO", ""), time.time()) + "\n")


@app.command()
def approve(
    by: Annotated[str, typer.Option(help="Your name, as guard.approvers has it.")],
    key: Annotated[Path, typer.Option(help="Your Ed25519 private key, PEM.")],
    out: Annotated[Path, typer.Option(help="Where the approval is written.")],
    reason: Annotated[str, typer.Option(help="Why; a change's number, say.")],
    environment: EnvironmentName = "twin",
    only: Annotated[str, typer.Option(help="See verify.")] = "",
    hours: Annotated[float, typer.Option(min=0.1, max=168, help="How long it counts, from now on.")] = 4.0,
) -> None:
    """Approve a production run: exactly these drills, in exactly this environment, for some hours."""
    from drillbook.domain.guard import Approval
    from drillbook.run import approval
    from drillbook.run.folder import FolderError

    where = _environment(environment)
    _, meant = _plan(where, only)
    now_s = time.time()
    try:
        approval.write(
            approval.sign(Approval(meant.sha256, by, now_s, now_s + 3600 * hours, reason), key), out.resolve()
        )
        if where.guard.approvers.get(by) != approval.public_key(key):
            typer.echo(f"beware: guard.approvers in {where.file.name} has no such key for {by!r}", err=True)
    except (approval.NotApproved, FolderError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_REFUSED) from error
    for drill in meant.drills:
        typer.echo(f"  {drill.feature}: {drill.scenario}{'  (destructive)' if drill.destructive else ''}")
    typer.echo(f"approved until {hours:g} h from now: plan {meant.sha256}; see {out}")


@app.command()
def recover(
    environment: EnvironmentName = "twin",
    unattended: Annotated[bool, typer.Option(help="A run that lives is left alone, and is no fault.")] = False,
) -> None:
    """Put back whatever an interrupted run left changed; needs the environment file, its credentials and helm."""
    from drillbook.afterwards.recovery import recover as put_back

    raise typer.Exit(put_back(_environment(environment, releases=False), typer.echo, unattended=unattended))


@app.command()
def check(files: Annotated[list[Path], typer.Argument(help="Environment files.")]) -> None:
    """Check environment files against their schema."""
    wrong = 0
    for path in files:
        try:
            load(path.resolve())
        except EnvironmentFileError as error:
            typer.echo(str(error), err=True)
            wrong += 1
        else:
            typer.echo(f"{path}: fine")
    raise typer.Exit(EXIT_REFUSED if wrong else 0)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


@twin_app.command("up")
def twin_up(
    profile: Annotated[str, typer.Option(help="staging (two regions) or development (one, three nodes).")] = "staging",
    keep_others: Annotated[bool, typer.Option(help="Refuse instead of replacing another checkout's twin.")] = False,
) -> None:
    """Bring it up, or mend what is missing of it."""
    from drillbook.twin import commands
    from drillbook.twin.layout import PROFILES

    names: dict[str, ProfileName] = {str(name): name for name in PROFILES}
    if profile not in names:
        typer.echo(f"twin: there is no profile {profile!r}; there are {', '.join(names)}", err=True)
        raise typer.Exit(EXIT_REFUSED)
    raise typer.Exit(commands.bring_up(names[profile], replace=not keep_others))


@twin_app.command("down")
def twin_down() -> None:
    """Take it down and leave nothing of it but the cache."""
    from drillbook.twin import commands

    raise typer.Exit(commands.take_down())


@twin_app.command("status")
def twin_status() -> None:
    """What runs; exit code 0 when all of it does."""
    from drillbook.twin import commands

    raise typer.Exit(commands.show_status())


@twin_app.command("doctor")
def twin_doctor() -> None:
    """Whether this machine can carry it; every lack at once, with what to do."""
    from drillbook.twin import commands

    raise typer.Exit(commands.show_doctor())


@twin_app.command("exec", context_settings={"ignore_unknown_options": True})
def twin_exec(
    command: Annotated[list[str], typer.Argument(help="The command and its arguments, after --.")],
    machine: Annotated[str, typer.Option(help="For example use1-n1; the client machine when left out.")] = "client",
) -> None:
    """Run a command inside the twin's network, for example kubectl or curl."""
    from drillbook.twin import commands

    raise typer.Exit(commands.execute(command, machine))


def _show_feasibility(where: Environment, drill_list: Sequence[Drill]) -> int:
    """Print each objective's line; answers how many cannot be decided."""
    undecidable = 0
    for line in planning.feasibility(where, drill_list):
        undecidable += not line.decidable
        mark = "yes" if line.decidable else "NO "
        todo = "" if line.decidable else f"; {line.remedy}"
        typer.echo(f"  {mark}  {line.objective}: has {line.has:g} {line.unit}, needs {line.needs:g} {line.unit}{todo}")
    return undecidable


def _plan(where: Environment, only: str) -> tuple[list[Drill], Plan]:
    """The drills of `--only`, and what a run of them means to do."""
    _, chosen = _chosen(where, only)
    try:
        return chosen, planning.run_plan(where, chosen, FEATURES)
    except planning.PlanError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_REFUSED) from error


def _chosen(where: Environment, only: str) -> tuple[list[str], list[Drill]]:
    """What `--only` names, and the drills of it; refused when it has none that this environment offers."""
    names = _known(only)
    chosen = planning.chosen(_drills(), where, names)
    if not chosen:
        lacks = f"{where.name} lacks what drills of {', '.join(names)} need"
        typer.echo(f"nothing would be drilled: {lacks}, see docs/your-staging.md", err=True)
        raise typer.Exit(EXIT_REFUSED)
    return names, chosen


def _known(only: str) -> list[str]:
    """The features of `--only`; refused when there is one that does not exist, or none where a list was begun."""
    names = planning.names(only)
    known = sorted({*planning.CLASSES, planning.OFFERED, *(drill.feature for drill in _drills())})
    unknown = sorted(set(names) - set(known))
    if unknown or (only and not names):
        said = f"there is no feature {', '.join(unknown)}" if unknown else "names no feature"
        typer.echo(f"--only: {said}; there are {', '.join(known)}", err=True)
        raise typer.Exit(EXIT_REFUSED)
    return names


def _drills() -> list[Drill]:
    """All of them; refused when it cannot be told what one would do."""
    try:
        return planning.drills(FEATURES)
    except planning.PlanError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_REFUSED) from error


def main() -> None:
    """Entry point."""
    redaction.guard_streams()
    app()


def _environment(name: str, *, releases: bool = True) -> Environment:
    try:
        return load(find(name), releases=releases)
    except EnvironmentFileError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_REFUSED) from error


def _meaning(code: int) -> int:
    """The design's exit code for pytest's: a wrong use is a refusal, and whatever else it died of proves nothing."""
    if code in {Verdict.PASS.exit_code, Verdict.FAIL.exit_code, Verdict.INCONCLUSIVE.exit_code}:
        return code
    return EXIT_REFUSED if code in _PYTEST_REFUSES else Verdict.INCONCLUSIVE.exit_code
