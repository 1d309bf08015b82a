"""Reads a pipeline from its files as GitLab does: includes of the same project, inputs, extends and references.

What cannot be read from here, such as another project's file, is named among `unseen`, never passed over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from drillbook.domain.pipeline import Job, Need, NotAPipeline, Pipeline, Rule, When
from drillbook.run import yaml_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_MOST_BYTES = 2**20
_MOST_FILES = 50
_DEEPEST = 10
_DEFAULT_STAGES = ("build", "test", "deploy")
_GLOBAL = frozenset(
    {"default", "include", "stages", "variables", "workflow", "image", "services", "cache", "before_script", "spec"}
    | {"after_script", "pages"}
)
_INPUT = re.compile(r"\$\[\[\s*inputs\.([\w-]+)\s*\]\]")
_EXPRESSION = re.compile(r"\$\[\[.*?\]\]", re.DOTALL)
_OWN_COMPONENT = re.compile(r"(?:\$CI_SERVER_FQDN|\$CI_SERVER_HOST)/\$CI_PROJECT_PATH/([\w-]+)@")
_WHENS = frozenset({"on_success", "on_failure", "always", "manual", "delayed", "never"})


@dataclass(frozen=True)
class _Reference:
    path: tuple[str, ...]


@dataclass
class _Reading:
    root: Path
    files: int = 0
    unseen: list[str] = field(default_factory=list[str])


def read(path: Path) -> Pipeline:
    """The pipeline of a project.

    Args:
        path: Its `.gitlab-ci.yml`; what it includes lies below the same folder.

    Raises:
        NotAPipeline: When it, or what it includes of its own project, cannot be read or is no pipeline.
    """
    reading = _Reading(path.parent.resolve())
    document = _with_includes(reading, path, {}, ())
    jobs = {
        name: _resolved(document, name)
        for name, body in document.items()
        if name not in _GLOBAL and isinstance(body, dict) and not name.startswith(".")
    }
    stages = tuple(str(stage) for stage in _items(document.get("stages")) or _DEFAULT_STAGES)
    default = _mapping(document.get("default"))
    before = document.get("before_script", default.get("before_script"))
    made = {name: _job(name, body, before) for name, body in jobs.items()}
    if not made:
        raise NotAPipeline(f"{path} has no job")
    workflow = _mapping(document.get("workflow")).get("rules")
    rules = tuple(_rule(rule) for rule in _items(workflow)) if workflow is not None else None
    return Pipeline((".pre", *stages, ".post"), made, _variables(document), rules, tuple(reading.unseen))


def _with_includes(reading: _Reading, path: Path, inputs: Mapping[str, Any], above: tuple[Path, ...]) -> dict[str, Any]:
    """A file's content over that of what it includes, later over earlier."""
    reading.files += 1
    if path in above or len(above) > _DEEPEST or reading.files > _MOST_FILES:
        raise NotAPipeline(f"{path} is included by itself, or with more than {_MOST_FILES} others")
    own = _document(path, inputs)
    merged: dict[str, Any] = {}
    entries = own.pop("include", [])
    for entry in _items(entries) if isinstance(entries, list) else [entries]:
        included = _included(reading, entry)
        if included is not None:
            merged = _merged(merged, _with_includes(reading, included[0], included[1], (*above, path)))
    return _merged(merged, own)


def _included(reading: _Reading, entry: object) -> tuple[Path, Mapping[str, Any]] | None:
    fields = {"local": entry} if isinstance(entry, str) and "://" not in entry else _mapping(entry)
    local = str(fields.get("local", ""))
    own = _OWN_COMPONENT.match(str(fields.get("component", "")))
    if own:
        places = (f"templates/{own[1]}.yml", f"templates/{own[1]}/template.yml")
        local = next((place for place in places if (reading.root / place).is_file()), places[0])
    if not local or "rules" in fields or "*" in local:
        shown = entry if isinstance(entry, str) else ", ".join(f"{key} {value}" for key, value in fields.items())
        reading.unseen.append(f"what it includes by {str(shown)[:200]} was not seen")
        return None
    path = (reading.root / local.removeprefix("/")).resolve()
    if not path.is_relative_to(reading.root):
        raise NotAPipeline(f"{local} lies outside of the project")
    return path, _mapping(fields.get("inputs"))


def _document(path: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    documents = _load(path)
    head = _mapping(documents[0]).get("spec") if documents else None
    if head is None:
        return dict(_mapping(documents[0] if documents else None))
    inputs: dict[str, Any] = {}
    for name, described in _mapping(_mapping(head).get("inputs")).items():
        about = _mapping(described)
        if name not in given and "default" not in about:
            raise NotAPipeline(f"{path} asks for the input {name}, which is not given")
        inputs[name] = given.get(name, about.get("default"))
        if "options" in about and inputs[name] not in _items(about["options"]):
            raise NotAPipeline(f"{path}: the input {name} is {inputs[name]!r}, which is none of its options")
    unknown = set(given) - set(inputs)
    if unknown:
        raise NotAPipeline(f"{path} has no input {', '.join(sorted(unknown))}")
    return dict(_mapping(_filled(documents[1] if len(documents) > 1 else None, inputs, path)))


def _filled(node: object, inputs: Mapping[str, Any], path: Path) -> Any:
    """With inputs in the place of what asks for them; an input that stands alone keeps its type."""
    if isinstance(node, str):
        alone = _INPUT.fullmatch(node)
        if alone and alone[1] in inputs:
            return inputs[alone[1]]
        filled = _INPUT.sub(lambda match: _as_text(inputs[match[1]]) if match[1] in inputs else match[0], node)
        strange = _EXPRESSION.search(filled)
        if strange:
            raise NotAPipeline(f"{path}: {strange[0]} cannot be told")
        return filled
    if isinstance(node, dict):
        items = cast("dict[object, object]", node).items()
        return {_filled(key, inputs, path): _filled(value, inputs, path) for key, value in items}
    return [_filled(item, inputs, path) for item in _items(node)] if isinstance(node, list) else node


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _load(path: Path) -> list[Any]:
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
        text = raw.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise NotAPipeline(f"{path} cannot be read: {error}") from error
    if len(raw) > _MOST_BYTES or yaml_file.too_deep(text):
        raise NotAPipeline(f"{path} is larger, or nested deeper, than any pipeline is")
    loader = YAML(typ="safe", pure=True)
    loader.constructor.add_constructor("!reference", _reference)
    try:
        documents: list[Any] = list(loader.load_all(text))
    except (YAMLError, ValueError, RecursionError, AttributeError) as error:
        raise NotAPipeline(f"{path} is not YAML: {error}") from error
    if any(yaml_file.too_many_values(document) for document in documents):
        raise NotAPipeline(f"{path}: its aliases stand for more than any pipeline has")
    return documents


def _reference(constructor: Any, node: Any) -> _Reference:
    return _Reference(tuple(str(part) for part in constructor.construct_sequence(node, deep=True)))


def _resolved(document: Mapping[str, Any], name: str, above: tuple[str, ...] = ()) -> dict[str, Any]:
    """A job with what it extends and refers to."""
    if name in above or len(above) > _DEEPEST:
        raise NotAPipeline(f"the job {name} extends itself")
    if not isinstance(document.get(name), dict):
        raise NotAPipeline(f"{above[-1] if above else 'the pipeline'} extends {name}, which there is not")
    own = dict(_mapping(document[name]))
    merged: dict[str, Any] = {}
    extended = own.pop("extends", [])
    for parent in [extended] if isinstance(extended, str) else _items(extended):
        merged = _merged(merged, _resolved(document, str(parent), (*above, name)))
    return cast("dict[str, Any]", _dereferenced(document, _merged(merged, own), 0))


def _dereferenced(document: Mapping[str, Any], node: object, depth: int) -> Any:
    if depth > 10 * _DEEPEST:
        raise NotAPipeline("a !reference refers to itself")
    if isinstance(node, _Reference):
        found: Any = document
        for part in node.path:
            found = _mapping(found).get(part)
        return _dereferenced(document, found, depth + _DEEPEST)
    if isinstance(node, dict):
        items = cast("dict[str, object]", node).items()
        return {key: _dereferenced(document, value, depth + 1) for key, value in items}
    if isinstance(node, list):
        flat: list[Any] = []
        for item in cast("list[object]", node):
            found = _dereferenced(document, item, depth + 1)
            flat += found if isinstance(item, _Reference) and isinstance(found, list) else [found]
        return flat
    return node


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings are merged, everything else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], cast("dict[str, Any]", value)) if both else value
    return merged


def _job(name: str, body: Mapping[str, Any], before: object) -> Job:
    allow = body.get("allow_failure")
    codes = _mapping(allow).get("exit_codes", [])
    environment = body.get("environment", "")
    artifacts = _mapping(body.get("artifacts"))
    unsure = "only" in body or "except" in body
    rules = body.get("rules")
    needs = body.get("needs")
    return Job(
        name,
        str(body.get("stage", "test")),
        # A trigger has no script; what it starts is another pipeline, which keeps nothing of this one back.
        tuple(_scripts(body.get("before_script", before)) + _scripts(body.get("script"))),
        tuple(_need(need) for need in _items(needs)) if needs is not None else None,
        tuple(_rule(rule) for rule in _items(rules))
        if rules is not None
        else (Rule(sometimes=True),)
        if unsure
        else None,
        _when(body.get("when", "on_success")),
        allow if isinstance(allow, bool) else None,
        frozenset(int(code) for code in ([codes] if isinstance(codes, int) else _items(codes))),
        str(environment if isinstance(environment, str) else _mapping(environment).get("name", "")),
        str(body.get("resource_group", "")),
        tuple(map(str, _items(artifacts.get("paths")))) if artifacts.get("when") in {"always", "on_failure"} else (),
    )


def _scripts(node: object) -> list[str]:
    """GitLab flattens lists in lists."""
    if isinstance(node, list):
        return [line for item in cast("list[object]", node) for line in _scripts(item)]
    return [node] if isinstance(node, str) else []


def _need(node: object) -> Need:
    return (
        Need(node)
        if isinstance(node, str)
        else Need(str(_mapping(node).get("job", "")), bool(_mapping(node).get("optional")))
    )


def _rule(node: object) -> Rule:
    fields = _mapping(node)
    allow = fields.get("allow_failure")
    condition, when = str(fields.get("if", "")), fields.get("when")
    return Rule(
        condition,
        _when(when) if when is not None else None,
        allow if isinstance(allow, bool) else None,
        sometimes=bool({"changes", "exists"} & set(fields)),
    )


def _when(value: object) -> When:
    if value not in _WHENS:
        raise NotAPipeline(f"when: {str(value)[:40]!r} is nothing that GitLab knows")
    return cast("When", value)


def _variables(document: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in _mapping(document.get("variables")).items():
        plain: object = _mapping(value).get("value", "") if isinstance(value, dict) else value
        found[name] = _as_text(plain)
    return found


def _mapping(node: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", node) if isinstance(node, dict) else {}


def _items(node: Any) -> Sequence[Any]:
    return cast("Sequence[Any]", node) if isinstance(node, list) else ()
