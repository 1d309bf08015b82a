"""A release is attested by a run that passed as a whole and is as it was signed, and by nothing else."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sample import BROKEN, DRILL, KEPT, UNDECIDED
from signed_runs import NOW_S, make_key

from drillbook.domain.verdict import Verdict
from drillbook.evidence import attesting, envelope, folder, release, verification
from drillbook.evidence.release import NotAttested
from drillbook.evidence.statement import ENVELOPE_NAME, RELEASE_NAME

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from signed_runs import Signed

    from drillbook.evidence.keys import Signer

A, B = "20261122T081500Z-twin-aaaa", "20261123T081500Z-twin-bbbb"
DIGEST = "1" * 64
STAYED = {"let_stay": "1.1.0"}
RELEASED = {"released": ["1.1.0"], "images": {"1.1.0": [f"registry:5000/analytics@sha256:{DIGEST}"]}}


def attest(signed: Signed, run: Path, **options: Any) -> attesting.Attested:
    return attesting.attest(run, signed.signer, now_s=NOW_S, **options)


def test_it_is_a_simple_verification_result_about_the_images(signed: Signed) -> None:
    run = signed.run(A, run=RELEASED, drill=STAYED)
    done = attest(signed, run)
    said = json.loads(envelope.opened(done.path.read_bytes(), envelope.IN_TOTO, signed.keys).payload)
    assert (said["_type"], said["predicateType"]) == (
        "https://in-toto.io/Statement/v1", "https://in-toto.io/attestation/svr/v0.1",
    )  # fmt: skip
    assert said["subject"] == [{"name": "registry:5000/analytics", "digest": {"sha256": DIGEST}}]
    predicate = said["predicate"]
    assert predicate["timeCreated"].endswith("Z")
    assert predicate["verifier"]["id"].startswith("urn:drillbook:")
    assert predicate["properties"] == ["DRILLBOOK_RELEASE_PASSED", "DRILLBOOK_DEP-2.1", "DRILLBOOK_DEP-2.3"]
    assert predicate["drillbook"]["run"]["name"] == A
    assert signed.verify(run).verdict is Verdict.PASS


def _add_drill(run: Path, check: Any, verdict: Verdict) -> None:
    """A second drill, which judged this and came to that."""
    drill = json.loads((run / "drills" / DRILL / "drill.json").read_text())
    (run / "drills" / "second").mkdir()
    record = {**drill, "id": "second", "scenario": "Second", "let_stay": "", "verdict": str(verdict)}
    (run / "drills" / "second" / "drill.json").write_text(json.dumps(record))
    (first, *_) = (run / "timeline.jsonl").read_text().splitlines()
    with (run / "timeline.jsonl").open("a") as file:
        file.write(json.dumps({**json.loads(first), "drill": "second"}) + "\n")
    with (run / "checks.jsonl").open("a") as file:
        file.write(json.dumps({"drill": "second", **asdict(check)}) + "\n")


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    checks=st.lists(st.sampled_from([KEPT, BROKEN, UNDECIDED]), min_size=1, max_size=2),
    recorded=st.sampled_from([None, *Verdict]),
    drill=st.sampled_from([None, *Verdict]),
    second=st.none() | st.tuples(st.sampled_from([KEPT, BROKEN, UNDECIDED]), st.sampled_from(list(Verdict))),
)
@example(checks=[KEPT], recorded=None, drill=None, second=(KEPT, Verdict.PASS))
@example(checks=[KEPT], recorded=None, drill=None, second=(KEPT, Verdict.INCONCLUSIVE))
@example(checks=[KEPT], recorded=None, drill=None, second=(BROKEN, Verdict.PASS))
@example(checks=[KEPT], recorded=Verdict.FAIL, drill=None, second=None)
def test_only_a_pass_in_every_part_attests(
    signed: Signed, tmp_path_factory: pytest.TempPathFactory, *, checks: Any, recorded: Any, drill: Any, second: Any
) -> None:
    signed.runs = tmp_path_factory.mktemp("runs")
    claims = {"verdict": str(recorded), "exit_code": recorded.exit_code} if recorded else {}
    of_drill = STAYED | ({"verdict": str(drill)} if drill else {})
    run = signed.run(A, checks=tuple(checks), run=RELEASED | claims, drill=of_drill, signed=False)
    if second:
        _add_drill(run, *second)
    signed.sign(run)
    good = all(check is KEPT for check in checks) and {recorded, drill} <= {None, Verdict.PASS}
    if good and second in {None, (KEPT, Verdict.PASS)}:
        assert attest(signed, run).release == "1.1.0"
    else:
        with pytest.raises(NotAttested, match="attested by a PASS alone"):
            attest(signed, run)
        assert not (run / RELEASE_NAME).exists()


@pytest.mark.parametrize(
    ("run", "release", "why"),
    [
        ({}, "", "let no release stay"),
        (RELEASED, "1.2.0", "let 1.1.0 stay, and not 1.2.0"),
        (RELEASED | {"released": ["1.1.0", "1.2.0"]}, "", "and not a single one"),
        (RELEASED | {"images": {}}, "", "does not know the digests of the images of 1.1.0: none"),
        (RELEASED | {"images": {"1.1.0": ["analytics:1.1.0"]}}, "", "does not know the digests"),
        (
            RELEASED | {"images": {"1.1.0": [f"a@sha256:{DIGEST}", f"a@sha256:{'2' * 64}"]}}, "",
            "more than one image of the same name",
        ),
    ],
)  # fmt: skip
def test_what_is_about_no_images_attests_nothing(signed: Signed, run: Any, release: str, why: str) -> None:
    with pytest.raises(NotAttested, match=why):
        attest(signed, signed.run(A, run=run, drill=STAYED), release=release)


def test_what_is_not_as_it_was_signed_attests_nothing(signed: Signed, tmp_path: Path) -> None:
    with pytest.raises(NotAttested, match="was never signed"):
        attest(signed, signed.run(A, run=RELEASED, signed=False))
    run = signed.run(B, run=RELEASED, drill=STAYED)
    with pytest.raises(NotAttested, match="none of those that are believed"):
        attesting.attest(run, make_key(tmp_path / "other.pem"), now_s=NOW_S)
    (run / "run.json").write_text((run / "run.json").read_text().replace("twin", "prod"))
    with pytest.raises(NotAttested, match=r"run\.json: was changed"):
        attest(signed, run)


def test_an_attestation_that_is_changed_or_another_runs_is_noticed(signed: Signed) -> None:
    first, second = signed.run(A, run=RELEASED, drill=STAYED), signed.run(B, run=RELEASED, drill=STAYED)
    attest(signed, first)
    data = (first / RELEASE_NAME).read_bytes()
    (second / RELEASE_NAME).write_bytes(data)
    assert "is about run" in str(signed.verify(second).findings[0])
    for place in range(0, len(data) * 8, 97):
        changed = bytearray(data)
        changed[place // 8] ^= 1 << place % 8
        (first / RELEASE_NAME).write_bytes(changed)
        assert [finding.name for finding in signed.verify(first).findings] == [RELEASE_NAME], place
    (first / RELEASE_NAME).write_bytes((first / ENVELOPE_NAME).read_bytes())
    assert "is no attestation" in str(signed.verify(first).findings[0])


def test_signed_anew_it_has_to_be_attested_anew(signed: Signed) -> None:
    run = signed.run(A, run=RELEASED, drill=STAYED)
    attest(signed, run)
    signed.sign(run, anew=True)
    assert not (run / RELEASE_NAME).exists()


@pytest.mark.parametrize("let_stay", ["", "1.0.0"])
def test_a_release_that_no_drill_let_stay_is_not_attested_whatever_the_run_says(signed: Signed, let_stay: str) -> None:
    with pytest.raises(NotAttested, match="none of its drills that passed has done so"):
        attest(signed, signed.run(A, run=RELEASED, drill={"let_stay": let_stay}))


def test_what_drills_of_other_releases_prove_is_not_said_of_this_one(signed: Signed) -> None:
    run = signed.run(A, run=RELEASED, drill=STAYED, signed=False)
    record = folder.read(run, load=False)
    taken_back = replace(record.drills[0], id="other", let_stay="", requirements=("DR-9.9",))
    both = replace(record, drills=(*record.drills, taken_back))
    assert release.properties_of(both, "1.1.0") == release.properties_of(record, "1.1.0")
    assert "DRILLBOOK_DR-9.9" not in release.properties_of(both, "1.1.0")


def _forge(signed: Signed, run: Path, change: Callable[[dict[str, Any]], object], signer: Signer | None = None) -> str:
    """An attestation that is changed before it is signed, as a fault in the harness might; answers what is found."""
    found = signed.verify(run)
    record = folder.read(run, load=False)
    payload = json.loads(release.render("1.1.0", {"registry:5000/analytics": DIGEST}, record, found.sha256, NOW_S))
    change(payload)
    forged = envelope.seal(envelope.IN_TOTO, json.dumps(payload).encode(), signer or signed.signer)
    (run / RELEASE_NAME).write_bytes(forged.rendered())
    keys = [*signed.keys, *([signer.public_key()] if signer else [])]
    return "; ".join(map(str, verification.verify(run, keys).findings))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda _: None, ""),
        (lambda said: said["predicate"]["properties"].append("DRILLBOOK_DR-1.5"), "does not show: DRILLBOOK_DR-1.5"),
        (lambda said: said["subject"][0]["digest"].update(sha256="2" * 64), "about other images"),
        (lambda said: said["subject"].clear(), "about other images"),
        (lambda said: said["predicate"]["drillbook"].update(release="1.2.0"), "and not 1.2.0"),
        (lambda said: said.update(predicateType="https://slsa.dev/verification_summary/v1"), "is no attestation"),
    ],
)
def test_an_attestation_that_says_more_than_the_run_is_noticed_although_it_is_signed(
    signed: Signed, change: Callable[[dict[str, Any]], object], why: str
) -> None:
    found = _forge(signed, signed.run(A, run=RELEASED, drill=STAYED), change)
    assert why in found if why else not found


@pytest.mark.parametrize("check", [BROKEN, UNDECIDED])
def test_one_of_a_run_that_did_not_pass_is_noticed_although_it_is_signed(signed: Signed, check: Any) -> None:
    found = _forge(signed, signed.run(A, run=RELEASED, drill=STAYED, checks=(check,)), lambda _: None)
    assert f"attests a release, and the run is {check.verdict}" in found


def test_one_by_another_key_than_the_runs_is_noticed_although_both_are_believed(signed: Signed, tmp_path: Path) -> None:
    found = _forge(signed, signed.run(A, run=RELEASED, drill=STAYED), lambda _: None, make_key(tmp_path / "other.pem"))
    assert "none of those that are believed" in found
