"""Approvals of production drills: made with a private key, checked against the environment's approvers."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from drillbook.domain.guard import Approval
from drillbook.run.folder import write_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_MOST_BYTES = 64 * 1024


class NotApproved(Exception):
    """There is no valid approval; the text says what is wrong with it and what is needed."""


def sign(approval: Approval, key: Path) -> Approval:
    """The approval with its signature.

    Raises:
        NotApproved: When the file holds no Ed25519 private key.
    """
    try:
        private = load_pem_private_key(key.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise NotApproved(f"{key} holds no private key that can be read: {error}") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise NotApproved(
            f"{key} is no Ed25519 key; make one with `openssl genpkey -algorithm ed25519 -out {key.name}`"
        )
    return replace(approval, signature=base64.b64encode(private.sign(approval.signed_bytes())).decode())


def write(approval: Approval, path: Path) -> None:
    """Keep it as JSON."""
    write_json(path, asdict(approval))


def read(path: Path) -> Approval:
    """An approval file; nothing of it is believed yet.

    Raises:
        NotApproved: When it is none.
    """
    try:
        with path.open("rb") as file:
            document: Any = json.loads(file.read(_MOST_BYTES))
        made = Approval(
            plan_sha256=str(document["plan_sha256"]),
            approved_by=str(document["approved_by"]),
            not_before_s=float(document["not_before_s"]),
            not_after_s=float(document["not_after_s"]),
            reason=str(document["reason"]),
            signature=str(document["signature"]),
        )
        made.span()  # a time that is none, such as NaN, compares with nothing
    except OSError as error:
        raise NotApproved(f"the approval {path} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        said = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise NotApproved(f"{path} is no approval; make one with `drillbook approve`: {said}") from error
    return made


def check(approval: Approval, plan_sha256: str, approvers: Mapping[str, str], now_s: float, until_s: float) -> None:
    """See that it is for this plan, counts now, and was signed by one of the approvers.

    Args:
        approval: What was given.
        plan_sha256: The plan that is about to be carried out.
        approvers: Name to Ed25519 public key, raw, in base64.
        now_s: When the run begins, in seconds since the epoch.
        until_s: When it is expected to end.

    Raises:
        NotApproved: When it is not.
    """
    key = approvers.get(approval.approved_by)
    if key is None:
        known = ", ".join(sorted(approvers)) or "nobody"
        raise NotApproved(f"{approval.approved_by!r} approves nothing here; guard.approvers names {known}")
    try:
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key, validate=True))
        public.verify(base64.b64decode(approval.signature, validate=True), approval.signed_bytes())
    except (InvalidSignature, ValueError) as error:
        raise NotApproved(f"the approval is not signed by {approval.approved_by}'s key: ask for a new one") from error
    if approval.plan_sha256 != plan_sha256:
        raise NotApproved(
            f"the approval is for the plan {approval.plan_sha256[:12]}..., and this one is {plan_sha256[:12]}...: "
            "other drills are chosen, or the environment file, what the drills do, the chart, its values or Drillbook "
            "have changed since; have this one approved"
        )
    if not approval.not_before_s <= now_s <= until_s <= approval.not_after_s:
        raise NotApproved(
            f"the approval counts from {approval.span()}, and the drills take about {until_s - now_s:.0f} s from "
            "now on; have it renewed"
        )


def public_key(key: Path) -> str:
    """The public half of a private key, as `guard.approvers` wants it."""
    private = load_pem_private_key(key.read_bytes(), password=None)
    if not isinstance(private, Ed25519PrivateKey):
        raise NotApproved(f"{key} is no Ed25519 key")
    return base64.b64encode(private.public_key().public_bytes_raw()).decode()
