"""Reads the section `recovery` of an environment file: how one region is recovered in the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drillbook.domain.environment import RecoverySettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def settings(
    section: Mapping[str, Any], seconds: Callable[[str], float], beside: Callable[[str], str]
) -> RecoverySettings:
    """What the section says.

    Args:
        section: As the schema lets it through.
        seconds: Reads a duration.
        beside: Makes a credential's place one that does not depend on where a command is given.
    """
    database, application, name = section["database"], section["application"], section["name"]
    communication, backups = section.get("communication", {}), section.get("backups", {})
    return RecoverySettings(
        namespace=database["namespace"],
        stateful_set=database["stateful_set"],
        orders=database["orders"],
        addresses=dict(database["addresses"]),
        password=beside(database["password"]),
        applications=database["applications"],
        silence_s=seconds(database.get("silence", "0 s")),
        config_map=application["config_map"],
        hosts={region: dict(hosts) for region, hosts in application["hosts"].items()},
        replicas=int(application["replicas"]),
        dns_api=name["api"],
        dns_key=beside(name["key"]),
        zone=name["zone"],
        name_addresses={region: tuple(addresses) for region, addresses in name["addresses"].items()},
        losses=tuple(section.get("losses", ())),
        channels={audience: beside(url) for audience, url in communication.get("channels", {}).items()},
        received=communication.get("received", ""),
        backup_job=backups.get("cron_job", ""),
        stanza=backups.get("stanza", ""),
        written=backups.get("written", ""),
    )


def missing_regions(section: Mapping[str, Any], regions: frozenset[str]) -> list[tuple[list[str], str]]:
    """The places of tables that do not name each region once, and a sentence on each."""
    tables: list[list[str]] = [
        ["database", "addresses"],
        ["application", "hosts"],
        *(["application", "hosts", region] for region in section["application"]["hosts"]),
        ["name", "addresses"],
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
