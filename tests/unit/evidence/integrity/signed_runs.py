"""Runs that are signed: keys made for the test, folders as a run writes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sample import Sample

from drillbook.evidence import junit, report, signing, verification
from drillbook.evidence.keys import FileSigner

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from drillbook.evidence.keys import PublicKey

NOW_S = 1_795_000_100.0


def make_key(path: Path) -> FileSigner:
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(pem)
    path.chmod(0o600)
    return FileSigner(path)


@dataclass
class Signed:
    """Runs of one history, and who signs them."""

    runs: Path
    signer: FileSigner

    @property
    def keys(self) -> list[PublicKey]:
        return [self.signer.public_key()]

    def run(self, run_id: str, *, signed: bool = True, reports: bool = False, **sample: Any) -> Path:
        """A run's folder."""
        path = self.runs / run_id
        Sample(**{"run": {"run_id": run_id, **sample.pop("run", {})}, **sample}).write(path)
        if reports:
            report.render(path)
            junit.render(path)
        if signed:
            self.sign(path)
        return path

    def sign(self, path: Path, **options: Any) -> signing.Signed:
        return signing.sign(path, self.signer, now_s=NOW_S, **options)

    def verify(self, path: Path, **options: Any) -> verification.Verification:
        return verification.verify(path, self.keys, **options)
