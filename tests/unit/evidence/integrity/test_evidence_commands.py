"""The command line: what it says, and its exit codes."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from sample import BROKEN, UNDECIDED
from signed_runs import make_key
from typer.testing import CliRunner, Result

from drillbook.cli import app, evidence_integrity

if TYPE_CHECKING:
    from pathlib import Path

    from signed_runs import Signed

RELEASED = {"released": ["1.1.0"], "images": {"1.1.0": [f"analytics@sha256:{'1' * 64}"]}}
A, B = "20261122T081500Z-twin-aaaa", "20261123T081500Z-twin-bbbb"


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["evidence", *map(str, arguments)])


@pytest.fixture
def public(signed: Signed, tmp_path: Path) -> Path:
    result = _run("public-key", "--signing-key", f"file:{signed.signer.path}")
    assert result.exit_code == 0
    (tmp_path / "pub.pem").write_text(result.stdout)
    return tmp_path / "pub.pem"


def test_sign_and_verify(signed: Signed, public: Path) -> None:
    for run_id in (A, B):
        result = _run("sign", signed.run(run_id, signed=False), "--signing-key", f"file:{signed.signer.path}")
        assert result.exit_code == 0, result.output
    assert "PASS, number 2 of its history" in result.stdout
    result = _run("verify", signed.runs / B, "--key", public, "--history", signed.runs)
    assert result.exit_code == 0, result.output
    assert f"follows {A}, number 1" in result.stdout
    assert "2 runs, none missing" in result.stdout


def test_a_changed_run_fails(signed: Signed, public: Path) -> None:
    run = signed.run(A)
    (run / "undo.jsonl").unlink()
    (run / "new").write_text("")
    result = _run("verify", run, "--key", public)
    assert result.exit_code == 1
    assert result.stderr.splitlines() == ["new: was added after the run was signed", "undo.jsonl: was removed"]


def test_a_run_that_is_not_signed_fails(signed: Signed, public: Path) -> None:
    result = _run("verify", signed.run(A, signed=False), "--key", public)
    assert result.exit_code == 1
    assert "never signed" in result.stderr
    assert not result.stdout


def test_a_missing_night_fails(signed: Signed, public: Path) -> None:
    signed.run(A)
    run = signed.run(B)
    shutil.rmtree(signed.runs / A)
    result = _run("verify", run, "--key", public, "--history", signed.runs)
    assert result.exit_code == 1
    assert f"history: run {A} (number 1), which {B} follows, is gone" in result.stderr
    result = _run("verify", run, "--key", public, "--history", signed.runs, "--begins-with", B)
    assert result.exit_code == 0


def test_a_run_that_its_history_does_not_know_fails(signed: Signed, public: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = _run("verify", signed.run(A), "--key", public, "--history", tmp_path / "empty")
    assert result.exit_code == 1
    assert "does not know this run" in result.stderr


@pytest.mark.parametrize("wrong", ["run", "key", "history"])
def test_what_is_asked_wrongly_is_refused(signed: Signed, public: Path, tmp_path: Path, wrong: str) -> None:
    asked = {"run": signed.run(A), "key": public, "history": signed.runs, wrong: tmp_path / "none"}
    result = _run("verify", asked["run"], "--key", asked["key"], "--history", asked["history"])
    assert result.exit_code == 2
    assert str(tmp_path / "none") in result.stderr


def test_what_cannot_be_signed_is_refused(signed: Signed, tmp_path: Path) -> None:
    run = signed.run(A)
    key = f"file:{signed.signer.path}"
    assert "signed before" in (again := _run("sign", run, "--signing-key", key)).stderr
    assert again.exit_code == 2
    assert _run("sign", run, "--signing-key", key, "--anew").exit_code == 0
    for reference in ("key.pem", "other:x", "file:", f"file:{tmp_path / 'none'}"):
        assert _run("sign", run, "--signing-key", reference, "--anew").exit_code == 2
        assert _run("public-key", "--signing-key", reference).exit_code == 2


def test_a_key_is_never_shown(signed: Signed, tmp_path: Path) -> None:
    signer = make_key(tmp_path / "other.pem")
    result = _run("sign", signed.run(A, signed=False), "--signing-key", f"file:{signer.path}")
    inside = signer.path.read_text().splitlines()[1]
    assert inside not in result.output
    assert all(inside.encode() not in path.read_bytes() for path in signed.runs.rglob("*") if path.is_file())


@pytest.fixture
def judged_again(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The exit code of judging again, which speaks the features' sentences in a process of its own."""
    said = {"code": 0}
    monkeypatch.setattr(evidence_integrity, "_judged_again", lambda _: said["code"])
    return said


def test_a_release_is_attested_and_the_attestation_verified(
    signed: Signed, public: Path, judged_again: dict[str, int]
) -> None:
    run = signed.run(A, run=RELEASED, drill={"let_stay": "1.1.0"})
    key = f"file:{signed.signer.path}"
    assert judged_again["code"] == 0
    done = _run("attest", run, "--signing-key", key)
    assert done.exit_code == 0, done.output
    assert "attested: release 1.1.0, analytics@sha256:111" in done.stdout
    assert _run("verify", run, "--key", public).exit_code == 0
    (run / "release.dsse.json").write_text("{}")
    changed = _run("verify", run, "--key", public)
    assert changed.exit_code == 1
    assert changed.stderr.startswith("release.dsse.json: ")
    assert _run("attest", run, "--signing-key", key).exit_code == 0, "what was there keeps none from being made"


@pytest.mark.parametrize(
    ("sample", "code", "key", "why"),
    [
        ({"checks": (BROKEN,)}, 0, "key.pem", "is FAIL, and a release is attested by a PASS alone"),
        ({"checks": (UNDECIDED,)}, 0, "key.pem", "is INCONCLUSIVE, and a release is attested by a PASS alone"),
        ({"run": {}}, 0, "key.pem", "let no release stay"),
        ({"signed": False}, 0, "key.pem", "never signed"),
        ({}, 0, "other.pem", "none of those that are believed"),
        ({}, 0, "none.pem", "cannot be read"),
        ({}, 1, "key.pem", "does not come out the same when it is judged again"),
        ({}, 75, "key.pem", "does not come out the same when it is judged again"),
    ],
)
def test_what_is_not_attested_is_refused_with_its_reason(
    signed: Signed, tmp_path: Path, judged_again: dict[str, int], *, sample: dict, code: int, key: str, why: str
) -> None:
    make_key(tmp_path / "other.pem")
    judged_again["code"] = code
    run = signed.run(A, **{"run": RELEASED, "drill": {"let_stay": "1.1.0"}, **sample})
    refused = _run("attest", run, "--signing-key", f"file:{tmp_path / key}")
    assert refused.exit_code == 2
    assert why in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert not (run / "release.dsse.json").exists()


def _report(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["report", *map(str, arguments)])


def test_a_report_of_a_signed_run_can_be_made_elsewhere(signed: Signed, public: Path, tmp_path: Path) -> None:
    run, out = signed.run(A, reports=True), tmp_path / "for" / "archives"
    done = _report(run, "--allure", "--pdf", "--out", out)
    assert done.exit_code == 0, done.output
    assert not done.stderr
    assert {path.name for path in out.iterdir()} == {"report.html", "junit.xml", "report.pdf", "allure"}
    assert (out / "report.html").read_bytes() == (run / "report.html").read_bytes()
    assert _run("verify", run, "--key", public).exit_code == 0


def test_who_makes_one_in_the_folder_of_a_signed_run_is_told_what_that_looks_like(signed: Signed, public: Path) -> None:
    unsigned = signed.run(B, signed=False)
    assert not _report(unsigned, "--allure").stderr
    run = signed.run(A, reports=True)
    done = _report(run, "--allure")
    assert done.exit_code == 0
    assert f"{A} is signed, and `drillbook evidence verify` will call" in done.stderr
    assert "--out FOLDER" in done.stderr
    assert "allure/categories.json: was added after the run was signed" in _run("verify", run, "--key", public).stderr
    assert _run("verify", run, "--key", public, "--raw-only").exit_code == 0


@pytest.mark.parametrize("place", ["inside", "not empty", "a file"])
def test_a_report_is_made_only_where_nothing_is_lost_by_it(signed: Signed, tmp_path: Path, place: str) -> None:
    run = signed.run(A)
    out = {"inside": run / "reports", "not empty": tmp_path / "site", "a file": tmp_path / "site" / "index"}[place]
    (tmp_path / "site" / "allure").mkdir(parents=True)
    (tmp_path / "site" / "index").write_text("")
    refused = _report(run, "--allure", "--out", out)
    assert refused.exit_code == 2, refused.output
    assert str(out) in refused.stderr
    assert not (run / "reports").exists()
    assert (tmp_path / "site" / "allure").is_dir()
