"""What is common to the processes beside a drill: when they wait, when they end, and what they no longer wait for."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import TYPE_CHECKING

import psycopg
import pytest

from drillbook.beside.process import Companion, drop, in_one_line
from drillbook.run.clock import SteadyClock

if TYPE_CHECKING:
    from pathlib import Path

LONG_S = 60.0
"""That nobody should have to wait for."""


@pytest.fixture
def process(tmp_path: Path) -> Companion:
    return Companion(tmp_path, SteadyClock.starting_now())


def state(process: Companion) -> dict[str, object]:
    return json.loads((process.output / "state.json").read_text(encoding="utf-8"))


def test_what_is_due_is_waited_for(process: Companion) -> None:
    due_s = process.clock.now() + 0.05
    assert asyncio.run(process.is_due(due_s))
    assert process.clock.now() >= due_s


def test_what_is_overdue_is_due_at_once(process: Companion) -> None:
    began_s = process.clock.now()
    assert asyncio.run(process.is_due(began_s - LONG_S))
    assert process.clock.now() - began_s < LONG_S / 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_it_waits_no_longer_and_nothing_is_due_any_more(process: Companion, number: signal.Signals) -> None:
    async def told() -> tuple[bool, bool]:
        process.begin()
        asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), number)
        return await process.is_due(process.clock.now() + LONG_S), await process.is_due(process.clock.now() - LONG_S)

    began_s = process.clock.now()
    assert asyncio.run(told()) == (False, False)
    assert process.clock.now() - began_s < LONG_S / 2


def test_it_says_how_far_it_is_since_when_and_who_it_is(process: Companion) -> None:
    async def begun() -> None:
        process.begin()

    before_s = process.clock.now()
    asyncio.run(begun())
    began = state(process)
    process.enter("running")
    runs = state(process)
    assert (began["phase"], runs["phase"]) == ("starting", "running")
    assert began["pid"] == runs["pid"] == os.getpid()
    assert before_s <= began["since_s"] < runs["since_s"] <= process.clock.now()


def test_a_question_that_is_answered_in_time_keeps_its_answer(process: Companion) -> None:
    async def asked() -> tuple[bool, str]:
        asking = asyncio.create_task(asyncio.sleep(0.01, "an answer"))
        return await process.is_done(asking, LONG_S), asking.result()

    assert asyncio.run(asked()) == (True, "an answer")


def test_a_question_is_given_up_in_time_though_it_takes_longer_to_be_rid_of(process: Companion) -> None:
    async def asked() -> None:
        cancelled, let_go = asyncio.Event(), asyncio.Event()

        async def clinging() -> None:
            try:
                await asyncio.sleep(LONG_S)
            except asyncio.CancelledError:
                cancelled.set()
                await let_go.wait()
                raise

        asking = asyncio.create_task(clinging())
        assert not await process.is_done(asking, 0.05)
        await asyncio.wait_for(cancelled.wait(), LONG_S)
        assert not asking.done()
        let_go.set()
        with pytest.raises(asyncio.CancelledError):
            await asking

    began_s = process.clock.now()
    asyncio.run(asked())
    assert process.clock.now() - began_s < LONG_S / 2


class Broken:
    """A connection that cannot even be closed."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.closed = 0

    async def close(self) -> None:
        self.closed += 1
        raise self.error


@pytest.mark.parametrize("error", [psycopg.OperationalError("gone"), OSError("gone")])
def test_a_connection_that_is_gone_is_dropped_all_the_same(error: Exception) -> None:
    connection = Broken(error)
    asyncio.run(drop(connection))
    assert connection.closed == 1


def test_what_is_wrong_with_the_program_is_not_hidden() -> None:
    with pytest.raises(ValueError, match="ours"):
        asyncio.run(drop(Broken(ValueError("ours"))))


def test_without_a_connection_there_is_nothing_to_drop() -> None:
    assert asyncio.run(drop(None)) is None


def test_what_was_answered_fits_in_a_line() -> None:
    assert in_one_line("no route\n  to host\t") == "no route to host"
    assert len(in_one_line("x" * 1000)) == 200
