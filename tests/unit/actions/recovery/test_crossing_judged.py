"""Sessions and jobs through two regions in memory: judged as the drill ends, and once more from what it left."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from drillbook import activities
from drillbook.domain.crossing import Asked, Kept, Try
from drillbook.domain.measurement import Window
from drillbook.domain.verdict import Verdict
from drillbook.drills import crossing
from drillbook.drills.seen import NotReady
from features import rejudge
from tests.unit.actions.recovery.test_judged_again import drill, judge, leave_rows, said, users
from tests.unit.actions.recovery.test_runbook import play
from tests.unit.probes.test_of_recoveries import ledger

__all__ = ["drill"]

SENTENCES = (
    "every session is honoured by the other region while it has the public",
    "every session is honoured by the primary region once it has the database again",
    "no session that was forged, or is over, is honoured by either of them",
    "every job in flight at the switch is finished by the other region",
    "every job in flight at the way back is finished by the primary region",
    "each of those jobs is stored once, as it was sent, and is answered the same when it is sent again",
    "every acknowledged event is there, once and unchanged",
)
REGIONS = ("east", "west")
IN_FLIGHT = 5


@pytest.fixture
def gone_and_come_back(drill, world):
    """The platform has been in the other region, and users noticed nothing."""
    play("application_state")
    world.sleep(5.0)
    activities.put_back()
    world.sleep(5.0)
    window = drill.seen.window = Window(drill.started_s, world.now())
    table = users(window)
    leave_rows(drill.folder / "load", table, ledger(table, lost=[]))
    return drill


def asks(drill):
    """Each second both regions are asked about each session, and each answers as it should."""
    window = drill.seen.window
    for second in range(int(window.length_s)):
        at_s = window.start_s + second
        for region in REGIONS:
            for opened in REGIONS:
                for kind, seen in (("good", "honoured"), ("forged", "refused"), ("over", "refused")):
                    yield Asked(f"{opened}-{kind}", kind, opened, region, at_s, at_s + 0.01, seen, region)


def tries(drill):
    """Some jobs are interrupted at either switch, and the other region finishes them."""
    for left, switch in (("east", crossing.switch(drill)), ("west", crossing.way_back(drill))):
        other = REGIONS[left == "east"]
        for number in range(IN_FLIGHT):
            first = Try(f"{left}-{number}", left, left, switch.low, switch.high + 0.2, "indeterminate", left, "x")
            done_s = switch.high + 1.0
            done = replace(first, asked=other, by=other, sent_s=done_s, done_s=done_s, state="acknowledged", answer="y")
            yield first
            yield done
            yield from (replace(done, asked=region, by=region, again=True) for region in REGIONS)


def leave(drill, *, sessions=lambda it: it, jobs=lambda it: it, kept=lambda it: it):
    """What the process beside the users would have written, each line changed or (None) left out."""
    keys = dict.fromkeys(it.key for it in tries(drill))
    of_kept = [Kept(key, region, 1, equal=True) for key in keys for region in REGIONS]
    folder = drill.folder / "crossing"
    folder.mkdir()
    for name, lines, change in (("sessions", asks(drill), sessions), ("jobs", tries(drill), jobs),
                                ("kept", of_kept, kept)):  # fmt: skip
        changed = filter(None, map(change, lines))
        text = "".join(json.dumps(asdict(line)) + "\n" for line in changed)
        (folder / f"{name}.jsonl").write_text(f'{text}{{"cut off when it was kil')


def verdicts(drill):
    return {it.objective.id: it.verdict for it in drill.judgements if it.objective.id.startswith("state.")}


def test_what_goes_on_passes_and_is_judged_again(gone_and_come_back) -> None:
    leave(gone_and_come_back)
    assert judge(gone_and_come_back, SENTENCES) is Verdict.PASS, gone_and_come_back.reasons()
    by_id = {it.objective.id: it.measurement.samples for it in gone_and_come_back.judgements}
    assert (by_id["state.sessions.west"], by_id["state.jobs.finished.west"], by_id["state.jobs.stored"]) == (2, 5, 10)
    said_so = [event.data for event in gone_and_come_back.seen.events if event.data.get("activity") == "jobs_in_flight"]
    assert [(it["there"], it["back"]) for it in said_so] == [(IN_FLIGHT, IN_FLIGHT)]
    found = rejudge.judge(gone_and_come_back.session.folder.path)
    assert found.agreement is Verdict.PASS, said(found)


def another_key(ask):
    """Each region signs with a key of its own."""
    return replace(ask, seen="refused") if ask.opened != ask.asked else ask


def forged_is_honoured(ask):
    return replace(ask, seen="honoured") if ask.kind == "forged" and ask.asked == "west" else ask


def over_is_honoured(ask):
    return replace(ask, seen="honoured") if ask.kind == "over" and ask.asked == "east" else ask


def begun_anew(one):
    return replace(one, by="east") if one.state == "acknowledged" and one.began == "east" and not one.again else one


def stored_twice(look):
    return replace(look, copies=2) if look.key == "east-0" else look


def answered_otherwise(one):
    return replace(one, answer="z") if one.again and one.key == "west-1" else one


@pytest.mark.parametrize(
    ("left", "failed"),
    [
        ({"sessions": another_key}, {"state.sessions.west", "state.sessions.east"}),
        ({"sessions": forged_is_honoured}, {"state.sessions.bad"}),
        ({"sessions": over_is_honoured}, {"state.sessions.bad"}),
        ({"jobs": begun_anew}, {"state.jobs.finished.west"}),
        ({"kept": stored_twice}, {"state.jobs.stored"}),
        ({"jobs": answered_otherwise}, {"state.jobs.answered"}),
    ],
)
def test_what_does_not_go_on_fails_for_its_reason(gone_and_come_back, left, failed) -> None:
    leave(gone_and_come_back, **left)
    assert judge(gone_and_come_back, SENTENCES) is Verdict.FAIL
    found = verdicts(gone_and_come_back)
    assert {name for name, verdict in found.items() if verdict is Verdict.FAIL} == failed
    assert {name for name, verdict in found.items() if verdict is Verdict.PASS} == found.keys() - failed
    assert rejudge.judge(gone_and_come_back.session.folder.path).agreement is Verdict.PASS


def none_in_flight_there(one):
    return None if one.began == "east" else one


def west_never_answers(ask):
    return replace(ask, seen="unanswered", by="") if ask.asked == "west" else ask


def no_forged_one(ask):
    return None if ask.kind == "forged" else ask


@pytest.mark.parametrize(
    ("left", "unknown"),
    [
        ({"jobs": none_in_flight_there}, {"state.jobs.finished.west"}),
        ({"jobs": lambda _one: None},
         {"state.jobs.finished.west", "state.jobs.finished.east", "state.jobs.stored", "state.jobs.answered"}),
        ({"kept": lambda look: None if look.asked == "west" else look}, {"state.jobs.stored"}),
        ({"sessions": west_never_answers}, {"state.sessions.west", "state.sessions.bad"}),
        ({"sessions": no_forged_one}, {"state.sessions.bad"}),
        ({"sessions": lambda _ask: None}, {"state.sessions.west", "state.sessions.east", "state.sessions.bad"}),
    ],
)  # fmt: skip
def test_what_was_not_seen_proves_nothing(gone_and_come_back, left, unknown) -> None:
    leave(gone_and_come_back, **left)
    assert judge(gone_and_come_back, SENTENCES) is Verdict.INCONCLUSIVE
    found = verdicts(gone_and_come_back)
    assert {name for name, verdict in found.items() if verdict is Verdict.INCONCLUSIVE} == unknown
    assert Verdict.FAIL not in found.values()


def test_an_adapter_that_says_nothing_of_sessions_proves_nothing(drill, monkeypatch) -> None:
    monkeypatch.setattr(drill.platform, "workload", lambda _prefix: object(), raising=False)
    with pytest.raises(NotReady, match="does not say how sessions are opened"):
        crossing.begin(drill)


def test_a_switch_that_never_came_about_proves_nothing(drill) -> None:
    with pytest.raises(NotReady, match=r"never came to switch-over \(intent\)"):
        crossing.switch(drill)
    with pytest.raises(NotReady, match="never came to verify-writes"):
        crossing.window_away(drill)
