"""A recovery told to people, step by step, from the experiment that drills it.

The order comes from the experiment; what each step is, how it is done by hand and how it is known to be done stands
here once. A drill writes the same titles on its timeline. Names in braces are filled in from the environment; see
`names_in`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drillbook.domain.communication import Notice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drillbook.domain.environment import Environment, RegionAccess


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
    "{kubectl} -n {namespace} create configmap {orders} --from-literal=orders={ordered} "
    "--dry-run=client -o yaml | {kubectl} apply -f -"
)
_LEASE = (
    "in {away}, run ALTER SYSTEM SET primary_conninfo with ` port=1` appended to its value, and SELECT "
    "pg_reload_conf(); then wait {silence} s by a watch."
)
_NO_LEASE = "nothing makes it stop by itself. Stop its machines, and do not go on before they are seen to be off."
_STOP = "{kubectl} -n {namespace} scale statefulset {stateful_set} --replicas=0"
_START = "{kubectl} -n {namespace} scale statefulset {stateful_set} --replicas=1"


def _for(command: str, where: str, ordered: str = "") -> str:
    return command.replace("{kubectl}", f"{{{where}_kubectl}}").replace("{ordered}", ordered)


STEPS: Mapping[str, Step] = {
    "fence-primary": Step(
        "Fence the database in {home}",
        "Until it is certain that the old primary takes no write, nobody may be promoted: two primaries are worse than "
        "none. If {home} does not answer, its lease is what fences it, or else that its machines are off.",
        (
            _for(_ORDERS, "home", "fenced"),
            _for(_STOP, "home"),
            "If {home} does not answer: {unreachable}",
        ),
        "No pod {stateful_set}-0 is left in {home}, or the wait is over or its machines are off; and {home_database} "
        "answers nothing.",
        (Notice("incident", "the database in {home} is fenced and takes no writes from now on"),),
        "Order `` (empty) and scale to 1, only while the database in {away} is still a standby.",
    ),
    "promote-standby": Step(
        "Promote the database in {away}",
        "What the standby has not received by now is lost.",
        (
            "In {away}, as the superuser: SELECT timeline_id FROM pg_control_checkpoint(); note it.",
            "SELECT pg_promote(true, 60); CHECKPOINT;",
            _for(_ORDERS, "away", "primary"),
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
            "In the ConfigMap {releases}/{config_map} in {away}, put {away_host} first.",
            "{away_kubectl} -n {releases} rollout restart deployment/{deployment}",
            "{away_kubectl} -n {releases} rollout status deployment/{deployment} --timeout=2m",
        ),
        "Every pod is ready: /readyz asks the database.",
        (),
        "The same with the former order.",
    ),
    "scale-up-region": Step(
        "Scale {away} up to {replicas} pods",
        "One region is to carry everybody; a region that is too small falls over as soon as traffic arrives.",
        ("{away_kubectl} -n {releases} scale deployment/{deployment} --replicas={replicas}",),
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
            _for(_STOP, "home"),
            _for(_ORDERS, "home", "standby"),
            _for(_START, "home"),
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
            _for(_STOP, "home") + ", and the same in {away}",
            _for(_ORDERS, "home", "lost") + ", and the same in {away}; scale both to 1",
            "See in both logs of {stateful_set}-0 that it says LOST; scale both to 0.",
            _for(_ORDERS, "home", "restore-2"),
            _for(_START, "home"),
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
            ("On a host that reaches the repositories, with no database on it: pgbackrest --stanza={stanza} --repo=1 "
            "--type=time --target='MOMENT' --target-action=promote --archive-mode=off restore; start it, listening to "
            "nobody."),
            "Compare with what is known: number of rows, newest row, sequences.",
            ("pg_dump --table={table} from there into a file, and from that into the database in {home}, with "
            "psql --single-transaction --set=ON_ERROR_STOP=1; then ANALYZE {table}."),
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
            _for(_ORDERS, "home", "fenced"),
            _for(_STOP, "home"),
            "In {away}: SELECT pg_promote(true, 60); CHECKPOINT; and default_transaction_read_only off there.",
            _for(_ORDERS, "home", "standby"),
            _for(_START, "home"),
        ),
        "{away} takes writes, and {home} streams from it.",
        (
            Notice("writers", "the database moves from {home} to {away} now; writes wait for seconds", before=True),
            Notice("writers", "the database has moved to {away}; writes are taken again"),
        ),
        "The same, from {away} to {home}.",
    ),
}  # fmt: skip

TOLD_WHEN_UNDONE = {"switch-over": "switch-back"}
"""Steps whose undo is a planned step of its own, of which people are told."""

_OTHER_WAY_ROUND = {"switch-back": "switch-over", "rebuild-away-as-standby": "rebuild-as-standby"}


def step(name: str, names: Mapping[str, str]) -> Step:
    """A step with an environment's names in it.

    Raises:
        ValueError: When there is no such step.
    """
    if name in _OTHER_WAY_ROUND:
        return _filled(STEPS[_OTHER_WAY_ROUND[name]], _swapped(names))
    if name not in STEPS:
        raise ValueError(f"no runbook tells the step {name!r}; write it down in drillbook/domain/runbook.py")
    return _filled(STEPS[name], names)


def names_in(environment: Environment, slot: str) -> Mapping[str, str]:
    """An environment's names for the braces of all steps.

    Those of a region begin with `home` or `away`; where the file says nothing of a backup or of a table, a word in
    capitals says what belongs there.

    Args:
        environment: Its file.
        slot: That serves.

    Raises:
        ValueError: When the environment has one region, or does not say how it is recovered.
    """
    recovery = environment.recovery
    if recovery is None or not environment.others:
        raise ValueError(f"{environment.name} does not say how one of its regions is recovered in the other")
    names = {
        # First, since it has names in it that are filled in after it.
        "unreachable": _LEASE if recovery.silence_s > 0 else _NO_LEASE,
        "slot": slot,
        "replicas": str(recovery.replicas),
        "silence": f"{recovery.silence_s:g}",
        "namespace": recovery.namespace,
        "stateful_set": recovery.stateful_set,
        "orders": recovery.orders,
        "releases": environment.releases.namespace,
        "config_map": recovery.config_map,
        "deployment": environment.releases.deployment.replace("{slot}", slot),
        "stanza": recovery.stanza or "STANZA",
        "table": recovery.table.name if recovery.table is not None else "TABLE",
    }
    for side, region in (("home", environment.primary), ("away", environment.others[0])):
        names |= {f"{side}{what}": value for what, value in _of_region(environment, region).items()}
    return names


def _of_region(environment: Environment, region: RegionAccess) -> Mapping[str, str]:
    assert environment.recovery is not None  # noqa: S101 - looked at by the caller
    context = f" --context={region.context}" if region.context else ""
    server = dict(word.split("=", 1) for word in environment.recovery.addresses[region.name].split() if "=" in word)
    return {
        "": region.name,
        "_kubectl": f"kubectl --kubeconfig={region.kubeconfig}{context}",
        "_database": f"port {server.get('port', '5432')} of {server.get('host', 'its server')}",
        "_host": environment.recovery.hosts[region.name][region.name],
    }


def _swapped(names: Mapping[str, str]) -> dict[str, str]:
    """With each region's names in the place of the other's."""
    other = {"home": "away", "away": "home"}
    return {f"{other.get(name[:4], name[:4])}{name[4:]}": value for name, value in names.items()}


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
        names: For the braces; see `names_in`.

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
