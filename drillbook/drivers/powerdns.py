"""Where the public's name leads, by a Lua record of PowerDNS: the addresses of the first region that is healthy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests

from drillbook.drivers.transport import reason
from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_TIMEOUT_S = 5.0
_SET = re.compile(r"\{('[0-9.]+'(?:, ?'[0-9.]+')*)\}")
_SETS = re.compile(r"\{\{'[0-9., ']+'\}(?:, ?\{'[0-9., ']+'\})*\}")


@dataclass(frozen=True, slots=True)
class _Record:
    """The record as the server has it.

    Attributes:
        ttl_s: For how long it may be kept, in whole seconds.
        content: What it says.
    """

    ttl_s: int
    content: str


@dataclass(frozen=True, slots=True)
class PowerDnsName:
    """One name whose record calls `ifurlup` with a set of addresses for each region.

    Attributes:
        api: URL of the server, up to `/servers/NAME`.
        key: Gives the API's key when it is needed.
        zone: Without the last dot.
        name: Likewise.
        regions: Region to its addresses.
        resolve: The addresses that a user is given now; raises Unreachable.
        answered_ttl_s: For how long that user is told to keep them; raises Unreachable.
    """

    api: str
    key: Callable[[], str]
    zone: str
    name: str
    regions: Mapping[str, Sequence[str]]
    resolve: Callable[[], frozenset[str]]
    answered_ttl_s: Callable[[], float] = lambda: 0.0

    def order(self) -> tuple[str, ...]:
        """The regions that it may lead to, the preferred first.

        Raises:
            Unreachable: When the server does not answer, or the record is not as described.
        """
        return self._order(self._record().content)

    def prefer(self, regions: Sequence[str]) -> None:
        """Declare another order, and leave what else the record says.

        Raises:
            Unreachable: Likewise.
        """
        record = self._record()
        self._order(record.content)
        sets = ", ".join("{" + ", ".join(f"'{a}'" for a in self.regions[region]) + "}" for region in regions)
        changed = _SETS.sub(lambda _: "{" + sets + "}", record.content, count=1)
        records = [{"content": changed, "disabled": False}]
        kept = {"name": f"{self.name}.", "type": "LUA", "ttl": record.ttl_s}
        self._ask("PATCH", {"rrsets": [{**kept, "changetype": "REPLACE", "records": records}]})

    def kept_for_s(self) -> float:
        """Seconds, as the record declares them or as a user is told: a resolver may make them more."""
        return max(float(self._record().ttl_s), self.answered_ttl_s())

    def resolved(self) -> frozenset[str]:
        """The regions whose addresses a user is given now; an address of none stands for itself."""
        owners = {address: region for region, addresses in self.regions.items() for address in addresses}
        return frozenset(owners.get(address, address) for address in self.resolve())

    def _order(self, content: str) -> tuple[str, ...]:
        owners = {frozenset(addresses): region for region, addresses in self.regions.items()}
        found = [frozenset(re.findall(r"[0-9.]+", part)) for part in _SET.findall(content)]
        if not _SETS.search(content) or any(part not in owners for part in found):
            raise Unreachable(
                f"the record of {self.name} is {content!r}, which does not name the addresses of the regions "
                f"{', '.join(self.regions)}, a set for each; set it by hand"
            )
        return tuple(owners[part] for part in found)

    def _record(self) -> _Record:
        answer = self._ask("GET")
        try:
            zone: Any = answer.json()
            found = [
                _Record(int(it["ttl"]), str(record["content"]))
                for it in zone["rrsets"] if (it["name"], it["type"]) == (f"{self.name}.", "LUA")
                for record in it["records"]
            ]  # fmt: skip
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise Unreachable(
                f"what answers at {self.api} for the zone {self.zone} is no PowerDNS: {answer.text[:200]!r} "
                f"({type(error).__name__})"
            ) from error
        if len(found) != 1:
            raise Unreachable(f"the zone {self.zone} at {self.api} has not exactly one LUA record of {self.name}")
        return found[0]

    def _ask(self, method: str, body: object = None) -> requests.Response:
        url = f"{self.api}/zones/{self.zone}."
        try:
            answer = requests.request(
                method, url, json=body, headers={"X-API-Key": self.key()}, timeout=_TIMEOUT_S, allow_redirects=False
            )
        except requests.RequestException as error:
            raise Unreachable(f"the DNS did not answer at {url}: {reason(error)}") from error
        if not answer.ok:
            raise Unreachable(f"the DNS refused at {url} ({answer.status_code}): {answer.text[:200]}")
        return answer
