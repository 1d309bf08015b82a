"""Reads the section `recovery` of an environment file: how one region is recovered in the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drillbook.domain.environment import WHOLE_REGION, RecoverySettings, TableSettings
from drillbook.domain.probed_layers import ProbedLayers, ProbedServer
from drillbook.run.environment import state
from drillbook.run.environment.durations import seconds
from drillbook.run.environment.paths import credential

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def settings(file: Path, section: Mapping[str, Any]) -> RecoverySettings:
    """What the section says, as the schema lets it through."""
    database, application, name = section["database"], section["application"], section["name"]
    communication, backups = section.get("communication", {}), section.get("backups", {})
    return RecoverySettings(
        namespace=database["namespace"],
        stateful_set=database["stateful_set"],
        orders=database["orders"],
        addresses=dict(database["addresses"]),
        password=credential(file, database["password"]),
        applications=database["applications"],
        silence_s=seconds(database.get("silence", "0 s")),
        config_map=application["config_map"],
        hosts={region: dict(hosts) for region, hosts in application["hosts"].items()},
        replicas=int(application["replicas"]),
        dns_api=name["api"],
        dns_key=credential(file, name["key"]),
        zone=name["zone"],
        name_addresses={region: tuple(addresses) for region, addresses in name["addresses"].items()},
        losses=tuple(section.get("losses", ())),
        machines=tuple(section.get("machines", ())),
        witness=section.get("witness", ""),
        channels={audience: credential(file, url) for audience, url in communication.get("channels", {}).items()},
        received=communication.get("received", ""),
        backup_job=backups.get("cron_job", ""),
        stanza=backups.get("stanza", ""),
        repositories=dict(backups.get("repositories", {})),
        written=backups.get("written", ""),
        table=_table(file, section["table"]) if "table" in section else None,
        files=state.files(file, section["files"]) if "files" in section else None,
        secrets=state.secrets(file, section["secrets"]) if "secrets" in section else None,
        layers=_layers(file, section["layers"]) if "layers" in section else None,
    )


def _layers(file: Path, section: Mapping[str, Any]) -> ProbedLayers:
    def server(one: Mapping[str, Any]) -> ProbedServer:
        return ProbedServer(one["address"], credential(file, one["password"]), one.get("write", ""))

    pooler = server(section["pooler"]) if "pooler" in section else None
    return ProbedLayers(server(section["database"]), pooler, section["health_path"])


def _table(file: Path, section: Mapping[str, Any]) -> TableSettings:
    return TableSettings(section["name"], dict(section["addresses"]), credential(file, section["password"]))


def what_may_not_be_destroyed(section: Mapping[str, Any], tier: str) -> list[str]:
    """Why data that may be destroyed on purpose may not be so here, in sentences."""
    losses = section.get("losses", ())
    found: list[str] = []
    if tier == "production":
        found += [
            f"data of production are not destroyed on purpose: take `{it}` out" for it in losses if it in _DESTROYED
        ]
    if "table" not in losses:
        return found
    if "table" not in section:
        found.append("`table` is one that recovery.table has to name")
    if not section.get("backups", {}).get("written"):
        found.append("`table` is restored by recovery.backups, with its `written`, and that is not there")
    return found


_DESTROYED = ("servers", "table")


def missing_regions(section: Mapping[str, Any], regions: frozenset[str]) -> list[tuple[list[str], str]]:
    """The places of tables that do not name each region once, and a sentence on each."""
    tables: list[list[str]] = [
        ["database", "addresses"],
        ["application", "hosts"],
        *(["application", "hosts", region] for region in section["application"]["hosts"]),
        ["name", "addresses"],
        *([["table", "addresses"]] if "table" in section else []),
        *([["backups", "repositories"]] if "repositories" in section.get("backups", {}) else []),
        *(place for place in state.TABLES if place[0] in section),
    ]
    found: list[tuple[list[str], str]] = []
    if len(regions) != 2:  # noqa: PLR2004 - one, and the other
        found.append(
            ([], f"recovery is from one region to the other, and the regions are {', '.join(sorted(regions))}")
        )
    for place in tables:
        table: Any = section
        for key in place:
            table = table[key]
        if frozenset(table) != regions:
            shown = ".".join(["recovery", *place])
            found.append((place, f"{shown} names {', '.join(table)}, and the regions are {', '.join(sorted(regions))}"))
    return found


def shared_stores(section: Mapping[str, Any]) -> list[tuple[list[str], str]]:
    """The place of repositories that one store would have for more than one region, and a sentence on it."""
    stores = [store.lower() for store in section.get("backups", {}).get("repositories", {}).values()]
    if len(stores) == len(set(stores)):
        return []
    said = "recovery.backups.repositories names one store for more than one region: which is lost with the other?"
    return [(["backups", "repositories"], said)]


def unfounded_losses(section: Mapping[str, Any], others: frozenset[str]) -> list[tuple[list[str], str]]:
    """The places of what the loss of a whole region lacks, and a sentence on each.

    Args:
        section: As the schema lets it through.
        others: The regions that are not the primary.
    """
    found: list[tuple[list[str], str]] = []
    witness = section.get("witness", "")
    if witness and witness not in others:
        said = f"recovery.witness is {witness}, and has to be another region than the primary one: {', '.join(others)}"
        found.append((["witness"], said))
    lost = [how for how in section.get("losses", ()) if how in WHOLE_REGION]
    if not lost:
        return found
    shown = ", ".join(lost)
    if not witness:
        found.append((["losses"], f"to lose a region ({shown}) recovery.witness has to name who keeps the lock then"))
    if not section.get("machines"):
        found.append((["losses"], f"to lose a region ({shown}) recovery.machines has to name all of its machines"))
    if not seconds(section["database"].get("silence", "0 s")):
        said = (
            f"to lose a region ({shown}) recovery.database.silence has to say when a primary nobody reaches has ended"
        )
        found.append((["losses"], said))
    return found
