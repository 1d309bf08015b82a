"""Holds a run's folder against what was signed about it, offline; names every difference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drillbook.domain.verdict import Verdict
from drillbook.evidence import chain, digests, envelope, release, statement, timestamp
from drillbook.evidence.envelope import NotAuthentic
from drillbook.evidence.reading import RENDERED, SIGNATURES
from drillbook.evidence.statement import ENVELOPE_NAME, RELEASE_NAME, TIMESTAMP_NAME, NotAStatement, Statement
from drillbook.evidence.timestamp import NotATimestamp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from cryptography.x509 import Certificate

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
        stamped: When a timestamp authority says that it was there; None when none was asked, or it cannot be read.
    """

    statement: Statement | None
    findings: tuple[Finding, ...]
    held: int = 0
    sha256: str = ""
    stamped: datetime | None = None

    @property
    def verdict(self) -> Verdict:
        """PASS when every file is as it was signed; FAIL when one is not; else nobody can tell."""
        if any(not finding.unknown for finding in self.findings):
            return Verdict.FAIL
        return Verdict.INCONCLUSIVE if self.findings else Verdict.PASS


def verify(
    run: Path,
    keys: Sequence[PublicKey],
    *,
    history: History | None = None,
    raw_only: bool = False,
    timestamp_roots: Sequence[Certificate] = (),
) -> Verification:
    """Compare every file of a run's folder with the statement that lies in it.

    Args:
        run: The folder.
        keys: Who is believed.
        history: Other runs, to name where a file that was swapped in comes from.
        raw_only: Leave out the reports, which are made from the rest and may be made again.
        timestamp_roots: Certificates that vouch for timestamp authorities; without any, a timestamp is held against
            what was signed, and not believed.
    """
    try:
        if digests.of_file(run / ENVELOPE_NAME) is None:
            return _nothing(ENVELOPE_NAME, "is a link or a device, and no plain file")
        data = chain.read_envelope(run / ENVELOPE_NAME)
        own = envelope.opened(data, envelope.IN_TOTO, keys)
        said = statement.read(own.payload)
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
    ]
    stamped = _Timestamp(run / TIMESTAMP_NAME, data, timestamp_roots)
    at, wrong = stamped.held(said, keys)
    wrong += _attested(run, said, digests.of_bytes(data), [key for key in keys if key.id == own.key_id])
    return Verification(said, (*findings, *wrong), len(expected), digests.of_bytes(data), at)


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


@dataclass(frozen=True, slots=True)
class _Timestamp:
    """The timestamp of an envelope, in an envelope of its own."""

    path: Path
    data: bytes
    roots: Sequence[Certificate]

    def held(self, said: Statement, keys: Sequence[PublicKey]) -> tuple[datetime | None, list[Finding]]:
        """When it says that the envelope was there, and what is wrong with it."""
        if not said.timestamp_url:
            added = [self._finding("was added: no timestamp was asked for")] if _there(self.path) else []
            return None, added
        try:
            if digests.of_file(self.path) is None:
                return None, [self._finding("is a link or a device, and no plain file")]
            reply = envelope.opened(chain.read_envelope(self.path), envelope.TIMESTAMP_REPLY, keys).payload
            return self._moment(reply), []
        except FileNotFoundError:
            return None, [self._finding(f"was removed: {said.timestamp_url} said when the run was signed")]
        except OSError as error:
            return None, [self._finding(f"cannot be read: {error.strerror}", unknown=True)]
        except (NotAuthentic, NotATimestamp) as error:
            return None, [self._finding(str(error))]

    def _moment(self, reply: bytes) -> datetime:
        if self.roots:
            return timestamp.vouched(reply, self.data, self.roots)
        return timestamp.moment(reply, self.data)

    def _finding(self, text: str, *, unknown: bool = False) -> Finding:
        return Finding(self.path.name, text, unknown)


def _attested(run: Path, said: Statement, sha256: str, keys: Sequence[PublicKey]) -> list[Finding]:
    """What is wrong with the release's attestation, where there is one; the run's own key has to have signed it."""
    path = run / RELEASE_NAME
    if not _there(path):
        return []
    try:
        if digests.of_file(path) is None:
            return [Finding(RELEASE_NAME, "is a link or a device, and no plain file")]
        payload = envelope.opened(chain.read_envelope(path), envelope.IN_TOTO, keys).payload
    except OSError as error:
        return [Finding(RELEASE_NAME, f"cannot be read: {error.strerror}", unknown=True)]
    except NotAuthentic as error:
        return [Finding(RELEASE_NAME, str(error))]
    wrong = release.problem(payload, run, said, sha256)
    return [Finding(RELEASE_NAME, wrong)] if wrong else []


def _there(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _raw(found: Inventory) -> Inventory:
    def kept(names: Mapping[str, str]) -> dict[str, str]:
        return {name: value for name, value in names.items() if not rendered(name)}

    return type(found)(kept(found.files), kept(found.strange), kept(found.unreadable))


def _nothing(name: str, text: str, *, unknown: bool = False) -> Verification:
    return Verification(None, (Finding(name, text, unknown),))
