"""A page in headless Chromium, spoken to by its DevTools protocol: seen as it lies on disk, nothing put around it."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import websocket

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-extensions",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip
PHONE = 390
"""Width of a phone's screen, in CSS pixels."""
PAPER = 688
"""Width of an A4 page within its margins, likewise."""

_STARTS_WITHIN_S = 60.0
_ANSWERS_WITHIN_S = 120.0
_LOOKS_EACH_S = 0.05


class BrowserError(Exception):
    """Chromium did not do what it was asked for; the text has its own words."""


@dataclass(frozen=True, slots=True)
class View:
    """How a page is looked at.

    Attributes:
        width: Of the window, in CSS pixels.
        height: Likewise.
        media: `screen` or `print`.
        scheme: `light` or `dark`.
        scale: Device pixels to a CSS pixel.
    """

    width: int = 1280
    height: int = 900
    media: str = "screen"
    scheme: str = "light"
    scale: float = 1.0


class Page:
    """One page in a tab of its own."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session

    def show(self, view: View) -> None:
        """Look at it in this way from now on."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=view.width, height=view.height, deviceScaleFactor=view.scale, mobile=False,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": view.scheme}
        self.ask("Emulation.setEmulatedMedia", media=view.media, features=[scheme])

    def evaluate(self, script: str) -> Any:
        """The value of an expression of JavaScript, waited for when it is a promise."""
        answer = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise BrowserError(f"the page's script failed: {json.dumps(answer['exceptionDetails'])[:500]}")
        return answer["result"].get("value")

    def picture(self, x: float, y: float, width: float, height: float) -> bytes:
        """A PNG of a part of the page, in CSS pixels from its upper left corner."""
        clip = {"x": x, "y": y, "width": width, "height": height, "scale": 1}
        answer = self.ask("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        return base64.b64decode(answer["data"])

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol for this page."""
        return self._browser.ask(method, self._session, **parameters)


class Browser:
    """Chromium that runs."""

    def __init__(self, connection: websocket.WebSocket) -> None:
        self._connection = connection
        self._asked = 0

    def open(self, path: Path) -> Page:
        """A file, once it has loaded.

        Raises:
            BrowserError: When it did not load in time.
        """
        target = self.ask("Target.createTarget", url=path.as_uri())["targetId"]
        page = Page(self, self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])
        deadline = time.monotonic() + _STARTS_WITHIN_S
        while page.evaluate("document.readyState + ' ' + location.protocol") != "complete file:":
            if time.monotonic() > deadline:
                raise BrowserError(f"{path} did not load within {_STARTS_WITHIN_S:g} s")
            time.sleep(_LOOKS_EACH_S)
        return page

    def ask(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """One command of the protocol; what the browser tells meanwhile is passed over.

        Raises:
            BrowserError: When it refuses.
        """
        self._asked += 1
        request = {"id": self._asked, "method": method, "params": parameters}
        self._connection.send(json.dumps(request | ({"sessionId": session} if session else {})))
        while True:
            answer = json.loads(self._connection.recv())
            if answer.get("id") == self._asked:
                break
        if "error" in answer:
            raise BrowserError(f"Chromium refused {method}: {answer['error']}")
        return answer["result"]


@contextmanager
def running(profile: Path) -> Generator[Browser]:
    """Chromium with a new profile in this folder, ended at the end; it listens on 127.0.0.1 only."""
    options = ("--hide-scrollbars", "--remote-debugging-port=0", f"--user-data-dir={profile}")
    command = [str(CHROMIUM), *QUIET, *options, "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        connection = websocket.create_connection(
            _address(process, profile / "DevToolsActivePort"), timeout=_ANSWERS_WITHIN_S, suppress_origin=True
        )
        try:
            yield Browser(connection)
        finally:
            connection.close()
    finally:
        process.terminate()
        process.wait(_STARTS_WITHIN_S)


def _address(process: subprocess.Popen[bytes], told: Path) -> str:
    """Where it listens, which it writes into its profile."""
    deadline = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < deadline:
        lines = told.read_text(encoding="utf-8").split() if told.exists() else []
        if len(lines) == 2:
            return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        if process.poll() is not None:
            raise BrowserError(f"Chromium ended with exit code {process.returncode} before it listened")
        time.sleep(_LOOKS_EACH_S)
    raise BrowserError(f"Chromium did not listen within {_STARTS_WITHIN_S:g} s")
