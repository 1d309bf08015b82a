"""The catalogue: what is promised of the platform, and the controls for which a proof of it is evidence."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, cast

from ruamel.yaml import YAML

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Control:
    """A control of a published framework.

    Attributes:
        framework: Key of its framework: `nist`, `soc2` ...
        id: As the publisher numbers it: `CP-9(1)`.
        says: What it asks, in our own words.
    """

    framework: str
    id: str
    says: str

    @property
    def oscal_id(self) -> str:
        """As the OSCAL catalogues of NIST write it: `cp-9.1`."""
        return self.id.lower().replace("(", ".").replace(")", "")


@dataclass(frozen=True, slots=True)
class Requirement:
    """A promise.

    Attributes:
        id: For example `DEP-2.3`; also the tag of the scenarios that prove it.
        says: The promise, in our own words.
        controls: For which a proof of it is evidence.
        unshown: What its scenarios do not show of it though they pass, after “not shown”; empty for nothing.
    """

    id: str
    says: str
    controls: tuple[Control, ...]
    unshown: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """Promises that belong together.

    Attributes:
        id: For example `DEP-2`.
        title: Of the section.
        requirements: In the order of their ids.
    """

    id: str
    title: str
    requirements: tuple[Requirement, ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything that is promised.

    Attributes:
        sections: In the order of the strategy.
        frameworks: Name of each framework by its key.
        controls: Every control that is answered for.
    """

    sections: tuple[Section, ...]
    frameworks: Mapping[str, str]
    controls: tuple[Control, ...]

    @property
    def requirements(self) -> tuple[Requirement, ...]:
        """All of them."""
        return tuple(requirement for section in self.sections for requirement in section.requirements)

    def by_id(self) -> dict[str, Requirement]:
        """All of them, by id."""
        return {requirement.id: requirement for requirement in self.requirements}


class CatalogueError(Exception):
    """The catalogue contradicts itself; the text says where."""


@cache
def catalogue() -> Catalogue:
    """As it was shipped."""
    folder = files("drillbook.evidence") / "catalogue"
    texts = [(folder / name).read_text(encoding="utf-8") for name in ("requirements.yaml", "controls.yaml")]
    return parse(*texts)


def parse(requirements: str, controls: str) -> Catalogue:
    """The catalogue from its two files.

    Raises:
        CatalogueError: When an id is there twice, or names a control that is not.
    """
    frameworks = cast("dict[str, dict[str, Any]]", _load(controls))
    known = {
        (key, id_): Control(key, id_, says)
        for key, framework in frameworks.items()
        for id_, says in cast("dict[str, str]", framework["controls"]).items()
    }
    sections = tuple(_section(document, known) for document in cast("list[dict[str, Any]]", _load(requirements)))
    ids = [requirement.id for section in sections for requirement in section.requirements]
    twice = sorted({id_ for id_ in ids if ids.count(id_) > 1})
    if twice:
        raise CatalogueError(f"requirements.yaml: {', '.join(twice)} is there more than once: an id names one promise")
    return Catalogue(sections, {key: str(found["name"]) for key, found in frameworks.items()}, tuple(known.values()))


def _section(document: Mapping[str, Any], known: Mapping[tuple[str, str], Control]) -> Section:
    found: list[Requirement] = []
    for id_, body in cast("dict[str, dict[str, Any]]", document["requirements"]).items():
        if not id_.startswith(f"{document['id']}."):
            raise CatalogueError(f"requirements.yaml: {id_} stands under {document['id']}, whose ids begin alike")
        if set(body) - {"unshown"} != {"says", "answers"}:
            raise CatalogueError(f"requirements.yaml: {id_} has {', '.join(body)}: quote a statement that has a comma")
        names = [(key, name) for key, of in cast("dict[str, list[str]]", body["answers"]).items() for name in of]
        unknown = [f"{key} {name}" for key, name in names if (key, name) not in known]
        if unknown:
            raise CatalogueError(f"requirements.yaml: {id_} answers for {', '.join(unknown)}: add it to controls.yaml")
        found.append(Requirement(id_, body["says"], tuple(known[name] for name in names), body.get("unshown", "")))
    return Section(document["id"], document["title"], tuple(found))


def _load(text: str) -> object:
    return cast("object", YAML(typ="safe", pure=True).load(text))
