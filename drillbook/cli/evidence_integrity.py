"""`drillbook evidence ...`: sign a run, see that what was signed is what lies there, and judge it again."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from drillbook.domain.verdict import Verdict

if TYPE_CHECKING:
    from drillbook.evidence.chain import History
    from drillbook.evidence.keys import PublicKey
    from drillbook.evidence.verification import Verification

PROJECT = Path(__file__).resolve().parents[2]
RUNS = PROJECT / "reports" / "runs"
EXIT_REFUSED = 2

evidence_app = typer.Typer(help="Signed evidence: sign it, verify it, judge it again.", no_args_is_help=True)

RunsFolder = Annotated[Path, typer.Option(help="Where a run's id, and the latest, is looked for.")]
RunName = Annotated[str, typer.Argument(help="A run's id, the path of its folder, or `latest`.")]
Keys = Annotated[list[Path], typer.Option("--key", help="PEM of a public key that is believed; may be repeated.")]
HistoryFolder = Annotated[
    Path | None, typer.Option("--history", help="Folder of the runs, or of the envelopes that were kept.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(evidence_app, name="evidence")


@evidence_app.command()
def sign(
    run: RunName,
    signing_key: Annotated[str, typer.Option(help="file:PATH, vault-transit:MOUNT/KEY, or agent:SHA256:FINGERPRINT.")],
    runs: RunsFolder = RUNS,
    history: HistoryFolder = None,
    anew: Annotated[bool, typer.Option("--anew", help="Although it was signed before; later runs show it.")] = False,
    timestamp: Annotated[str, typer.Option(help="URL of who says when it was signed (RFC 3161).")] = "",
) -> None:
    """Sign every file of a run, and name the run before it."""
    from drillbook.afterwards.signers import signer_of, timestamps
    from drillbook.evidence import signing
    from drillbook.evidence.chain import ChainBroken
    from drillbook.evidence.keys import KeyUnusable

    folder = _run(run, runs)
    try:
        done = signing.sign(
            folder, signer_of(signing_key), now_s=time.time(), history=history, authority=timestamps(timestamp),
            anew=anew,
        )  # fmt: skip
    except (signing.NotSigned, KeyUnusable, ChainBroken) as error:
        raise _refused(str(error)) from error
    except OSError as error:
        raise _refused(
            f"{folder} cannot be signed: {error.strerror}; make room, or check its owner and mode"
        ) from error
    for remark in done.remarks:
        typer.echo(remark, err=True)
    typer.echo(f"signed: {done.path} ({done.verdict}, number {done.link.sequence} of its history)")


@evidence_app.command()
def verify(
    run: RunName,
    key: Keys,
    runs: RunsFolder = RUNS,
    history: HistoryFolder = None,
    begins_with: Annotated[
        str, typer.Option(help="The run with which the history begins; older ones may be gone.")
    ] = "",
    raw_only: Annotated[bool, typer.Option("--raw-only", help="Leave out reports, which can be made again.")] = False,
    timestamp_ca: Annotated[
        Path | None, typer.Option(help="PEM of who vouches for timestamps; without it they are shown, not believed.")
    ] = None,
) -> None:
    """Hold a run against what was signed, offline. Exit code 0 all as signed, 1 not, 75 nobody can tell, 2 refused."""
    from drillbook.evidence import chain, verification
    from drillbook.evidence import timestamp as timestamps

    folder, keys = _run(run, runs), _keys(key)
    known: History | None = None
    if history is not None:
        if not history.is_dir():
            raise _refused(f"there is no folder {history}: give the folder of the runs, or of the envelopes kept")
        known = chain.read(history, keys)
    try:
        roots = timestamps.roots_of(timestamp_ca) if timestamp_ca is not None else []
    except timestamps.NotATimestamp as error:
        raise _refused(str(error)) from error
    found = verification.verify(folder, keys, history=known, raw_only=raw_only, timestamp_roots=roots)
    wrong = chain.check(known, begins_with=begins_with) if known is not None else []
    if known is not None and found.sha256 and found.sha256 not in {member.link.sha256 for member in known.members}:
        wrong.append(f"the history does not know this run as it is signed here ({folder.name})")
    _tell(folder, found, wrong, known)
    if found.stamped is not None:
        word = "it was there" if roots else "it is said to have been there"
        typer.echo(f"timestamp: {word} at {found.stamped.isoformat()}")
    raise typer.Exit(Verdict.FAIL.exit_code if wrong else found.verdict.exit_code)


@evidence_app.command()
def rejudge(run: RunName, runs: RunsFolder = RUNS) -> None:
    """Derive every verdict again from a run's raw data. Exit code 0 all agree, 1 not, 75 not all derived, 2 refused."""
    raise typer.Exit(_judged_again(_run(run, runs)))


@evidence_app.command()
def attest(
    run: RunName,
    signing_key: Annotated[str, typer.Option(help="As for sign, and the one with which the run was signed.")],
    release: Annotated[str, typer.Option(help="Its version, where the run let more than one stay.")] = "",
    runs: RunsFolder = RUNS,
) -> None:
    """Attest the release of a run that passed, is as it was signed, and is PASS when judged again; else refused."""
    from drillbook.afterwards.signers import signer_of
    from drillbook.evidence import attesting
    from drillbook.evidence.keys import KeyUnusable
    from drillbook.evidence.release import NotAttested

    folder = _run(run, runs)
    if _judged_again(folder) != Verdict.PASS.exit_code:
        raise _refused(f"{folder.name} does not come out the same when it is judged again: nothing is attested")
    try:
        done = attesting.attest(folder, signer_of(signing_key), now_s=time.time(), release=release)
    except (NotAttested, KeyUnusable) as error:
        raise _refused(str(error)) from error
    except OSError as error:
        raise _refused(
            f"{folder} cannot be written: {error.strerror}; make room, or check its owner and mode"
        ) from error
    images = ", ".join(f"{name}@sha256:{digest}" for name, digest in done.images.items())
    typer.echo(f"attested: release {done.release}, {images}: {', '.join(done.properties)} ({done.path})")


@evidence_app.command("public-key")
def public_key(
    signing_key: Annotated[str, typer.Option(help="As for sign.")],
) -> None:
    """Print the public half of a signing key, in PEM, to hand to whoever verifies."""
    from drillbook.afterwards.signers import signer_of
    from drillbook.evidence.keys import KeyUnusable

    try:
        typer.echo(signer_of(signing_key).public_key().pem, nl=False)
    except KeyUnusable as error:
        raise _refused(str(error)) from error


def _tell(folder: Path, found: Verification, wrong: list[str], known: History | None) -> None:
    for line in (*map(str, found.findings), *(f"history: {problem}" for problem in wrong)):
        typer.echo(line, err=True)
    said = found.statement
    if said is None:
        return
    before = said.previous
    follows = f"follows {before.run_id}, number {before.sequence}" if before is not None else "the first of its history"
    word = {Verdict.PASS: "are as they were", Verdict.FAIL: "are not all as they were"}.get(
        found.verdict, "cannot all be read"
    )
    typer.echo(f"{folder.name}: {found.held} files {word} signed; verdict {said.verdict}; {follows}")
    if known is not None and not wrong:
        typer.echo(f"history: {len(known.members)} runs, none missing")


def _judged_again(folder: Path) -> int:
    """The exit code; the sentences of the scenarios are spoken again, and they are known to the features only."""
    command = [sys.executable, "-m", "features.rejudge", str(folder.resolve())]
    return subprocess.run(command, cwd=PROJECT, check=False).returncode


def _run(name: str, runs: Path) -> Path:
    from drillbook.evidence import folder

    try:
        return folder.find(name, runs)
    except folder.NotARun as error:
        raise _refused(str(error)) from error


def _keys(paths: list[Path]) -> list[PublicKey]:
    from drillbook.evidence.keys import KeyUnusable, PublicKey

    try:
        return [PublicKey.read(path) for path in paths]
    except KeyUnusable as error:
        raise _refused(str(error)) from error


def _refused(why: str) -> typer.Exit:
    typer.echo(why, err=True)
    return typer.Exit(EXIT_REFUSED)
