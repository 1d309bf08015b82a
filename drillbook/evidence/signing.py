"""Signs a run's folder as it stands, and hangs it on to the chain of runs before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from drillbook.evidence import chain, digests, envelope, folder, statement
from drillbook.evidence.reading import SIGNATURES, replace
from drillbook.evidence.statement import ENVELOPE_NAME, RELEASE_NAME, TIMESTAMP_NAME, Link

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drillbook.domain.verdict import Verdict
    from drillbook.evidence.keys import Signer


class NotSigned(Exception):
    """A run cannot be signed as it is; the text says why and what to do."""


class NoTimestamp(Exception):
    """Nobody says when it was signed; the text says who was asked and why not."""


class TimestampAuthority(Protocol):
    """Says when something was there (RFC 3161)."""

    @property
    def url(self) -> str:
        """Where it is asked."""
        ...

    def reply(self, data: bytes) -> bytes:
        """Its reply about the data, in DER.

        Raises:
            NoTimestamp: When it gives none.
        """
        ...


@dataclass(frozen=True, slots=True)
class Signed:
    """A run that was signed.

    Attributes:
        path: Its envelope.
        link: Its place in the chain.
        verdict: What was signed.
        remarks: What whoever signs should know.
    """

    path: Path
    link: Link
    verdict: Verdict
    remarks: tuple[str, ...] = ()


def sign(
    run: Path,
    signer: Signer,
    *,
    now_s: float,
    history: Path | None = None,
    authority: TimestampAuthority | None = None,
    anew: bool = False,
) -> Signed:
    """Sign every file of a run's folder.

    Args:
        run: The folder.
        signer: Who signs.
        now_s: Seconds since the epoch.
        history: Where the runs before it are, and a copy of each envelope is kept; beside it when None.
        authority: Who says when it was signed; one that does not answer is a remark.
        anew: Sign although it was signed before; every later run's chain will show that.

    Raises:
        NotSigned: When the folder holds what cannot be signed, or was signed before.
        KeyUnusable: When the signer does not sign.
        ChainBroken: When the run cannot be hung on to the runs before it.
        OSError: When the envelope cannot be written.
    """
    if (run / ENVELOPE_NAME).exists() and not anew:
        raise NotSigned(f"{run.name} was signed before: verify it, or sign it anew, which later runs will show")
    found = digests.of_folder(run, without=SIGNATURES)
    bad = {**found.strange, **found.unreadable}
    if bad:
        listed = "; ".join(f"{name.encode('unicode_escape').decode()} {why}" for name, why in sorted(bad.items()))
        raise NotSigned(f"{run.name} holds what cannot be signed: {listed}; remove it, or make it readable")
    record = folder.read(run)
    if record.run_id != run.name:
        raise NotSigned(f"the folder is called {run.name}, and its run.json is of run {record.run_id}")
    place = history or run.parent
    with chain.alone(place):
        previous, remarks = _previous(place, record.run_id)

        def sealed(timestamp_url: str) -> bytes:
            payload = statement.render(
                record, found.files, previous=previous, signed_s=now_s, timestamp_url=timestamp_url
            )
            return envelope.seal(envelope.IN_TOTO, payload, signer).rendered()

        data, timestamp, missed = _timestamped(sealed, signer, authority)
        link = Link(record.run_id, previous.sequence + 1 if previous is not None else 1, digests.of_bytes(data))
        for about_the_last in (TIMESTAMP_NAME, RELEASE_NAME):
            (run / about_the_last).unlink(missing_ok=True)
        if timestamp:
            replace(run / TIMESTAMP_NAME, timestamp)
        path = replace(run / ENVELOPE_NAME, data)
        if place.resolve() != run.parent.resolve():
            replace(place / f"{record.run_id}{chain.KEPT_SUFFIX}", data)
        chain.write_head(place, link)
    return Signed(path, link, record.verdict, (*remarks, *missed))


def _previous(history: Path, run_id: str) -> tuple[Link | None, list[str]]:
    """The newest run but this one; a sentence when it is not there any more."""
    found = chain.read(history)
    head = chain.head(history)
    others = [member.link for member in found.members if member.link.run_id != run_id]
    remarks = [f"in the history, {problem}" for problem in found.problems]
    if head is not None and head.run_id != run_id:
        if head.sha256 not in {link.sha256 for link in others}:
            remarks.append(f"the run signed before this one, {head.run_id}, is not in {history} any more")
        others.append(head)
    return max(others, key=lambda link: link.sequence, default=None), remarks


def _timestamped(
    sealed: Callable[[str], bytes], signer: Signer, authority: TimestampAuthority | None
) -> tuple[bytes, bytes, list[str]]:
    """The envelope, the envelope of its timestamp, and why there is none of the latter.

    The statement says whether there is a timestamp, so that one cannot be taken away; without an answer it is made
    again without that promise.
    """
    if authority is None:
        return sealed(""), b"", []
    data = sealed(authority.url)
    try:
        reply = authority.reply(data)
    except NoTimestamp as error:
        return sealed(""), b"", [f"signed without a timestamp: {error}"]
    return data, envelope.seal(envelope.TIMESTAMP_REPLY, reply, signer).rendered(), []
