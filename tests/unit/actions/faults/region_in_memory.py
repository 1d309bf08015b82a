"""A region in memory: pods that end and are replaced in time, nodes, budgets; the harness may die at any step."""

# ruff: noqa: ARG002 - what is in memory takes the arguments of what is real

from __future__ import annotations

from dataclasses import dataclass, field, replace

from drillbook.actions.faults.plan import Faults, Offered
from drillbook.domain.fault import Reach
from drillbook.domain.fault_settings import (
    ConnectionsPart,
    DeploymentPart,
    DiskPart,
    FaultSettings,
    LinkPart,
    ObjectStorePart,
    PodsPart,
    PressurePart,
    VaultPart,
)
from drillbook.ports import Unreachable
from drillbook.ports.fault import Look, Node, Pod

SERVING = ("analytics", "slot=blue")
GATEWAY = ("gateway", "app=gateway")
DATABASE = ("data", "app=database")
ENDS_AFTER_S, READY_AFTER_S = 1.0, 4.0
PAIRS = (
    "stop-dns", "exhaust-connections", "seal-vault", "press-cpu", "press-memory", "fill-disk", "cut-link", "slow-link",
    "slow-object-store",
)  # fmt: skip
NODES = ("n1", "n2")


class Died(BaseException):
    """The harness dies here: nothing in it gets to react."""


@dataclass
class There:
    """A pod, and when it will be gone."""

    pod: Pod
    group: tuple[str, str]
    ready_from_s: float
    placed_s: float
    gone_s: float | None = None


@dataclass
class MemoryPair:
    """Something that takes a moment to be away, and another to be well."""

    region: Region
    kind: str
    away: bool = False
    changed_s: float = 0.0

    @property
    def named(self):
        return f"the thing of {self.kind}"

    def note(self):
        return {"kept": 7}

    def take(self):
        self._change("take", away=True)

    def give_back(self, noted):
        assert noted["kept"] == 7
        self._change("give back", away=False)

    def look(self, noted):
        settled = self.region.now() - self.changed_s >= ENDS_AFTER_S
        return Look(
            self.away and settled, not self.away and settled, f"{self.named} is {'away' if self.away else 'here'}"
        )

    def _change(self, verb, *, away):
        self.region.step(f"{verb} {self.kind}")
        if not self.region.silent and self.away != away:
            self.away, self.changed_s = away, self.region.now()
        self.region.step(f"{verb} {self.kind} done")


@dataclass
class Region:
    """Clock and ports of one region.

    Attributes:
        dies_at: Number of the step at which the harness dies, counted from 1; every other one before its effect.
        silent: Whether the nodes do nothing that they are told.
        budget: Pods of a group that have to stay ready through evictions.
        places_after_s: How long a new pod waits for its node.
    """

    now_s: float = 1000.0
    dies_at: int = 0
    steps: list[str] = field(default_factory=list)
    silent: bool = False
    replaces: bool = True
    reachable: bool = True
    budget: int = 1
    places_after_s: float = 0.0
    there: list[There] = field(default_factory=list)
    known: dict[str, Node] = field(default_factory=dict)
    made: int = 0
    whole_from_s: float = 0.0
    pairs: dict[str, MemoryPair] = field(default_factory=dict)

    @classmethod
    def started(cls) -> Region:
        region = cls()
        region.known = {name: Node(name, ready=True, schedulable=True) for name in NODES}
        for group, node in ((SERVING, "n1"), (SERVING, "n2"), (GATEWAY, "n1"), (DATABASE, "n2")):
            region.start(group, node, ready_from_s=0.0)
        region.pairs = {name: MemoryPair(region, name) for name in (*PAIRS, *(f"kill-node {node}" for node in NODES))}
        return region

    # Clock.
    def now(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def step(self, what: str) -> None:
        """Each change has two: before and after its effect."""
        self.steps.append(what)
        if len(self.steps) == self.dies_at:
            raise Died(what)

    # Pods.
    def listed(self, namespace, selector=""):
        self._ask()
        return tuple(
            self._seen(there)
            for there in sorted(self.there, key=lambda t: t.pod.name)
            if there.group[0] == namespace and selector in {"", there.group[1]}
        )

    def _seen(self, there):
        ready = there.gone_s is None and self.now_s >= there.ready_from_s
        node = there.pod.node if self.now_s >= there.placed_s else ""
        return replace(there.pod, ready=ready, ending=there.gone_s is not None, node=node)

    def selector(self, namespace, deployment):
        return f"slot={deployment.removeprefix('analytics-')}"

    def kill(self, pod):
        self._end(pod, "kill")

    def evict(self, pod):
        self._ask()
        group = self._of(pod).group
        ready = sum(other.ready for other in self.listed(*group))
        several = sum(t.group == group for t in self.there) > 1
        if several and ready <= self.budget:
            return False
        self._end(pod, "evict")
        return True

    # Nodes.
    def names(self):
        return tuple(self.known)

    def node(self, name):
        self._ask()
        return self.known[name]

    def cordon(self, name):
        self.step(f"cordon {name}")
        self.known[name] = replace(self.known[name], schedulable=False, cordoned_by_us=True)
        self.step(f"cordoned {name}")

    def uncordon(self, name):
        self.step(f"uncordon {name}")
        self.known[name] = replace(self.known[name], schedulable=True, cordoned_by_us=False)
        self.step(f"uncordoned {name}")

    def serving(self) -> tuple[int, int]:
        """Ready and wanted pods, by whoever looks at the slots."""
        return sum(pod.ready for pod in self.listed(*SERVING)) if self.now_s >= self.whole_from_s else 0, 2

    def picture(self) -> dict:
        """What has to be as it was: how many are ready of each group, and the nodes."""
        ready = {group: sum(pod.ready for pod in self.listed(*group)) for group in (SERVING, GATEWAY, DATABASE)}
        return {"ready": ready, "nodes": dict(self.known), "away": [n for n, pair in self.pairs.items() if pair.away]}

    def _end(self, pod, verb):
        self.step(f"{verb} {pod.name}")
        found = self._of(pod)
        if found.gone_s is None and not self.silent:
            found.gone_s = self.now_s + ENDS_AFTER_S
            if self.replaces:
                nodes = [name for name, node in self.known.items() if node.schedulable]
                there = [t.pod.node for t in self.there if t.group == found.group and t.gone_s is None]
                self.start(found.group, min(nodes, key=there.count), ready_from_s=self.now_s + READY_AFTER_S)
        self.step(f"{verb} {pod.name} done")

    def _of(self, pod):
        return next(t for t in self.there if t.pod.uid == pod.uid)

    def start(self, group, node, *, ready_from_s):
        self.made += 1
        name = f"{group[1].partition('=')[2]}-{self.made}"
        claims = ("data",) if group == DATABASE else ()
        pod = Pod(group[0], name, f"uid-{self.made}", node, ready=False, claims=claims, owner=group[1])
        self.there.append(There(pod, group, ready_from_s, self.now_s + self.places_after_s))

    def _ask(self):
        if not self.reachable:
            raise Unreachable("the cluster does not answer")
        self.there = [t for t in self.there if t.gone_s is None or self.now_s < t.gone_s]


SETTINGS = FaultSettings(
    nodes=("n1", "n2"), evict=("analytics", "gateway"), machines=("n2",), gateway=PodsPart(*GATEWAY),
    database=PodsPart(*DATABASE), dns=DeploymentPart("kube-system", "dns", "a=b"), connections=ConnectionsPart("env:X"),
    vault=VaultPart("http://vault", "env:X", "env:Y"), pressure=PressurePart("analytics", "image", "a=b"),
    disk=DiskPart("data", "data", "image", 1), link=LinkPart(("us-east-1", "us-west-2")),
    objectstore=ObjectStorePart("https://store", ("n2",), 8334),
)  # fmt: skip


def offered(region: Region, settings: FaultSettings = SETTINGS) -> Faults:
    reach = Reach(("us-east-1",), ("analytics",))
    return Faults(
        settings=settings, region="us-east-1", namespace="analytics", deployment="analytics-{slot}",
        live_slot=lambda: "blue", clock=region, pods=region, nodes=region,
        pairs={name: Offered(region.pairs[name], reach, 20.0) for name in PAIRS},
        machines={node: Offered(region.pairs[f"kill-node {node}"], reach, 20.0) for node in settings.machines},
    )  # fmt: skip
