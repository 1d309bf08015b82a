"""A vault that is sealed, and opened again with its key; HashiCorp Vault or OpenBao with a single Shamir share."""

# ruff: noqa: ARG002 - a pair is given what was noted, also one that needs none of it

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drillbook.domain.traffic import Origin
from drillbook.drivers.http_client import HttpClient
from drillbook.ports import Unreachable
from drillbook.ports.fault import Look

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_OK, _NO_CONTENT = 200, 204


@dataclass(frozen=True, slots=True)
class SealedVault:
    """One server.

    Attributes:
        url: Base URL.
        token: Gives a token that may seal it.
        unseal_key: Gives the key.
    """

    url: str
    token: Callable[[], str]
    unseal_key: Callable[[], str]

    @property
    def named(self) -> str:
        """Which one."""
        return f"vault at {self.url}"

    def note(self) -> Mapping[str, Any]:
        """Nothing, when the key that opens it again is at hand.

        Raises:
            Unreachable: When it is not: it must not be closed then.
        """
        self.unseal_key()
        return {}

    def take(self) -> None:
        """Seal it.

        Raises:
            Unreachable: When it does not let itself be sealed.
        """
        answer = self._client().send("PUT", "/v1/sys/seal", headers={"X-Vault-Token": self.token()})
        if answer.status not in {_OK, _NO_CONTENT}:
            raise Unreachable(f"the {self.named} was not sealed ({answer.status}): see what the token may do")

    def give_back(self, noted: Mapping[str, Any]) -> None:
        """Open it; one that is open already stays so.

        Raises:
            Unreachable: When it does not open.
        """
        if not self._sealed():
            return
        answer = self._client().send("PUT", "/v1/sys/unseal", body={"key": self.unseal_key()})
        if answer.status != _OK:
            raise Unreachable(f"the {self.named} did not take the unseal key ({answer.status}); open it by hand")

    def look(self, noted: Mapping[str, Any]) -> Look:
        """What it says of itself to anybody, which is not what sealed it."""
        sealed = self._sealed()
        return Look(sealed, not sealed, f"the {self.named} is {'sealed' if sealed else 'open'}")

    def _sealed(self) -> bool:
        answer = self._client().get("/v1/sys/seal-status")
        try:
            found: Any = json.loads(answer.body)["sealed"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise Unreachable(f"what {self.url} answers for its seal is nothing of a vault's") from error
        return bool(found)

    def _client(self) -> HttpClient:
        return HttpClient(self.url, lambda _: Origin())
