"""Reads an environment file: safely, against its schema, with errors that name the file, the line and what is right."""

from __future__ import annotations

import difflib
import functools
import hashlib
import json
import math
import re
from datetime import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import available_timezones

from jsonschema import Draft202012Validator
from ruamel.yaml.comments import CommentedMap, CommentedSeq

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
from drillbook.run import (
    canary_plan,
    environment_faults,
    expected,
    migrations_section,
    performance_section,
    recovery_section,
    redaction,
    secrets_in,
    unquoted,
    yaml_file,
)
from drillbook.run.yaml_file import EnvironmentFileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jsonschema import ValidationError

DIRECTORY = Path(__file__).resolve().parents[2] / "environments"
"""Of this checkout; whoever stands elsewhere may have a folder of this name there."""
SCHEMA = DIRECTORY / "schema.json"
_SUFFIXES = frozenset({".yaml", ".yml"})
"""Of paths; whatever ends otherwise is a name."""
_DURATIONS = ("outage", "latency", "switch", "rollback", "switchover", "recovery_time", "recovery_point")
"""Objectives that are written with a unit."""
_UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(ms|s|min|h)")


def find(name: str) -> Path:
    """The file of an environment, by its name or by its path.

    A name is looked up in `environments/` of the folder that the command is given in, and then in that of this
    checkout: in an image Drillbook lies elsewhere than the project whose environments it drills, and whoever has a
    file of that name means that one.

    Raises:
        EnvironmentFileError: When there is none; names those that there are, and where.
    """
    path = Path(name)
    if path.suffix in _SUFFIXES:
        if path.is_file():
            return path.resolve()
        raise EnvironmentFileError(f"{name}: there is no such file")
    folders = _folders()
    if re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name):
        for folder in folders:
            if (candidate := folder / f"{name}.yaml").is_file():
                return candidate
    known = [f"{', '.join(sorted(p.stem for p in folder.glob('*.yaml'))) or 'none'} in {folder}" for folder in folders]
    raise EnvironmentFileError(f"there is no environment {name!r}; there are {' and '.join(known)}, or give a path")


def name_of(environment: str) -> str:
    """What a run's record calls the environment of a name or a path; its file need not be there.

    A file is called as its environment is, which `load` sees to.
    """
    path = Path(environment)
    return path.resolve().stem if path.suffix in _SUFFIXES else environment


def load(path: Path, *, releases: bool = True) -> Environment:
    """The environment in a file.

    Args:
        path: The file.
        releases: Whether what releases are made from has to be there: what was done is undone without it.

    Raises:
        EnvironmentFileError: With every fault that was found.
    """
    raw, document = yaml_file.read(path)
    redaction.learn_environment_file(path, document)
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    errors = sorted(
        Draft202012Validator(schema).iter_errors(cast("Any", _plain(document))),
        key=lambda e: [str(p) for p in e.absolute_path],
    )
    faults = [fault for error in errors for fault in _faults(path, document, error)]
    faults += [*_unlimited(path, document, _plain(document)), *unquoted.faults(path, raw)]
    if not faults:
        faults = [*_contradictions(path, document), *(_missing_files(path, document) if releases else [])]
    if faults:
        raise EnvironmentFileError(redaction.text("\n".join(faults)))
    return _build(path, hashlib.sha256(raw).hexdigest(), cast("dict[str, Any]", _plain(document)))


def recorded(path: Path) -> Environment:
    """The environment as a run has kept it; nothing that it names has to be there.

    Raises:
        EnvironmentFileError: When it is not whole.
    """
    raw, document = yaml_file.read(path)
    plain: Any = _plain(document)
    errors = Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).iter_errors(plain)
    faults = [fault for error in errors for fault in _faults(path, document, error)] or _unlimited(
        path, document, plain
    )
    if faults:
        raise EnvironmentFileError("\n".join(faults))
    return _build(path, hashlib.sha256(raw).hexdigest(), plain)


def seconds(text: str) -> float:
    """A duration with its unit, in seconds.

    Raises:
        ValueError: When it is not one.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration such as '300 ms', '30 s', '2 min' or '4 h'")
    return float(match[1]) * _UNITS[match[2]]


def _folders() -> list[Path]:
    """Where names are looked up, in this order."""
    try:
        here = Path.cwd() / DIRECTORY.name
    except FileNotFoundError:  # It was deleted, which must not keep `recover` from its work.
        return [DIRECTORY]
    return [DIRECTORY] if here.resolve() == DIRECTORY else [here, DIRECTORY]


def _faults(path: Path, document: CommentedMap, error: ValidationError) -> list[str]:
    """One sentence for each thing that is wrong, with its place."""
    place = list(error.absolute_path)
    shown = ".".join(str(part) for part in place) or "the file"
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = sorted(cast("Mapping[str, Any]", error.schema).get("properties", {}))
        unknown = [str(key) for key in cast("dict[object, object]", error.instance) if key not in known]
        return [
            f"{_where(path, document, [*place, key])}: {shown} has no key {key!r}{_meant(key, known)}"
            for key in unknown
        ]
    if error.validator == "required":
        missing = [
            key
            for key in cast("Sequence[str]", error.validator_value)
            if key not in cast("Mapping[str, Any]", error.instance)
        ]
        return [f"{_where(path, document, place)}: {shown} lacks {', '.join(missing)}"]
    found = json.dumps(error.instance, default=str)[:80]
    return [f"{_where(path, document, place)}: {shown} is {found}, and should be {expected.right(error)}"]


def _contradictions(path: Path, tree: CommentedMap) -> list[str]:
    """What a schema cannot say."""
    document = cast("dict[str, Any]", tree)
    faults = [*_credentials(path, document), *_unfilled(path, document)]
    primaries = [name for name, region in document["regions"].items() if region["role"] == "primary"]
    if len(primaries) != 1:
        faults.append(
            f"{_where(path, document, ['regions'])}: exactly one region is the primary, and {len(primaries)} are: "
            f"{', '.join(primaries)}"
        )
    if path.stem != document["name"]:
        faults.append(
            f"{_where(path, document, ['name'])}: the name is {document['name']!r}, and the file is called {path.name}"
        )
    faults += _unnamed_contexts(path, document)
    faults += _guard_contradictions(path, document)
    if "recovery" in document:
        section, regions = document["recovery"], frozenset(document["regions"])
        wrong = [
            *recovery_section.missing_regions(section, regions),
            *recovery_section.shared_stores(section),
            *recovery_section.unfounded_losses(section, seconds, regions - {*primaries}),
        ]
        forbidden = recovery_section.what_may_not_be_destroyed(section, document["tier"])
        wrong += [(["losses"], f"recovery.losses: {said}") for said in forbidden]
        faults += [f"{_where(path, document, ['recovery', *place])}: {said}" for place, said in wrong]
    try:
        canary_plan.plan(document.get("strategy", {}).get("canary", {}), seconds)
    except ValueError as error:
        faults.append(f"{_where(path, document, ['strategy', 'canary'])}: strategy.canary: {error}")
    if seconds(interval := document["metrics"]["scrape_interval"]) <= 0:
        place = ["metrics", "scrape_interval"]
        faults.append(
            f"{_where(path, document, place)}: {'.'.join(place)} is {interval}, and should be longer than 0 s"
        )
    backends = document["router"]["backends"]
    if backends["blue"] == backends["green"]:
        faults.append(
            f"{_where(path, document, ['router', 'backends'])}: both slots have the backend {backends['blue']!r}"
        )
    return faults


def _unfilled(path: Path, document: Mapping[str, Any]) -> list[str]:
    """Names of a slot in which another word than {slot} would have to be filled in."""
    names = {key: str(document["releases"].get(key, "")) for key in ("release", "deployment")}
    return [
        f"{_where(path, document, ['releases', key])}: releases.{key} is {name!r}, and only {{slot}} is filled in there"
        for key, name in names.items()
        if set("{}") & set(name.replace("{slot}", ""))
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
        f"{_where(path, document, place)}: {'.'.join(map(str, place))} looks like a credential, for others to read: "
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
        f"{_where(path, document, ['regions', name])}: regions.{name} lacks context: in production the context of the "
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
                f"{_where(path, document, ['guard', 'windows', number, 'zone'])}: there is no time zone "
                f"{hours['zone']!r}; give an IANA name such as Europe/Berlin"
            )
    for number, region in enumerate(section.get("regions", ())):
        if region not in document["regions"]:
            faults.append(
                f"{_where(path, document, ['guard', 'regions', number])}: there is no region {region!r}"
                f"{_meant(region, list(document['regions']))}"
            )
    for place in (["guard", "burn"], ["guard", "resilience", "burn"]):
        burn = section.get("resilience", {}).get("burn") if "resilience" in place else section.get("burn")
        if burn and not Burn.SHORTEST_S <= seconds(burn["for"]) <= Burn.LONGEST_S:
            faults.append(
                f"{_where(path, document, [*place, 'for'])}: {'.'.join(place)}.for is {burn['for']}, and should be "
                f"{Burn.SHORTEST_S:g} s to {Burn.LONGEST_S:g} s: what is shorter cannot be told from chance, what is "
                "longer is never seen whole"
            )
    return faults


def _unlimited(path: Path, document: object, node: object, place: tuple[str | int, ...] = ()) -> list[str]:
    """YAML's .nan and .inf: no limit that is made of them can be exceeded, and a schema lets them through."""
    if isinstance(node, float) and not math.isfinite(node):
        shown = ".".join(str(part) for part in place)
        return [f"{_where(path, document, place)}: {shown} is {node}, and should be a number"]
    parts: Iterable[tuple[str | int, object]] = ()
    if isinstance(node, dict):
        parts = cast("dict[str, object]", node).items()
    elif isinstance(node, list):
        parts = enumerate(cast("list[object]", node))
    return [fault for key, value in parts for fault in _unlimited(path, document, value, (*place, key))]


def _missing_files(path: Path, document: CommentedMap) -> list[str]:
    """What releases are made from, and is not there."""
    faults: list[str] = []
    wanted = cast("dict[str, Any]", _plain(cast("Any", document["releases"])))
    chart = _beside(path, wanted["chart"])
    if not (chart / "Chart.yaml").is_file():
        faults.append(f"{_where(path, document, ['releases', 'chart'])}: {chart} holds no Chart.yaml")
    for number, name in enumerate(cast("list[str]", wanted.get("values", []))):
        if not _beside(path, name).is_file():
            faults.append(
                f"{_where(path, document, ['releases', 'values', number])}: there is no file {_beside(path, name)}"
            )
    return faults


def _guard(path: Path, section: Mapping[str, Any]) -> GuardSettings:
    settings = _in_seconds(section, "max_duration")
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


def _where(path: Path, document: object, place: Sequence[str | int]) -> str:
    """file:line:column of a key, or of the nearest thing around it."""
    line, column, node = 0, 0, cast("Any", document)
    for part in place:
        try:
            if isinstance(node, CommentedMap):
                line, column = cast("Any", node).lc.key(part)
            elif isinstance(node, CommentedSeq):
                line, column = cast("Any", node).lc.item(part)
            node = cast("Any", node)[part]
        except (KeyError, IndexError, TypeError, AttributeError):
            break
    return f"{path}:{line + 1}:{column + 1}"


def _meant(key: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(known)}"


def _plain(node: object) -> object:
    """Without the loader's own types, which carry tags and comments."""
    if isinstance(node, dict):
        return {str(key): _plain(value) for key, value in cast("dict[object, object]", node).items()}
    if isinstance(node, list):
        return [_plain(value) for value in cast("list[object]", node)]
    if isinstance(node, bool) or node is None:
        return node
    for kind in (int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return str(node)


def _beside(path: Path, name: str) -> Path:
    return (path.parent / name).resolve()


def _credential(path: Path, reference: str) -> str:
    """A file's credential is found beside the environment file, wherever a command is given."""
    kind, _, place = reference.partition(":")
    return f"file:{_beside(path, place)}" if kind == "file" else reference


def _in_seconds(section: Mapping[str, Any], *durations: str) -> dict[str, Any]:
    """A section with its durations as seconds, under names that say so."""
    return {f"{k}_s" if k in durations else k: seconds(v) if k in durations else v for k, v in section.items()}


def _build(path: Path, sha256: str, d: Mapping[str, Any]) -> Environment:
    reach = d.get("reach", {})
    releases = _in_seconds(d["releases"], "deadline")
    releases["chart"] = _beside(path, releases["chart"])
    releases["values"] = tuple(_beside(path, name) for name in releases.get("values", []))
    releases["settings"] = _texts(releases.get("settings", {}))
    releases["overrides"] = {version: _texts(values) for version, values in releases.get("overrides", {}).items()}
    load_settings = _in_seconds(d.get("load", {}), "timeout")
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
                _beside(path, region["kubeconfig"]),
                region.get("context", ""),
                region["role"],
                *(
                    _beside(path, region[name]) if name in region else None
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
        objectives=Objectives(**_in_seconds(d.get("objectives", {}), *_DURATIONS)),
        guard=_guard(path, d.get("guard", {})),
        public_ca_file=_beside(path, d["public_ca_file"]) if "public_ca_file" in d else None,
        signing=_signing(path, d["evidence"]["signing"]) if "signing" in d.get("evidence", {}) else None,
        pipeline=_beside(path, d["pipeline"]) if "pipeline" in d else None,
        recovery=recovery_section.settings(
            d["recovery"], seconds, functools.partial(_credential, path), functools.partial(_beside, path)
        )
        if "recovery" in d
        else None,
        faults=environment_faults.settings(path, d["faults"]) if "faults" in d else None,
        migrations=migrations_section.settings(d["migrations"], seconds, path.parent) if "migrations" in d else None,
        performance=performance_section.settings(d["performance"], seconds) if "performance" in d else None,
    )


def _strategy(section: Mapping[str, Any]) -> Strategy:
    fields: dict[str, Any] = _in_seconds(section, "before", "watch", "drain", "slow")
    fields["canary"] = canary_plan.plan(section.get("canary", {}), seconds)
    return Strategy(**fields)


def _signing(path: Path, section: Mapping[str, Any]) -> SigningSettings:
    timestamp = section.get("timestamp", {})
    return SigningSettings(
        key=_credential(path, section["key"]),
        history=_beside(path, section["history"]) if "history" in section else None,
        timestamp_url=timestamp.get("url", ""),
        timestamp_ca_file=_beside(path, timestamp["ca_file"]) if "ca_file" in timestamp else None,
    )


def _metrics(path: Path, section: Mapping[str, Any]) -> dict[str, Any]:
    filled = _in_seconds(section, "scrape_interval")
    if "ca_file" in filled:
        filled["ca_file"] = _beside(path, filled["ca_file"])
    return {**filled, "token": _credential(path, filled["token"])} if "token" in filled else filled


def _workload(path: Path, section: Mapping[str, Any]) -> WorkloadSettings:
    filled: dict[str, Any] = {**section, "adapter": _adapter(path, section["adapter"])}
    return WorkloadSettings(**filled)


def _texts(section: Mapping[str, object]) -> dict[str, str]:
    return {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in section.items()}


def _adapter(path: Path, adapter: str) -> str:
    """A file's adapter is found beside the environment file, wherever the load runs."""
    module, _, name = adapter.rpartition(":")
    return f"{_beside(path, module)}:{name}" if module.endswith(".py") else adapter
