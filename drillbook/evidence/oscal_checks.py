"""What the published validators of OSCAL do not look at: whether the documents speak of things that exist."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from drillbook.evidence.oscal import Assessment

_KINDS = {
    "activity-uuid": "activities",
    "component-uuid": "components",
    "observation-uuid": "observations",
    "party-uuid": "parties",
    "party-uuids": "parties",
    "task-uuid": "tasks",
}
"""What a reference has to lead to; others may lead to anything that has a uuid."""

_STATES = {"satisfied", "not-satisfied"}
_REASONS = {"pass", "fail", "other"}


def faults(made: Assessment, controls: Collection[str]) -> list[str]:
    """What is wrong with both documents together, in sentences; empty when nothing is.

    Args:
        made: The documents.
        controls: Ids of all controls that there are, as OSCAL writes them.
    """
    found: list[str] = []
    plan_ids, own_ids = dict(_defined(made.plan)), dict(_defined(made.results))
    for name, document, known in (
        ("plan", made.plan, plan_ids),
        ("results", made.results, {**plan_ids, **own_ids}),
    ):
        found += [f"{name}: {fault}" for fault in _dangling(document, known)]
        found += [f"{name}: {fault}" for fault in _roles(document)]
        found += [
            f"{name}: control {id_} is not in the catalogue"
            for id_ in _values(document, "control-id")
            if id_ not in controls
        ]
    found += _objectives(made)
    found += _statuses(made)
    return list(dict.fromkeys(found))


def _dangling(document: Any, known: dict[str, str]) -> Iterator[str]:
    for key, value in _pairs(document):
        if key.endswith(("-uuid", "-uuids")):
            for target in cast("list[str]", value) if isinstance(value, list) else [str(value)]:
                kind = _KINDS.get(key)
                if target not in known:
                    yield f"{key} {target} leads nowhere"
                elif kind is not None and known[target] != kind:
                    yield f"{key} {target} leads to one of {known[target]}, not of {kind}"
        elif key == "href" and str(value).startswith("#") and known.get(str(value)[1:]) != "resources":
            yield f"link {value} leads to no resource"


def _roles(document: dict[str, Any]) -> Iterator[str]:
    roles = {role["id"] for role in document["metadata"].get("roles", ())}
    for id_ in _values(document, "role-id"):
        if id_ not in roles:
            yield f"role {id_} is not one of the document"


def _objectives(made: Assessment) -> Iterator[str]:
    """What is to be shown is defined, reviewed and found on; and nothing else is."""
    definitions = made.plan["local-definitions"]["objectives-and-methods"]
    defined = {part["id"] for definition in definitions for part in definition["parts"]}
    reviewed = _values(made.plan, "objective-id")
    results = [result for result in made.results["results"] if result]
    targets = [finding["target"]["target-id"] for result in results for finding in result.get("findings", ())]
    for id_ in sorted({*reviewed, *_values(made.results, "objective-id"), *targets} - defined):
        yield f"objective {id_} is defined nowhere"
    for id_ in sorted(set(reviewed) - set(targets)):
        yield f"objective {id_} was to be shown, and there is no finding about it"
    for id_ in sorted({id_ for id_ in targets if targets.count(id_) > 1}):
        yield f"objective {id_} has more than one finding"


def _statuses(made: Assessment) -> Iterator[str]:
    for key, value in (*_pairs(made.plan), *_pairs(made.results)):
        if key == "components":
            yield from (f"component {c['title']} has no status" for c in value if not c.get("status", {}).get("state"))
        if key == "findings":
            for finding in value:
                yield from _status(finding)


def _status(finding: dict[str, Any]) -> Iterator[str]:
    status = finding["target"].get("status", {})
    state, reason = status.get("state"), status.get("reason")
    name = f"finding {finding['title']!r}"
    if state not in _STATES:
        yield f"{name} has no status"
    elif reason not in _REASONS:
        yield f"{name} does not say why it is {state}"
    elif (state == "satisfied") is not (reason == "pass"):
        yield f"{name} is {state} for the reason {reason}"
    if state == "satisfied" and not finding.get("related-observations"):
        yield f"{name} is satisfied, and nothing was observed"


def _defined(node: Any, kind: str = "") -> Iterator[tuple[str, str]]:
    """Every uuid with what it is one of."""
    if isinstance(node, dict):
        mapping = cast("dict[str, Any]", node)
        if "uuid" in mapping:
            yield mapping["uuid"], kind
        for key, value in mapping.items():
            yield from _defined(value, key)
    elif isinstance(node, list):
        for item in cast("list[Any]", node):
            yield from _defined(item, kind)


def _pairs(node: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for key, value in cast("dict[str, Any]", node).items():
            yield key, value
            yield from _pairs(value)
    elif isinstance(node, list):
        for item in cast("list[Any]", node):
            yield from _pairs(item)


def _values(document: Any, key: str) -> list[str]:
    return [str(value) for found, value in _pairs(document) if found == key]
