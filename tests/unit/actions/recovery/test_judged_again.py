"""A whole drill of a lost region over two regions in memory: judged as it ends, and once more from what it left."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drillbook import activities, wiring
from drillbook.activities import recovery as recovery_activities
from drillbook.beside import layer_probes
from drillbook.domain.measurement import Window
from drillbook.domain.verdict import Verdict
from drillbook.drills import layer as layer_drill
from drillbook.drills import recovery as recovery_drill
from drillbook.drills import topology
from drillbook.drills.drill import Drill
from drillbook.drills.seen import NotReady
from drillbook.platform import Platform
from drillbook.ports import SlotStatus
from drillbook.run.action import restore
from drillbook.run.clock import SteadyClock
from drillbook.run.folder import RunFolder, write_json
from drillbook.run.journal import Journal
from drillbook.run.timeline import Timeline, events
from features import rejudge, scenarios
from features.running import Running
from features.sentences import say
from loadtests import plan as loads
from tests.unit.actions.recovery.test_runbook import play
from tests.unit.probes.test_of_recoveries import columns, fail, ledger

RATE_HZ = 10
SENTENCES = (
    "writes were good again within 4 h of the loss, and stayed so for 30 s",
    (
        "of the time without writes after the loss at most 5 s is explained by no layer, beside the 30 s for which "
        "users hold a connection"
    ),
    "at least 50 % of the time without writes after the loss that a layer explains is put down to the database",
    "of what was acknowledged at most the last 1 h was lost",
    "nothing is missing that was acknowledged once the lost primary was fenced, and no event is there twice",
    "the lost primary took no write from outside its region once another one was promoted",
    "users were answered by the primary region before the loss, and by the other one once writes were good again",
    "for at most 30 s in all nothing could be written while the place was handed back",
)

OF_A_SWITCH = (
    "for at most 30 s in all nothing could be written while it was switched over",
    "for at most 30 s in all nothing could be written while it was switched back",
    "every acknowledged event is there, once and unchanged",
)


class Session:
    """As much of a run as a drill needs."""

    def __init__(self, folder: RunFolder, clock: Any) -> None:
        self.folder, self.clock = folder, clock
        self.lock = SimpleNamespace(check=lambda: None)
        self.verdict: Verdict | None = None

    def finish_drill(self, id_, document, verdict):
        self.verdict = verdict
        write_json(self.folder.drill(id_) / "drill.json", {**document, "id": id_, "verdict": str(verdict)})
        environment = {"name": "twin", "tier": "staging", "file": "twin.yaml", "sha256": ""}
        self.folder.write_run(
            {
                "run_id": self.folder.run_id, "environment": environment, "started_s": 1000.0, "requested": [],
                "finished_s": self.clock.now(), "verdict": str(verdict), "exit_code": verdict.exit_code,
            }
        )  # fmt: skip


@pytest.fixture
def drill(world, recovery, tmp_path, monkeypatch):
    """A drill that has begun: users are on the platform, and nothing has happened yet."""
    run = tmp_path / "20261124T000000Z-twin-0001"
    folder = RunFolder(run)
    environment = wiring.read_environment("twin")
    (run / "drills" / "drill" / "load").mkdir(parents=True)
    shutil.copy(environment.file, run / "environment.yaml")
    world.record, world.unserved = run / "drills" / "drill" / "load" / "live.jsonl", ""
    store = SimpleNamespace(
        put=lambda name, document: world.documents.update({name: document}), get=world.documents.get,
        names=lambda prefix="": sorted(n for n in world.documents if n.startswith(prefix)),
        delete=lambda name: world.documents.pop(name, None),
    )  # fmt: skip
    pods = {"blue": ("a", "b"), "green": ()}
    cluster = SimpleNamespace(
        slot=lambda slot: SlotStatus(slot, "1.0.0" if pods[slot] else "", len(pods[slot]), len(pods[slot]), pods[slot])
    )
    platform = SimpleNamespace(
        recovery=recovery, faults=None, migration=None, state=None, workers=None, environment=environment, clock=world,
        cluster=cluster,
        live_slot=lambda: "blue", idle_slot=lambda: "green", smoke=lambda _prefix: world,
        unserved=lambda: world.unserved,
    )  # fmt: skip
    platform.undo = lambda change: restore(change, Platform.make(platform, change), world)
    timeline = Timeline(run / "timeline.jsonl", "drill", world)
    journal = Journal(run / "undo.jsonl", store, folder.run_id, 7)
    made = Drill(
        session=Session(folder, world), platform=platform, id="drill", feature="A region is lost", scenario="Cut",
        description="", tags=["recovery", "destructive", "DR-1.5"], timeline=timeline, journal=journal,
        started_s=world.now(),
    )  # fmt: skip
    made.seen.live = "1.0.0"

    def known():
        """No feature has this scenario: it says what each test lets it say."""
        return {("A region is lost", "Cut"): scenarios.Told((*made.sentences,), (*sorted(made.tags),))}

    monkeypatch.setattr(scenarios, "known", known)
    experiment = SimpleNamespace(
        platform=platform, journal=journal, timeline=timeline, clock=world, prefix="p", folder=made.folder,
        events=lambda: events(timeline.path),
    )  # fmt: skip
    monkeypatch.setattr("drillbook.wiring.experiment", lambda: experiment)
    monkeypatch.setattr("drillbook.activities._halted", [])
    recovery_drill.start(made)
    world.sleep(20.0)
    return made


def lose_region(drill, world):
    """Both experiments, as the drill's own process would be told to do them."""
    for name in ("failover", "failback"):
        play(name)
    activities.put_back()
    world.sleep(5.0)
    drill.seen.window = Window(drill.started_s, world.now())


def at(drill, activity, kind):
    return recovery_drill._moment(drill, activity, kind)


def users(window):
    """Everybody is served well by the release that is live."""
    table = columns(seconds=window.length_s, rate_hz=RATE_HZ)
    for name in ("due_s", "sent_s", "done_s"):
        table[name] += window.start_s
    table["version"][:], table["slot"][:], table["region"][:] = "1.0.0", "blue", "east"
    return table


def leave_load(drill, *, lost_s=0.3, late_loss=False, split_brain=False, unexplained_s=0.0, returned_s=0.0):
    """What users and the fencing ledger would have seen of it."""
    load, window = drill.folder / "load", drill.seen.window
    table = users(window)
    happened = recovery_drill.loss(drill)
    served_s = recovery_drill.served_again(drill, window.end_s).start_s
    away = (table["due_s"] >= happened.low) & (table["due_s"] < at(drill, "put_back", "intent"))
    table["region"] = np.where(away, "west", "east").astype(object)
    fail(table, happened.high, served_s)
    handed_s = at(drill, "switch-back", "intent")
    fail(table, handed_s, handed_s + 2.0)
    back_s = at(drill, "end_fault", "intent")
    fail(table, back_s + 1.0, back_s + 1.0 + returned_s)
    gone = (served_s + 1.0, served_s + 1.2) if late_loss else (happened.low - lost_s, happened.low)
    leave_rows(load, table, ledger(table, lost=gone))
    leave_attempts(drill, happened, split_brain=split_brain)
    leave_layers(drill, down=[(happened.high, served_s - unexplained_s), (handed_s, handed_s + 2.0)])


def leave_layers(drill, *, down, layer="database"):
    """Five answers a second of each layer, of which one was down for a while."""
    folder, window = drill.folder / "layers", drill.seen.window
    folder.mkdir()
    asked = ["database", "gateway east", "gateway west", "application east", "application west", "dns"]
    plan = {"asked": asked, "from_the_start": asked, "not_asked": ["pooler"], "rate_hz": 5.0}
    write_json(folder / "plan.json", plan)
    with (folder / "probes.jsonl").open("w") as file:
        for number in range(int(window.length_s * 5) + 10):
            due_s = window.start_s + number / 5
            for name in asked:
                bad = name == layer and any(start <= due_s < end for start, end in down)
                outcome, leads = "refused" if bad else "ok", ["east"] if name == "dns" else []
                line = {"layer": name, "due_s": due_s, "sent_s": due_s, "done_s": due_s + 0.01, "outcome": outcome,
                        "told": "", "leads": leads}  # fmt: skip
                file.write(json.dumps(line) + "\n")


def leave_rows(load, table, rows):
    """A load that has finished."""
    write_json(load / "plan.json", {"meter": {"rate_hz": RATE_HZ}})
    write_json(load / "state.json", {"phase": "done"})
    pq.write_table(pa.table(table), load / "requests.parquet")
    stalls = {"start_s": np.array([], float), "end_s": np.array([], float), "seen_by": np.array([], dtype=str)}
    pq.write_table(pa.table(stalls), load / "stalls.parquet")
    for name, entries in (("ledger", rows["ledger"]), ("readback", rows["readback"])):
        pq.write_table(pa.Table.from_pylist(entries), load / f"{name}.parquet")
    (load / "live.jsonl").write_text(json.dumps(told(table)) + "\n")


def told(table):
    """The load's other record of the same answers, which the rows are held against."""
    counts = Counter(table["outcome"])
    took = [round(float(ms), 2) for ms in (table["done_s"] - table["due_s"]) * 1000]
    seen = {"ok": counts.pop("ok"), "bad": dict(counts), "took_ms": took}
    return {"start_s": 0.0, "end_s": 1.0, "versions": {"1.0.0|blue": seen}, "unanswered": {}, "unsent": 0}


def leave_attempts(drill, happened, *, split_brain):
    """Ten a second, taken until the loss."""
    folder, window = drill.folder / "fencing", drill.seen.window
    promotion = recovery_drill.promotion(drill)
    folder.mkdir()
    with (folder / "attempts.jsonl").open("w") as file:
        for number in range(int(window.length_s * 10)):
            sent_s = window.start_s + number / 10
            late = split_brain and promotion.high + 5.0 < sent_s < promotion.high + 5.2
            answer = "acknowledged" if sent_s + 0.01 < happened.low or late else "refused"
            file.write(json.dumps({"sent_s": sent_s, "done_s": sent_s + 0.01, "answer": answer}) + "\n")


def judge(drill, sentences=SENTENCES):
    """Every sentence, and the end; as pytest does."""
    for sentence in sentences:
        drill.sentences.append(f"then {sentence}")
        say(drill, sentence)
    return drill.finish(None)


@pytest.fixture
def run(drill, world):
    """The folder of a run that has passed."""
    lose_region(drill, world)
    leave_load(drill)
    assert judge(drill) is Verdict.PASS, drill.reasons()
    record = drill.session.folder.path / "run.json"
    document = json.loads(record.read_text()) if record.exists() else {}
    record.write_text(json.dumps({**document, "versions": {scenarios.VERSION: scenarios.sha256()}}))
    return drill.session.folder.path


def said(found):
    return [text for one in found.drills for text in (*one.differences, *one.lacking)] + list(found.differences)


def test_a_lost_region_is_judged_and_judged_again(run, drill) -> None:
    by_id = {judgement.objective.id: judgement.measurement.interval for judgement in drill.judgements}
    assert {"drill.restored", "drill.starting_state", "drill.topology", "recovery.split_brain"} < set(by_id)
    assert by_id["recovery.point"].low == pytest.approx(0.25, abs=0.06)
    assert by_id["recovery.failback.new"].low == pytest.approx(1.9, abs=0.15)
    stages = [event for event in drill.seen.events if event.data.get("activity") == "stages"]
    assert set(stages[0].data["stages"]) == {"detect", "decide", "fence", "promote", "repoint", "dns", "warm-up"}
    told = next(event for event in drill.seen.events if event.data.get("activity") == "layers")
    assert "not probed: pooler" in told.text
    assert told.data["layers"]["database"][0] > 0.9 * told.data["unserved"][0] > 1.0
    assert told.data["layers"]["elsewhere"][0] == 0.0
    found = rejudge.judge(run)
    assert found.agreement is Verdict.PASS, said(found)
    assert found.drills[0].agreed == len(drill.judgements)


def test_pods_that_are_ready_are_not_enough_where_nobody_is_served(drill, world) -> None:
    lose_region(drill, world)
    leave_load(drill)
    world.record, world.unserved = drill.folder / "users-that-left.jsonl", "the public is not served: no way"
    assert judge(drill) is Verdict.FAIL
    broken = [it for it in drill.judgements if it.verdict is Verdict.FAIL]
    assert [it.objective.id for it in broken] == ["drill.starting_state"]
    assert "2 of 2 pods ready, and slot green has 0 pods; the public is not served" in broken[0].objective.statement
    found = rejudge.judge(drill.session.folder.path)
    assert (found.verdict, found.agreement) == (Verdict.FAIL, Verdict.PASS), said(found)


def test_users_of_a_drill_that_is_cut_short_were_there_until_its_end(drill, world) -> None:
    """Else their record, which goes on, would look like somebody else's."""
    killed_s = []
    drill._load, drill._load_began_s = SimpleNamespace(kill=lambda: killed_s.append(world.now())), world.now()
    drill.seen.window = Window(world.now(), world.now())
    world.sleep(30.0)
    until_now = Window(drill.seen.window.start_s, world.now())
    leave_rows(drill.folder / "load", table := users(until_now), ledger(table))
    write_json(drill.folder / "load" / "state.json", {"phase": "running"})
    assert drill.finish(KeyboardInterrupt()) is Verdict.INCONCLUSIVE
    assert drill.seen.window == until_now == Window(drill._load_began_s, killed_s[0])
    found = rejudge.judge(drill.session.folder.path)
    assert found.agreement is not Verdict.FAIL, said(found)


@pytest.mark.parametrize(
    ("seen", "broken"),
    [
        ({"late_loss": True}, {"recovery.lost_since_fence", "recovery.time.new", "recovery.time.reused"}),
        ({"split_brain": True}, {"recovery.split_brain"}),
    ],
)
def test_what_a_recovery_must_not_do_fails_it(drill, world, seen, broken) -> None:
    lose_region(drill, world)
    leave_load(drill, **seen)
    assert judge(drill) is Verdict.FAIL
    failed = {judgement.objective.id for judgement in drill.judgements if judgement.verdict is Verdict.FAIL}
    assert failed
    assert failed <= broken
    assert rejudge.judge(drill.session.folder.path).agreement is Verdict.PASS


@pytest.mark.parametrize(
    ("returned_s", "broken"), [(20.0, set()), (40.0, {"recovery.failback.new", "recovery.failback.reused"})]
)
def test_what_is_down_once_the_lost_region_is_back_counts_as_time_of_the_failback(
    drill, world, monkeypatch, returned_s, broken
) -> None:
    """A region that returns may pull users to itself while its database is rebuilt, which takes its time."""
    take_step = recovery_activities.take_step

    def slowly(step):
        world.sleep(60.0 if step == "rebuild-as-standby" else 0.0)
        return take_step(step)

    monkeypatch.setattr(recovery_activities, "take_step", slowly)
    lose_region(drill, world)
    leave_load(drill, returned_s=returned_s)
    assert judge(drill) is (Verdict.FAIL if broken else Verdict.PASS), drill.reasons()
    assert {found.objective.id for found in drill.judgements if found.verdict is Verdict.FAIL} == broken
    of_failback = [it.measurement for it in drill.judgements if it.objective.id == "recovery.failback.new"]
    assert of_failback[0].interval.low == pytest.approx(returned_s + 2.0, abs=0.6)
    found = rejudge.judge(drill.session.folder.path)
    assert found.agreement is Verdict.PASS, said(found)


@pytest.mark.parametrize(
    ("there_s", "back_s", "lost", "verdict", "broken"),
    [
        (3.0, 4.0, (), Verdict.PASS, set()),
        (35.0, 4.0, (), Verdict.FAIL, {"recovery.switchover.new", "recovery.switchover.reused"}),
        (3.0, 35.0, (), Verdict.FAIL, {"recovery.way_back.new", "recovery.way_back.reused"}),
        (3.0, 4.0, (1.0, 1.5), Verdict.FAIL, {"data.lost"}),
    ],
)
def test_a_planned_switch_is_judged_there_and_back_and_judged_again(  # noqa: PLR0917 - a table
    drill, world, there_s, back_s, lost, verdict, broken
) -> None:
    play("switchover")
    world.sleep(40.0)
    activities.put_back()
    world.sleep(40.0)
    window = drill.seen.window = Window(drill.started_s, world.now())
    table = users(window)
    for activity, length_s in (("switch-over", there_s), ("put_back", back_s)):
        fail(table, at(drill, activity, "intent"), at(drill, activity, "intent") + length_s)
    leave_rows(drill.folder / "load", table, ledger(table, lost=[window.start_s + s for s in lost]))
    assert judge(drill, OF_A_SWITCH) is verdict, drill.reasons()
    assert {found.objective.id for found in drill.judgements if found.verdict is Verdict.FAIL} == broken
    found = rejudge.judge(drill.session.folder.path)
    assert found.agreement is Verdict.PASS, said(found)


def rows(run, name, change):
    path = run / "drills" / "drill" / "load" / f"{name}.parquet"
    table = pq.read_table(path).to_pylist()
    change(table)
    pq.write_table(pa.Table.from_pylist(table), path)


def attempts(run, change):
    path = run / "drills" / "drill" / "fencing" / "attempts.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    change(lines)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def timeline(run, activity, change):
    path = run / "timeline.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        if activity in {line["data"].get("activity"), line["data"].get("action")}:
            change(line)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def found_all(table):
    for row in table:
        row.update(copies=1, equal=True)


def blame(run, layer):
    """The answers of the database are another layer's."""
    path = run / "drills" / "drill" / "layers" / "probes.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    names = {"database": layer, layer: "database"}
    for line in lines:
        line["layer"] = names.get(line["layer"], line["layer"])
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def acknowledge_late(run):
    def change(lines):
        late = next(line for line in lines if line["sent_s"] > promoted_s(run) + 5.0)
        late["answer"] = "acknowledged"

    attempts(run, change)


def withhold(run):
    def change(lines):
        since_s = promoted_s(run) + 5.0
        lines[:] = [line for line in lines if not since_s < line["sent_s"] < since_s + 5.0]

    attempts(run, change)


def promoted_s(run):
    found = [event.t_s for event in events(run / "timeline.jsonl") if event.data.get("action") == "promote-standby"]
    return max(found)


def earlier(line):
    line["t_s"] -= 1.0


CHANGES = {
    "a lost write that is found after all": lambda run: rows(run, "readback", found_all),
    "a write that was never acknowledged": lambda run: rows(run, "ledger", lambda t: t[40].update(state="refused")),
    "a request that failed": lambda run: rows(run, "requests", lambda t: t[40].update(outcome="server_error")),
    "a try that was acknowledged": acknowledge_late,
    "tries that are gone": withhold,
    "another layer that was down": lambda run: blame(run, "dns"),
    "another moment of the fault": lambda run: timeline(run, "inject-fault", earlier),
    "another promotion": lambda run: timeline(run, "promote-standby", lambda e: e.update(t_s=e["t_s"] - 500.0)),
    "another end of the regions": lambda run: timeline(run, "topology", lambda e: e["data"].update(streams=False)),
}


def test_what_was_edited_is_seen(run, tmp_path) -> None:
    for what, change in CHANGES.items():
        edited = shutil.copytree(run, tmp_path / "edited" / run.name, dirs_exist_ok=True)
        change(edited)
        found = rejudge.judge(edited)
        assert found.agreement is Verdict.FAIL, what
        assert said(found), what


def test_more_may_be_explained_by_no_layer_on_connections_that_users_hold(drill, world) -> None:
    lose_region(drill, world)
    leave_load(drill, unexplained_s=8.0)
    assert judge(drill) is Verdict.FAIL, drill.reasons()
    found = {it.objective.id: it.verdict for it in drill.judgements}
    assert found["recovery.unexplained.new"] is Verdict.FAIL
    assert found["recovery.unexplained.reused"] is Verdict.PASS


def test_a_region_that_is_not_as_it_was_fails_the_drill(drill, world, run) -> None:
    assert run
    world.servers["west"].given = "fenced"
    topology.tell(drill.timeline, topology.look(drill.platform.recovery, world))
    drill.check_topology()
    assert drill.judgements[-1].verdict is Verdict.FAIL


def test_nothing_is_measured_from_what_never_happened(drill) -> None:
    for moment in (recovery_drill.loss, recovery_drill.fenced, recovery_drill.promotion):
        with pytest.raises(NotReady):
            moment(drill)
    for window in (recovery_drill.window_of_failback, recovery_drill.window_of_way_back):
        with pytest.raises(NotReady):
            window(drill)


def test_a_drill_does_not_begin_where_the_regions_are_not_as_they_should_be(drill, world) -> None:
    world.cut = True
    with pytest.raises(NotReady, match="west does not stream from a primary in east: put the platform back"):
        recovery_drill.start(drill)


def test_a_loss_that_the_environment_cannot_bring_about_is_not_proved(drill) -> None:
    with pytest.raises(NotReady, match="this environment has no fault 'nodes'; it has cut"):
        recovery_drill.lose_region(drill, "loses all its nodes")
    with pytest.raises(NotReady, match="does not say how its database is reached directly"):
        recovery_drill.watch_primary(drill)
    drill.platform.recovery = None
    with pytest.raises(NotReady, match="does not say how one region is recovered in the other"):
        recovery_drill.start(drill)


def test_the_guard_excuses_a_loss_until_users_are_served_again_and_its_pods_to_the_end(
    drill, world, monkeypatch
) -> None:
    state = Running(drill.platform.environment, lambda: 0.0)
    state.drill = drill
    monkeypatch.setattr("drillbook.wiring.serving", lambda _platform: (0, 2))
    assert state.serving(drill.platform) == (0, 2)
    assert state.live_answers()
    recovery_activities.lose_region("cut")
    world.sleep(1.0)
    assert state.serving(drill.platform) == (1, 1)
    assert state.live_answers() == []
    drill.timeline.record("observed", "", activity="await_good_service")
    world.sleep(1.0)
    assert state.serving(drill.platform) == (1, 1)
    assert len(state.live_answers()) == 1


def test_the_guard_excuses_the_pods_of_a_planned_switch_and_not_what_users_are_answered(drill, monkeypatch) -> None:
    state = Running(drill.platform.environment, lambda: 0.0)
    state.drill = drill
    monkeypatch.setattr("drillbook.wiring.serving", lambda _platform: (0, 2))
    assert state.serving(drill.platform) == (0, 2)
    recovery_activities.take_step("switch-over")
    assert state.serving(drill.platform) == (1, 1)
    assert state.live_answers()


def test_the_load_understands_how_long_it_may_look_its_writes_up(drill, monkeypatch) -> None:
    plans = []
    started = SimpleNamespace(wait_running=lambda **_: None)
    monkeypatch.setattr("drillbook.drills.drill.Load.start", lambda plan, _output: plans.append(plan) or started)
    drill.platform.seeds, drill.session.clock = (lambda: 0), SteadyClock.starting_now()
    drill.put_load_on()
    assert loads.parse(plans[0]).reading_back.deadline_s == drill.read_back_s > 60.0


def test_layers_are_probed_where_the_environment_says_where_they_are(drill, monkeypatch) -> None:
    plans = []
    started = SimpleNamespace(wait_running=lambda **_: None)
    monkeypatch.setattr("drillbook.drills.layer.Load.start", lambda plan, *_a, **_k: plans.append(plan) or started)
    drill.session.clock = SteadyClock.starting_now()
    layer_drill.probe(drill)
    write_json(drill.folder / "plan.json", plans[0])
    read = layer_probes.Plan.read(drill.folder / "plan.json")
    assert read.document() == plans[0]
    assert plans[0]["asked"] == [
        "database", "gateway us-east-1", "gateway us-west-2", "application us-east-1", "application us-west-2", "dns"
    ]  # fmt: skip
    assert set(plans[0]["asked"]) - set(plans[0]["from_the_start"]) == {"application us-west-2"}
    assert plans[0]["not_asked"] == ["pooler"]
    assert drill.seen.events[-1].data["not_probed"] == ["pooler"]
    settings = drill.platform.environment.recovery
    for recovery in (None, replace(settings, layers=None)):
        drill.platform.environment = replace(drill.platform.environment, recovery=recovery)
        with pytest.raises(NotReady, match="does not say where its layers are probed"):
            layer_drill.probe(drill)


def test_layers_are_not_looked_at_where_nothing_went_wrong(drill) -> None:
    with pytest.raises(NotReady, match="never seen to"):
        layer_drill.after_the_loss(drill)


def test_every_way_of_losing_a_region_is_one_that_the_feature_names() -> None:
    text = (Path(recovery_drill.__file__).parents[2] / "features" / "recovery" / "region_lost.feature").read_text()
    rows_of_table = [line.strip("| \n") for line in text.splitlines() if line.strip().startswith("|")]
    assert rows_of_table[1:] == list(recovery_drill.REGION_LOSSES)
