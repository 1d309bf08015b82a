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
_KINDS = {"Context": "given", "Action": "when", "Outcome": "then"}


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
        sentences: As a run records them: the background's first, each with `given`, `when` or `then` before it.
    """

    name: str
    feature: str
    file: str
    requirements: tuple[str, ...]
    sentences: tuple[str, ...]


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


def _scenarios(
    node: Mapping[str, Any], feature: str, file: str, above: tuple[str, ...] = (), before: tuple[str, ...] = ()
) -> Iterator[Scenario]:
    """Of a feature, or of a rule inside one; what is above it has these tags and, as background, these sentences."""
    above = (*above, *_tags(node))
    for child in node["children"]:
        if "background" in child:
            before = (*before, *_sentences(child["background"]))
        elif "rule" in child:
            yield from _scenarios(child["rule"], feature, file, above, before)
        elif "scenario" in child:
            scenario = child["scenario"]
            told = (*before, *_sentences(scenario))
            for table in scenario["examples"] or [_NO_EXAMPLES]:
                tags = tuple(filter(is_requirement, dict.fromkeys((*above, *_tags(scenario), *_tags(table)))))
                for example in _examples(table) or [{}]:
                    sentences = tuple(_with_values(sentence, example) for sentence in told)
                    name = titles.title(scenario["name"], list(example.values()))
                    yield Scenario(name, feature, file, tags, sentences)


def _sentences(node: Mapping[str, Any]) -> list[str]:
    """Of a background or a scenario; an “and” is whatever was before it."""
    kind = ""
    found: list[str] = []
    for step in node["steps"]:
        kind = _KINDS.get(step["keywordType"], kind)
        found.append(f"{kind} {step['text']}")
    return found


def _examples(table: Mapping[str, Any]) -> list[dict[str, str]]:
    """The values of each row, by the names of their columns."""
    names = [cell["value"] for cell in table["tableHeader"]["cells"]] if table["tableBody"] else []
    return [dict(zip(names, (cell["value"] for cell in row["cells"]), strict=True)) for row in table["tableBody"]]


def _with_values(sentence: str, example: Mapping[str, str]) -> str:
    return re.sub(r"<([^<>]+)>", lambda place: example.get(place[1], place[0]), sentence)


def _tags(node: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(tag["name"].removeprefix("@") for tag in node["tags"])
