"""A run is signed as it ends, where its environment file says with which key."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from sample import BROKEN
from signed_runs import make_key

from drillbook.afterwards import signers
from drillbook.domain.environment import SigningSettings
from drillbook.domain.verdict import Verdict
from drillbook.run.environment import DIRECTORY, EnvironmentFileError, load
from features import conftest as drills
from features.running import Running

if TYPE_CHECKING:
    from pathlib import Path

    from signed_runs import Signed

RUN = "20261123T081500Z-twin-bbbb"
TWIN = (DIRECTORY / "twin.yaml").read_text()


def _environment(tmp_path: Path, evidence: str) -> Any:
    path = tmp_path / "environments" / "twin.yaml"
    path.parent.mkdir()
    (tmp_path / "system").symlink_to(DIRECTORY.parent / "system")
    path.write_text(f"{TWIN}{evidence}\n")
    return load(path)


def _finish(environment: Any, folder: Path, verdict: Verdict, exitstatus: int) -> int:
    """pytest's end of a session of drills, and the exit code that it leaves."""
    state = Running(environment, lambda: 0.0)
    state.verdicts, state.folder = [verdict], folder
    config = SimpleNamespace(stash=pytest.Stash())
    config.stash[drills._RUN] = state
    session = SimpleNamespace(config=config, exitstatus=exitstatus, testscollected=1)
    drills.pytest_sessionfinish(session, exitstatus)  # type: ignore[arg-type]
    return int(session.exitstatus)


def test_the_file_says_who_signs(tmp_path: Path) -> None:
    text = "evidence: {signing: {key: 'file:../key.pem', history: ../kept, timestamp: {url: 'https://tsa.test/x'}}}"
    assert _environment(tmp_path, text).signing == SigningSettings(
        f"file:{tmp_path}/key.pem", tmp_path / "kept", "https://tsa.test/x", None
    )


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", None),
        ("evidence: {}", None),
        ("evidence: {signing: {key: 'vault-transit:transit/evidence'}}", "vault-transit:transit/evidence"),
        (f"evidence: {{signing: {{key: 'agent:SHA256:{'A' * 43}'}}}}", f"agent:SHA256:{'A' * 43}"),
    ],
)
def test_other_places_of_a_key(tmp_path: Path, text: str, key: str | None) -> None:
    found = _environment(tmp_path, text).signing
    assert (found and found.key) == key


@pytest.mark.parametrize(
    "text",
    [
        "evidence: {signing: {}}",
        "evidence: {signing: {key: 'MC4CAQAwBQYDK2VwBCIEIA=='}}",
        "evidence: {signing: {key: 'file:'}}",
        "evidence: {signing: {key: 'vault-transit:evidence'}}",
        "evidence: {signing: {key: 'file:k', timestamp: {url: 'https://user:secret@tsa.test'}}}",
        "evidence: {sign: {key: 'file:k'}}",
    ],
)
def test_what_is_no_place_of_a_key_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(EnvironmentFileError, match="evidence"):
        _environment(tmp_path, text)


def test_a_run_is_signed_with_its_reports(signed: Signed, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = signed.run(RUN, signed=False)
    environment = _environment(tmp_path, f"evidence: {{signing: {{key: 'file:{signed.signer.path}'}}}}")
    assert _finish(environment, run, Verdict.PASS, 0) == 0
    assert f"signed: {run}/evidence.dsse.json (number 1 of its history)" in capsys.readouterr().out
    found = signed.verify(run)
    assert found.verdict is Verdict.PASS
    assert found.statement is not None
    assert {"report.html", "junit.xml", "run.json"} <= set(found.statement.subjects)


@pytest.mark.parametrize(("verdict", "code"), [(Verdict.PASS, 0), (Verdict.FAIL, 1), (Verdict.INCONCLUSIVE, 75)])
def test_a_run_that_cannot_be_signed_says_so_and_keeps_its_verdict(
    signed: Signed, tmp_path: Path, capsys: pytest.CaptureFixture[str], verdict: Verdict, code: int
) -> None:
    run = signed.run(RUN, signed=False)
    environment = _environment(tmp_path, "evidence: {signing: {key: 'file:../none.pem'}}")
    assert _finish(environment, run, verdict, 0 if verdict is Verdict.PASS else 1) == code
    said = capsys.readouterr().out
    assert f"NOT SIGNED: KeyUnusable: the key {tmp_path}/none.pem cannot be read" in said
    assert f"drillbook evidence sign {RUN}" in said
    assert not (run / "evidence.dsse.json").exists()


def test_a_failed_run_is_signed_as_one_that_failed(signed: Signed, tmp_path: Path) -> None:
    run = signed.run(RUN, signed=False, checks=(BROKEN,))
    environment = _environment(tmp_path, f"evidence: {{signing: {{key: 'file:{signed.signer.path}'}}}}")
    assert _finish(environment, run, Verdict.FAIL, 1) == 1
    found = signed.verify(run)
    assert found.statement is not None
    assert found.statement.verdict is Verdict.FAIL


def test_nobody_asked_for_it(signed: Signed, tmp_path: Path) -> None:
    assert signers.sign_at_the_end(_environment(tmp_path, ""), signed.run(RUN, signed=False)) == []


def test_a_run_to_go_on_with_has_to_be_as_it_was_signed(signed: Signed, tmp_path: Path) -> None:
    environment = _environment(tmp_path, f"evidence: {{signing: {{key: 'file:{signed.signer.path}'}}}}")
    run = signed.run(RUN, signed=False)
    assert signers.envelope_of(environment, run) == ""
    signed.sign(run)
    assert signers.envelope_of(environment, run) == signed.verify(run).sha256
    (run / "undo.jsonl").unlink()
    with pytest.raises(signers.NotAsSigned, match=r"undo\.jsonl: was removed"):
        signers.envelope_of(environment, run)
    signed.signer.path.unlink()
    with pytest.raises(signers.NotAsSigned, match="nobody can tell"):
        signers.envelope_of(environment, run)


def test_a_run_that_another_key_has_signed_is_not_gone_on_with(signed: Signed, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other.pem")
    environment = _environment(tmp_path, f"evidence: {{signing: {{key: 'file:{other.path}'}}}}")
    with pytest.raises(signers.NotAsSigned, match="none of those that are believed"):
        signers.envelope_of(environment, signed.run(RUN))
