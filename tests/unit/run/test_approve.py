"""`drillbook approve` gives somebody's word for a plan, or says why it does not."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from typer.testing import CliRunner

from drillbook import cli
from drillbook.run import approval


def written(path, private):
    path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


@pytest.fixture
def key(tmp_path):
    return written(tmp_path / "key.pem", Ed25519PrivateKey.generate())


@pytest.fixture
def drillbook():
    def run(*arguments):
        return CliRunner().invoke(cli.app, [str(argument) for argument in arguments], catch_exceptions=False)

    return run


def test_it_signs_the_plan_that_is_shown(drillbook, key, tmp_path):
    plan = json.loads(drillbook("plan", "--json", "--only=cutover").stdout)
    out = tmp_path / "approval.json"
    made = drillbook(
        "approve", "--by=ada", f"--key={key}", f"--out={out}", "--reason=CHG-1", "--only=cutover", "--hours=2"
    )
    assert made.exit_code == 0
    assert "cutover: A good release replaces the live one" in made.output
    assert "guard.approvers in twin.yaml has no such key for 'ada'" in made.output
    given = approval.read(out)
    assert given.plan_sha256 == plan["sha256"]
    assert given.not_after_s - given.not_before_s == 7200
    begins_s, approvers = given.not_before_s, {"ada": approval.public_key(key)}
    approval.check(given, plan["sha256"], approvers, begins_s, begins_s + 7200)
    everything = json.loads(drillbook("plan", "--json").stdout)["sha256"]
    with pytest.raises(approval.NotApproved, match="other drills are chosen"):
        approval.check(given, everything, approvers, begins_s, begins_s)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"key": "none.pem"}, "holds no private key that can be read"),
        ({"key": "ed448.pem"}, "is no Ed25519 key; make one with `openssl genpkey"),
        ({"key": "garbled.pem"}, "holds no private key that can be read"),
        ({"out": "ed448.pem/approval.json"}, "cannot be written (Not a directory)"),
        ({"hours": "0"}, "--hours"),
        ({"hours": "nan"}, "--hours"),
        ({"only": "cutovr"}, "there is no feature cutovr"),
    ],
)
def test_it_says_why_it_does_not(drillbook, key, tmp_path, changed, said):
    written(tmp_path / "ed448.pem", Ed448PrivateKey.generate())
    (tmp_path / "garbled.pem").write_bytes(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    given = {"key": key.name, "out": "approval.json", "hours": "1", "only": "", **changed}
    made = drillbook(
        "approve", "--by=ada", "--reason=CHG-1", f"--key={tmp_path / given['key']}", f"--out={tmp_path / given['out']}",
        f"--hours={given['hours']}", f"--only={given['only']}",
    )  # fmt: skip
    assert made.exit_code == 2
    assert said in " ".join(made.output.split())
    assert not (tmp_path / "approval.json").exists()
