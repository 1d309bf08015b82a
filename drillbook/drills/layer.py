"""What the sentences about layers do: each is probed beside the users, and time without writes is put down to them."""

from __future__ import annotations

import math
from dataclasses import astuple
from typing import TYPE_CHECKING

from drillbook.beside import layer_probes
from drillbook.domain.layers import ELSEWHERE
from drillbook.domain.measurement import Window
from drillbook.domain.wording import span
from drillbook.drills import recovery
from drillbook.drills.seen import not_said
from drillbook.run.load import Load

if TYPE_CHECKING:
    from drillbook.domain.interval import Interval
    from drillbook.domain.traffic import Connection
    from drillbook.drills.drill import Drill
    from probes.layers import Attributed


def probe(drill: Drill) -> None:
    """Ask every layer by itself, from now on to the end of the experiment.

    Raises:
        NotReady: When the environment does not say where its layers are.
        LoadError: When one of them does not come through.
    """
    environment = drill.platform.environment
    settings = environment.recovery
    if settings is None or settings.layers is None:
        raise not_said(environment, "where its layers are probed", "recovery.layers")
    home = environment.primary.name
    plan = layer_probes.Plan(
        layers=settings.layers,
        public_url=environment.public_url,
        ca_file=environment.public_ca_file,
        nameservers=tuple(environment.reach.nameservers),
        regions={home: settings.name_addresses[home], **settings.name_addresses},
        rate_hz=layer_probes.RATE_HZ,
        timeout_s=environment.load.timeout_s,
        output=drill.folder / "layers",
        clock=drill.session.clock,
    )
    document = plan.document()
    drill.accompany(
        Load.start(document, plan.output, module="drillbook.beside.layer_probes", called="probe of the layers")
    )
    text = f"probed by themselves: {', '.join(document['asked'])}"
    drill.timeline.record("note", text, activity="layer_probes", not_probed=list(document["not_asked"]))


def after_the_loss(drill: Drill) -> Window:
    """The stretch that a feature speaks of: from the loss to the way back.

    Raises:
        NotReady: When it never came to that.
    """
    start_s = recovery.loss(drill).low
    return Window(start_s, max(start_s, recovery.watched_until_s(drill)))


def tell(drill: Drill, found: Attributed, connection: Connection) -> None:
    """Write down what the time without writes is put down to, in seconds: the least and the most."""
    named = {name: it for name, it in found.layers.items() if it.high > 0.0 and name != ELSEWHERE}
    parts = [f"{name} {span(it, 's')}" for name, it in named.items()]
    parts.append(f"explained by no layer {span(found.layers[ELSEWHERE], 's')}")
    unasked = f"; not probed: {', '.join(found.not_probed)}" if found.not_probed else ""
    drill.timeline.record(
        "note",
        f"time without writes on {connection} connections, {span(found.unserved, 's')}, by layer: {', '.join(parts)}"
        f"{unasked}",
        activity="layers",
        connection=connection.value,
        unserved=_bounds(found.unserved),
        layers={name: _bounds(it) for name, it in found.layers.items()},
        not_probed=list(found.not_probed),
    )


def _bounds(interval: Interval) -> list[float | None]:
    return [bound if math.isfinite(bound) else None for bound in astuple(interval)]
