"""What the scenarios of this version say: a run's record of what was said is held against it.

What a drill has to show is said by its sentences, and the list of those that were spoken is only a record: without the
broken promise and its check it would still agree with itself.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_bdd.feature import get_features

from drillbook.domain import titles
from drillbook.domain.scenarios import THEN
from drillbook.run import planning
from features import sentences

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FEATURES = Path(__file__).resolve().parent
VERSION = "features"
"""Under which a run records their digest, among the versions of what was involved."""


@dataclass(frozen=True, slots=True)
class Told:
    """One scenario; of an outline, one of its examples.

    Attributes:
        sentences: All of them in their order, the background's first, each with `given`, `when` or `then` before it.
        tags: Of the feature and the scenario, sorted.
    """

    sentences: tuple[str, ...]
    tags: tuple[str, ...]

    def promises(self, spoken: int) -> bool:
        """Whether so many of its sentences have come to a promise: then everything was done that was to be."""
        return any(sentence.startswith(THEN) for sentence in self.sentences[:spoken])

    def left(self, spoken: int) -> tuple[str, ...]:
        """What is still to be judged where the last of so many sentences has raised.

        All of it once everything was done; before that, what is promised anyway.
        """
        left = [sentence for sentence in self.sentences[spoken:] if sentence.startswith(THEN)]
        if self.promises(spoken):
            return tuple(left)
        return tuple(sentence for sentence in left if sentences.is_promised_anyway(sentence.removeprefix(THEN)))


@cache
def known() -> Mapping[tuple[str, str], Told]:
    """Every scenario, by its feature's title and by what it is called in a run."""
    found: dict[tuple[str, str], Told] = {}
    for feature in get_features([str(FEATURES)]):
        for scenario in feature.scenarios.values():
            tags = tuple(sorted(scenario.tags | feature.tags))
            for example in [row for table in scenario.examples for row in table.as_contexts()] or [{}]:
                spoken = tuple(f"{step.type} {step.name}" for step in scenario.render(example).steps)
                title = titles.title(scenario.name, [str(value) for value in example.values()])
                found[str(feature.name), title] = Told(spoken, tags)
    return found


@cache
def sha256() -> str:
    """Digest of all features, their steps and the probes, by which a run tells whether it was made with these."""
    root = FEATURES.parent
    paths = sorted([*FEATURES.rglob("*.feature"), *(FEATURES / "steps").glob("*.py"), *(root / "probes").glob("*.py")])
    return planning.files_sha256((path.relative_to(root).as_posix(), path) for path in paths)


def deviations(told: Told, spoken: Sequence[str], tags: Sequence[str], *, cut_short: bool) -> list[str]:
    """Where a record is not the scenario's own, in sentences.

    Args:
        told: What the scenario says.
        spoken: Its sentences by the record.
        tags: Its tags by the record.
        cut_short: Whether something ended the scenario: then it was spoken to some sentence, and no further but for
            what was still to be judged.
    """
    due = _due(told, tuple(spoken)) if cut_short else told.sentences
    missing, foreign = Counter(due) - Counter(spoken), Counter(spoken) - Counter(due)
    found = [f"the scenario says “{sentence}”, and the record does not" for sentence in missing]
    found += [f"the record says “{sentence}”, and there the scenario does not" for sentence in foreign]
    if not found and tuple(spoken) != due:
        found.append("the record has the scenario's sentences in another order")
    if tuple(sorted(tags)) != told.tags:
        found.append(f"the record has the tags {_listed(tags)}, and the scenario has {_listed(told.tags)}")
    return found


def _due(told: Told, spoken: tuple[str, ...]) -> tuple[str, ...]:
    """What a record of so many sentences has of a scenario that something ended."""
    ended = [(*told.sentences[:place], *told.left(place)) for place in range(len(spoken))]
    return spoken if spoken in ended else told.sentences[: len(spoken)]


def _listed(tags: Sequence[str]) -> str:
    return ", ".join(sorted(tags)) or "none"
