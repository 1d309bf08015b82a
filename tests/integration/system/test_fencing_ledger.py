"""The fencing ledger beside a PostgreSQL on loopback: a primary that takes a write too many is caught."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
import pytest

from drillbook.beside import fencing_ledger
from drillbook.domain.interval import Interval
from drillbook.domain.verdict import Objective, Verdict, judge
from drillbook.run.clock import SteadyClock
from drillbook.run.load import Load, LoadError
from probes import fencing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from drillbook.domain.verdict import Judgement
    from tests.integration.system.conftest import Postgres

WITHIN_S = 15.0
NO_SPLIT_BRAIN = Objective("recovery.split_brain", "no two primaries take writes", "at_most", 0, "events")


@dataclass
class Watched:
    """A ledger that runs, and what becomes of the server."""

    drill: Path
    url: str
    clock: SteadyClock
    ledger: Load
    lost_s: float = 0.0
    promoted_s: float = 0.0

    def ask(self, statement: str) -> None:
        """As the superuser."""
        with psycopg.connect(self.url, autocommit=True, options="-c default_transaction_read_only=off") as connection:
            connection.execute(statement.encode())

    def lose(self) -> None:
        """The moment of the loss."""
        self.lost_s = self.clock.now()

    def promote(self) -> None:
        """The moment of the promotion, once all that was on its way has ended."""
        sent_s = self.clock.now()
        self.wait(lambda: sum(it.sent_s > sent_s for it in fencing.attempts(self.drill)) >= 4)
        self.promoted_s = self.clock.now()

    def wait(self, holds: Callable[[], bool]) -> None:
        """Until it does."""
        deadline = time.monotonic() + WITHIN_S
        while not holds():
            assert time.monotonic() < deadline, fencing.attempts(self.drill)[-5:]
            time.sleep(0.05)

    def tries_since(self, since_s: float, answer: str = "") -> int:
        """How many were sent from then on, and got this answer."""
        return sum(it.sent_s > since_s and answer in {"", it.answer} for it in fencing.attempts(self.drill))

    def judged(self, until_s: float | None = None) -> Judgement:
        """By what is written down, up to now."""
        promotion = Interval.exactly(self.promoted_s)
        happened = Interval.exactly(self.lost_s)
        end_s = self.clock.now() if until_s is None else until_s
        return judge(NO_SPLIT_BRAIN, fencing.writes_after_promotion(self.drill, happened, promotion, end_s))


def started(drill: Path, url: str, user: str = "watcher") -> tuple[Load, SteadyClock]:
    clock, output = SteadyClock.starting_now(), drill / "fencing"
    parts = psycopg.conninfo.conninfo_to_dict(url)
    address = f"host={parts['host']} port={parts['port']} dbname={parts['dbname']} user={user}"
    plan = fencing_ledger.Plan(address, "env:LEDGER_PASSWORD", 20.0, 1.0, "drill-1", output, clock)
    return Load.start(plan.document(), output, module="drillbook.beside.fencing_ledger", called="fencing ledger"), clock


@pytest.fixture
def watched(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    """A role that may do nothing but make a schema of its own."""
    monkeypatch.setenv("LEDGER_PASSWORD", "secret")
    name = database.rpartition("/")[2]
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS watcher")
        connection.execute("CREATE ROLE watcher LOGIN")
        connection.execute(f"GRANT CREATE ON DATABASE {name} TO watcher".encode())
    ledger, clock = started(tmp_path, database)
    try:
        ledger.wait_running(deadline_s=WITHIN_S)
        made = Watched(tmp_path, database, clock, ledger)
        made.wait(lambda: made.tries_since(0.0, "acknowledged") > 4)
        yield made
    finally:
        ledger.kill()
        with psycopg.connect(database, autocommit=True, options="-c default_transaction_read_only=off") as connection:
            connection.execute("ALTER SYSTEM RESET ALL")
            connection.execute("SELECT pg_reload_conf()")
            connection.execute("DROP OWNED BY watcher")
            connection.execute("DROP ROLE watcher")


def test_a_primary_that_lives_on_is_a_split_brain(watched: Watched) -> None:
    watched.lose()
    watched.promote()
    watched.wait(lambda: watched.tries_since(watched.promoted_s, "acknowledged") > 6)
    watched.ledger.stop()
    found = watched.judged()
    assert found.verdict is Verdict.FAIL
    assert found.measurement.interval.low > 6
    kinds = {line.split('"connection": "')[1].split('"')[0] for line in lines(watched)}
    assert kinds == {"kept", "new"}


def test_one_late_write_is_enough(watched: Watched) -> None:
    watched.lose()
    watched.ask("ALTER SYSTEM SET default_transaction_read_only = on")
    watched.ask("SELECT pg_reload_conf()")
    watched.wait(lambda: fencing.attempts(watched.drill)[-1].answer == "refused")
    watched.promote()
    watched.ask("ALTER SYSTEM RESET default_transaction_read_only")
    watched.ask("SELECT pg_reload_conf()")
    watched.wait(lambda: watched.tries_since(watched.promoted_s, "acknowledged") > 0)
    watched.ledger.kill()  # also when the witness dies: what it saw it saw
    assert watched.judged(watched.clock.now() + 60.0).verdict is Verdict.FAIL


def test_a_primary_that_takes_no_writes_is_fenced(watched: Watched) -> None:
    watched.lose()
    watched.ask("ALTER SYSTEM SET default_transaction_read_only = on")
    watched.ask("SELECT pg_reload_conf()")
    watched.wait(lambda: fencing.attempts(watched.drill)[-1].answer == "refused")
    watched.promote()
    watched.wait(lambda: watched.tries_since(watched.promoted_s, "refused") > 10)
    end_s = watched.clock.now()
    watched.ledger.stop()
    found = watched.judged(end_s)
    assert found.verdict is Verdict.PASS, found.reason
    assert found.measurement.samples > 10


def test_a_primary_that_is_gone_takes_nothing_and_is_caught_when_it_returns(
    watched: Watched, postgres: Postgres
) -> None:
    watched.lose()
    postgres.stop()
    try:
        watched.promote()
        watched.wait(lambda: watched.tries_since(watched.promoted_s, "refused") > 10)
        assert watched.judged(watched.clock.now()).verdict is Verdict.PASS
    finally:
        postgres.start()
    watched.wait(lambda: watched.tries_since(watched.promoted_s, "acknowledged") > 0)
    assert watched.judged().verdict is Verdict.FAIL


def test_what_the_server_gives_up_is_no_write_and_what_it_lets_through_later_is(watched: Watched) -> None:
    watched.lose()
    with psycopg.connect(watched.url) as connection:
        connection.execute("LOCK TABLE drillbook.fencing IN ACCESS EXCLUSIVE MODE")
        watched.promote()
        watched.wait(lambda: watched.tries_since(watched.promoted_s) > 10)
        before = [it for it in fencing.attempts(watched.drill) if it.sent_s > watched.promoted_s]
        assert {it.answer for it in before} == {"refused"}  # by its own time-out, before ours
        assert max(it.done_s - it.sent_s for it in before) < 1.0
    watched.wait(lambda: watched.tries_since(watched.promoted_s, "acknowledged") > 0)
    assert watched.judged().verdict is Verdict.FAIL


def test_a_witness_that_was_killed_leaves_it_undecided(watched: Watched) -> None:
    watched.lose()
    watched.ask("ALTER SYSTEM SET default_transaction_read_only = on")
    watched.ask("SELECT pg_reload_conf()")
    watched.wait(lambda: fencing.attempts(watched.drill)[-1].answer == "refused")
    watched.promote()
    watched.ledger.kill()
    found = watched.judged(watched.clock.now() + 5.0)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "tried nothing for" in found.reason
    with pytest.raises(LoadError, match="the fencing ledger ended with signal SIGKILL"):
        watched.ledger.stop()


def test_a_ledger_that_was_never_let_in_is_no_witness(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEDGER_PASSWORD", "secret")
    ledger, clock = started(tmp_path, database, user="nobody")
    with pytest.raises(LoadError, match="the fencing ledger ended with exit code 1 before it could have its first"):
        ledger.wait_running(deadline_s=WITHIN_S)
    assert 'role "nobody" does not exist' in (tmp_path / "fencing" / "load.log").read_text()
    assert "secret" not in (tmp_path / "fencing" / "plan.json").read_text()
    now_s = Interval.exactly(clock.now())
    measured = fencing.writes_after_promotion(tmp_path, now_s, now_s, now_s.high + 0.5)
    assert judge(NO_SPLIT_BRAIN, measured).verdict is Verdict.INCONCLUSIVE


def lines(watched: Watched) -> list[str]:
    return (watched.drill / "fencing" / "attempts.jsonl").read_text().splitlines()
