"""Pushes OCI layouts to an image registry over its HTTP API; what is already there is not sent again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import requests

from drillbook.twin.errors import TwinError
from drillbook.twin.oci import MANIFEST_TYPE

if TYPE_CHECKING:
    from drillbook.twin.oci import Layout

_ASK_TIMEOUT_S = 10.0
_SEND_TIMEOUT_S = 120.0


class RegistryError(TwinError):
    """The registry did not take an image; the text has its answer."""


@dataclass(slots=True)
class Registry:
    """An image registry without authentication.

    Attributes:
        url: For example `http://10.77.0.5:5000`.
    """

    url: str
    _session: requests.Session = field(default_factory=requests.Session)
    _homes: dict[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        """A proxy of the caller's environment has no business on this machine's own networks."""
        self._session.trust_env = False

    def holds(self, name: str, tag: str, image: Layout) -> bool:
        """Whether the tag points at this image and all its parts are there, in full."""
        answer = self._ask("HEAD", f"/v2/{name}/manifests/{tag}", headers={"Accept": MANIFEST_TYPE})
        if answer.headers.get("Docker-Content-Digest") != image.digest:
            return False
        return all(self._size(name, digest) == size for digest, size in image.blobs.items())

    def push(self, name: str, tag: str, image: Layout) -> int:
        """Send what is missing; answers how many bytes were sent.

        Raises:
            RegistryError: When the registry refuses, or does not answer.
        """
        sent = 0
        for digest, size in image.blobs.items():
            held = self._size(name, digest)
            if held is None and not self._mounted(name, digest):
                self._upload(name, digest, image)
                sent += size
            elif held not in {None, size}:
                message = (
                    f"the registry at {self.url} holds {held} of the {size} bytes of {name}@{digest}; "
                    "its storage is damaged: take the twin down, delete the registry's storage, bring it up again."
                )
                raise RegistryError(message)
            self._homes[digest] = name
        path = f"/v2/{name}/manifests/{tag}"
        answer = self._ask("PUT", path, data=image.manifest, headers={"Content-Type": MANIFEST_TYPE})
        _expect(answer, requests.codes.created, f"take {name}:{tag}")
        return sent

    def _size(self, name: str, digest: str) -> int | None:
        answer = self._ask("HEAD", f"/v2/{name}/blobs/{digest}")
        return int(answer.headers["Content-Length"]) if answer.status_code == requests.codes.ok else None

    def _mounted(self, name: str, digest: str) -> bool:
        """Take a layer over from another image of the same registry, when it is known to be there."""
        home = self._homes.get(digest)
        if home is None:
            return False
        answer = self._ask("POST", f"/v2/{name}/blobs/uploads/", params={"mount": digest, "from": home})
        return answer.status_code == requests.codes.created

    def _upload(self, name: str, digest: str, image: Layout) -> None:
        begun = self._ask("POST", f"/v2/{name}/blobs/uploads/")
        _expect(begun, requests.codes.accepted, f"begin an upload to {name}")
        place = urljoin(self.url, begun.headers["Location"])
        with image.blob(digest).open("rb") as stream:
            done = self._ask(
                "PUT", place, params={"digest": digest}, data=stream, timeout_s=_SEND_TIMEOUT_S,
                headers={"Content-Type": "application/octet-stream"},
            )  # fmt: skip
        _expect(done, requests.codes.created, f"take a layer of {name}")

    def _ask(
        self, method: str, place: str, *, headers: dict[str, str] | None = None, params: dict[str, str] | None = None,
        data: object = None, timeout_s: float = _ASK_TIMEOUT_S,
    ) -> requests.Response:  # fmt: skip
        try:
            return self._session.request(
                method, urljoin(self.url, place), headers=headers, params=params, data=data,  # type: ignore[arg-type]
                timeout=timeout_s,
            )  # fmt: skip
        except requests.RequestException as error:
            message = f"the registry at {self.url} did not answer {method} {place}: {error}"
            raise RegistryError(message) from error


def _expect(answer: requests.Response, status: int, what: str) -> None:
    if answer.status_code != status:
        message = f"the registry did not {what}: it answered {answer.status_code} {answer.text[:300]}"
        raise RegistryError(message)
