"""A migration as its script says it: the statements of its ways up and down, and what it declares about itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EXPAND, CONTRACT = "expand", "contract"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a way.

    Attributes:
        sql: Its text.
        line: Where the script sends it, counted from 1.
        alone: Whether it runs outside a transaction.
        block: Number of the transaction that it is part of, within its way; statements that run alone have their own.
    """

    sql: str
    line: int
    alone: bool = False
    block: int = 0


@dataclass(frozen=True, slots=True)
class Way:
    """The way up or down.

    Attributes:
        line: Where the script begins with it.
        statements: In order.
        hidden: Why its statements cannot be told; empty when they can.
        missing: Whether the script has no such way, or one that does nothing but raise.
    """

    line: int
    statements: tuple[Statement, ...] = ()
    hidden: str = ""
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Script:
    """One migration.

    Attributes:
        revision: Its name.
        file: Its script, relative to where it was read from.
        phase: `expand` or `contract`, as the script declares by `phase = "..."`; anything else is a finding.
        serves_from: The oldest release that a contract step leaves working, by `serves_from = "..."`; empty without.
        loses: What is lost on the way up or down, as the script declares by `loses = "..."`; empty when nothing is.
        up: From the revision before.
        down: Back to it.
    """

    revision: str
    file: str
    phase: str
    serves_from: str
    loses: str
    up: Way
    down: Way


@dataclass(frozen=True, slots=True)
class Remark:
    """What the linter of statements said about one of them.

    Attributes:
        rule: Name of its rule.
        place: Which statement of the way, counted from 0.
        text: What is wrong, in its words.
        instead: What would be right; may be empty.
    """

    rule: str
    place: int
    text: str
    instead: str = ""


@dataclass(frozen=True, slots=True)
class Linted:
    """A script with what the linter of statements said.

    Attributes:
        script: The migration.
        up: About its way up.
        down: About its way down.
    """

    script: Script
    up: tuple[Remark, ...] = ()
    down: tuple[Remark, ...] = ()

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Linted:
        """Of what `dataclasses.asdict` made of one.

        Raises:
            KeyError, TypeError: When it is something else.
        """
        script = dict(document["script"])
        up, down = _way(script.pop("up")), _way(script.pop("down"))
        return cls(Script(up=up, down=down, **script), _remarks(document["up"]), _remarks(document["down"]))


def _way(document: Mapping[str, Any]) -> Way:
    fields = dict(document)
    statements = tuple(Statement(**one) for one in fields.pop("statements"))
    return Way(statements=statements, **fields)


def _remarks(documents: Sequence[Mapping[str, Any]]) -> tuple[Remark, ...]:
    return tuple(Remark(**one) for one in documents)
