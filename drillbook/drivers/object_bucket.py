"""Files in a bucket that is spoken to by S3."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_CONNECT_S, _ANSWER_S = 3.0, 30.0
_CHUNK = 2**20
_LISTING = frozenset({"Name", "KeyCount", "IsTruncated", "Contents"})
"""What ListObjectsV2 answers, also of an empty bucket; of any other page boto3 makes an empty answer."""
_NOT_THERE = frozenset({"404", "NoSuchKey", "NotFound"})


@dataclass(frozen=True, slots=True)
class ObjectBucket:
    """One region's bucket.

    Attributes:
        region: Its name.
        endpoint: URL of its S3.
        bucket: Name of the bucket.
        key: Gives the access key and its secret, with a colon between.
        ca_file: Authorities that the certificate is verified against; the usual ones when None.
    """

    region: str
    endpoint: str
    bucket: str
    key: Callable[[], str]
    ca_file: Path | None = None

    def digests(self) -> Mapping[str, str]:
        """Of every file, which is read whole."""
        s3 = self._client()
        return {name: found for name in self._names(s3) if (found := self._digest(s3, name))}

    def digest(self, name: str) -> str:
        """Of one file; empty when it is not there."""
        return self._digest(self._client(), name)

    def put(self, name: str, content: bytes) -> None:
        """Create or replace a file."""
        self._asked(self._client(), "put_object", Key=name, Body=content)

    def remove(self, name: str) -> None:
        """Idempotent."""
        self._asked(self._client(), "delete_object", Key=name)

    def _names(self, s3: Any) -> list[str]:
        found: list[str] = []
        after: dict[str, str] = {}
        while True:
            page: Any = self._asked(s3, "list_objects_v2", **after)
            if not _LISTING & page.keys():
                raise Unreachable(f"{self._named} lists nothing that is a listing: is that the address of its S3?")
            found += [str(it["Key"]) for it in page.get("Contents", ())]
            if not page.get("IsTruncated"):
                return found
            after = {"ContinuationToken": page["NextContinuationToken"]}

    def _digest(self, s3: Any, name: str) -> str:
        try:
            body: Any = self._asked(s3, "get_object", Key=name)["Body"]
            made = hashlib.sha256()
            while part := body.read(_CHUNK):
                made.update(part)
        except _NotThere:
            return ""
        except (BotoCoreError, OSError) as error:
            raise Unreachable(f"{self._named} broke off while {name} was read: {type(error).__name__}") from error
        return made.hexdigest()

    def _asked(self, s3: Any, what: str, **arguments: Any) -> Any:
        try:
            return getattr(s3, what)(Bucket=self.bucket, **arguments)
        except ClientError as error:
            answer: Any = error.response
            code = str(answer.get("Error", {}).get("Code", ""))
            if what == "get_object" and code in _NOT_THERE:
                raise _NotThere from error
            raise Unreachable(f"{self._named} refuses {what}: {code or error}") from error
        except BotoCoreError as error:
            raise Unreachable(f"{self._named} was not reached: {error}") from error

    def _client(self) -> Any:
        access, _, secret = self.key().partition(":")
        retries: Any = {"mode": "standard", "total_max_attempts": 2}
        config = Config(connect_timeout=_CONNECT_S, read_timeout=_ANSWER_S, retries=retries)
        authorities = {"verify": str(self.ca_file)} if self.ca_file is not None else {}
        try:
            return cast("Any", boto3.client)(
                "s3", endpoint_url=self.endpoint, region_name=self.region, aws_access_key_id=access,
                aws_secret_access_key=secret, config=config, **authorities,
            )  # fmt: skip
        except (BotoCoreError, ValueError) as error:
            raise Unreachable(f"{self._named}: {error}") from error

    @property
    def _named(self) -> str:
        return f"the bucket {self.bucket} in {self.region} ({self.endpoint})"


class _NotThere(Exception):
    """There is no such object."""
