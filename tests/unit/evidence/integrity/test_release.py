"""A release is attested by a run that passed as a whole and is as it was signed, and by nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sample import BROKEN, KEPT, UNDECIDED
from signed_runs import NOW_S, make_key

from drillbook.domain.verdict import Verdict
from drillbook.evidence import attesting, envelope
from drillbook.evidence.release import NotAttested
from drillbook.evidence.statement import ENVELOPE_NAME, RELEASE_NAME

if TYPE_CHECKING:
    from pathlib import Path

    from signed_runs import Signed

A, B = "20261122T081500Z-twin-aaaa", "20261123T081500Z-twin-bbbb"
DIGEST = "1" * 64
RELEASED = {"released": ["1.1.0"], "images": {"1.1.0": [f"registry:5000/analytics@sha256:{DIGEST}"]}}


def attest(signed: Signed, run: Path, **options: Any) -> attesting.Attested:
    return attesting.attest(run, signed.signer, now_s=NOW_S, **options)


def test_it_is_a_simple_verification_result_about_the_images(signed: Signed) -> None:
    run = signed.run(A, run=RELEASED)
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


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    checks=st.lists(st.sampled_from([KEPT, BROKEN, UNDECIDED]), min_size=1, max_size=3),
    recorded=st.sampled_from([None, *Verdict]),
    drill=st.sampled_from([None, *Verdict]),
)
def test_only_a_pass_in_every_part_attests(
    signed: Signed, tmp_path_factory: pytest.TempPathFactory, checks: Any, recorded: Any, drill: Any
) -> None:
    signed.runs = tmp_path_factory.mktemp("runs")
    claims = {"verdict": str(recorded), "exit_code": recorded.exit_code} if recorded else {}
    of_drill = {"verdict": str(drill)} if drill else {}
    run = signed.run(A, checks=tuple(checks), run=RELEASED | claims, drill=of_drill)
    good = all(check is KEPT for check in checks) and {recorded, drill} <= {None, Verdict.PASS}
    if good:
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
        attest(signed, signed.run(A, run=run), release=release)


def test_what_is_not_as_it_was_signed_attests_nothing(signed: Signed, tmp_path: Path) -> None:
    with pytest.raises(NotAttested, match="was never signed"):
        attest(signed, signed.run(A, run=RELEASED, signed=False))
    run = signed.run(B, run=RELEASED)
    with pytest.raises(NotAttested, match="none of those that are believed"):
        attesting.attest(run, make_key(tmp_path / "other.pem"), now_s=NOW_S)
    (run / "run.json").write_text((run / "run.json").read_text().replace("twin", "prod"))
    with pytest.raises(NotAttested, match=r"run\.json: was changed"):
        attest(signed, run)


def test_an_attestation_that_is_changed_or_another_runs_is_noticed(signed: Signed) -> None:
    first, second = signed.run(A, run=RELEASED), signed.run(B, run=RELEASED)
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
    run = signed.run(A, run=RELEASED)
    attest(signed, run)
    signed.sign(run, anew=True)
    assert not (run / RELEASE_NAME).exists()
