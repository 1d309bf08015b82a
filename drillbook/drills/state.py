"""What the sentences about the state beside the database do: markers, and one comparison of everything."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from drillbook.actions.state import FOLDER
from drillbook.drills.seen import NotReady, not_said
from drillbook.ports import Unreachable
from drillbook.run.folder import write_json
from probes import state as probe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from drillbook.actions.state import State
    from drillbook.drills.drill import Drill

_SAME_WITHIN_S = 30.0
"""What users change while it is compared has so long to arrive; see `probes.state.differing`."""
_PACE_S = 1.0
_KEY = secrets.token_bytes(32)
"""Of the digests of secrets that this process makes; it is written nowhere."""
_MARKED_WITHIN_S = 480.0
"""Two markers, each written and changed, and each of that waited for."""


def has(drill: Drill) -> State:
    """What both regions have beside the database.

    Raises:
        NotReady: When the environment does not say where its files or its secrets are.
    """
    state = drill.platform.state
    missing = [it for it in probe.KINDS if state is None or not (state.files if it == "file" else state.secrets)]
    if state is None or missing:
        what = f"where its {' and '.join(missing)}s are"
        raise not_said(drill.platform.environment, what, "recovery.files and recovery.secrets")
    return state


def mark_and_compare(drill: Drill) -> None:
    """The experiment `state`, and then everything in both regions.

    Raises:
        NotReady: When the environment does not say how, or a region does not answer.
    """
    state = has(drill)
    drill.run_experiment("state", deadline_s=_MARKED_WITHIN_S)
    looks: dict[probe.Kind, Callable[[str], Mapping[str, str]]] = {
        "file": lambda region: state.files[region].digests(),
        "secret": lambda region: state.secrets[region].digests(_KEY),
    }
    try:
        seen = {kind: asdict(_compare(drill, state, look)) for kind, look in looks.items()}
    except Unreachable as error:
        raise NotReady(f"what the regions have cannot be looked at: {error}") from error
    path = drill.folder / probe.FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, seen)
    text = ", ".join(f"{len(it['home'])} {kind}s there and {len(it['away'])} here" for kind, it in seen.items())
    drill.timeline.record("observed", f"compared {text}", activity="compare_state")


def _compare(drill: Drill, state: State, look: Callable[[str], Mapping[str, str]]) -> probe.Compared:
    """Until nothing differs, or what differs has had its time."""
    clock = drill.session.clock
    asked_s = clock.now()
    first = _without_ours(look(state.home))
    while True:
        away, home = _without_ours(look(state.away)), _without_ours(look(state.home))
        if home == away or clock.now() > asked_s + _SAME_WITHIN_S:
            return probe.Compared(asked_s, clock.now(), first, home, away)
        clock.sleep(_PACE_S)


def _without_ours(found: Mapping[str, str]) -> dict[str, Any]:
    """What drills write is gone in a moment, or another drill's."""
    return {name: digest for name, digest in found.items() if not name.startswith(f"{FOLDER}/")}
