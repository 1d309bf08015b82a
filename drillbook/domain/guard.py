"""What a run may do, as values: the plan that is approved, the hours it is allowed in, and how far it may reach."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, ClassVar
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterable

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class PlannedDrill:
    """One scenario of a plan.

    Attributes:
        feature: Stem of its file.
        scenario: Its name.
        destructive: Whether it takes something away that users rest on: a node, a region, data. Tag `@destructive`.
        pods_share: Largest share of the serving pods that it takes away, 0 to 1. Tag `@pods-50` is 0.5.
        resilience: Whether it makes a fault. Tag `@resilience`.
    """

    feature: str
    scenario: str
    destructive: bool
    pods_share: float
    resilience: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a run means to do; what somebody approves.

    Attributes:
        environment: Name of the environment.
        environment_sha256: Of its file, so that an approval ends with any change of it.
        drills: In order.
        regions: That are changed.
        namespaces: That are changed.
        longest_s: After which the run is stopped, in seconds.
        drillbook: Version that carries it out.
        sources_sha256: Of whatever says what the drills do: features, experiments, the releases' chart and values.
    """

    environment: str
    environment_sha256: str
    drills: tuple[PlannedDrill, ...]
    regions: tuple[str, ...]
    namespaces: tuple[str, ...]
    longest_s: float
    drillbook: str
    sources_sha256: str

    def canonical(self) -> bytes:
        """The same bytes for the same plan: JSON with sorted keys and no spaces."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()

    @property
    def sha256(self) -> str:
        """Its hash, which an approval names."""
        return hashlib.sha256(self.canonical()).hexdigest()


@dataclass(frozen=True, slots=True)
class AllowedHours:
    """When drills may run.

    Attributes:
        days: On which it begins, of `DAYS`.
        begins: Local time.
        ends: Local time; on the next day when it is not after `begins`.
        zone: IANA name, for example `Europe/Berlin`.
    """

    days: tuple[str, ...]
    begins: time
    ends: time
    zone: str

    def hold(self, from_s: float, until_s: float) -> bool:
        """Whether the whole of a stretch lies within one of them; in seconds since the epoch."""
        zone = ZoneInfo(self.zone)
        today = datetime.fromtimestamp(from_s, zone).date()
        for day in (today - timedelta(days=1), today):
            if DAYS[day.weekday()] not in self.days:
                continue
            over_midnight = timedelta(days=0 if self.ends > self.begins else 1)
            begins = datetime.combine(day, self.begins, zone)
            ends = datetime.combine(day + over_midnight, self.ends, zone)
            # As timestamps, so that a change to summer time in between counts.
            if begins.timestamp() <= from_s and until_s <= ends.timestamp():
                return True
        return False

    def __str__(self) -> str:
        """For people."""
        return f"{', '.join(self.days)} {self.begins:%H:%M} to {self.ends:%H:%M} {self.zone}"


@dataclass(frozen=True, slots=True)
class Burn:
    """How bad the clients' answers may be while drills run.

    What is shorter than a second has too few short windows to be seen as a whole, and not everything is remembered for
    longer than ten minutes: a limit for either would never be exceeded.

    Attributes:
        bad_share: Share of bad answers, 0 to 1.
        for_s: For how long it has to be exceeded, in seconds.
    """

    SHORTEST_S: ClassVar[float] = 1.0
    LONGEST_S: ClassVar[float] = 600.0

    bad_share: float
    for_s: float

    def exceeded(self, answers: Iterable[tuple[float, int, int]], now_s: float) -> bool:
        """Whether more were bad, over the whole of the last `for_s`.

        Args:
            answers: End of each short window in seconds since the epoch, its answers, and how many of them were bad.
            now_s: Seconds since the epoch.
        """
        seen = [entry for entry in answers if entry[0] > now_s - self.for_s]
        total = sum(count for _, count, _ in seen)
        bad = sum(count for _, _, count in seen)
        whole = bool(seen) and seen[-1][0] - seen[0][0] >= 0.8 * self.for_s
        return whole and total > 0 and bad > self.bad_share * total


def too_many_away(ready: int, wanted: int, share: float) -> bool:
    """Whether more than a share of the wanted pods are away; where users are served and none is wanted, all are."""
    # Half a millionth of a pod is rounding: 30 % of 10 are 3, whatever binary fractions make of it.
    return wanted <= 0 or wanted - ready > share * wanted + 5e-7


@dataclass(frozen=True, slots=True)
class Approval:
    """Somebody's word for one plan.

    Attributes:
        plan_sha256: Which plan.
        approved_by: Name of the approver, as the environment file has it.
        not_before_s: From when it counts, in seconds since the epoch.
        not_after_s: Until when.
        reason: Why; a change's number, say.
        signature: Ed25519 (RFC 8032) over `signed_bytes`, in base64.
    """

    plan_sha256: str
    approved_by: str
    not_before_s: float
    not_after_s: float
    reason: str
    signature: str = ""

    def signed_bytes(self) -> bytes:
        """What is signed: everything but the signature."""
        content = {name: value for name, value in asdict(self).items() if name != "signature"}
        return b"drillbook-approval-v1\n" + json.dumps(content, sort_keys=True, separators=(",", ":")).encode()

    def span(self) -> str:
        """For people."""
        return " to ".join(
            datetime.fromtimestamp(s, UTC).strftime("%Y-%m-%d %H:%M UTC") for s in (self.not_before_s, self.not_after_s)
        )
