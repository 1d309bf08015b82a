"""An S3 bucket with object lock: what lies there can be read, and until its day neither changed nor deleted."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from pathlib import Path

_CONNECT_S, _ANSWER_S = 10.0, 60.0
_CLOCKS_DIFFER_S = 300.0
_CHUNK = 2**20
_LARGEST = 5 * 2**30
"""Bytes that S3 takes in one request."""

_NOT_THERE = frozenset({"404", "NoSuchKey", "NotFound"})

Mode = Literal["COMPLIANCE", "GOVERNANCE"]


@dataclass(frozen=True, slots=True)
class Kept:
    """An object that is kept.

    Attributes:
        key: Its name in the bucket.
        sha256: Of its content, hexadecimal.
        size: In bytes.
        until_s: Until when it is locked, in seconds since the epoch, as the bucket says.
        sent: Whether it was sent now, and not there already.
    """

    key: str
    sha256: str
    size: int
    until_s: float
    sent: bool


class WriteOnceBucket:
    """One bucket; credentials are found where boto3 looks for them."""

    def __init__(self, bucket: str, *, endpoint: str = "", mode: Mode = "COMPLIANCE") -> None:
        """Nothing is asked yet.

        Args:
            bucket: Its name.
            endpoint: URL of an S3 that is not AWS'; empty for AWS'.
            mode: COMPLIANCE, which nobody can lift, or GOVERNANCE, which a privileged account can.

        Raises:
            Unreachable: When there is no usable configuration.
        """
        self._bucket, self._mode = bucket, mode
        retries: Any = {"mode": "standard", "total_max_attempts": 4}
        # The checksums are ours, of the whole content, so the library need not make others.
        config = Config(
            connect_timeout=_CONNECT_S, read_timeout=_ANSWER_S, retries=retries,
            request_checksum_calculation="when_required", response_checksum_validation="when_required",
        )  # fmt: skip
        try:
            self._s3: Any = boto3.client("s3", endpoint_url=endpoint or None, config=config)
        except (BotoCoreError, ValueError) as error:
            raise Unreachable(f"bucket {bucket}: {error}") from error

    def check(self) -> None:
        """See that the bucket locks what it is given.

        Raises:
            Unreachable: When it does not, or that cannot be seen.
        """
        found = self._asked("get_object_lock_configuration", Bucket=self._bucket)
        if found.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") != "Enabled":
            raise Unreachable(
                f"bucket {self._bucket} has no object lock: make one with it, which can be done only then"
            )

    def keep(self, path: Path, key: str, until_s: float) -> Kept:
        """Put a file there, unless the same content lies there for as long; then see that it does.

        Args:
            path: The file.
            key: Its name in the bucket.
            until_s: Until when it is to be locked, in seconds since the epoch.

        Raises:
            Unreachable: When it does not lie there as it is wanted.
        """
        size = path.stat().st_size
        if size > _LARGEST:
            raise Unreachable(f"{path.name} has {size} bytes, and S3 takes {_LARGEST} in one request")
        digest = _sha256(path)
        found = self._kept(key, digest, size, until_s)
        if found is not None:
            return found
        with path.open("rb") as file:
            self._asked(
                "put_object", Bucket=self._bucket, Key=key, Body=file, ContentLength=size,
                ChecksumSHA256=base64.b64encode(bytes.fromhex(digest)).decode(), Metadata={"sha256": digest},
                ObjectLockMode=self._mode, ObjectLockRetainUntilDate=datetime.fromtimestamp(until_s, UTC),
            )  # fmt: skip
        found = self._kept(key, digest, size, until_s)
        if found is None:
            raise Unreachable(f"bucket {self._bucket} took {key}, and does not keep it as it was told to")
        return Kept(found.key, found.sha256, found.size, found.until_s, sent=True)

    def _kept(self, key: str, digest: str, size: int, until_s: float) -> Kept | None:
        """What lies there, when it is this content, locked for so long."""
        try:
            head: Any = self._asked("head_object", Bucket=self._bucket, Key=key)
        except _NotThere:
            return None
        until: Any = head.get("ObjectLockRetainUntilDate")
        locked_s = until.timestamp() if isinstance(until, datetime) else 0.0
        same = head.get("ContentLength") == size and head.get("Metadata", {}).get("sha256") == digest
        strict = head.get("ObjectLockMode") in {self._mode, "COMPLIANCE"}
        if same and strict and locked_s >= until_s - _CLOCKS_DIFFER_S:
            return Kept(key, digest, size, locked_s, sent=False)
        return None

    def _asked(self, what: str, **arguments: Any) -> Any:
        try:
            return getattr(self._s3, what)(**arguments)
        except ClientError as error:
            answer: Any = error.response
            code = str(answer.get("Error", {}).get("Code", ""))
            if what == "head_object" and code in _NOT_THERE:
                raise _NotThere from error
            if what == "get_object_lock_configuration" and code.startswith("ObjectLockConfiguration"):
                return {}
            raise Unreachable(f"bucket {self._bucket} refuses {what}: {code or error}") from error
        except BotoCoreError as error:
            raise Unreachable(f"bucket {self._bucket} was not reached: {error}") from error


class _NotThere(Exception):
    """There is no such object."""


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(_CHUNK):
            digest.update(part)
    return digest.hexdigest()
