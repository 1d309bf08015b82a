"""A recovery told to people, step by step, from the experiment that drills it.

The order comes from the experiment; what each step is, how it is done by hand and how it is known to be done stands
here once. A drill writes the same titles on its timeline. Names in braces are filled in from the environment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drillbook.domain.communication import Notice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        title: What is done.
        why: Why it is done now, and what must not be skipped.
        by_hand: Commands, or sentences where there is none.
        done_when: What has to be seen before the next step.
        tell: Who is told what; none when it concerns nobody.
        way_back: How it is undone.
    """

    title: str
    why: str
    by_hand: tuple[str, ...]
    done_when: str
    tell: tuple[Notice, ...]
    way_back: str


_ORDERS = (
    "kubectl --context {region} -n data create configmap postgres-orders --from-literal=orders={orders} "
    "--dry-run=client -o yaml | kubectl --context {region} apply -f -"
)
_STOP = "kubectl --context {region} -n data scale statefulset postgres --replicas=0"
_START = "kubectl --context {region} -n data scale statefulset postgres --replicas=1"


def _for(command: str, region: str, orders: str = "") -> str:
    return command.replace("{region}", region).replace("{orders}", orders)


STEPS: Mapping[str, Step] = {
    "fence-primary": Step(
        "Fence the database in {home}",
        "Until it is certain that the old primary takes no write, nobody may be promoted: two primaries are worse than "
        "none. If {home} does not answer, its lease is what fences it; without a lease, stop its machines first.",
        (
            _for(_ORDERS, "{home}", "fenced"),
            _for(_STOP, "{home}"),
            (
                "If {home} does not answer: in {away}, run ALTER SYSTEM SET primary_conninfo with ` port=1` appended "
                "to its value, and SELECT pg_reload_conf(); then wait {silence} s by a watch."
            ),
        ),
        "No pod postgres-0 is left in {home}, or the wait is over; and port 30432 in {home} answers nothing.",
        (Notice("incident", "the database in {home} is fenced and takes no writes from now on"),),
        "Order `` (empty) and scale to 1, only while the database in {away} is still a standby.",
    ),
    "promote-standby": Step(
        "Promote the database in {away}",
        "What the standby has not received by now is lost.",
        (
            "In {away}, as the superuser: SELECT timeline_id FROM pg_control_checkpoint(); note it.",
            "SELECT pg_promote(true, 60); CHECKPOINT;",
            _for(_ORDERS, "{away}", "primary"),
        ),
        "pg_is_in_recovery() is false, and the timeline has grown by exactly one.",
        (Notice("incident", "the database in {away} is the primary from now on"),),
        "Never by stopping it: rebuild {home} as a standby and switch over.",
    ),
    "repoint-application": Step(
        "Point the application in {away} at its own region's database",
        "It finds the server that takes writes by itself; one that is gone, and is asked first, slows it. The order "
        "is read when a pod starts.",
        (
            ("In the ConfigMap analytics/analytics-database in {away}, put postgres.data.svc.cluster.local (port 5432) "
            "first."),
            "kubectl --context {away} -n analytics rollout restart deployment/analytics-{slot}",
            "kubectl --context {away} -n analytics rollout status deployment/analytics-{slot} --timeout=2m",
        ),
        "Every pod is ready: /readyz asks the database.",
        (),
        "The same with the former order.",
    ),
    "scale-up-region": Step(
        "Scale {away} up to {replicas} pods",
        "One region is to carry everybody; a region that is too small falls over as soon as traffic arrives.",
        ("kubectl --context {away} -n analytics scale deployment/analytics-{slot} --replicas={replicas}",),
        "{replicas} pods are ready.",
        (),
        "The former number, once traffic is back in {home}.",
    ),
    "move-traffic": Step(
        "Lead the public's name to {away}",
        "A health check may have done it already; it is declared, so that a {home} that comes back gets nobody.",
        ("Replace the name's Lua record in the DNS by one that has the addresses of {away} first.",),
        "The resolver that users ask gives addresses of {away} only (time to live: 30 s), and {away} answers.",
        (
            Notice("status", "service is restored from {away}"),
            Notice("incident", "the public is led to {away}"),
        ),
        "The former record.",
    ),
    "lead-traffic-back": Step(
        "Lead the public's name back to {home}",
        "What {away} was given to carry everybody stays until nobody is led there any more.",
        ("Put the name's former Lua record back, with the addresses of {home} first.",),
        "The resolver that users ask gives addresses of {home} only, and {home} answers.",
        (Notice("incident", "the public is led back to {home}"),),
        "The record with {away} first.",
    ),
    "verify-writes": Step(
        "Verify that writes are kept",
        "An answer is no proof that what was written can be read.",
        ("Write an event at the public's address and read it back, five times.",),
        "Every write is read back, and every answer comes from where traffic was led.",
        (Notice("incident", "what users write is kept again; the recovery time and what was lost follow"),),
        "Nothing to undo.",
    ),
    "rebuild-as-standby": Step(
        "Rebuild the database in {home} as a standby",
        "What only {home} has is thrown away by this. If it may matter, copy its volume first.",
        (
            _for(_STOP, "{home}"),
            _for(_ORDERS, "{home}", "standby"),
            _for(_START, "{home}"),
        ),
        "In {away}, pg_stat_replication shows it streaming, and replay_lsn follows.",
        (Notice("incident", "the database in {home} follows as a standby again"),),
        "Nothing comes back; a standby harms nobody.",
    ),
    "restore-server": Step(
        "Restore one repository onto an empty volume in {home}",
        "Writes that no repository has are lost. Whatever a volume still has goes aside by `lost` and is not deleted; "
        "until the restored server takes writes `returned` brings it back.",
        (
            _for(_STOP, "{home}") + ", and the same in {away}",
            _for(_ORDERS, "{home}", "lost") + ", and the same in {away}; scale both to 1",
            "See in both logs of postgres-0 that it says LOST; scale both to 0.",
            _for(_ORDERS, "{home}", "restore-2"),
            _for(_START, "{home}"),
        ),
        "The log says what was restored, pg_is_in_recovery() is false, and the timeline has grown.",
        (Notice("incident", "the database in {home} is restored and takes writes; what was lost follows"),),
        "None: it takes writes. Before that: order `returned` in both regions.",
    ),
    "restore-table": Step(
        "Restore beside the database to just before, and put the table back",
        "The database goes on: what else is written to it meanwhile is kept. What the table got after the moment that "
        "is restored to is lost, so the moment is as late as it can be.",
        (
            "Find the moment: when the statement was logged, or the commit before it by pg_waldump.",
            ("On a host that reaches the repositories, with no database on it: pgbackrest --stanza=analytics --repo=1 "
            "--type=time --target='MOMENT' --target-action=promote --archive-mode=off restore; start it, listening to "
            "nobody."),
            "Compare with what is known: number of rows, newest row, sequences.",
            ("pg_dump --table=public.events from there into a file, and from that into the database in {home}, with "
            "psql --single-transaction --set=ON_ERROR_STOP=1; then ANALYZE public.events."),
        ),
        "The table has as many rows as what was restored, and the standby in {away} has it too.",
        (
            Notice("status", "data is restored from a backup"),
            Notice("incident", "the table is restored from a backup; what was lost of it follows"),
        ),
        "None: it takes writes. What was restored stays on its host until somebody has looked at it.",
    ),
    "switch-over": Step(
        "Switch the database over from {home} to {away}",
        "Planned: writes are held first, so that none is lost. Users wait for some seconds.",
        (
            (
                "In {home}: ALTER SYSTEM SET default_transaction_read_only = on; SELECT pg_reload_conf(); end the "
                "application's sessions; note pg_current_wal_lsn()."
            ),
            "In {away}: wait until pg_last_wal_replay_lsn() has reached it.",
            _for(_ORDERS, "{home}", "fenced"),
            _for(_STOP, "{home}"),
            "In {away}: SELECT pg_promote(true, 60); CHECKPOINT; and default_transaction_read_only off there.",
            _for(_ORDERS, "{home}", "standby"),
            _for(_START, "{home}"),
        ),
        "{away} takes writes, and {home} streams from it.",
        (
            Notice("writers", "the database moves from {home} to {away} now; writes wait for seconds", before=True),
            Notice("writers", "the database has moved to {away}; writes are taken again"),
        ),
        "The same, from {away} to {home}.",
    ),
}  # fmt: skip

_OTHER_WAY_ROUND = {"switch-back": "switch-over", "rebuild-away-as-standby": "rebuild-as-standby"}


def step(name: str, names: Mapping[str, str]) -> Step:
    """A step with an environment's names in it.

    Raises:
        ValueError: When there is no such step.
    """
    if name in _OTHER_WAY_ROUND:
        swapped = {**names, "home": names["away"], "away": names["home"]}
        return _filled(STEPS[_OTHER_WAY_ROUND[name]], swapped)
    if name not in STEPS:
        raise ValueError(f"no runbook tells the step {name!r}; write it down in drillbook/domain/runbook.py")
    return _filled(STEPS[name], names)


def steps_of(experiment: Mapping[str, Any]) -> list[str]:
    """Names of the steps that an experiment takes, in order."""
    return [
        str(activity["provider"]["arguments"]["step"])
        for activity in experiment["method"]
        if activity["provider"].get("func")
        in {"take_step", "take_back", "verify_writes", "restore_table", "restore_server"}
    ]


def markdown(experiment: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """The runbook of an experiment.

    Args:
        experiment: As Chaos Toolkit reads it.
        names: `home`, `away`, `slot`, `replicas` and `silence`, for the braces.

    Raises:
        ValueError: When it takes a step that is told nowhere, or none.
    """
    if not steps_of(experiment):
        raise ValueError(f"the experiment {experiment['title']!r} takes no step of a recovery, so it has no runbook")
    told = [step(name, names) for name in steps_of(experiment)]
    lines = [f"# {experiment['title']}", "", str(experiment["description"]), ""]
    for number, it in enumerate(told, start=1):
        lines += [f"## {number}. {it.title}", "", it.why, "", *_numbered(it.by_hand), ""]
        lines += [
            f"**Go on when:** {it.done_when}",
            "",
            f"**Tell:** {_told(it.tell)}",
            "",
            f"**Way back:** {it.way_back}",
            "",
        ]
    return "\n".join(lines)


def _told(notices: Sequence[Notice]) -> str:
    return "; ".join(notice.in_words() for notice in notices) or "nobody."


def _numbered(parts: Sequence[str]) -> list[str]:
    return [f"{number}. {f'`{part}`' if part.startswith('kubectl') else part}" for number, part in enumerate(parts, 1)]


def _filled(it: Step, names: Mapping[str, str]) -> Step:
    def fill(text: str) -> str:
        for name, value in names.items():
            text = text.replace(f"{{{name}}}", value)
        return text

    return Step(
        fill(it.title),
        fill(it.why),
        tuple(map(fill, it.by_hand)),
        fill(it.done_when),
        tuple(notice.filled(names) for notice in it.tell),
        fill(it.way_back),
    )
