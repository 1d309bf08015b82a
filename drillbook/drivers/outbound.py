"""Sends something to a server that nothing depends on: one try, an end in time, and an answer that stays small."""

from __future__ import annotations

from typing import Any

import requests
import requests.adapters

from drillbook.drivers import bounds

MOST_BYTES = 256 * 1024


class BoundedSession(requests.Session):
    """Each request ends within a time, is led nowhere else, and its answer is bounded."""

    def __init__(self, within_s: float) -> None:
        """Nothing is sent yet.

        Args:
            within_s: For a request to be taken, and again for its whole answer.
        """
        self._within_s = within_s
        super().__init__()
        # Credentials are ours to choose, not a .netrc's; a proxy is what many runners need to get out at all.
        self.auth = _no_netrc

    def mount(self, prefix: str | bytes, adapter: requests.adapters.BaseAdapter) -> None:
        """Bound what comes through this adapter."""
        if isinstance(adapter, requests.adapters.HTTPAdapter):
            bounds.bound_pools(adapter.poolmanager, most_bytes=MOST_BYTES + bounds.HEAD, within_s=self._within_s)
        super().mount(prefix, adapter)

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **options: Any) -> requests.Response:  # type: ignore[override]
        """As in requests.

        Raises:
            requests.RequestException: Also when the answer is packed, for a small one can hold gigabytes.
        """
        headers: dict[str, Any] = {**(options.pop("headers", None) or {}), "Accept-Encoding": "identity"}
        options.update(stream=True, timeout=self._within_s, allow_redirects=False, headers=headers)
        response = super().request(method, url, *args, **options)
        if response.headers.get("Content-Encoding", "identity") != "identity":
            response.close()
            raise requests.RequestException("the answer is packed, which was not asked for")
        _ = response.content
        return response


def _no_netrc(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
