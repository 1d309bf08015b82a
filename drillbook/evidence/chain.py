"""The chain of signed runs: each names the one before, so that a run that was taken away leaves a gap.

A run that is taken away before the next is signed would leave none. So the newest is also written down beside the runs
(`chain-head.json`), and the next names that one even when its folder is gone. Who can write to the history can change
both: keep a copy of the envelopes where nothing can be deleted.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from drillbook.evidence import digests, envelope, statement
from drillbook.evidence.envelope import NotAuthentic
from drillbook.evidence.reading import replace
from drillbook.evidence.statement import ENVELOPE_NAME, Link, NotAStatement, Statement

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence
    from pathlib import Path

    from drillbook.evidence.keys import PublicKey

HEAD_NAME = "chain-head.json"
KEPT_SUFFIX = ".dsse.json"
_ALONE_WITHIN_S = 10.0


class ChainBroken(Exception):
    """The chain cannot be gone on with; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Member:
    """A signed run of a history.

    Attributes:
        link: Its place.
        statement: What it says.
        path: Its envelope.
    """

    link: Link
    statement: Statement
    path: Path


@dataclass(frozen=True, slots=True)
class History:
    """Signed runs, oldest first.

    Attributes:
        members: Those whose envelopes are whole.
        problems: Sentences about what is wrong with the others.
        head: The newest run that was signed, as written down beside them; None when nothing was.
    """

    members: tuple[Member, ...]
    problems: tuple[str, ...] = ()
    head: Link | None = None

    def owner_of(self, sha256: str) -> tuple[str, str] | None:
        """Run and name under which a file with this digest was signed."""
        for member in self.members:
            for name, digest in member.statement.subjects.items():
                if digest == sha256:
                    return member.statement.run_id, name
        return None


def read(folder: Path, keys: Sequence[PublicKey] | None = None) -> History:
    """The history in a folder: of runs' folders, or of envelopes that were kept as `RUN_ID.dsse.json`.

    Args:
        folder: Where.
        keys: Who is believed; None takes envelopes as they are, to find the newest.
    """
    members: dict[str, Member] = {}
    problems: list[str] = []
    for path in _envelopes(folder):
        try:
            member = _member(path, keys)
        except (NotAuthentic, NotAStatement) as error:
            problems.append(f"{path.relative_to(folder)} {error}")
        except OSError as error:
            problems.append(f"{path.relative_to(folder)} cannot be read: {error.strerror}")
        else:
            members.setdefault(member.link.sha256, member)
    ordered = sorted(members.values(), key=lambda member: (member.link.sequence, member.link.run_id))
    try:
        found = head(folder)
    except ChainBroken as error:
        return History(tuple(ordered), (*problems, str(error)))
    return History(tuple(ordered), tuple(problems), found)


def check(history: History, *, begins_with: str = "") -> list[str]:
    """What is wrong with a history: runs that are gone, in two places at once, or not whole.

    Args:
        history: The history.
        begins_with: The run before which older ones may be gone, for example because they were kept long enough.
    """
    problems = list(history.problems)
    known = {member.link.sha256 for member in history.members}
    named: dict[str, str] = {}
    begun = not begins_with
    for member in history.members:
        begun = begun or member.link.run_id == begins_with
        if begun and member.link.run_id != begins_with:
            problems += _gap(member, known)
        before = member.statement.previous
        if before is not None and before.sha256 in named:
            problems.append(
                f"the runs {named[before.sha256]} and {member.link.run_id} both follow {before.run_id}: one was "
                "signed again, or beside the chain"
            )
        named[before.sha256 if before is not None else ""] = member.link.run_id
    firsts = [member.link.run_id for member in history.members if member.statement.previous is None]
    if len(firsts) > 1:
        problems.append(f"the runs {', '.join(firsts)} are each the first of a history: it was begun anew")
    if not begun:
        problems.append(f"the history has no run {begins_with} to begin with")
    last = history.head
    if last is not None and last.sha256 not in known:
        problems.append(f"the newest signed run, {last.run_id} (number {last.sequence}), is gone or was signed again")
    return problems


def write_head(folder: Path, link: Link) -> None:
    """Write the newest run down.

    Raises:
        OSError: When that cannot be done.
    """
    replace(folder / HEAD_NAME, (json.dumps(asdict(link)) + "\n").encode())


@contextlib.contextmanager
def alone(folder: Path) -> Generator[None]:
    """Keep other signers out: two that name the same run before them would part the chain.

    Raises:
        ChainBroken: When somebody stays inside for longer than 10 s.
        OSError: When the folder cannot be read.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    give_up_s = time.monotonic() + _ALONE_WITHIN_S
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > give_up_s:
                    raise ChainBroken(
                        f"another process has been signing in {folder} for {_ALONE_WITHIN_S:g} s: wait, or end it"
                    ) from error
                time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)


def _gap(member: Member, known: Iterable[str]) -> list[str]:
    before = member.statement.previous
    if before is None:
        return []
    if before.sequence != member.link.sequence - 1:
        return [f"run {member.link.run_id} is number {member.link.sequence} and follows number {before.sequence}"]
    if before.sha256 in known:
        return []
    return [f"run {before.run_id} (number {before.sequence}), which {member.link.run_id} follows, is gone or changed"]


def _envelopes(folder: Path) -> list[Path]:
    in_runs = [path for path in folder.glob(f"*/{ENVELOPE_NAME}") if not path.parent.is_symlink()]
    kept = [path for path in folder.glob(f"*{KEPT_SUFFIX}") if path.is_file()]
    return sorted([*in_runs, *kept])


def _member(path: Path, keys: Sequence[PublicKey] | None) -> Member:
    data = read_envelope(path)
    found = envelope.parsed(data) if keys is None else envelope.opened(data, envelope.IN_TOTO, keys)
    said = statement.read(found.payload)
    return Member(Link(said.run_id, said.sequence, digests.of_bytes(data)), said, path)


def read_envelope(path: Path) -> bytes:
    """An envelope's file, of bounded length.

    Raises:
        OSError: When it cannot be read.
    """
    with path.open("rb") as file:
        return file.read(envelope.LARGEST)


def head(folder: Path) -> Link | None:
    """The newest run that was signed, as written down; None when nothing was.

    Raises:
        ChainBroken: When what is written down cannot be understood.
    """
    path = folder / HEAD_NAME
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_bytes())
        return Link(str(found["run_id"]), int(found["sequence"]), str(found["sha256"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ChainBroken(
            f"{path} does not say which run was signed last: put it back, or remove it once the history is checked"
        ) from error
