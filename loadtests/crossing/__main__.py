"""`python -m loadtests.crossing --plan plan.json`: until told to end (SIGTERM); exit 1 when it cannot begin.

The plan has the load's own plan under `load`, and under `regions` each region's gateway addresses, the one first that
has the public when all is well. It writes `sessions.jsonl`, `jobs.jsonl` and `kept.jsonl`, whose lines are those of
`drillbook.domain.crossing`.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402 - after the patch
import signal  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from gevent.event import Event  # noqa: E402

from loadtests.crossing.jobs import Jobs  # noqa: E402
from loadtests.crossing.regions import Regions  # noqa: E402
from loadtests.crossing.sessions import CannotOpen, Sessions  # noqa: E402
from loadtests.plan import PlanError, parse  # noqa: E402
from loadtests.state import Phase, StateFile  # noqa: E402
from loadtests.workload import SessionWorkload  # noqa: E402


def main() -> int:
    """Keep both under way."""
    document = json.loads(Path(sys.argv[sys.argv.index("--plan") + 1]).read_text(encoding="utf-8"))
    try:
        plan = parse(document["load"])
        workload = plan.adapter()
    except PlanError as error:
        sys.stderr.write(f"crossing: {error}\n")
        return 2
    if not isinstance(workload, SessionWorkload):
        sys.stderr.write(f"crossing: the adapter {plan.workload} does not say how sessions are opened and asked for\n")
        return 2
    state, stop = StateFile(plan.output, plan.clock), Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, stop.set)
    regions = Regions(plan, document["regions"])
    sessions, jobs = Sessions(regions, workload), Jobs(regions, workload)
    state.enter(Phase.STARTING)
    try:
        sessions.open()
    except CannotOpen as error:
        sys.stderr.write(f"crossing: {error}\n")
        state.enter(Phase.FAILED, str(error))
        return 1
    under_way: list[Any] = [gevent.spawn(sessions.ask_until, stop), gevent.spawn(jobs.send_until, stop)]
    state.enter(Phase.RUNNING)
    gevent.joinall(under_way, raise_error=True)
    state.enter(Phase.STOPPING)
    jobs.finish()
    state.enter(Phase.READING_BACK)
    sessions.ask_each_once_more()
    jobs.look_up()
    state.enter(Phase.DONE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
