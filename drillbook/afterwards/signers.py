"""Chooses who signs evidence, by what the environment file or the command line says of the key."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from drillbook.domain.traffic import Origin
from drillbook.domain.verdict import Verdict
from drillbook.drivers.http_client import HttpClient
from drillbook.drivers.ssh_agent import SshAgent
from drillbook.drivers.vault import Vault
from drillbook.evidence import signing, timestamp, verification
from drillbook.evidence.keys import FileSigner, KeyUnusable, PublicKey
from drillbook.evidence.statement import ENVELOPE_NAME
from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drillbook.domain.environment import Environment
    from drillbook.evidence.keys import Signer


_TIMESTAMP_WITHIN_S = 15.0


@dataclass(frozen=True, slots=True)
class VaultSigner:
    """A key of the transit engine; it never leaves the vault.

    Attributes:
        vault: Which, and who asks.
        mount: Of the engine.
        key: Its name.
    """

    vault: Vault
    mount: str
    key: str

    def public_key(self) -> PublicKey:
        """See `Signer`."""
        try:
            return PublicKey(self.vault.public_key(self.mount, self.key))
        except Unreachable as error:
            raise KeyUnusable(str(error)) from error

    def sign(self, data: bytes) -> bytes:
        """See `Signer`."""
        try:
            return self.vault.signature(self.mount, self.key, data)
        except Unreachable as error:
            raise KeyUnusable(str(error)) from error


@dataclass(frozen=True, slots=True)
class AgentSigner:
    """A key of an SSH agent; it never leaves the agent.

    Attributes:
        agent: Which.
        fingerprint: The key's, as `ssh-add -l` shows it.
    """

    agent: SshAgent
    fingerprint: str

    def public_key(self) -> PublicKey:
        """See `Signer`."""
        try:
            return PublicKey(self.agent.public_key(self.fingerprint))
        except Unreachable as error:
            raise KeyUnusable(str(error)) from error

    def sign(self, data: bytes) -> bytes:
        """See `Signer`."""
        try:
            return self.agent.signature(self.fingerprint, data)
        except Unreachable as error:
            raise KeyUnusable(str(error)) from error


def signer_of(reference: str, variables: Mapping[str, str] = os.environ) -> Signer:
    """The signer behind a reference.

    Args:
        reference: `file:PATH`, `vault-transit:MOUNT/KEY` or `agent:SHA256:FINGERPRINT`.
        variables: The process' environment variables, which say where the vault or the agent is.

    Raises:
        KeyUnusable: When the reference is none, or they do not say.
    """
    kind, _, place = reference.partition(":")
    if place and kind == "file":
        return FileSigner(Path(place))
    mount, _, key = place.rpartition("/")
    if kind == "vault-transit" and mount and key:
        try:
            return VaultSigner(Vault.of(variables, reference), mount, key)
        except Unreachable as error:
            raise KeyUnusable(str(error)) from error
    if kind == "agent" and place.startswith("SHA256:"):
        if not variables.get("SSH_AUTH_SOCK"):
            raise KeyUnusable(f"{reference} needs the variable SSH_AUTH_SOCK, which says where the agent is")
        return AgentSigner(SshAgent(variables["SSH_AUTH_SOCK"]), place)
    raise KeyUnusable(
        f"{reference!r} names no signing key: give file:PATH, vault-transit:MOUNT/KEY or agent:SHA256:FINGERPRINT"
    )


@dataclass(frozen=True, slots=True)
class TimestampService:
    """A timestamp authority on the network.

    Attributes:
        url: Where it is asked.
        ca_file: Authorities that its server's certificate is verified against; the usual ones when None.
    """

    url: str
    ca_file: Path | None = None

    def reply(self, data: bytes) -> bytes:
        """See `signing.TimestampAuthority`."""
        parts = urlsplit(self.url)
        client = HttpClient(f"{parts.scheme}://{parts.netloc}", lambda _: Origin(), ca_file=self.ca_file)
        asked = timestamp.question(data)
        headers = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
        try:
            answer = client.send(
                "POST", parts.path or "/", body=asked.request, headers=headers, timeout_s=_TIMESTAMP_WITHIN_S
            )
        except Unreachable as error:
            raise signing.NoTimestamp(str(error)) from error
        try:
            timestamp.moment(answer.body, data, asked.nonce)
        except timestamp.NotATimestamp as error:
            raise signing.NoTimestamp(f"the answer of {self.url} ({answer.status}) {error}") from error
        return answer.body


def timestamps(url: str, ca_file: Path | None = None) -> TimestampService | None:
    """Who says when a run was signed; nobody when no address is given."""
    return TimestampService(url, ca_file) if url else None


class NotAsSigned(Exception):
    """A run is not as this environment's key has signed it; the text says what differs."""


def envelope_of(environment: Environment, folder: Path) -> str:
    """Digest of what was signed about a run; empty when nothing was, or nothing is signed here.

    Args:
        environment: Where it ran.
        folder: The run's.

    Raises:
        NotAsSigned: When it was signed, and is not as it was, or nobody can tell.
    """
    if environment.signing is None or not (folder / ENVELOPE_NAME).exists():
        return ""
    try:
        found = verification.verify(folder, [signer_of(environment.signing.key).public_key()])
    except KeyUnusable as error:
        raise NotAsSigned(f"nobody can tell whether it is as it was signed: {error}") from error
    if found.verdict is not Verdict.PASS:
        raise NotAsSigned(f"it is not as it was signed: {'; '.join(map(str, found.findings[:3]))}")
    return found.sha256


def sign_at_the_end(environment: Environment, folder: Path) -> list[str]:
    """Sign a run that has ended, where its environment says so; never changes what came out of it.

    Args:
        environment: Where it ran.
        folder: The run's.

    Returns:
        What to tell: that it was signed, or that it was not and why; nothing when nobody asked for it.
    """
    settings = environment.signing
    if settings is None:
        return []
    try:
        authority = timestamps(settings.timestamp_url, settings.timestamp_ca_file)
        done = signing.sign(
            folder, signer_of(settings.key), now_s=time.time(), history=settings.history, authority=authority
        )
    except Exception as error:  # noqa: BLE001 - whatever it is, the verdict stands, and the evidence shows as unsigned
        return [f"NOT SIGNED: {type(error).__name__}: {error}", f"sign it with `drillbook evidence sign {folder.name}`"]
    return [*done.remarks, f"signed: {done.path} (number {done.link.sequence} of its history)"]
