"""What is promised by the sentences after the one that raised: it is judged all the same.

A promise that was broken may stand behind a sentence that asks for what never came about. The scenario proves nothing
any more, and may still have shown that something is wrong.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from drillbook.drills.drill import Drill
from drillbook.run.stopping import told
from features import scenarios, sentences

if TYPE_CHECKING:
    from collections.abc import Generator

    from drillbook.drills.inspection import Inspection


def judge(about: Drill | Inspection, error: BaseException | None) -> None:
    """Go on behind a sentence that has raised this; a scenario that was stopped says no more.

    A sentence that raises as well keeps no other from being judged, and is told behind the first one. Raises nothing:
    the drill has still to be put back.
    """
    if not isinstance(error, Exception):
        return
    first = told(error)
    with _told_behind(about, first):
        for sentence in _reached(about):
            about.sentences.append(sentence)
            with _told_behind(about, first):
                sentences.say(about, sentence.removeprefix(scenarios.THEN))


def _reached(about: Drill | Inspection) -> tuple[str, ...]:
    """The sentences that are still to be judged, and can be by now: where something broke off, users have left."""
    scenario, spoken = scenarios.known().get((about.feature, about.scenario)), tuple(about.sentences)
    if scenario is None or scenario.sentences[: len(spoken)] != spoken:
        return ()
    left = scenario.left(len(spoken))
    if left and not scenario.promises(len(spoken)):
        if not isinstance(about, Drill) or not about.users_came:
            return ()
        about.break_off()
    return left


@contextlib.contextmanager
def _told_behind(about: Drill | Inspection, first: str) -> Generator[None]:
    """What is raised here is mostly what the first one was raised for, and is told once."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - a defect of ours is told as well, and hides no broken promise
        text = told(error)
        if text not in {first, *about.unjudged}:
            about.unjudged.append(text)
