"""Tells which scenarios cannot be made in an environment, by speaking their sentences to nobody.

`python -m features.rehearsal FILE` is what `drillbook plan` starts: it prints a JSON object with the title of each such
scenario and why, in sentences. Nothing is asked, changed or written.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from drillbook.drills import rehearsal
from drillbook.drills.seen import NotOffered
from drillbook.run.environment import load
from drillbook.run.planning import STATIC
from features import scenarios, sentences

if TYPE_CHECKING:
    from drillbook.domain.environment import Environment
    from drillbook.drills.drill import Drill
    from drillbook.drills.inspection import Inspection


def lacking(environment: Environment) -> dict[str, list[str]]:
    """Title of each scenario that cannot be made, with what it needs and the environment's file does not offer."""
    found: dict[str, list[str]] = {}
    for (_, title), told in scenarios.known().items():
        about = rehearsal.inspection(environment) if STATIC in told.tags else rehearsal.drill(environment)
        reasons = [reason for sentence in told.sentences if (reason := _lacks(about, sentence))]
        if reasons:
            found[title] = list(dict.fromkeys(reasons))
    return found


def _lacks(about: Drill | Inspection, sentence: str) -> str:
    """Why this sentence cannot be spoken here; empty when the file has all that it needs."""
    kind, _, text = sentence.partition(" ")
    try:
        sentences.say(about, text, kind)
    except NotOffered as error:
        return str(error)
    except Exception:  # noqa: BLE001 - whatever comes of nobody's answering: only a run can tell more
        return ""
    return ""


def main() -> int:
    """Rehearse in the environment whose file the command line names."""
    found = lacking(load(Path(sys.argv[1])))
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
