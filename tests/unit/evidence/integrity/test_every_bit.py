"""Whatever is changed in a signed run's folder is named: each single bit, each file removed, added or swapped."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from drillbook.domain.verdict import Verdict
from drillbook.evidence import chain, junit, report, verification

if TYPE_CHECKING:
    from signed_runs import Signed

pytestmark = pytest.mark.slow

SAMPLES = 1000
A, B = "20261122T081500Z-twin-aaaa", "20261123T081500Z-twin-bbbb"


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _kind(name: str) -> str:
    return Path(name).name if name.endswith("dsse.json") else Path(name).suffix


def test_nothing_changed_is_nothing_found(signed: Signed) -> None:
    run = signed.run(A, reports=True)
    found = signed.verify(run)
    assert found.verdict is Verdict.PASS
    assert not found.findings
    assert found.held == len(_files(run)) - 1


def test_every_single_bit_counts(signed: Signed, capsys: pytest.CaptureFixture[str]) -> None:
    run = signed.run(A, reports=True)
    names = _files(run)
    chance = random.Random(20261123)  # noqa: S311 - a sample, and the same again
    caught: dict[str, int] = {}
    missed: list[str] = []
    for number in range(SAMPLES):
        name = names[number % len(names)]  # each file, the envelope too, as often as any other
        path = run / name
        whole = path.read_bytes()
        place = chance.randrange(len(whole) * 8)
        changed = bytearray(whole)
        changed[place // 8] ^= 1 << place % 8
        path.write_bytes(changed)
        found = signed.verify(run)
        if found.verdict is Verdict.FAIL and any(finding.name == name for finding in found.findings):
            caught[_kind(name)] = caught.get(_kind(name), 0) + 1
        else:
            missed.append(f"{name} bit {place}")
        path.write_bytes(whole)
    told = f"\n{sum(caught.values())} of {SAMPLES} single-bit changes caught in {len(names)} files: {caught}\n"
    with capsys.disabled():
        sys.stdout.write(told)
    assert not missed
    assert signed.verify(run).verdict is Verdict.PASS


def test_every_file_removed_is_named(signed: Signed) -> None:
    run = signed.run(A)
    for name in _files(run):
        whole = (run / name).read_bytes()
        (run / name).unlink()
        found = signed.verify(run)
        assert [finding.name for finding in found.findings] == [name]
        assert found.verdict is Verdict.FAIL
        (run / name).write_bytes(whole)


@pytest.mark.parametrize(
    "name",
    ["x", ".hidden", "drills/x.json", ".run.json.1.new", "timestamp.dsse.json", "drills/evidence.dsse.json", "é.json"],
)
def test_every_file_added_is_named(signed: Signed, name: str) -> None:
    run = signed.run(A)
    (run / name).write_text("x")
    found = signed.verify(run)
    assert [finding.name for finding in found.findings] == [name]
    assert found.verdict is Verdict.FAIL
    assert "was added" in str(found.findings[0])


@pytest.mark.parametrize("name", ['quo"te', "back\\slash", "line\nbreak", "\udcff"])
def test_a_file_with_a_name_that_hides_is_named_in_the_open(signed: Signed, name: str) -> None:
    run = signed.run(A)
    os.close(os.open(os.fsencode(run / name), os.O_CREAT | os.O_WRONLY))
    (found,) = signed.verify(run).findings
    assert found.name == name
    assert str(found).isprintable()


def test_links_are_named_and_not_followed(signed: Signed, tmp_path: Path) -> None:
    run = signed.run(A)
    elsewhere = tmp_path / "same.json"
    (run / "run.json").rename(elsewhere)
    (run / "run.json").symlink_to(elsewhere)
    (run / "folder").symlink_to(tmp_path)
    os.mkfifo(run / "pipe")
    found = {finding.name: finding.text for finding in signed.verify(run).findings}
    assert set(found) == {"run.json", "folder", "pipe"}
    assert all("no plain file" in text for text in found.values())


def test_an_envelope_that_is_a_link_is_not_followed(signed: Signed, tmp_path: Path) -> None:
    run = signed.run(A)
    (run / "evidence.dsse.json").rename(tmp_path / "evidence.dsse.json")
    (run / "evidence.dsse.json").symlink_to(tmp_path / "evidence.dsse.json")
    assert "is a link" in str(signed.verify(run).findings[0])


def test_files_swapped_within_a_run_are_named(signed: Signed) -> None:
    run = signed.run(A)
    one, other = run / "undo.jsonl", run / "timeline.jsonl"
    a, b = one.read_bytes(), other.read_bytes()
    one.write_bytes(b)
    other.write_bytes(a)
    told = [str(finding) for finding in signed.verify(run).findings]
    assert told == [
        "timeline.jsonl: was changed: it holds what was signed as undo.jsonl",
        "undo.jsonl: was changed: it holds what was signed as timeline.jsonl",
    ]


def test_a_file_swapped_between_runs_is_named_with_where_it_is_from(signed: Signed) -> None:
    good, bad = signed.run(A), signed.run(B, failures=7)
    name = next(name for name in _files(bad) if name.endswith("requests.parquet"))
    (bad / name).write_bytes((good / name).read_bytes())
    found = signed.verify(bad, history=chain.read(signed.runs, signed.keys))
    assert [str(finding) for finding in found.findings] == [
        f"{name}: was changed: it holds what was signed as {name} of run {A}"
    ]


def test_whole_folders_swapped_are_named(signed: Signed) -> None:
    good, bad = signed.run(A), signed.run(B, failures=7)
    good.rename(signed.runs / "aside")
    bad.rename(signed.runs / A)
    (signed.runs / "aside").rename(signed.runs / B)
    for name, said in ((A, B), (B, A)):
        (found,) = signed.verify(signed.runs / name).findings
        assert name in found.text
        assert said in found.text


def test_an_envelope_swapped_between_runs_fits_no_file(signed: Signed) -> None:
    good, bad = signed.run(A), signed.run(B, failures=7)
    (bad / "evidence.dsse.json").write_bytes((good / "evidence.dsse.json").read_bytes())
    assert signed.verify(bad).verdict is Verdict.FAIL


def test_a_file_that_cannot_be_read_shows_nothing(signed: Signed, monkeypatch: pytest.MonkeyPatch) -> None:
    run = signed.run(A)
    read = verification.digests.of_file

    def refused(path: Path) -> str | None:
        if path.name == "undo.jsonl":
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(verification.digests, "of_file", refused)
    found = signed.verify(run)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert str(found.findings[0]) == "undo.jsonl: cannot be read: Permission denied"


def test_a_report_made_again_may_be_left_out(signed: Signed) -> None:
    run = signed.run(A)
    (run / "report.html").write_text("doctored")
    (run / "report.pdf").write_text("new")
    assert {finding.name for finding in signed.verify(run).findings} == {"report.html", "report.pdf"}
    assert signed.verify(run, raw_only=True).verdict is Verdict.PASS
    (run / "run.json").write_text("{}")
    assert signed.verify(run, raw_only=True).verdict is Verdict.FAIL


def test_the_same_report_made_again_is_the_one_that_was_signed(signed: Signed) -> None:
    run = signed.run(A, reports=True)
    report.render(run)
    junit.render(run)
    assert signed.verify(run).verdict is Verdict.PASS
