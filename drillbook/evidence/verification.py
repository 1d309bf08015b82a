"""Holds a run's folder against what was signed about it, offline; names every difference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drillbook.domain.verdict import Verdict
from drillbook.evidence import chain, digests, envelope, statement
from drillbook.evidence.envelope import NotAuthentic
from drillbook.evidence.reading import RENDERED, SIGNATURES
from drillbook.evidence.statement import ENVELOPE_NAME, TIMESTAMP_NAME, NotAStatement, Statement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from drillbook.evidence.chain import History
    from drillbook.evidence.digests import Inventory
    from drillbook.evidence.keys import PublicKey


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was signed.

    Attributes:
        name: Of the file, relative to the run's folder; or what else it is about.
        text: A sentence that goes on from the name.
        unknown: Whether nobody can tell, so that nothing is shown either way.
    """

    name: str
    text: str
    unknown: bool = False

    def __str__(self) -> str:
        """As a sentence that can be shown anywhere."""
        return f"{self.name.encode('unicode_escape').decode()}: {self.text}"


@dataclass(frozen=True, slots=True)
class Verification:
    """What came out of holding a folder against its statement.

    Attributes:
        statement: What was signed; None when nothing can be believed.
        findings: Everything that differs.
        held: How many files were compared.
        sha256: Digest of the envelope's file; empty when there is none.
    """

    statement: Statement | None
    findings: tuple[Finding, ...]
    held: int = 0
    sha256: str = ""

    @property
    def verdict(self) -> Verdict:
        """PASS when every file is as it was signed; FAIL when one is not; else nobody can tell."""
        if any(not finding.unknown for finding in self.findings):
            return Verdict.FAIL
        return Verdict.INCONCLUSIVE if self.findings else Verdict.PASS


def verify(
    run: Path, keys: Sequence[PublicKey], *, history: History | None = None, raw_only: bool = False
) -> Verification:
    """Compare every file of a run's folder with the statement that lies in it.

    Args:
        run: The folder.
        keys: Who is believed.
        history: Other runs, to name where a file that was swapped in comes from.
        raw_only: Leave out the reports, which are made from the rest and may be made again.
    """
    try:
        if digests.of_file(run / ENVELOPE_NAME) is None:
            return _nothing(ENVELOPE_NAME, "is a link or a device, and no plain file")
        data = chain.read_envelope(run / ENVELOPE_NAME)
        said = statement.read(envelope.opened(data, envelope.IN_TOTO, keys).payload)
    except FileNotFoundError:
        return _nothing(ENVELOPE_NAME, "is missing: this run was never signed, or what was signed was taken away")
    except OSError as error:
        return _nothing(ENVELOPE_NAME, f"cannot be read: {error.strerror}", unknown=True)
    except (NotAuthentic, NotAStatement) as error:
        return _nothing(ENVELOPE_NAME, str(error))
    found = digests.of_folder(run, without=SIGNATURES)
    expected = said.subjects
    if raw_only:
        found, expected = _raw(found), {name: sha256 for name, sha256 in expected.items() if not rendered(name)}
    findings = [
        *_own(run, said),
        *(Finding(name, f"cannot be read: {why}", unknown=True) for name, why in found.unreadable.items()),
        *(Finding(name, why) for name, why in found.strange.items()),
        *_differences(expected, found, _Origins(said, history)),
        *_timestamp(run, said, keys),
    ]
    return Verification(said, tuple(findings), len(expected), digests.of_bytes(data))


def rendered(name: str) -> bool:
    """Whether a file is made from the rest of its run's folder, at any time again."""
    return name.split("/", 1)[0] in RENDERED


@dataclass(frozen=True, slots=True)
class _Origins:
    """Where contents were signed."""

    own: Statement
    history: History | None

    def of(self, sha256: str) -> str:
        """A clause that names it; empty when it is nobody's."""
        for name, digest in self.own.subjects.items():
            if digest == sha256:
                return f"it holds what was signed as {name}"
        owner = self.history.owner_of(sha256) if self.history is not None else None
        return "" if owner is None else f"it holds what was signed as {owner[1]} of run {owner[0]}"


def _differences(expected: Mapping[str, str], found: Inventory, origins: _Origins) -> list[Finding]:
    findings: list[Finding] = []
    for name in sorted({*expected, *found.files}):
        if name in found.strange or name in found.unreadable:
            continue
        if name not in found.files:
            findings.append(Finding(name, "was removed"))
        elif name not in expected:
            findings.append(Finding(name, _joined("was added after the run was signed", origins.of(found.files[name]))))
        elif found.files[name] != expected[name]:
            findings.append(Finding(name, _joined("was changed", origins.of(found.files[name]))))
    return findings


def _joined(what: str, where_from: str) -> str:
    return f"{what}: {where_from}" if where_from else what


def _own(run: Path, said: Statement) -> list[Finding]:
    if run.name == said.run_id:
        return []
    return [Finding(".", f"the folder is called {run.name!r}, and what was signed in it is about run {said.run_id!r}")]


def _timestamp(run: Path, said: Statement, keys: Sequence[PublicKey]) -> list[Finding]:
    path = run / TIMESTAMP_NAME
    if not said.timestamp_url:
        return [Finding(TIMESTAMP_NAME, "was added: no timestamp was asked for")] if _there(path) else []
    try:
        if digests.of_file(path) is None:
            return [Finding(TIMESTAMP_NAME, "is a link or a device, and no plain file")]
        envelope.opened(chain.read_envelope(path), envelope.TIMESTAMP_REPLY, keys)
    except FileNotFoundError:
        return [Finding(TIMESTAMP_NAME, f"was removed: {said.timestamp_url} said when the run was signed")]
    except OSError as error:
        return [Finding(TIMESTAMP_NAME, f"cannot be read: {error.strerror}", unknown=True)]
    except NotAuthentic as error:
        return [Finding(TIMESTAMP_NAME, str(error))]
    return []


def _there(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _raw(found: Inventory) -> Inventory:
    def kept(names: Mapping[str, str]) -> dict[str, str]:
        return {name: value for name, value in names.items() if not rendered(name)}

    return type(found)(kept(found.files), kept(found.strange), kept(found.unreadable))


def _nothing(name: str, text: str, *, unknown: bool = False) -> Verification:
    return Verification(None, (Finding(name, text, unknown),))
