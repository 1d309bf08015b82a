"""What a feature's text says: its scenarios, and of an outline each of its examples."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from gherkin.errors import ParserError
from gherkin.parser import Parser

from drillbook.domain import titles

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_NO_EXAMPLES: Mapping[str, Any] = {"tags": [], "tableBody": []}
THEN = "then "
"""Before a sentence that promises something."""
_KINDS = {"Context": "given", "Action": "when", "Outcome": "then"}


class UnreadableFeature(ValueError):
    """The text is no feature; the parser's words say where."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario; an outline is one for each of its examples.

    Attributes:
        feature: Title of its feature.
        name: Its own, which all examples of an outline share.
        example: Values of its example; empty when it is none of an outline.
        tags: Without their @: the feature's, its rule's, its own, its example's.
        sentences: As a run records them: the background's first, each with `given`, `when` or `then` before it, and
            with the values of its example.
    """

    feature: str
    name: str
    example: tuple[str, ...]
    tags: tuple[str, ...]
    sentences: tuple[str, ...]

    @property
    def title(self) -> str:
        """What it is called in a run."""
        return titles.title(self.name, self.example)

    @property
    def requirements(self) -> tuple[str, ...]:
        """Ids of the promises that it proves."""
        return tuple(filter(is_requirement, self.tags))


def read(text: str) -> tuple[Scenario, ...]:
    """Those of a feature's text, in their order; none where it has no feature.

    Raises:
        UnreadableFeature: When it is not Gherkin.
    """
    try:
        document = cast("Mapping[str, Any]", Parser().parse(text))
    except ParserError as error:
        raise UnreadableFeature(str(error)) from error
    feature = document.get("feature")
    return tuple(_scenarios(feature, feature["name"])) if feature else ()


def is_requirement(tag: str) -> bool:
    """Ids of promises have capital letters and two numbers: `DEP-2.1`."""
    return re.fullmatch(r"[A-Z]+-\d+\.\d+", tag) is not None


def is_record_of(said: Sequence[str], spoken: Sequence[str], *, whole: bool) -> bool:
    """Whether a drill that spoke these sentences was one of a scenario that says those.

    A limit that was changed is another sentence, and a drill of the looser one shows nothing of the tighter.

    Args:
        said: By the scenario, or by another drill of it.
        spoken: By the drill.
        whole: Whether it passed, and so has to have spoken all of them; any other may have been ended before, and has
            then what was promised anyway behind what it came to.
    """
    if whole:
        return list(spoken) == list(said)
    came_to = next((place for place, pair in enumerate(zip(said, spoken, strict=False)) if pair[0] != pair[1]), None)
    if came_to is None:
        return len(spoken) <= len(said)
    left = iter(said[came_to:])
    return all(sentence.startswith(THEN) and sentence in left for sentence in spoken[came_to:])


def _scenarios(
    node: Mapping[str, Any], feature: str, above: tuple[str, ...] = (), before: tuple[str, ...] = ()
) -> Iterator[Scenario]:
    """Of a feature, or of a rule inside one; what is above it has these tags and, as background, these sentences."""
    above = (*above, *_tags(node))
    for child in node["children"]:
        if "background" in child:
            before = (*before, *_sentences(child["background"]))
        elif "rule" in child:
            yield from _scenarios(child["rule"], feature, above, before)
        elif "scenario" in child:
            scenario = child["scenario"]
            told = (*before, *_sentences(scenario))
            for table in scenario["examples"] or [_NO_EXAMPLES]:
                tags = tuple(dict.fromkeys((*above, *_tags(scenario), *_tags(table))))
                for example in _examples(table) or [{}]:
                    sentences = tuple(_with_values(sentence, example) for sentence in told)
                    yield Scenario(feature, scenario["name"], tuple(example.values()), tags, sentences)


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
