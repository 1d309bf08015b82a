"""All writes of many drills together: of everything that was acknowledged, what became of it.

A drill judges its own writes. A whole night adds what no drill sees: that none of its drills was left out, and that
every write that any client holds an acknowledgement for is told of.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drillbook.domain.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from drillbook.domain.ledger import Integrity


@dataclass(frozen=True, slots=True)
class Account:
    """One drill's writes.

    Attributes:
        drill: Whose, as people find it: the run and the drill's folder.
        fate: Every key by what became of it; None when that is not known of any.
        why: It is not known, in words; empty when it is.
        may_lose: Whether the drill lost its database, and judged what was lost with it to be within its recovery point,
            and nothing to be lost since.
    """

    drill: str
    fate: Integrity | None
    why: str = ""
    may_lose: bool = False


@dataclass(frozen=True, slots=True)
class Night:
    """The writes of all drills, counted.

    Attributes:
        loads: Whose users are told of; most drills have one.
        acknowledged: Writes that a client holds an acknowledgement for.
        present: Of those, there once and right.
        lost: Of those, not there.
        altered: Of those, something else is there.
        unknown: Of those, the look-up told nothing.
        duplicated: Writes that are there more than once, acknowledged or not.
        indeterminate: Neither acknowledged nor refused; each may be there or not.
        indeterminate_present: Of those, there.
        broken: Sentences: what was lost, altered or there twice, and no promise allowed it.
        unaccounted: Sentences: of which writes it is not known what became of them.
    """

    loads: int
    acknowledged: int
    present: int
    lost: int
    altered: int
    unknown: int
    duplicated: int
    indeterminate: int
    indeterminate_present: int
    broken: tuple[str, ...]
    unaccounted: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        """FAIL when a promise was broken; no PASS while a write is unaccounted for, or where there was none."""
        if self.broken:
            return Verdict.FAIL
        return Verdict.INCONCLUSIVE if self.unaccounted or not self.acknowledged else Verdict.PASS


def night(accounts: Iterable[Account]) -> Night:
    """Add them up."""
    told = tuple(accounts)
    fates = [account.fate for account in told if account.fate is not None]

    def total(*names: str) -> int:
        return sum(len(getattr(fate, name)) for fate in fates for name in names)

    return Night(
        loads=len(told),
        acknowledged=sum(fate.acknowledged for fate in fates),
        present=total("kept"),
        lost=total("lost"),
        altered=total("altered"),
        unknown=total("unknown"),
        duplicated=total("duplicated"),
        indeterminate=total("late", "vanished", "unclear"),
        indeterminate_present=total("late"),
        broken=tuple(sentence for account in told for sentence in _broken(account)),
        unaccounted=tuple(sentence for account in told for sentence in _unaccounted(account)),
    )


def _broken(account: Account) -> Sequence[str]:
    fate = account.fate
    if fate is None:
        return ()
    found = {"altered": fate.altered, "there more than once": fate.duplicated}
    if not account.may_lose:
        found["lost"] = fate.lost
    return [f"{account.drill}: {len(keys)} writes are {what}" for what, keys in found.items() if keys]


def _unaccounted(account: Account) -> Sequence[str]:
    fate = account.fate
    if fate is None:
        return [f"{account.drill}: {account.why}"]
    doubtful = len(fate.unknown)
    return [f"{account.drill}: the look-up told nothing of {doubtful} acknowledged writes"] if doubtful else ()
