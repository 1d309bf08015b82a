"""A webhook as Slack has them, and Mattermost, Rocket.Chat and others after it: a POST to a URL that is the secret."""

from __future__ import annotations

from urllib.parse import urlsplit

import requests

from drillbook.drivers.outbound import BoundedSession
from drillbook.drivers.transport import reason
from drillbook.ports import Unreachable

_WITHIN_S = 10.0
_FAMILY_OF_SUCCESS = 2


class Webhook:
    """Sends text to one channel."""

    def __init__(self, url: str, *, within_s: float = _WITHIN_S) -> None:
        """Nothing is sent yet.

        Args:
            url: Whoever knows it may write there, so it is never said.
            within_s: For the request, and again for its answer.

        Raises:
            Unreachable: When it is no URL.
        """
        try:
            parts = urlsplit(url)
            host = parts.hostname
        except ValueError:
            host, parts = None, urlsplit("")
        if not host or parts.scheme not in {"http", "https"}:
            raise Unreachable("the webhook's URL is none that begins with https:// and names a host")
        self._url, self._within_s = url, within_s
        self.name = f"webhook at {host}"

    def send(self, text: str) -> None:
        """One message.

        Raises:
            Unreachable: When it was not taken; without the URL.
        """
        try:
            with BoundedSession(self._within_s) as session:
                answer = session.post(self._url, json={"text": text})
        except requests.RequestException as error:
            raise Unreachable(f"{self.name} was not told: {reason(error).replace(self._url, 'its URL')}") from None
        if answer.status_code // 100 != _FAMILY_OF_SUCCESS:
            raise Unreachable(f"{self.name} was not told: it answered {answer.status_code}")
