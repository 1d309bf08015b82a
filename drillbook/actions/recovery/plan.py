"""The steps of a recovery by name: a drill takes them, a runbook tells them, and the undo journal makes them again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from drillbook.actions.recovery.application import RepointApplication, ScaleUpRegion
from drillbook.actions.recovery.both_lost import RestoreServer
from drillbook.actions.recovery.destroyed import RestoreTable
from drillbook.actions.recovery.fault import InjectFault
from drillbook.actions.recovery.fence import FencePrimary, RebuildAsStandby
from drillbook.actions.recovery.promote import PromoteStandby, SwitchOver
from drillbook.actions.recovery.traffic import MoveTraffic, VerifyWrites
from drillbook.domain.environment import WHOLE_REGION
from drillbook.domain.undo import FAULT
from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from drillbook.actions.recovery.site import Site
    from drillbook.actions.recovery.tell import Teller
    from drillbook.domain.fencing import DirectAddress
    from drillbook.ports import (
        ApplicationDatabase,
        BackupHost,
        Client,
        Clock,
        Cluster,
        Fault,
        LosableTable,
        PublicName,
        Smoke,
    )
    from drillbook.run.action import Action

_SERVER_WITHIN_S, _REGION_WITHIN_S = 60.0, 180.0
"""For a loss to bite, and again to be over: machines that boot, with all that runs on them, take longest."""


_IS_ANOTHERS = {"switch-back": "switch-over", "rebuild-away-as-standby": "rebuild-as-standby"}
"""Steps that are another one's action with the regions in each other's place."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """Two regions, and what their recovery needs.

    Attributes:
        sites: Region to its database.
        home: The region that is the primary when all is well.
        away: The other one.
        application: Region to what says which database its application works with.
        clusters: Region to its cluster.
        public: The public's name.
        client: A user at it.
        clock: The run's.
        slots: That a region has; the one with pods in the other region is what serves after a recovery.
        path: What is asked for to see who answers.
        replicas: Pods with which one region carries everybody.
        silence_s: See `FencePrimary`.
        direct: The home database for the fencing ledger; None where nobody has said.
        teller: Tells people, as the communication plan says; None where nobody has said how.
        backups: Where pgBackRest can be asked about the home database; None where nobody has said.
        stanza: What it calls that database.
        written: Query for the key and a hash of what users wrote, by which a restore is compared; empty for none.
        table: What may be destroyed on purpose; None where nobody has said.
        faults: What can be made to go wrong here, by its name in experiments: `cut`, `nodes`, `partition`, `server`,
            `servers`, `table`.
    """

    sites: Mapping[str, Site]
    home: str
    away: str
    application: Mapping[str, ApplicationDatabase]
    clusters: Mapping[str, Cluster]
    public: PublicName
    client: Client
    clock: Clock
    slots: tuple[str, ...]
    path: str
    replicas: int
    silence_s: float
    direct: DirectAddress | None = None
    teller: Teller | None = None
    backups: BackupHost | None = None
    stanza: str = ""
    written: str = ""
    table: LosableTable | None = None
    faults: Mapping[str, Fault] = field(default_factory=dict[str, "Fault"])

    def step(self, name: str) -> Action:
        """A step's action as things stand: from the region that is home to the other, or from there back.

        Raises:
            ValueError: When it is none.
            Unreachable: When what it depends on cannot be asked.
        """
        home, away = self.home, self.away
        arguments: dict[str, Callable[[], dict[str, Any]]] = {
            "fence-primary": lambda: {"old": home, "new": away},
            "promote-standby": lambda: {
                "old": home, "new": away, "timeline": self.sites[away].database.status().timeline,
            },
            "repoint-application": lambda: {"region": away, "database": away, "slot": self.slot_in(away)},
            "scale-up-region": lambda: {"region": away, "slot": self.slot_in(away), "replicas": self.replicas},
            "move-traffic": lambda: {"region": away},
            "rebuild-as-standby": lambda: {"site": home, "source": away},
            "rebuild-away-as-standby": lambda: {"site": away, "source": home},
            "switch-over": lambda: {"old": home, "new": away},
            "switch-back": lambda: {"old": away, "new": home},
        }  # fmt: skip
        if name not in arguments:
            raise ValueError(f"there is no step {name!r} of a recovery; there are {', '.join(arguments)}")
        return self.make(_IS_ANOTHERS.get(name, name), arguments[name]())

    def fault(self, how: str) -> InjectFault:
        """What makes something go wrong.

        Raises:
            ValueError: When nobody has said how that is done here.
        """
        if how not in self.faults:
            known = ", ".join(sorted(self.faults)) or "none"
            raise ValueError(f"not proved here: this environment has no fault {how!r}; it has {known}")
        within_s = _REGION_WITHIN_S if how in WHOLE_REGION else _SERVER_WITHIN_S
        return InjectFault(self.faults[how], how, self.clock, within_s)

    def restore_server(self, key: int) -> RestoreServer:
        """What makes the home database anew from one repository."""
        return RestoreServer(self.sites[self.home], self.sites[self.away], key, self.clock)

    def restore_table(self, mark: str, key: int, moment: str, written: str) -> RestoreTable:
        """What puts a destroyed table back; see there.

        Raises:
            ValueError: When nobody has said which table that is, or how a restore is made.
        """
        if self.table is None or self.backups is None:
            raise ValueError("not proved here: this environment does not say which table is restored, or how")
        return RestoreTable(self.backups, self.table, self.home, self.away, self.clock, mark, key, moment, written)

    def verify(self, smoke: Smoke, region: str) -> VerifyWrites:
        """The question whether writes are kept."""
        return VerifyWrites(smoke, self.client, self.clock, region, self.slot_in(region), self.path)

    def slot_in(self, region: str) -> str:
        """The one slot of a region that is to have pods.

        Raises:
            Unreachable: When it is not exactly one, or the region does not answer.
        """
        held = {slot: self.clusters[region].slot(slot).desired for slot in self.slots}
        found = [slot for slot, desired in held.items() if desired > 0]
        if len(found) != 1:
            raise Unreachable(f"one slot in {region} should have pods, and they are to have {held}")
        return found[0]

    def make(self, name: str, arguments: Mapping[str, Any]) -> Action:
        """An action from its arguments.

        Raises:
            ValueError: When there is none of this name, or it is about a region that the environment does not have.
        """
        known = {*self.sites, None}
        strange = {arguments.get(key) for key in ("old", "new", "site", "source", "region", "database")} - known
        if strange:
            raise ValueError(f"the step {name} is about {', '.join(map(str, strange))}, which this environment lacks")
        sites, clock = self.sites, self.clock
        makers: dict[str, Callable[[Mapping[str, Any]], Action]] = {
            "fence-primary": lambda a: FencePrimary(sites[a["old"]], sites[a["new"]], clock, self.silence_s),
            "promote-standby": lambda a: PromoteStandby(
                sites[a["old"]], sites[a["new"]], clock, int(a["timeline"])
            ),
            "rebuild-as-standby": lambda a: RebuildAsStandby(sites[a["site"]], sites[a["source"]], clock),
            "switch-over": lambda a: SwitchOver(sites[a["old"]], sites[a["new"]], clock),
            "repoint-application": lambda a: RepointApplication(
                self.application[a["region"]], self.clusters[a["region"]], clock, a["region"], a["database"], a["slot"]
            ),
            "scale-up-region": lambda a: ScaleUpRegion(
                self.clusters[a["region"]], clock, a["region"], a["slot"], int(a["replicas"])
            ),
            FAULT: lambda a: self.fault(str(a["how"])),
            "restore-server": lambda a: RestoreServer(sites[a["site"]], sites[a["source"]], int(a["key"]), clock),
            "restore-table": lambda a: self.restore_table(a["mark"], int(a["key"]), a["moment"], a["written"]),
            "move-traffic": lambda a: MoveTraffic(self.public, self.client, clock, a["region"], self.path),
        }  # fmt: skip
        if name not in makers:
            raise ValueError(f"there is no action {name!r} of a recovery")
        return makers[name](arguments)
