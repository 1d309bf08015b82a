"""What the other region would lack is found, as are a name that is kept too long and a region that is too small."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from drillbook.drivers.reach import Names
from drillbook.ports import Unreachable
from drillbook.twin import backups, files, sessions, vaults
from drillbook.twin.layout import CLIENT, PROFILES, PUBLIC_NAME, RESOLVER_ADDRESS, SERVICES, state_directory
from drillbook.twin.network import inside
from tests.defects.conftest import kubectl

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.twin, pytest.mark.slow]
PASS, FAIL, INCONCLUSIVE = 0, 1, 75
STATE, MOVED = "files_and_secrets_are_in_the_other_region", "traffic_is_moved_to_the_other_region"
CROSSED = "sessions_and_jobs_in_flight_go_to_the_other_region"
EAST, WEST = PROFILES["staging"].regions
_WITHIN_S = 120.0


def vault(region, method: str, path: str, body: object = None) -> requests.Response:
    url = f"{vaults.url(region)}/{path}"
    headers = {"X-Vault-Token": vaults.root_token(region)}
    with inside(CLIENT.namespace):
        return requests.request(method, url, json=body, headers=headers, timeout=10)


@pytest.fixture
def no_copies_of_secrets() -> Iterator[None]:
    """Nobody copies secrets to the west."""
    try:
        kubectl(WEST, "scale", "deployment/secrets-copy", "-n", "vault", "--replicas=0")
        kubectl(WEST, "wait", "pods", "-n", "vault", "-l", "app.kubernetes.io/name=secrets-copy", "--for=delete")
        yield
    finally:
        kubectl(WEST, "scale", "deployment/secrets-copy", "-n", "vault", "--replicas=1")
        kubectl(WEST, "rollout", "status", "deployment/secrets-copy", "-n", "vault", "--timeout=60s")


@pytest.fixture
def store_that_takes_no_files() -> Iterator[None]:
    """The west's store takes nothing from the east any more, though it answers everybody."""

    def identities(known: bool) -> None:
        named = json.loads(
            backups.secret_values(PROFILES["staging"], WEST)["objectstore-identities"]["identities.json"]
        )
        kept = [it for it in named["identities"] if known or it["name"] != "replication"]
        secret = kubectl(WEST, "create", "secret", "generic", "objectstore-identities", "-n", "data",
                         f"--from-literal=identities.json={json.dumps({'identities': kept})}", "--dry-run=client",
                         "-o", "json")  # fmt: skip
        kubectl(WEST, "apply", "--server-side", "--force-conflicts", "-f", "-", given=secret)
        kubectl(WEST, "rollout", "restart", "statefulset/objectstore", "-n", "data")
        kubectl(WEST, "rollout", "status", "statefulset/objectstore", "-n", "data", "--timeout=110s", within_s=120.0)

    try:
        identities(known=False)
        yield
    finally:
        identities(known=True)


def test_files_that_are_not_sent_on_are_found(drilled, store_that_takes_no_files):
    del store_that_takes_no_files
    outcome = drilled(STATE, only="state_in_other_region")
    assert outcome.code == FAIL, str(outcome)
    assert outcome.verdict_of("state.file.arrival") == {"FAIL"}, str(outcome)
    assert outcome.verdict_of("state.secret.") == {"PASS"}, str(outcome)
    assert outcome.verdict_of("drill.") == {"PASS"}, str(outcome)


def test_a_secret_that_is_missing_in_the_other_region_is_found(drilled, no_copies_of_secrets):
    del no_copies_of_secrets
    vault(WEST, "DELETE", "platform/metadata/data/replication").raise_for_status()
    outcome = drilled(STATE, only="state_in_other_region")
    assert outcome.code == FAIL, str(outcome)
    assert outcome.verdict_of("state.secret.same") == {"FAIL"}, str(outcome)
    assert "data/replication" in outcome.not_passed()["state.secret.same"], str(outcome)
    assert outcome.verdict_of("state.secret.arrival") == {"FAIL"}, str(outcome)
    assert outcome.verdict_of("state.file.") == {"PASS"}, str(outcome)
    assert outcome.verdict_of("drill.") == {"PASS"}, str(outcome)


def test_a_file_and_a_secret_that_are_otherwise_in_the_other_region_are_found(drilled, no_copies_of_secrets):
    del no_copies_of_secrets
    vault(WEST, "POST", "platform/data/data/superuser", {"data": {"password": "another"}}).raise_for_status()
    with inside(CLIENT.namespace):
        store = backups.client(WEST, backups.key("platform"))
        store.put_object(Bucket=backups.FILES, Key="exports/empty.csv", Body=b"not empty")
    try:
        outcome = drilled(STATE, only="state_in_other_region")
    finally:
        vault(WEST, "DELETE", "platform/metadata/data/superuser")
        with inside(CLIENT.namespace):
            store.put_object(Bucket=backups.FILES, Key="exports/empty.csv", Body=files.content("exports/empty.csv"))
    assert outcome.verdict_of("state.secret.same") == {"FAIL"}, str(outcome)
    assert "data/superuser" in outcome.not_passed()["state.secret.same"], str(outcome)
    assert outcome.verdict_of("state.file.same") == {"FAIL"}, str(outcome)
    assert "exports/empty.csv" in outcome.not_passed()["state.file.same"], str(outcome)


@pytest.fixture
def name_that_is_kept_for_an_hour() -> Iterator[None]:
    """Resolvers may keep where the public's name leads for an hour."""
    former_s = declared()
    try:
        declare(3600)
        resolver_keeps_for(3600)
        yield
    finally:
        declare(former_s)
        resolver_keeps_for(former_s)


def declared() -> int:
    """For how many seconds the answer may be kept by whoever asks for the public's name."""
    return public_record()["ttl"]


def declare(ttl_s: int) -> None:
    """Let it be kept for so long."""
    changed = {**public_record(), "ttl": ttl_s, "changetype": "REPLACE"}
    zone("PATCH", {"rrsets": [changed]})


def public_record() -> dict[str, Any]:
    """Of the public's name."""
    found = zone("GET").json()["rrsets"]
    return next(it for it in found if (it["name"], it["type"]) == (f"{PUBLIC_NAME}.", "LUA"))


def zone(method: str, body: object = None) -> requests.Response:
    """What the DNS server says when it is asked about its zone."""
    url = "http://10.77.0.53:8081/api/v1/servers/localhost/zones/drillbook.test."
    key = (state_directory() / "recovery" / "dns").read_text()
    with inside(CLIENT.namespace):
        response = requests.request(method, url, json=body, headers={"X-API-Key": key}, timeout=5)
    response.raise_for_status()
    return response


def resolver_keeps_for(ttl_s: int) -> None:
    """The users' resolver forgets what it had been told, and has asked again."""
    supervisor = [
        sys.executable,
        "-m",
        "supervisor.supervisorctl",
        f"--serverurl=unix://{SERVICES.directory}/supervisor.sock",
    ]
    subprocess.run([*supervisor, "restart", "resolver"], check=True, capture_output=True, timeout=_WITHIN_S)
    names, deadline, kept_s = Names((RESOLVER_ADDRESS,)), time.monotonic() + _WITHIN_S, None
    while kept_s is None or not ttl_s - 10 <= kept_s <= ttl_s:
        assert time.monotonic() < deadline, (
            f"the resolver keeps the public's name for {kept_s} s, and not for {ttl_s} s"
        )
        with inside(CLIENT.namespace), contextlib.suppress(Unreachable):
            kept_s = names.ttl_s(PUBLIC_NAME)
        time.sleep(0.2)


def test_a_name_that_may_be_kept_too_long_is_found(drilled, name_that_is_kept_for_an_hour):
    del name_that_is_kept_for_an_hour
    outcome = drilled(MOVED, only="traffic_moved")
    assert outcome.code == FAIL, str(outcome)
    assert outcome.verdict_of("recovery.ttl") == {"FAIL"}, str(outcome)
    assert outcome.verdict_of("drill.") == {"PASS"}, str(outcome)


@pytest.fixture
def west_that_is_too_small() -> Iterator[None]:
    """The west's quota has no room for more pods than it has."""
    try:
        kubectl(WEST, "create", "quota", "too-small", "-n", "analytics", "--hard=count/pods=2")
        yield
    finally:
        kubectl(WEST, "delete", "quota", "too-small", "-n", "analytics", "--ignore-not-found")


def test_a_region_that_is_too_small_for_everybody_is_found(drilled, west_that_is_too_small):
    del west_that_is_too_small

    def for_many(document):
        document["recovery"]["application"]["replicas"] = 4

    outcome = drilled(MOVED, only="traffic_moved", change=for_many)
    assert outcome.code == FAIL, str(outcome)
    assert outcome.verdict_of("recovery.scale_up") == {"FAIL"}, str(outcome)
    assert outcome.verdict_of("drill.") == {"PASS"}, str(outcome)


@pytest.fixture
def west_with_another_session_key() -> Iterator[None]:
    """The west's pods sign sessions with a key of their own, as when nobody had copied the east's."""

    def give(found: dict[str, str]) -> None:
        secret = {"apiVersion": "v1", "kind": "Secret", "data": found,
                  "metadata": {"name": sessions.GIVEN_AS, "namespace": "analytics"}}  # fmt: skip
        kubectl(WEST, "apply", "--server-side", "--force-conflicts", "-f", "-", given=json.dumps(secret))
        kubectl(WEST, "rollout", "restart", "deployment/analytics-blue", "-n", "analytics")
        kubectl(
            WEST, "rollout", "status", "deployment/analytics-blue", "-n", "analytics", "--timeout=110s", within_s=120.0
        )

    right = json.loads(kubectl(WEST, "get", "secret", sessions.GIVEN_AS, "-n", "analytics", "-o", "json"))["data"]
    try:
        give({"key": base64.b64encode(sessions.new()["key"].encode()).decode()})
        yield
    finally:
        give(right)


def test_a_region_that_does_not_have_the_key_of_sessions_is_found(drilled, west_with_another_session_key):
    del west_with_another_session_key
    outcome = drilled(CROSSED, only="application_state")
    assert outcome.code == FAIL, str(outcome)
    assert outcome.verdict_of("state.sessions.us-west-2") == {"FAIL"}, str(outcome)
    assert outcome.verdict_of("state.sessions.us-east-1") == {"FAIL"}, str(outcome)
    assert outcome.verdict_of("state.sessions.bad") == {"PASS"}, str(outcome)
    assert outcome.verdict_of("state.jobs.") == {"PASS"}, str(outcome)
    assert outcome.verdict_of("drill.") == {"PASS"}, str(outcome)
