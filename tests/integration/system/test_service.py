"""The analytics service as a process, against a real PostgreSQL."""

from __future__ import annotations

import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import requests

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.system.conftest import Migrate, Postgres, Service

_WINDOW = "start=2026-01-01T00:00:00Z&end=2026-01-02T00:00:00Z"


def _event(value: float, minute: int = 0) -> dict[str, Any]:
    return {"source": "pump-7", "occurred_at": f"2026-01-01T00:{minute:02}:00Z", "kind": "flow", "value": value}


def _ingest(service: Service, key: str, event: dict[str, Any]) -> requests.Response:
    return requests.post(f"{service.url}/v1/events", json=event, headers={"Idempotency-Key": key}, timeout=10)


@pytest.fixture
def migrated(database: str, migrate: Migrate) -> str:
    """A database with the newest schema."""
    assert migrate(database, "1.1.0", "upgrade").returncode == 0
    return database


@pytest.fixture(params=["1.0.0", "1.1.0"])
def version(request: pytest.FixtureRequest) -> str:
    """Each good release."""
    return request.param


def test_events_are_stored_once_and_aggregated(
    migrated: str, version: str, scoring: str, service: Callable[..., Service]
) -> None:
    running = service(migrated, version, SCORING_URL=scoring)
    ready = running.wait_until("/readyz", 200).json()
    assert ready["schema"] == "0002"

    values = [1.0, 2.0, 4.0, 9.0]
    for minute, value in enumerate(values):
        answer = _ingest(running, f"run/1-{minute}", _event(value, minute))
        assert (answer.status_code, answer.json()) == (201, {"key": f"run/1-{minute}", "stored": True})
    assert _ingest(running, "run/1-0", _event(1.0)).status_code == 200
    assert _ingest(running, "run/1-0", _event(1.5)).status_code == 409

    assert requests.get(f"{running.url}/v1/events/run/1-3", timeout=5).json()["value"] == 9.0
    assert requests.get(f"{running.url}/v1/events/run/none", timeout=5).status_code == 404

    answer = requests.get(f"{running.url}/v1/aggregates?source=pump-7&{_WINDOW}", timeout=5)
    found = answer.json()
    assert (found["count"], found["sum"], found["mean"], found["min"], found["max"]) == (4, 16.0, 4.0, 1.0, 9.0)
    assert found.get("median") == (None if version == "1.0.0" else statistics.median(values))
    headers = {name: answer.headers[name] for name in ("X-Version", "X-Slot", "X-Region")}
    assert headers == {"X-Version": version, "X-Slot": "blue", "X-Region": "us-east-1"}

    score = requests.post(f"{running.url}/v1/scores", json={"source": "pump-7", "value": 0}, timeout=5)
    assert score.json() == {"source": "pump-7", "score": 0.5}

    own = f'region="us-east-1",route="/v1/events",slot="blue",version="{version}"'
    metrics = requests.get(f"{running.url}/metrics", timeout=5).text
    assert f'http_requests_total{{code="201",method="POST",{own}}} 4.0' in metrics
    assert f'analytics_events_ingested_total{{region="us-east-1",slot="blue",version="{version}"}} 4.0' in metrics
    assert f'http_request_duration_seconds_bucket{{le="0.3",method="POST",{own}}} 6.0' in metrics
    assert "http_requests_in_progress" in metrics
    assert "analytics_query_freshness_seconds" in metrics


def test_a_session_of_one_region_is_honoured_by_the_other_that_has_its_key(
    migrated: str, service: Callable[..., Service], tmp_path: Path
) -> None:
    keys = {name: tmp_path / name for name in ("shared", "another")}
    for name, path in keys.items():
        path.write_text(name * 8)

    def started(region: str, key: str) -> Service:
        running = service(migrated, REGION=region, SESSION_KEY_FILE=str(keys[key]))
        running.wait_until("/readyz", 200)
        return running

    east, west, stranger = (
        started(*what) for what in (("us-east-1", "shared"), ("us-west-2", "shared"), ("us-west-2", "another"))
    )

    opened = requests.post(f"{east.url}/v1/sessions", json={"user": "Ada"}, timeout=5)
    assert opened.status_code == 201
    session = opened.json()
    token = session.pop("token")
    for running, region in ((east, "us-east-1"), (west, "us-west-2")):
        answer = _current(running, f"Bearer {token}")
        assert (answer.status_code, answer.json(), answer.headers["X-Region"]) == (200, session, region)

    short = requests.post(f"{east.url}/v1/sessions", json={"user": "Ada", "lasts_s": 0.01}, timeout=5).json()
    while datetime.now(UTC) <= datetime.fromisoformat(short["until"]):
        time.sleep(0.005)
    for authorization, says in (
        (f"Bearer {short['token']}", "is over"), (f"Bearer {token[:-1]}", "has to be"), (token, "has to be"),
        (f"Bearer A{token}", "not opened by this platform"), ("", "has to be"),
    ):  # fmt: skip
        answer = _current(west, authorization)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert says in answer.json()["error"]
    assert _current(stranger, f"Bearer {token}").status_code == 401
    for body in ({}, {"user": ""}, {"user": "Ada", "lasts_s": 1e9}, {"user": "Ada", "lasts_s": 0}):
        assert requests.post(f"{east.url}/v1/sessions", json=body, timeout=5).status_code == 422
    for running in (east, west, stranger):
        assert token not in running.log.read_text()
        assert "shared" not in running.log.read_text()


def _current(service: Service, authorization: str) -> requests.Response:
    return requests.get(f"{service.url}/v1/sessions/current", headers={"Authorization": authorization}, timeout=5)


def test_concurrent_ingest_of_one_key_stores_it_once(migrated: str, service: Callable[..., Service]) -> None:
    running = service(migrated)
    running.wait_until("/readyz", 200)
    codes: list[int] = []
    threads = [
        threading.Thread(target=lambda: codes.append(_ingest(running, "k", _event(1.0)).status_code)) for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(codes) == [200] * 11 + [201]


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/v1/events", '{"source": "a"}', "Field required"),
        ("/v1/events", "not json", "Invalid JSON"),
        ("/v1/events", '{"source":"a","occurred_at":"2026-01-01T00:00:00","kind":"k","value":1}', "timezone"),
        ("/v1/events", '{"source":"a\\u0000","occurred_at":"2026-01-01T00:00:00Z","kind":"k","value":1}', "source"),
        ("/v1/events", '{"source":"a","occurred_at":"2026-01-01T00:00:00Z","kind":"k","value":NaN}', ""),
        ("/v1/events", '{"source":"a","occurred_at":"0001-01-01T00:00:00+14:00","kind":"k","value":1}', "occurred_at"),
        ("/v1/scores", '{"source":"a","value":"high"}', "value"),
    ],
)
def test_a_wrong_request_is_told_what_would_be_right(
    migrated: str, service: Callable[..., Service], path: str, body: str, says: str
) -> None:
    running = service(migrated)
    running.wait_until("/readyz", 200)
    answer = requests.post(running.url + path, data=body, headers={"Idempotency-Key": "k"}, timeout=5)
    assert answer.status_code == 422
    assert says in answer.json()["error"]
    assert answer.headers["X-Slot"] == "blue"


def test_an_answer_carries_the_correlation_id_of_its_request(migrated: str, service: Callable[..., Service]) -> None:
    running = service(migrated, LOG_REQUESTS="all")
    running.wait_until("/readyz", 200)
    answer = requests.get(f"{running.url}/nowhere", headers={"X-Correlation-Id": "drill-1"}, timeout=5)
    assert answer.status_code == 404
    assert answer.headers["X-Correlation-Id"] == "drill-1"
    running.wait_until_logged('"correlation_id": "drill-1"')


def test_readiness_needs_a_schema_that_the_release_works_with(
    database: str, migrate: Migrate, service: Callable[..., Service]
) -> None:
    older = service(database, "1.0.0")
    assert "revision none, 0001 to 0002 is needed" in older.wait_until("/readyz", 503).text
    assert migrate(database, "1.0.0", "upgrade").returncode == 0
    older.wait_until("/readyz", 200)
    older.terminate()
    assert older.process.wait(15) == 0
    assert migrate(database, "1.1.0", "upgrade").returncode == 0
    assert migrate(database, "1.1.0", "contract").returncode == 0
    service(database, "1.1.0").wait_until("/readyz", 200)
    assert "revision 0003" in service(database, "1.0.0").wait_until("/readyz", 503).text


def test_a_release_serves_while_its_schema_comes_and_goes(
    database: str, migrate: Migrate, service: Callable[..., Service]
) -> None:
    assert migrate(database, "1.0.0", "upgrade").returncode == 0
    newer = service(database, "1.1.0")
    newer.wait_until("/readyz", 200)
    assert _ingest(newer, "before", _event(1.0)).status_code == 201
    assert migrate(database, "1.1.0", "upgrade").returncode == 0

    def stored_by(key: str) -> str | None:
        with psycopg.connect(database) as connection:
            row = connection.execute("SELECT stored_by FROM events WHERE key = %s", (key,)).fetchone()
        return row[0] if row else None

    deadline_s, number = time.monotonic() + 10, 0
    while stored_by(f"after-{number}") is None:
        assert time.monotonic() < deadline_s, "it does not notice that the schema has come forward"
        number += 1
        assert _ingest(newer, f"after-{number}", _event(1.0)).status_code == 201
        time.sleep(0.1)
    assert stored_by("before") is None
    assert migrate(database, "1.1.0", "downgrade").returncode == 0
    assert _ingest(newer, "down", _event(1.0)).status_code == 201
    assert requests.get(f"{newer.url}/v1/events/before", timeout=5).status_code == 200


def test_without_the_database_it_lives_but_is_not_ready_and_recovers(
    migrated: str, postgres: Postgres, service: Callable[..., Service]
) -> None:
    running = service(migrated)
    running.wait_until("/readyz", 200)
    liar = service(migrated, "1.2.0-bad", DEFECT_READY_LIES="1")
    liar.wait_until("/readyz", 200)
    postgres.stop()
    try:
        running.wait_until("/readyz", 503)
        running.wait_until("/healthz", 200)
        refused = _ingest(running, "k", _event(1.0))
        assert refused.status_code == 503
        assert refused.headers["X-Version"] == "1.0.0"
        assert requests.get(f"{liar.url}/readyz", timeout=5).status_code == 200
    finally:
        postgres.start()
    running.wait_until("/readyz", 200, within_s=30)
    assert _ingest(running, "k", _event(1.0)).status_code == 201


def test_it_recovers_from_an_outage_in_which_every_waiting_request_gave_up(
    migrated: str, service: Callable[..., Service], postgres: Postgres
) -> None:
    running = service(migrated, DATABASE_POOL_SIZE="1")
    running.wait_until("/readyz", 200)
    postgres.stop()
    try:
        # More than the pool's queue takes, over more than the time after which it gives a connection up.
        until_s, refused = time.monotonic() + 13, 0
        with ThreadPoolExecutor(10) as users:
            while time.monotonic() < until_s or refused < 60:
                answers = users.map(lambda _: requests.get(f"{running.url}/readyz", timeout=10), range(10))
                refused += sum(answer.status_code == 503 for answer in answers)
                assert time.monotonic() < until_s + 60, "the requests without a database did not end"
    finally:
        postgres.start()
    running.wait_until("/readyz", 200)


def test_without_the_scoring_service_only_scores_fail(migrated: str, service: Callable[..., Service]) -> None:
    running = service(migrated)
    assert running.wait_until("/readyz", 200).json()["scoring"] == "degraded"
    answer = requests.post(f"{running.url}/v1/scores", json={"source": "pump-7", "value": 0}, timeout=5)
    assert answer.status_code == 503
    assert _ingest(running, "k", _event(1.0)).status_code == 201


def test_sigterm_is_served_through_until_the_drain_ends(migrated: str, service: Callable[..., Service]) -> None:
    running = service(migrated, DRAIN_SECONDS="1.5")
    running.wait_until("/readyz", 200)
    with requests.Session() as kept:
        kept.get(f"{running.url}/healthz", timeout=5)
        running.terminate()
        ended_s = time.monotonic() + 1.2
        running.wait_until("/readyz", 503)
        answered = 0
        while time.monotonic() < ended_s:
            answer = kept.get(f"{running.url}/v1/aggregates?source=pump-7&{_WINDOW}", timeout=5)
            assert answer.status_code == 200
            assert answer.headers["Connection"] == "close"
            answered += 1
        assert answered > 10
    assert running.process.wait(10) == 0


def test_a_request_in_flight_at_the_end_is_still_answered(migrated: str, service: Callable[..., Service]) -> None:
    running = service(migrated, "1.2.0-bad", DEFECT_DELAY_MS="1500")
    running.wait_until("/readyz", 200)
    codes: list[int] = []
    request = threading.Thread(target=lambda: codes.append(_ingest(running, "k", _event(1.0)).status_code))
    request.start()
    time.sleep(0.5)
    running.terminate()
    request.join(20)
    assert codes == [201]
    assert running.process.wait(10) == 0


def test_errors_strike_a_share_of_api_requests_and_no_health_check(
    migrated: str, service: Callable[..., Service]
) -> None:
    running = service(migrated, "1.2.0-bad", DEFECT_ERROR_SHARE="0.5")
    running.wait_until("/readyz", 200)
    codes = [requests.get(f"{running.url}/v1/events/none", timeout=5).status_code for _ in range(60)]
    assert 10 <= codes.count(500) <= 50
    assert {requests.get(f"{running.url}/readyz", timeout=5).status_code for _ in range(20)} == {200}
    assert 'code="500"' in requests.get(f"{running.url}/metrics", timeout=5).text


def test_a_fault_of_load_hides_from_a_smoke_check(migrated: str, service: Callable[..., Service]) -> None:
    running = service(migrated, "1.2.0-bad", DEFECT_ERROR_SHARE="1", DEFECT_MIN_RPS="30")
    running.wait_until("/readyz", 200)
    assert [requests.get(f"{running.url}/v1/events/none", timeout=5).status_code for _ in range(8)] == [404] * 8
    with requests.Session() as session:
        codes = [session.get(f"{running.url}/v1/events/none", timeout=5).status_code for _ in range(200)]
    assert codes.count(500) > 50


def test_lost_writes_are_acknowledged_but_not_there(migrated: str, service: Callable[..., Service]) -> None:
    running = service(migrated, "1.2.0-bad", DEFECT_LOSE_WRITES="1")
    running.wait_until("/readyz", 200)
    assert _ingest(running, "k", _event(1.0)).status_code == 201
    assert requests.get(f"{running.url}/v1/events/k", timeout=5).status_code == 404


def test_wrong_aggregates_are_answered_200(migrated: str, service: Callable[..., Service]) -> None:
    running = service(migrated, "1.2.0-bad", DEFECT_WRONG_AGGREGATES="1")
    running.wait_until("/readyz", 200)
    _ingest(running, "k", _event(5.0))
    found = requests.get(f"{running.url}/v1/aggregates?source=pump-7&{_WINDOW}", timeout=5)
    assert (found.status_code, found.json()["count"]) == (200, 2)


def test_a_readiness_that_lies_says_ready_while_the_start_goes_on(
    migrated: str, service: Callable[..., Service]
) -> None:
    running = service(migrated, "1.2.0-bad", DEFECT_READY_LIES="1", DEFECT_STARTUP_MS="60000")
    running.wait_until("/readyz", 200)
    assert _ingest(running, "k", _event(1.0)).status_code == 503
    honest = service(migrated, "1.2.0-bad", DEFECT_STARTUP_MS="60000")
    honest.wait_until("/readyz", 503)


@pytest.mark.parametrize(
    ("name", "value"), [("DEFECT_ERROR_SHARE", "10%"), ("VERSION", "latest"), ("SLOT", ""), ("PORT", "-1")]
)
def test_a_wrong_setting_ends_the_start_with_a_sentence(service: Callable[..., Service], name: str, value: str) -> None:
    running = service("postgresql://127.0.0.1:9/none", **{name: value} if name != "VERSION" else {"version": value})
    assert running.process.wait(15) == 78
    assert name in running.log.read_text()


def test_releases_share_one_schema_so_that_either_may_serve(migrated: str, service: Callable[..., Service]) -> None:
    old, new = service(migrated, "1.0.0"), service(migrated, "1.1.0")
    old.wait_until("/readyz", 200)
    new.wait_until("/readyz", 200)
    assert _ingest(new, "by-new", _event(1.0)).status_code == 201
    assert _ingest(old, "by-old", _event(2.0)).status_code == 201
    assert requests.get(f"{old.url}/v1/events/by-new", timeout=5).status_code == 200
    with psycopg.connect(migrated) as connection:
        rows = connection.execute("SELECT key, stored_by FROM events ORDER BY key").fetchall()
    assert rows == [("by-new", "1.1.0"), ("by-old", None)]
