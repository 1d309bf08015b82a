"""The OSCAL documents by compliance-trestle's models and validators, and what these miss."""

import copy
import sys

import evidence_samples as samples
import pytest
from sample import BROKEN, KEPT, Sample

from drillbook.evidence import folder, oscal, oscal_checks, oscal_files
from drillbook.evidence.requirements import catalogue

CONTROLS = {control.oscal_id for control in catalogue().controls}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    run = folder.read(Sample(checks=(KEPT, BROKEN)).write(tmp_path_factory.mktemp("run")))
    return oscal.assess(run, catalogue(), "1.2.1")


def test_the_same_run_gives_the_same_bytes(tmp_path):
    run = samples.write(
        tmp_path, [samples.cutover(), samples.rollback(), samples.undecided(), samples.broken(), samples.hostile()]
    )
    first = [path.read_bytes() for path in oscal_files.render(run)]

    assert [path.read_bytes() for path in oscal_files.render(run)] == first
    assert all(b'"oscal-version": "1.2.' in document for document in first)
    assert {file.path.split("/")[0] for file in folder.read(run).files}.isdisjoint({"oscal"})


def test_the_published_models_refuse_what_is_not_oscal(made):
    broken = copy.deepcopy(made)
    del broken.results["results"][0]["start"]
    broken.plan["metadata"]["last-modified"] = "yesterday"
    broken.plan["uuid"] = "1"

    found = oscal_files.check(broken)

    assert any("assessment-results" in fault and "start" in fault for fault in found)
    assert any("last-modified" in fault for fault in found)
    assert any("assessment-plan: uuid" in fault for fault in found)
    assert oscal_files.check(made) == []


def test_a_dangling_reference_passes_the_published_models_and_not_ours(made):
    broken = copy.deepcopy(made)
    broken.results["results"][0]["findings"][0]["related-observations"][0]["observation-uuid"] = broken.plan["uuid"]

    assert len(oscal_files.check(broken)) == len(oscal_checks.faults(broken, CONTROLS)) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"environment": {}},
        {"environment": {"a b": "x", "\u202e": "y"}},
        {"versions": {}},
        {"who": None},
        {"finished_s": None},
    ],
)
def test_what_a_record_lacks_leaves_the_documents_valid(tmp_path, changes):
    assert len(oscal_files.render(Sample(run=changes).write(tmp_path))) == 2


def test_without_the_library_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "trestle.oscal", None)

    with pytest.raises(oscal_files.NoTrestle, match=r"pip install '\.\[evidence\]' in Drillbook's checkout"):
        oscal_files.render(Sample().write(tmp_path))
