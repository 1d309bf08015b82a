"""At the end every acknowledged write is looked up again, on its client's own path or on another release's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gevent
from gevent.pool import Pool as Greenlets

from drillbook.domain.redaction import clean
from drillbook.domain.traffic import Outcome
from loadtests.client import Client, Pool
from loadtests.columns import READBACK, Columns
from loadtests.reading import read

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from loadtests.plan import Plan
    from loadtests.workload import Reply, Workload

_RETRY_AFTER_S = 0.25


def read_back(plan: Plan, workload: Workload, keys: Iterable[str], folder: Path) -> None:
    """Look each key up and write `readback.parquet`; what cannot be told by the deadline is a row with an error."""
    table = Columns(folder, "readback", READBACK)
    settings = plan.reading_back
    client = Client(settings.target or plan.target, plan.clock, plan.metering.timeout_s)
    pool = Pool(settings.concurrency)
    greenlets = Greenlets(settings.concurrency)
    start_s = plan.clock.now()
    deadline_s = start_s + settings.deadline_s
    for number, key in enumerate(dict.fromkeys(keys)):
        gevent.sleep(max(0.0, start_s + number / settings.rate_hz - plan.clock.now()))
        greenlets.spawn(_look_up, plan, workload, client, pool, key, deadline_s, table)
    greenlets.join(timeout=max(0.0, deadline_s - plan.clock.now()) + plan.metering.timeout_s + 1)
    pool.close()
    table.finish()


def _look_up(  # noqa: PLR0917 - a greenlet's body
    plan: Plan, workload: Workload, client: Client, pool: Pool, key: str, deadline_s: float, table: Columns
) -> None:
    error = "not asked before the deadline"
    while plan.clock.now() < deadline_s:
        replies: list[Reply] = []
        for request in workload.read_back(key):
            exchange = client.through(pool, request)
            if exchange.outcome is not Outcome.OK or exchange.reply is None:
                error = f"{exchange.outcome.value}: {exchange.error}"
                break
            replies.append(exchange.reply)
        else:
            found, unread = read(lambda replies=replies: workload.found(key, replies), None)
            if found is not None:
                table.add((key, found.copies > 0, found.copies, found.equal, plan.clock.now(), ""))
                return
            error = unread or f"answered {', '.join(str(reply.status) for reply in replies)}, which tells nothing"
        gevent.sleep(_RETRY_AFTER_S)
    table.add((key, False, 0, False, plan.clock.now(), clean(error)))
