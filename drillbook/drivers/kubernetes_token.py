"""Takes a cluster's token anew in mid-drill, where it expires or is written again; no request waits long for that."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from kubernetes import client, config

from drillbook.drivers import kubeconfig
from drillbook.drivers.kubeconfig import UNUSABLE
from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from drillbook.drivers.kubeconfig import Access

WAITS_S = 3.0
"""For so long a request waits for a token that was looked at lately; then it goes on with the one that there is.

Less than half of what a lock may be without renewal, which asks two regions one after the other.
"""

LATELY_S = 240.0
"""A token is good for so long after it was looked at: the library asks for another five minutes before its end."""

HANGS_AFTER_S = 30.0
"""A command that runs for longer is given up for another: it may wait for a server that came back long ago."""

THREAD = "token renewal"


@dataclass(slots=True)
class Renewal:
    """Takes a token anew that expires in mid-drill: from its command, or from a file that was written again.

    A kubeconfig that leads elsewhere by now has no token for the cluster that the client asks, and none of its own is
    shown to that: the client goes on with what it has, so that what was changed there can still be put back. It does so
    too while one gives no token: its command fails, which the library only logs, or its users are not written yet.

    The library waits for a command as long as that runs, so it is asked in a thread of its own.

    Attributes:
        access: The kubeconfig, and where its context led when the client was made.
        learn: Is told each token in use.
        seen: When it, and the file in which its user has the token, were last written, as far as this was looked at.
        own: The client's own renewal, which asks a kubeconfig's command again once its token has expired (that of
            Amazon EKS lasts 15 minutes); None for credentials that have none.
    """

    access: Access
    learn: Callable[[list[str]], None]
    seen: Mapping[Path, int]
    own: Callable[[client.Configuration], None] | None
    _looked_s: float = field(default_factory=time.monotonic)
    _began_s: float = 0.0
    _attempt: Future[None] | None = None
    _one: threading.Lock = field(default_factory=threading.Lock)
    _view: client.Configuration = field(default_factory=client.Configuration)

    def __call__(self, configuration: client.Configuration) -> None:
        """Called by the client before each request, from any thread."""
        with self._one:
            began_s, attempt = self._begun(configuration)
            lately = began_s - self._looked_s < LATELY_S
        until_s = began_s + (WAITS_S if lately else HANGS_AFTER_S)
        wait([attempt], max(0.0, until_s - time.monotonic()))
        if attempt.done():
            attempt.result()

    def _begun(self, configuration: client.Configuration) -> tuple[float, Future[None]]:
        """Since when a look is going on, and that look: another thread's, unless that has ended or hangs."""
        now_s = time.monotonic()
        if self._attempt is None or self._attempt.done() or now_s - self._began_s > HANGS_AFTER_S:
            self._began_s, self._attempt = now_s, Future()
            look = threading.Thread(
                target=self._attend, args=(configuration, now_s, self._attempt), name=THREAD, daemon=True
            )
            look.start()
        return self._began_s, self._attempt

    def _attend(self, configuration: client.Configuration, began_s: float, attempt: Future[None]) -> None:
        try:
            self._look(configuration)
        except Exception as error:  # noqa: BLE001 - whoever waits for it is told, as if he had looked himself
            attempt.set_exception(error)
        else:
            self._looked_s = began_s
            attempt.set_result(None)

    def _look(self, configuration: client.Configuration) -> None:
        before = tokens(configuration)
        self._read_again(configuration)
        if self.own is not None:
            # It puts itself into this one's place, so it is shown another configuration.
            self.own(self._view)
            configuration.api_key = dict(self._view.api_key)
        if tokens(configuration) != before:
            self.learn(tokens(configuration))

    def _read_again(self, configuration: client.Configuration) -> None:
        if all(_written(path) == before for path, before in self.seen.items()):
            return
        try:
            self.access.see()
            written = files(self.access)
            fresh = _client(self.access)
        except (*UNUSABLE, Unreachable):
            return  # it is being written, or leads elsewhere: the next request looks again
        if not fresh.configuration.api_key:
            return  # likewise; and a client without a token would never be asked to renew it again
        configuration.api_key = fresh.configuration.api_key
        self.own = hook(fresh)
        self.seen = written


def first(access: Access) -> client.ApiClient:
    """The library's client with its first token, for which it may run a command.

    Raises:
        Exception: Any of `UNUSABLE`, when the kubeconfig cannot be used.
        Unreachable: When the command has not ended by `HANGS_AFTER_S`.
    """
    made: Future[client.ApiClient] = Future()
    threading.Thread(target=_make, args=(access, made), name=THREAD, daemon=True).start()
    wait([made], HANGS_AFTER_S)
    if not made.done():
        raise Unreachable(
            f"the command that the kubeconfig {access.kubeconfig} names for a token has not ended within "
            f"{HANGS_AFTER_S:g} s: run it by hand, and see what it waits for"
        )
    return made.result()


def _make(access: Access, made: Future[client.ApiClient]) -> None:
    try:
        made.set_result(_client(access))
    except Exception as error:  # noqa: BLE001 - whoever waits for it is told
        made.set_exception(error)


def _client(access: Access) -> client.ApiClient:
    return config.new_client_from_config(str(access.kubeconfig), context=access.context, persist_config=False)


def hook(api: client.ApiClient) -> Callable[[client.Configuration], None] | None:
    """What a client calls before each request."""
    return cast("Any", api.configuration).refresh_api_key_hook


def tokens(configuration: client.Configuration) -> list[str]:
    """Those in use."""
    return [key.removeprefix("Bearer ") for key in configuration.api_key.values()]


def files(access: Access) -> dict[Path, int]:
    """When the files that a token is read from were last written; to be asked before they are read.

    The library reads a token's own file once. A pod's account has one that the kubelet writes anew within the hour.

    Raises:
        Exception: Any of `UNUSABLE`, when the kubeconfig cannot be read.
    """
    found = {access.kubeconfig: _written(access.kubeconfig)}
    token = kubeconfig.token_file(access)
    return found if token is None else {**found, token: _written(token)}


def _written(path: Path) -> int:
    """When a file was last written, in nanoseconds; 0 when it is not there."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
