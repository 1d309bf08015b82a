"""The archive watch on a real server: it looks while somebody answers, and says when nobody does."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from drillbook.beside import archive_watch
from drillbook.run.clock import SteadyClock
from drillbook.run.load import Load

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.system.conftest import Postgres


def test_it_looks_until_it_is_told_to_end_and_an_unanswered_look_is_a_line_too(
    postgres: Postgres, tmp_path: Path
) -> None:
    secret = tmp_path / "password"
    secret.write_text("none")
    addresses = {
        "home": f"host=127.0.0.1 port={postgres.port} user=postgres dbname=postgres",
        "away": "host=127.0.0.1 port=1 user=postgres dbname=postgres",
    }
    clock = SteadyClock(time.time(), time.monotonic())
    plan = archive_watch.Plan(addresses, f"file:{secret}", 0.2, 2.0, tmp_path / "archive", clock)
    watch = Load.start(plan.document(), plan.output, module="drillbook.beside.archive_watch", called="archive watch")
    try:
        watch.wait_running(deadline_s=20)
        time.sleep(0.5)
    finally:
        watch.stop(read_back_s=5)
    assert watch.phase == "done"
    lines = [json.loads(line) for line in (tmp_path / "archive" / "looks.jsonl").read_text().splitlines()]
    home = [line for line in lines if line["region"] == "home"]
    assert len(home) >= 2
    assert all(line["primary"] is True and line["position"] > 0 and not line["error"] for line in home)
    away = [line for line in lines if line["region"] == "away"]
    assert away
    assert all(line["primary"] is None and "refused" in line["error"] for line in away)
