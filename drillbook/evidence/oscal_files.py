"""Holds our OSCAL documents against the published models, by compliance-trestle, and writes them."""

# Its models are generated, and its validators have no types.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from drillbook.evidence import folder, oscal, oscal_checks
from drillbook.evidence.reading import replace
from drillbook.evidence.requirements import catalogue

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = "oscal"
"""Of the run's folder."""


class NotOscal(Exception):
    """The documents are not what they should be, which is a fault of ours; the text lists what is wrong."""


class NoTrestle(Exception):
    """The library is not installed; the text says how to get it."""


def render(run_dir: Path, into: Path | None = None) -> tuple[Path, Path]:
    """Write `oscal/assessment-plan.json` and `oscal/assessment-results.json`; answers their paths.

    Args:
        run_dir: The run's.
        into: Another folder to write to, when it is not the run's own.

    Raises:
        NotARun: When there is no such folder.
        NothingToAssess: When no drill of the run is about a requirement.
        NotOscal: When what we made is not valid.
        NoTrestle: When compliance-trestle is missing.
    """
    try:
        from trestle.oscal import OSCAL_VERSION  # noqa: PLC0415 -- takes a second, and most reports do without
    except ImportError as error:
        raise NoTrestle("OSCAL needs compliance-trestle: pip install '.[evidence]' in Drillbook's checkout") from error
    made = oscal.assess(folder.read(run_dir), catalogue(), OSCAL_VERSION)
    wrong = check(made)
    if wrong:
        raise NotOscal(f"OSCAL of {run_dir.name}: " + "; ".join(wrong))
    target = (into or run_dir) / FOLDER
    if target.is_symlink():  # the documents go into the run's folder and nowhere else
        target.unlink()
    target.mkdir(exist_ok=True)
    return (
        _write(target / "assessment-plan.json", "assessment-plan", made.plan),
        _write(target / "assessment-results.json", "assessment-results", made.results),
    )


def check(made: oscal.Assessment) -> list[str]:
    """What is wrong by the published models, by the library's validators, and by our own checks."""
    controls = {control.oscal_id for control in catalogue().controls if control.framework == "nist"}
    own = oscal_checks.faults(made, controls)
    return [*_published("assessment-plan", made.plan), *_published("assessment-results", made.results), *own]


def _published(name: str, document: oscal.Document) -> list[str]:
    from pydantic import ValidationError  # noqa: PLC0415 -- see above
    from trestle.core import validator_factory  # noqa: PLC0415
    from trestle.oscal.assessment_plan import AssessmentPlan  # noqa: PLC0415
    from trestle.oscal.assessment_results import AssessmentResults  # noqa: PLC0415

    model: Any = AssessmentPlan if name == "assessment-plan" else AssessmentResults
    try:
        parsed = model.model_validate(json.loads(json.dumps(document)))
    except ValidationError as error:
        return [f"{name}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
    validators: Any = validator_factory.validator_factory.get_all()
    refused = [each for each in validators if not each.model_is_valid(parsed, quiet=True, trestle_root=None)]
    return [f"{name}: {each.error_msg()}" for each in refused]


def _write(path: Path, name: str, document: oscal.Document) -> Path:
    return replace(path, (json.dumps({name: document}, indent=2, ensure_ascii=False) + "\n").encode())
