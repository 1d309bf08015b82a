"""What in an environment file cannot be so although its schema allows it, in sentences that name the place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from zoneinfo import available_timezones

from drillbook.domain.guard import Burn
from drillbook.run import secrets_in
from drillbook.run.environment import canary, recovery
from drillbook.run.environment.durations import seconds
from drillbook.run.environment.paths import beside
from drillbook.run.environment.places import meant, plain, where

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ruamel.yaml.comments import CommentedMap


def found(path: Path, tree: CommentedMap) -> list[str]:
    """What a schema cannot say."""
    document = cast("dict[str, Any]", tree)
    faults = [*_credentials(path, document), *_unfilled(path, document), *_without_a_version(path, document)]
    primaries = [name for name, region in document["regions"].items() if region["role"] == "primary"]
    if len(primaries) != 1:
        faults.append(
            f"{where(path, document, ['regions'])}: exactly one region is the primary, and {len(primaries)} are: "
            f"{', '.join(primaries)}"
        )
    if path.stem != document["name"]:
        faults.append(
            f"{where(path, document, ['name'])}: the name is {document['name']!r}, and the file is called {path.name}"
        )
    faults += _unnamed_contexts(path, document)
    faults += _guard_contradictions(path, document)
    if "recovery" in document:
        section, regions = document["recovery"], frozenset(document["regions"])
        wrong = [
            *recovery.missing_regions(section, regions),
            *recovery.shared_stores(section),
            *recovery.unfounded_losses(section, regions - {*primaries}),
        ]
        forbidden = recovery.what_may_not_be_destroyed(section, document["tier"])
        wrong += [(["losses"], f"recovery.losses: {said}") for said in forbidden]
        faults += [f"{where(path, document, ['recovery', *place])}: {said}" for place, said in wrong]
    try:
        canary.plan(document.get("strategy", {}).get("canary", {}))
    except ValueError as error:
        faults.append(f"{where(path, document, ['strategy', 'canary'])}: strategy.canary: {error}")
    if seconds(interval := document["metrics"]["scrape_interval"]) <= 0:
        place = ["metrics", "scrape_interval"]
        faults.append(f"{where(path, document, place)}: {'.'.join(place)} is {interval}, and should be longer than 0 s")
    backends = document["router"]["backends"]
    if backends["blue"] == backends["green"]:
        faults.append(
            f"{where(path, document, ['router', 'backends'])}: both slots have the backend {backends['blue']!r}"
        )
    return faults


def _unfilled(path: Path, document: Mapping[str, Any]) -> list[str]:
    """Names of a slot in which another word than {slot} would have to be filled in."""
    names = {key: str(document["releases"].get(key, "")) for key in ("release", "deployment")}
    return [
        f"{where(path, document, ['releases', key])}: releases.{key} is {name!r}, and only {{slot}} is filled in there"
        for key, name in names.items()
        if set("{}") & set(name.replace("{slot}", ""))
    ]


def _without_a_version(path: Path, document: Mapping[str, Any]) -> list[str]:
    """Releases by a name that is no version, which would be deployed as one."""
    return [
        f"{where(path, document, ['releases', 'overrides', name])}: releases.overrides.{name} lacks version: the one "
        "that is deployed, and that its answers tell; not the live release's"
        for name, settings in document["releases"].get("overrides", {}).items()
        if not str(name)[:1].isdigit() and "version" not in settings
    ]


def _credentials(path: Path, document: dict[str, Any]) -> list[str]:
    """What would be written down, or be seen in a list of processes, if it were given here."""
    places = [
        *((["workload", "options", key], value) for key, value in document["workload"].get("options", {}).items()),
        *((["releases", "settings", key], value) for key, value in document["releases"].get("settings", {}).items()),
        *(
            (["releases", "overrides", name, key], value)
            for name, settings in document["releases"].get("overrides", {}).items()
            for key, value in settings.items()
        ),
    ]
    return [
        f"{where(path, document, place)}: {'.'.join(map(str, place))} looks like a credential, for others to read: "
        + (
            "have the adapter read it from a file that an option names, such as token_file"
            if place[0] == "workload"
            else "keep it in a Secret of the cluster, or in a file named under releases.values"
        )
        for place, value in places
        if secrets_in.is_credential(str(place[-1]), value)
    ]


def _unnamed_contexts(path: Path, document: Mapping[str, Any]) -> list[str]:
    """Whoever approves a run in production has to see where it goes."""
    if document["tier"] != "production":
        return []
    return [
        f"{where(path, document, ['regions', name])}: regions.{name} lacks context: in production the context of the "
        "kubeconfig is named, since anybody may change which one is current"
        for name, region in document["regions"].items()
        if not region.get("context")
    ]


def _guard_contradictions(path: Path, document: Mapping[str, Any]) -> list[str]:
    """A limit that can never be exceeded guards nothing."""
    section: Mapping[str, Any] = document.get("guard", {})
    faults: list[str] = []
    for number, hours in enumerate(section.get("windows", ())):
        if hours["zone"] not in available_timezones():
            faults.append(
                f"{where(path, document, ['guard', 'windows', number, 'zone'])}: there is no time zone "
                f"{hours['zone']!r}; give an IANA name such as Europe/Berlin"
            )
    for number, region in enumerate(section.get("regions", ())):
        if region not in document["regions"]:
            faults.append(
                f"{where(path, document, ['guard', 'regions', number])}: there is no region {region!r}"
                f"{meant(region, list(document['regions']))}"
            )
    for place in (["guard", "burn"], ["guard", "resilience", "burn"]):
        burn = section.get("resilience", {}).get("burn") if "resilience" in place else section.get("burn")
        if burn and not Burn.SHORTEST_S <= seconds(burn["for"]) <= Burn.LONGEST_S:
            faults.append(
                f"{where(path, document, [*place, 'for'])}: {'.'.join(place)}.for is {burn['for']}, and should be "
                f"{Burn.SHORTEST_S:g} s to {Burn.LONGEST_S:g} s: what is shorter cannot be told from chance, what is "
                "longer is never seen whole"
            )
    return faults


def missing_files(path: Path, document: CommentedMap) -> list[str]:
    """What releases are made from, and is not there."""
    faults: list[str] = []
    wanted = cast("dict[str, Any]", plain(cast("Any", document["releases"])))
    chart = beside(path, wanted["chart"])
    if not (chart / "Chart.yaml").is_file():
        faults.append(f"{where(path, document, ['releases', 'chart'])}: {chart} holds no Chart.yaml")
    for number, name in enumerate(cast("list[str]", wanted.get("values", []))):
        if not beside(path, name).is_file():
            faults.append(
                f"{where(path, document, ['releases', 'values', number])}: there is no file {beside(path, name)}"
            )
    return faults
