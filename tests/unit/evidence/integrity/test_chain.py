"""A signed run that is taken away, or signed again, shows in those that follow."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest
from signed_runs import NOW_S, make_key

from drillbook.domain.verdict import Verdict
from drillbook.evidence import chain, signing, statement
from drillbook.evidence.envelope import parsed

if TYPE_CHECKING:
    from pathlib import Path

    from signed_runs import Signed

NIGHTS = [f"2026112{day}T010000Z-twin-000{day}" for day in range(1, 6)]


@pytest.fixture
def nights(signed: Signed) -> Signed:
    for number, run_id in enumerate(NIGHTS):
        signed.run(run_id, failures=3 * (number == 2))
    return signed


def _problems(signed: Signed, **options: str) -> list[str]:
    return chain.check(chain.read(signed.runs, signed.keys), **options)


def test_a_whole_history_has_no_problems(nights: Signed) -> None:
    history = chain.read(nights.runs, nights.keys)
    assert [member.link.sequence for member in history.members] == [1, 2, 3, 4, 5]
    assert [m.statement.previous and m.statement.previous.run_id for m in history.members] == [None, *NIGHTS[:4]]
    assert chain.check(history) == []


def test_a_deleted_bad_night_shows(nights: Signed) -> None:
    shutil.rmtree(nights.runs / NIGHTS[2])
    (problem,) = _problems(nights)
    assert problem == f"run {NIGHTS[2]} (number 3), which {NIGHTS[3]} follows, is gone or changed"


def test_a_bad_night_that_is_deleted_before_the_next_one_shows(signed: Signed) -> None:
    for run_id in NIGHTS[:3]:
        signed.run(run_id)
    shutil.rmtree(signed.runs / NIGHTS[2])
    assert _problems(signed) == [f"the newest signed run, {NIGHTS[2]} (number 3), is gone or was signed again"]
    done = signed.sign(signed.run(NIGHTS[3], signed=False))
    assert done.link.sequence == 4
    assert f"{NIGHTS[2]}, is not in" in done.remarks[0]
    assert _problems(signed) == [f"run {NIGHTS[2]} (number 3), which {NIGHTS[3]} follows, is gone or changed"]


def test_a_night_that_is_signed_again_shows(nights: Signed) -> None:
    (nights.runs / NIGHTS[2] / "run.json").write_text(
        (nights.runs / NIGHTS[2] / "run.json").read_text().replace("ada", "eve")
    )
    with pytest.raises(signing.NotSigned, match="signed before"):
        nights.sign(nights.runs / NIGHTS[2])
    nights.sign(nights.runs / NIGHTS[2], anew=True)
    assert nights.verify(nights.runs / NIGHTS[2]).verdict is Verdict.PASS
    told = "; ".join(_problems(nights))
    assert f"run {NIGHTS[2]} (number 3), which {NIGHTS[3]} follows, is gone or changed" in told


def test_the_newest_night_signed_again_keeps_its_place(nights: Signed) -> None:
    before = parsed((nights.runs / NIGHTS[4] / "evidence.dsse.json").read_bytes())
    done = nights.sign(nights.runs / NIGHTS[4], anew=True)
    assert done.link.sequence == 5
    assert statement.read(before.payload).previous == chain.read(nights.runs).members[4].statement.previous
    assert _problems(nights) == []


def test_old_runs_may_be_gone_where_that_is_said(nights: Signed) -> None:
    shutil.rmtree(nights.runs / NIGHTS[0])
    assert len(_problems(nights)) == 1
    assert _problems(nights, begins_with=NIGHTS[1]) == []
    assert _problems(nights, begins_with="another") == ["the history has no run another to begin with"]
    shutil.rmtree(nights.runs / NIGHTS[3])
    assert len(_problems(nights, begins_with=NIGHTS[1])) == 1


def test_two_runs_after_the_same_one_show(nights: Signed, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(nights.runs, other)
    shutil.rmtree(other / NIGHTS[4])
    (other / chain.HEAD_NAME).unlink()
    extra = nights.run("20261129T010000Z-twin-9999", signed=False)
    signing.sign(extra, nights.signer, now_s=NOW_S, history=other)
    told = "; ".join(_problems(nights))
    assert f"{NIGHTS[4]} and 20261129T010000Z-twin-9999 both follow {NIGHTS[3]}" in told


def test_a_history_that_is_begun_anew_shows(nights: Signed, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    extra = nights.run("20261129T010000Z-twin-9999", signed=False)
    signing.sign(extra, nights.signer, now_s=NOW_S, history=tmp_path / "empty")
    assert any("begun anew" in problem for problem in _problems(nights))


def test_envelopes_are_kept_where_the_history_is(signed: Signed, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    for run_id in NIGHTS[:3]:
        signed.sign(signed.run(run_id, signed=False), history=kept)
    history = chain.read(kept, signed.keys)
    assert [member.statement.run_id for member in history.members] == NIGHTS[:3]
    assert chain.check(history) == []
    (kept / f"{NIGHTS[1]}.dsse.json").unlink()
    assert len(chain.check(chain.read(kept, signed.keys))) == 1


def test_an_envelope_by_a_stranger_is_no_member(nights: Signed, tmp_path: Path) -> None:
    stranger = make_key(tmp_path / "stranger.pem")
    signing.sign(nights.runs / NIGHTS[2], stranger, now_s=NOW_S, anew=True)
    told = "; ".join(_problems(nights))
    assert f"{NIGHTS[2]}/evidence.dsse.json is signed by the key {stranger.public_key().id}" in told


def test_a_damaged_head_is_said_and_nothing_is_signed(nights: Signed) -> None:
    (nights.runs / chain.HEAD_NAME).write_text("{")
    assert "does not say which run was signed last" in _problems(nights)[0]
    extra = nights.run("20261129T010000Z-twin-9999", signed=False)
    with pytest.raises(chain.ChainBroken, match="signed last"):
        nights.sign(extra)
    assert not (extra / "evidence.dsse.json").exists()


def test_a_lost_head_is_found_again(nights: Signed) -> None:
    (nights.runs / chain.HEAD_NAME).unlink()
    done = nights.sign(nights.run("20261129T010000Z-twin-9999", signed=False))
    assert done.link.sequence == 6
    assert json.loads((nights.runs / chain.HEAD_NAME).read_text())["sequence"] == 6


def test_two_signers_take_turns(signed: Signed, monkeypatch: pytest.MonkeyPatch) -> None:
    run = signed.run(NIGHTS[0], signed=False)
    monkeypatch.setattr(chain, "_ALONE_WITHIN_S", 0.02)
    holder = os.open(signed.runs, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    with pytest.raises(chain.ChainBroken, match="another process"):
        signed.sign(run)
    os.close(holder)
    assert signed.sign(run).link.sequence == 1
