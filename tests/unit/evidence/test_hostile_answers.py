"""What servers answer, from the driver that heard it to the terminal and the report: shown, and doing nothing."""

from __future__ import annotations

import io
import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from sample import Sample

from drillbook.domain.traffic import Origin
from drillbook.drivers.http_client import HttpClient
from drillbook.drivers.kubernetes import KubernetesCluster, connect
from drillbook.drivers.prometheus import Prometheus
from drillbook.drivers.smoke import GatewaySmoke
from drillbook.evidence import report
from drillbook.ports import Unreachable
from drillbook.run.clock import SteadyClock
from drillbook.run.folder import RunFolder
from drillbook.run.timeline import Timeline
from drillbook.terminal import Live
from loadtests.analytics import AnalyticsWorkload

if TYPE_CHECKING:
    from collections.abc import Iterator

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\x1b]0;pwned\x07\x1b[2J\u202e../../etc/passwd"
RAW = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x9b\u202e]")
PODS = {
    "kind": "PodList", "apiVersion": "v1",
    "items": [{"metadata": {"name": HOSTILE}, "status": {"phase": "Running"}, "spec": {"containers": []}}],
}  # fmt: skip


@contextmanager
def answering(status: int, body: bytes, reason: str = "", **headers: str) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(404 if "deployments" in self.path and status == 200 else status, reason or None)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the library's name

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def cluster(url: str, tmp_path) -> KubernetesCluster:
    document = {
        "apiVersion": "v1", "kind": "Config", "current-context": "c", "users": [{"name": "u", "user": {"token": "t0"}}],
        "clusters": [{"name": "k", "cluster": {"server": url}}],
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
    }  # fmt: skip
    (tmp_path / "kubeconfig").write_text(json.dumps(document))
    return KubernetesCluster(connect(tmp_path / "kubeconfig"), "analytics")


def of_prometheus(tmp_path) -> str:
    with answering(400, json.dumps({"status": "error", "error": HOSTILE}).encode()) as url:
        with pytest.raises(Unreachable, match=r"127\.0\.0\.1") as refused:
            Prometheus(url, now=lambda: 0.0, queries=tmp_path / "queries").query("up")
        return str(refused.value)


def of_a_warning(tmp_path) -> str:
    body = {"status": "success", "warnings": [HOSTILE], "data": {"resultType": "vector", "result": []}}
    with answering(200, json.dumps(body).encode()) as url, pytest.raises(Unreachable) as refused:
        Prometheus(url, now=lambda: 0.0, queries=tmp_path / "queries").query("up")
    return str(refused.value)


def of_the_cluster(tmp_path) -> str:
    with answering(500, b"{}", reason=HOSTILE.encode().decode("latin-1")) as url:
        with pytest.raises(Unreachable) as refused:
            cluster(url, tmp_path).slot("blue")
        return str(refused.value)


def of_a_pods_name(tmp_path) -> str:
    with answering(200, json.dumps(PODS).encode()) as url:
        return f"slot blue has the pods {cluster(url, tmp_path).slot('blue').pods}, and {HOSTILE}"


def of_a_smoke_check(_tmp_path) -> str:
    with answering(503, HOSTILE.encode(), X_Version="1.0\x1b[31m", X_Slot="<b>") as url:
        client = HttpClient(url, lambda headers: Origin("", headers.get("x-slot", ""), headers.get("x-version", "")))
        smoke = GatewaySmoke(client, lambda prefix: AnalyticsWorkload(prefix, {}), "p", "X-Slot", ("/healthz",))
        found = smoke.run("blue", times=1)
    assert found.problems
    assert not any(RAW.search(problem) for problem in found.problems)
    return f"{found.problems} by {found.versions}"


HEARD = [of_prometheus, of_a_warning, of_the_cluster, of_a_pods_name, of_a_smoke_check]


@pytest.mark.parametrize("hear", HEARD, ids=lambda hear: hear.__name__)
def test_what_a_server_says_is_shown_and_does_nothing(hear, tmp_path):
    said = hear(tmp_path)
    assert hear is of_a_pods_name or not RAW.search(said), "it is printed where no report and no live output is"
    assert "script" in said or "\\x1b" in said
    run = Sample().write(tmp_path / "run")
    clock = SteadyClock.starting_now()
    Timeline(run / "timeline.jsonl", "", clock).record("observed", said, data_of_it=[said])

    shown = io.StringIO()
    live = Live(shown, 1)
    live.follow(run / "timeline.jsonl")
    live.close()
    live.drill_finished("FAIL", [said])
    live.say(said)
    assert "pwned" in shown.getvalue() or "x1b" in shown.getvalue()
    assert not RAW.search(shown.getvalue())

    page = report.render(run).read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert not RAW.search(page)
    for kept in (tmp_path / "queries").glob("*.json"):
        assert not RAW.search(kept.read_text(encoding="utf-8").replace("\u202e", "")), kept


@pytest.mark.parametrize(
    "name", ["../../../outside", "/etc/passwd", "..", "a/../../b", "\x00", "C:\\x", HOSTILE, "\u202e"]
)
def test_no_name_of_a_scenario_or_an_environment_climbs_out(name, tmp_path):
    run = RunFolder.create(tmp_path / "runs", name, 0.0)
    drill = run.drill(name)
    assert run.path.parent == tmp_path / "runs"
    assert drill.parent == run.path / "drills"
    assert re.fullmatch(r"[a-z0-9-]+", drill.name)
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]
