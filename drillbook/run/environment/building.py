"""The environment that a file without faults says."""

from __future__ import annotations

from datetime import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drillbook.domain.environment import (
    Environment,
    GuardSettings,
    LoadSettings,
    MetricsSettings,
    Objectives,
    Reach,
    RegionAccess,
    ReleaseSettings,
    RouterSettings,
    SigningSettings,
    Strategy,
    WorkloadSettings,
)
from drillbook.domain.guard import AllowedHours, Burn
from drillbook.run.environment import canary, faults, migrations, performance, recovery
from drillbook.run.environment.durations import in_seconds, seconds
from drillbook.run.environment.paths import beside, credential

if TYPE_CHECKING:
    from collections.abc import Mapping

_DURATIONS = ("outage", "latency", "switch", "rollback", "switchover", "recovery_time", "recovery_point")
"""Objectives that are written with a unit."""


def environment(path: Path, sha256: str, d: Mapping[str, Any]) -> Environment:
    """What it says.

    Args:
        path: Of the file, which others that it names lie beside.
        sha256: Of the file.
        d: What was read, without a fault.
    """
    reach = d.get("reach", {})
    releases = in_seconds(d["releases"], "deadline")
    releases["chart"] = beside(path, releases["chart"])
    releases["values"] = tuple(beside(path, name) for name in releases.get("values", []))
    releases["settings"] = _texts(releases.get("settings", {}))
    releases["overrides"] = {version: _texts(values) for version, values in releases.get("overrides", {}).items()}
    load_settings = in_seconds(d.get("load", {}), "timeout")
    if "rate" in load_settings:
        load_settings["rate_hz"] = float(load_settings.pop("rate"))
    return Environment(
        name=d["name"],
        tier=d["tier"],
        file=path,
        sha256=sha256,
        reach=Reach(reach.get("network_namespace", ""), tuple(reach.get("nameservers", ()))),
        regions={
            name: RegionAccess(
                name,
                beside(path, region["kubeconfig"]),
                region.get("context", ""),
                region["role"],
                *(
                    beside(path, region[name]) if name in region else None
                    for name in ("verify_kubeconfig", "resilience_kubeconfig")
                ),
            )
            for name, region in d["regions"].items()
        },
        public_url=d["public_url"],
        own_namespace=d.get("own_namespace", "drillbook"),
        workload=_workload(path, d["workload"]),
        releases=ReleaseSettings(**releases),
        router=RouterSettings(**d["router"]),
        metrics=MetricsSettings(**_metrics(path, d["metrics"])),
        strategy=_strategy(d.get("strategy", {})),
        load=LoadSettings(**load_settings),
        objectives=Objectives(**in_seconds(d.get("objectives", {}), *_DURATIONS)),
        guard=_guard(path, d.get("guard", {})),
        public_ca_file=beside(path, d["public_ca_file"]) if "public_ca_file" in d else None,
        signing=_signing(path, d["evidence"]["signing"]) if "signing" in d.get("evidence", {}) else None,
        pipeline=beside(path, d["pipeline"]) if "pipeline" in d else None,
        recovery=recovery.settings(path, d["recovery"]) if "recovery" in d else None,
        faults=faults.settings(path, d["faults"]) if "faults" in d else None,
        migrations=migrations.settings(path, d["migrations"]) if "migrations" in d else None,
        performance=performance.settings(d["performance"]) if "performance" in d else None,
    )


def _strategy(section: Mapping[str, Any]) -> Strategy:
    fields: dict[str, Any] = in_seconds(section, "before", "watch", "drain", "slow")
    fields["canary"] = canary.plan(section.get("canary", {}))
    return Strategy(**fields)


def _signing(path: Path, section: Mapping[str, Any]) -> SigningSettings:
    timestamp = section.get("timestamp", {})
    return SigningSettings(
        key=credential(path, section["key"]),
        history=beside(path, section["history"]) if "history" in section else None,
        timestamp_url=timestamp.get("url", ""),
        timestamp_ca_file=beside(path, timestamp["ca_file"]) if "ca_file" in timestamp else None,
    )


def _metrics(path: Path, section: Mapping[str, Any]) -> dict[str, Any]:
    filled = in_seconds(section, "scrape_interval")
    if "ca_file" in filled:
        filled["ca_file"] = beside(path, filled["ca_file"])
    return {**filled, "token": credential(path, filled["token"])} if "token" in filled else filled


def _workload(path: Path, section: Mapping[str, Any]) -> WorkloadSettings:
    filled: dict[str, Any] = {**section, "adapter": _adapter(path, section["adapter"])}
    return WorkloadSettings(**filled)


def _guard(path: Path, section: Mapping[str, Any]) -> GuardSettings:
    settings = in_seconds(section, "max_duration")
    if settings.get("stop_file"):
        # Not resolved: where a link leads is not what has to appear.
        settings["stop_file"] = str(path.parent / Path(settings["stop_file"]).expanduser())
    for name in ("namespaces", "regions", "destructive"):
        settings[name] = tuple(settings.get(name, ()))
    settings["windows"] = tuple(
        AllowedHours(tuple(w["days"]), time.fromisoformat(w["from"]), time.fromisoformat(w["to"]), w["zone"])
        for w in section.get("windows", ())
    )
    resilience = settings.pop("resilience", {})
    settings["resilience_pods_share"] = resilience.get("pods_share")
    settings["resilience_burn"], settings["burn"] = _burn(resilience.get("burn")), _burn(section.get("burn"))
    return GuardSettings(**settings)


def _burn(section: Mapping[str, Any] | None) -> Burn | None:
    return Burn(float(section["bad_share"]), seconds(section["for"])) if section else None


def _texts(section: Mapping[str, object]) -> dict[str, str]:
    return {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in section.items()}


def _adapter(path: Path, adapter: str) -> str:
    """A file's adapter is found beside the environment file, wherever the load runs."""
    module, _, name = adapter.rpartition(":")
    return f"{beside(path, module)}:{name}" if module.endswith(".py") else adapter
