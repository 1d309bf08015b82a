"""The PDF: the same bytes each time, nothing of this machine, nothing of the text read as markup."""

import re
import shutil
import subprocess
import sys

import evidence_samples as samples
import pytest
from sample import Sample

from drillbook.domain.wording import visible
from drillbook.evidence import folder, pdf

PDFTOTEXT = shutil.which("pdftotext")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return samples.write(
        tmp_path_factory.mktemp("run"),
        [samples.cutover(), samples.rollback(), samples.undecided(), samples.broken(), samples.hostile()],
    )


def test_the_same_folder_gives_the_same_bytes(run, monkeypatch):
    first = pdf.render(run).read_bytes()
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")

    assert pdf.render(run).read_bytes() == first
    assert first.startswith(b"%PDF-1.7")
    assert len(first) < 2_000_000


def test_what_is_recorded_changes_the_bytes(tmp_path):
    one = pdf.document(folder.read(Sample().write(tmp_path / "a")))

    assert pdf.document(folder.read(Sample(run={"who": {"user": "eve"}}).write(tmp_path / "b"))) != one


def test_it_is_an_archive_with_all_its_fonts_and_the_date_of_the_run(run):
    data = pdf.render(run).read_bytes()

    assert b"pdfaid:part" in data
    assert b"/EmbeddedFile" not in data
    assert re.search(rb"<xmp:CreateDate>2026-11-23T08:0\d:\d\d\+00:00<", data)


@pytest.mark.skipif(PDFTOTEXT is None, reason="no pdftotext here: install poppler-utils to run this")
def test_a_reader_finds_the_executive_page_and_every_drill(run):
    path = pdf.render(run)
    command = [str(PDFTOTEXT), "-layout", str(path), "-"]
    pages = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split("\f")

    for text in ("FAIL", "1 of 5 drills saw a promise broken", "Deviations and follow-ups", "Approved by"):
        assert text in pages[0], text
    whole = " ".join(" ".join(pages).split())
    for drill in folder.read(run).drills:
        assert visible(drill.scenario)[:20] in whole
    assert "Signature" in whole
    assert "<script>alert(1)" in whole, "shown, and not run"
    assert "\\u202e" in whole


def test_without_the_library_it_says_what_to_install(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "typst", None)

    with pytest.raises(pdf.NoPdf, match=r"pip install '\.\[evidence\]' in Drillbook's checkout"):
        pdf.render(run)
