"""The scenarios that say they prove a requirement, read from the features without running them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drillbook.domain import scenarios, titles

if TYPE_CHECKING:
    from pathlib import Path


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
            told = scenarios.read(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UnreadableFeatures(f"{path} cannot be read as a feature: {error}") from error
        file = path.relative_to(features).as_posix()
        found += [Scenario(one.title, one.feature, file, one.requirements, one.sentences) for one in told]
    if clash := titles.clash((scenario.name, scenario.file) for scenario in found):
        raise UnreadableFeatures(clash)
    return tuple(found)
