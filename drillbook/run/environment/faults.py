"""The part of an environment file that says what faults may hit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
from drillbook.run.environment.paths import beside, credential

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_PARTS: dict[str, Callable[..., object]] = {
    "gateway": PodsPart,
    "database": PodsPart,
    "dns": DeploymentPart,
    "connections": ConnectionsPart,
    "vault": VaultPart,
    "pressure": PressurePart,
    "disk": DiskPart,
    "link": LinkPart,
    "objectstore": ObjectStorePart,
}
_REFERENCES = ("url", "token", "unseal_key")
"""Keys that may hold `file:PATH`."""


def settings(file: Path, section: Mapping[str, Any]) -> FaultSettings:
    """The section `faults`, as the schema lets it through."""
    lists = {name: tuple(section.get(name, ())) for name in ("nodes", "evict", "machines")}
    parts: dict[str, Any] = {name: _PARTS[name](**_filled(file, section[name])) for name in _PARTS if name in section}
    return FaultSettings(**lists, **parts)


def _filled(file: Path, part: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {**part, **{key: tuple(part[key]) for key in ("regions", "machines") if key in part}}
    if "ca_file" in found:
        found["ca_file"] = str(beside(file, found["ca_file"]))
    return {**found, **{key: credential(file, str(found[key])) for key in _REFERENCES if key in found}}
