"""The scenarios that say they prove a requirement, read from the features without running them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from gherkin.errors import ParserError
from gherkin.parser import Parser

from drillbook.domain import titles

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_NO_EXAMPLES: Mapping[str, Any] = {"tags": [], "tableBody": []}


class UnreadableFeatures(Exception):
    """What is proved cannot be told without all features; the text says which one to mend."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario; an outline is one for each of its examples.

    Attributes:
        name: As a run records it: with the values of its example.
        feature: Title of its feature.
        file: Relative to the features.
        requirements: Ids that its tags and its feature's name.
    """

    name: str
    feature: str
    file: str
    requirements: tuple[str, ...]


def read(features: Path) -> tuple[Scenario, ...]:
    """All of them, in the order of their files.

    Raises:
        UnreadableFeatures: When one cannot be read, or there is none: nothing could be proved, and a wrong path is the
            likelier reason; or when two scenarios are called alike, and would be proved by each other's drills.
    """
    paths = sorted(features.rglob("*.feature"))
    if not paths:
        raise UnreadableFeatures(f"there is no *.feature below {features}: give the folder of the features")
    found: list[Scenario] = []
    for path in paths:
        try:
            document = cast("Mapping[str, Any]", Parser().parse(path.read_text(encoding="utf-8")))
        except (ParserError, OSError, ValueError) as error:
            raise UnreadableFeatures(f"{path} cannot be read as a feature: {error}") from error
        if document.get("feature"):
            feature = document["feature"]
            found += _scenarios(feature, feature["name"], path.relative_to(features).as_posix())
    if told := titles.clash((scenario.name, scenario.file) for scenario in found):
        raise UnreadableFeatures(told)
    return tuple(found)


def is_requirement(tag: str) -> bool:
    """Ids of promises have capital letters and two numbers: `DEP-2.1`."""
    return re.fullmatch(r"[A-Z]+-\d+\.\d+", tag) is not None


def _scenarios(node: Mapping[str, Any], feature: str, file: str, above: tuple[str, ...] = ()) -> Iterator[Scenario]:
    """Of a feature, or of a rule inside one."""
    above = (*above, *_tags(node))
    for child in node["children"]:
        if "rule" in child:
            yield from _scenarios(child["rule"], feature, file, above)
        elif "scenario" in child:
            scenario = child["scenario"]
            for table in scenario["examples"] or [_NO_EXAMPLES]:
                tags = dict.fromkeys((*above, *_tags(scenario), *_tags(table)))
                for name in _names(scenario["name"], table["tableBody"]):
                    yield Scenario(name, feature, file, tuple(filter(is_requirement, tags)))


def _names(name: str, rows: list[Mapping[str, Any]]) -> list[str]:
    return [titles.title(name, [cell["value"] for cell in row["cells"]]) for row in rows] or [name]


def _tags(node: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(tag["name"].removeprefix("@") for tag in node["tags"])
