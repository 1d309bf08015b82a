"""Attests a release by a run that passed, and in no other case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drillbook.domain.verdict import Verdict
from drillbook.evidence import envelope, folder, verification
from drillbook.evidence import release as releases
from drillbook.evidence.reading import replace
from drillbook.evidence.release import NotAttested
from drillbook.evidence.statement import RELEASE_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from drillbook.evidence.keys import Signer


@dataclass(frozen=True, slots=True)
class Attested:
    """A release that was attested.

    Attributes:
        path: The envelope.
        release: Its version.
        images: SHA-256 by name.
        properties: What holds.
    """

    path: Path
    release: str
    images: Mapping[str, str]
    properties: Sequence[str]


def attest(run: Path, signer: Signer, *, now_s: float, release: str = "") -> Attested:
    """Attest a release by a run that was signed by the same key and is as it was signed.

    Whether the verdict is what the raw data say is not looked at here: `drillbook evidence attest` does that first.

    Args:
        run: The run's folder.
        signer: Who attests.
        now_s: Seconds since the epoch.
        release: Its version; empty for the only one that the run let stay.

    Raises:
        NotAttested: When the run is not PASS as a whole, is not as this key signed it, or is not about such images.
        KeyUnusable: When the signer does not sign.
        OSError: When the envelope cannot be written.
    """
    found = verification.verify(run, [signer.public_key()])
    # An attestation that is there already, of another release say, is replaced and keeps none from being made.
    wrong = [finding for finding in found.findings if finding.name != RELEASE_NAME]
    if wrong or found.statement is None:
        raise NotAttested(f"{run.name} is not as this key signed it: {'; '.join(map(str, wrong[:3]))}")
    record = folder.read(run, load=False)
    verdicts = {found.statement.verdict, *found.statement.drills.values(), record.recorded, record.verdict}
    if verdicts != {Verdict.PASS}:
        raise NotAttested(f"{run.name} is {found.statement.verdict}, and a release is attested by a PASS alone")
    version, images = releases.released(record, release)
    payload = releases.render(version, images, record, found.sha256, now_s)
    data = envelope.seal(envelope.IN_TOTO, payload, signer).rendered()
    return Attested(replace(run / RELEASE_NAME, data), version, images, releases.properties_of(record, version))
