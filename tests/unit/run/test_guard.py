"""Every gate of the guard is seen refusing, and what it lets through is seen as well."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, time
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import example, given
from hypothesis import strategies as st

from drillbook.domain.environment import GuardSettings
from drillbook.domain.guard import AllowedHours, Approval, Plan, PlannedDrill, too_many_away
from drillbook.run import approval as approvals
from drillbook.run import guard

NIGHTS = AllowedHours(("mon", "tue", "wed", "thu", "fri"), time(22), time(4), "Europe/Berlin")
NIGHT_S = datetime(2026, 11, 23, 23, 0, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()  # a Monday
PLAN = Plan(
    "prod", "ab" * 32, (PlannedDrill("cutover", "A good release replaces the live one", False, 0.0),),
    ("us-east-1",), ("analytics",), 1800.0, "0.1.0", "cd" * 32,
)  # fmt: skip
KILL = PlannedDrill("node", "A node is lost", True, 0.5)


def environment(tier="staging", **settings):
    defaults = {"namespaces": ("analytics",), "max_duration_s": 1800.0}
    return SimpleNamespace(
        name="prod", tier=tier, file=Path("prod.yaml"), regions={"us-east-1": None, "us-west-2": None},
        guard=GuardSettings(**{**defaults, **settings}),
    )  # fmt: skip


def check(where, plan=PLAN, *, now_s=NIGHT_S, expected_s=360.0, allowed=False, approval=None):
    return guard.check(where, plan, now_s=now_s, expected_s=expected_s, production_allowed=allowed, approval=approval)


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "key.pem"
    private = Ed25519PrivateKey.generate()
    path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


@pytest.fixture
def production(key):
    return environment("production", windows=(NIGHTS,), approvers={"ada": approvals.public_key(key)})


@pytest.fixture
def approve(tmp_path, key):
    def make(plan=PLAN, **changes):
        made = Approval(plan.sha256, "ada", NIGHT_S - 60, NIGHT_S + 3600, "CHG-1")
        path = tmp_path / "approval.json"
        approvals.write(replace(approvals.sign(made, key), **changes), path)
        return path

    return make


def test_what_is_allowed_is_let_through(production, approve):
    assert check(environment()) == math.inf
    assert check(production, allowed=True, approval=approve()) == NIGHT_S + 3600


@pytest.mark.parametrize(
    ("settings", "plan", "said"),
    [
        ({"namespaces": ("other",)}, PLAN, "guard.namespaces"),
        ({"regions": ("us-west-2",)}, PLAN, "guard.regions"),
        ({"pods_share": 0.3}, replace(PLAN, drills=(KILL,)), "guard.pods_share"),
        ({"max_duration_s": 100.0}, PLAN, "guard.max_duration"),
        ({"windows": (replace(NIGHTS, days=("sun",)),)}, PLAN, "guard.windows"),
        ({"stop_file": "/dev/null"}, PLAN, "stop file"),
    ],
)
def test_each_limit_is_seen_refusing(settings, plan, said):
    with pytest.raises(guard.Refused, match=said):
        check(environment(**settings), plan)


def test_a_run_that_would_end_after_the_window_is_refused():
    late_s = datetime(2026, 11, 24, 3, 58, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
    with pytest.raises(guard.Refused, match=r"guard\.windows"):
        check(environment(windows=(NIGHTS,)), now_s=late_s, expected_s=360)
    check(environment(windows=(NIGHTS,)), now_s=late_s, expected_s=60)


def test_production_wants_all_of_flag_window_approval(production, approve):
    with pytest.raises(guard.Refused, match="--production-allowed"):
        check(production, approval=approve())
    with pytest.raises(guard.Refused, match="--approval"):
        check(production, allowed=True)
    with pytest.raises(guard.Refused, match=r"set guard\.windows"):
        check(replace_guard(production, windows=()), allowed=True, approval=approve())


def replace_guard(where, **settings):
    return SimpleNamespace(**{**vars(where), "guard": replace(where.guard, **settings)})


def test_destructive_drills_have_to_be_named_in_production(production, approve):
    plan = replace(PLAN, drills=(KILL,))
    with pytest.raises(guard.Refused, match=r"guard\.destructive"):
        check(production, plan, allowed=True, approval=approve(plan))
    for name in ("A node is lost", "node"):
        check(replace_guard(production, destructive=(name,)), plan, allowed=True, approval=approve(plan))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"signature": ""}, "not signed"),
        ({"signature": "AAAA"}, "not signed"),
        ({"signature": "no base64"}, "not signed"),
        ({"not_after_s": NIGHT_S + 999_999}, "not signed"),
        ({"reason": "another"}, "not signed"),
        ({"plan_sha256": "00" * 32}, "not signed"),
        ({"approved_by": "eve"}, "approves nothing here"),
    ],
)
def test_an_approval_that_was_tampered_with_is_refused(production, approve, changes, said):
    with pytest.raises(guard.Refused, match=said):
        check(production, allowed=True, approval=approve(**changes))


def test_an_approval_of_another_plan_or_another_time_is_refused(production, approve, tmp_path):
    other = replace(PLAN, environment_sha256="cd" * 32)
    with pytest.raises(guard.Refused, match="have changed since"):
        check(production, allowed=True, approval=approve(other))
    for now_s in (NIGHT_S - 120, NIGHT_S + 7200):
        with pytest.raises(guard.Refused, match="counts from"):
            check(production, allowed=True, approval=approve(), now_s=now_s)
    with pytest.raises(guard.Refused, match="the drills take about 601 s"):
        check(production, allowed=True, approval=approve(), now_s=NIGHT_S + 3000, expected_s=601)
    check(production, allowed=True, approval=approve(), now_s=NIGHT_S + 3000, expected_s=599)
    endless = (
        '{"plan_sha256": "", "approved_by": "", "not_before_s": %s, "not_after_s": 1, "reason": "", "signature": ""}'
    )
    for content in (
        endless % "NaN",
        endless % "Infinity",
        endless % "1e300",
        "[" * 9999,
        "",
        "{}",
        "[]",
        '{"plan_sha256": 1}',
        "\x00",
    ):
        (tmp_path / "bad.json").write_text(content)
        with pytest.raises(guard.Refused, match="is no approval"):
            check(production, allowed=True, approval=tmp_path / "bad.json")
    with pytest.raises(guard.Refused, match="cannot be read"):
        check(production, allowed=True, approval=tmp_path / "none.json")


def test_another_persons_key_is_refused(production, approve, tmp_path):
    private = Ed25519PrivateKey.generate()
    other = tmp_path / "other.pem"
    other.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    forged = approvals.sign(approvals.read(approve()), other)
    with pytest.raises(guard.Refused, match="not signed by ada"):
        check(production, allowed=True, approval=approve(signature=forged.signature))


@pytest.mark.parametrize(
    "field", ["environment", "environment_sha256", "drills", "regions", "namespaces", "longest_s", "sources_sha256"]
)
def test_the_plans_hash_covers_every_field(field):
    changed = {"drills": (KILL,), "longest_s": 1.0}.get(field, ("x",) if field in {"regions", "namespaces"} else "x")
    assert replace(PLAN, **{field: changed}).sha256 != PLAN.sha256


@given(st.integers(1, 100), st.integers(1, 100), st.integers(0, 100))
@example(29, 100, 29)  # 0.29 * 100 is less than 29 in binary fractions
@example(29, 100, 30)
def test_as_many_pods_may_be_away_as_the_share_says(percent, wanted, away):
    ready = max(wanted - away, 0)
    assert too_many_away(ready, wanted, percent / 100) == (100 * (wanted - ready) > percent * wanted)


def test_where_no_pod_is_wanted_all_are_away():
    assert too_many_away(0, 0, 0.99)


def berlin(*parts):
    return datetime(*parts, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()


def test_hours_over_midnight_and_over_a_change_of_time():
    friday = replace(NIGHTS, days=("fri",))
    assert friday.hold(berlin(2026, 11, 28, 1), berlin(2026, 11, 28, 3))  # Saturday, in Friday's night
    assert not friday.hold(berlin(2026, 11, 27, 1), berlin(2026, 11, 27, 3))  # Friday, in Thursday's
    # On 25 October 2026 the clock goes back at 3:00: the night of Saturday has an hour more.
    saturday = replace(NIGHTS, days=("sat",))
    begins, ends = berlin(2026, 10, 24, 22), berlin(2026, 10, 25, 4)
    assert ends - begins == 7 * 3600
    assert saturday.hold(begins, ends)
    assert not saturday.hold(begins, ends + 1)


@given(st.floats(0, 3e9), st.floats(0, 80_000))
def test_what_hours_hold_they_hold_in_parts(from_s, length_s):
    if NIGHTS.hold(from_s, from_s + length_s):
        assert NIGHTS.hold(from_s + length_s / 2, from_s + length_s)
        assert length_s <= 7 * 3600


def test_a_stop_file_that_nobody_could_put_there_is_refused(tmp_path):
    check(environment(stop_file=str(tmp_path / "stop")))
    with pytest.raises(guard.Refused, match="can appear nowhere"):
        check(environment(stop_file=str(tmp_path / "not mounted" / "stop")))
    with pytest.raises(guard.Refused, match="nobody can tell"):
        check(environment(stop_file=str(tmp_path / ("x" * 300))))


def test_a_stop_file_may_be_a_link_to_nothing(tmp_path):
    (tmp_path / "stop").symlink_to(tmp_path / "nothing")
    with pytest.raises(guard.Refused, match="delete it when"):
        check(environment(stop_file=str(tmp_path / "stop")))
