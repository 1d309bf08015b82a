"""People are told, the secret URL stays one, and nothing that goes wrong about it changes a verdict."""

from __future__ import annotations

import gzip
import json
import os
import threading
import time

import pytest
from typer.testing import CliRunner

from drillbook import cli
from drillbook.afterwards import notify
from drillbook.domain.news import News, for_gitlab, for_slack
from drillbook.domain.verdict import Verdict
from drillbook.drivers.merge_request import MergeRequest
from drillbook.drivers.webhook import Webhook
from drillbook.ports import Unreachable
from drillbook.run import drills_process, redaction

PATH = "/services/T00000000/B00000000/xoxbVerySecretIndeed"
TOKEN = "glpat-VerySecretIndeed"  # noqa: S105
BAD = News(
    "20261123T081500Z-staging-0a1b", "staging", Verdict.FAIL, {Verdict.PASS: 2, Verdict.FAIL: 1},
    ("Cutover: 12 requests failed",), "https://gitlab.example.com/p/-/pipelines/7",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _forgets():
    yield
    redaction.forget()


@pytest.fixture
def hook(server):
    return {"DRILLBOOK_WEBHOOK": f"{server.url}{PATH}"}


@pytest.fixture
def merge_request(server):
    pytest.importorskip("gitlab", reason="python-gitlab is not installed")
    server.says(201, {"id": 1, "body": ""})
    return {
        "DRILLBOOK_GITLAB_TOKEN": TOKEN, "CI_SERVER_URL": server.url, "CI_PROJECT_ID": "42",
        "CI_MERGE_REQUEST_IID": "7",
    }  # fmt: skip


@pytest.fixture
def run(tmp_path):
    """A run that failed in one of two drills."""
    folder = tmp_path / "runs" / BAD.run_id
    document = {"run_id": BAD.run_id, "verdict": "FAIL", "exit_code": 1, "environment": {"name": "staging"}}
    for number, (verdict, error) in enumerate([("PASS", None), ("FAIL", "FAIL: 12 requests failed\nand more")]):
        drill = folder / "drills" / f"drill-{number}"
        drill.mkdir(parents=True)
        told = {"id": drill.name, "scenario": f"Cutover {number}", "verdict": verdict, "error": error}
        (drill / "drill.json").write_text(json.dumps(told))
    (folder / "run.json").write_text(json.dumps({**document, "requested": ["Cutover 0", "Cutover 1", "Rollback"]}))
    return folder


def test_a_run_is_told_with_its_verdict_its_reasons_and_its_link(run) -> None:
    news = notify.news_of(run, link=BAD.link)
    assert (news.verdict, news.environment, news.counts) == (
        Verdict.FAIL,
        "staging",
        {Verdict.PASS: 1, Verdict.FAIL: 1},
    )
    assert news.reasons == ("Cutover 1: FAIL: 12 requests failed", "Rollback: asked for, and left no record")
    assert for_slack(news).splitlines() == [
        f"\N{CROSS MARK} *FAIL: staging, {BAD.run_id}*", "drills: 1 PASS, 1 FAIL",
        "\N{BULLET} Cutover 1: FAIL: 12 requests failed", "\N{BULLET} Rollback: asked for, and left no record",
        f"<{BAD.link}|Report>",
    ]  # fmt: skip


def test_a_run_that_is_not_there_is_news_as_well(tmp_path) -> None:
    assert "no verdict: staging, no run that left anything" in for_slack(notify.news_of(None, environment="staging"))
    assert notify.news_of(tmp_path / "nowhere").verdict is None


HOSTILE = "<!channel> & @all\n/merge\n`` ` ](javascript:1) <img src=x> *x* \x1b[2J"


def test_what_a_run_says_can_neither_call_everybody_nor_command_a_server() -> None:
    news = News("run", "env", Verdict.FAIL, {}, (HOSTILE,) * 7, "javascript:alert(1)")
    slack, gitlab = for_slack(news), for_gitlab(news)
    assert "<" not in slack
    assert "*x*" not in slack
    assert not any(line.lstrip("- ").startswith("/") for line in (slack + gitlab).splitlines())
    reasons = [line for line in gitlab.splitlines() if line.startswith("- ")]
    assert all(line.startswith("- ``` ") and line.endswith(" ```") for line in reasons[:-1])
    assert "javascript:alert" not in slack + gitlab
    assert "\x1b" not in slack + gitlab
    assert reasons[-1] == "- ` and 2 more, which the report has `"
    assert len(for_slack(News("run", "env", None, {}, ("x" * 100_000,)))) < 500


def test_a_webhook_gets_what_slack_expects(server, hook) -> None:
    told = notify.tell(BAD, hook)
    assert told.receivers == ("webhook at 127.0.0.1",)
    [asked] = server.asked
    assert (asked.method, asked.path, asked.json) == ("POST", PATH, {"text": for_slack(BAD)})


def test_its_url_may_lie_in_a_file(server, tmp_path) -> None:
    path = tmp_path / "url"
    path.write_text(f"{server.url}{PATH}\n")
    assert notify.tell(BAD, {"DRILLBOOK_WEBHOOK_FILE": str(path)}).receivers
    assert "cannot be read" in notify.tell(BAD, {"DRILLBOOK_WEBHOOK_FILE": "/nowhere"}).failures[0]


def test_a_merge_request_gets_a_comment(server, merge_request) -> None:
    told = notify.tell(BAD, merge_request)
    assert (told.receivers, told.failures) == (("merge request !7",), ())
    [asked] = server.asked
    assert (asked.method, asked.path) == ("POST", "/api/v4/projects/42/merge_requests/7/notes")
    assert asked.json == {"body": for_gitlab(BAD)}
    assert asked.headers["private-token"] == TOKEN


def test_where_there_is_no_merge_request_nobody_is_told_of_one(merge_request) -> None:
    assert notify.tell(BAD, {**merge_request, "CI_MERGE_REQUEST_IID": ""}) == notify.Told((), ())


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((500, {}, f"cannot write to {PATH}".encode()), "it answered 500"),
        ((302, {"Location": "http://127.0.0.1:9/elsewhere"}, b""), "it answered 302"),
        ((200, {"Content-Encoding": "gzip"}, gzip.compress(b"\0" * 100_000)), "was not told"),
        ((200, {}, b"x" * 2_000_000), "was not told"),
    ],
)
def test_an_answer_that_is_none_is_said_without_the_secret(server, hook, answer, says) -> None:
    server.answer = lambda _: answer
    told = notify.tell(BAD, hook)
    assert says in told.failures[0]
    assert "Secret" not in str(told)
    assert len(server.asked) == 1, "it is neither tried again nor led elsewhere"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((403, {}, b'{"message": "403 Forbidden"}'), "GitLab answered 403"),
        ((429, {"Retry-After": "3600"}, b""), "GitLab answered 429"),
        ((201, {}, b"no JSON"), "was not told"),
        ((201, {}, b"x" * 2_000_000), "was not told"),
    ],
)
def test_a_comment_that_gitlab_does_not_take_is_said(server, merge_request, answer, says) -> None:
    server.answer = lambda _: answer
    began = time.monotonic()
    told = notify.tell(BAD, merge_request)
    assert says in told.failures[0], told
    assert TOKEN not in str(told)
    assert time.monotonic() - began < 5, "an hour is not waited because a server says so"


def test_a_server_that_never_ends_its_answer_is_left(server) -> None:
    over = threading.Event()

    def late(_asked):
        over.wait(5)
        return 200, {}, b""

    server.answer = late
    began = time.monotonic()
    with pytest.raises(Unreachable, match="no whole answer came in time"):
        Webhook(f"{server.url}{PATH}", within_s=0.1).send("text")
    assert time.monotonic() - began < 2
    over.set()


@pytest.mark.parametrize("url", ["ftp://example.com/x", "https:///nobody", "nonsense", "http://[::1"])
def test_what_is_no_url_is_said_without_it(url) -> None:
    [said] = notify.tell(BAD, {"DRILLBOOK_WEBHOOK": url}).failures
    assert "begins with https://" in said
    assert url not in said


def test_a_merge_request_has_a_number() -> None:
    with pytest.raises(Unreachable, match="no merge request's number"):
        MergeRequest("http://127.0.0.1:9", "42", "7/../8", TOKEN)


def test_the_command_ends_with_0_whether_or_not_anybody_was_told(run, server, hook, monkeypatch) -> None:
    monkeypatch.setenv("DRILLBOOK_WEBHOOK", hook["DRILLBOOK_WEBHOOK"])
    monkeypatch.delenv("DRILLBOOK_GITLAB_TOKEN", raising=False)
    told = CliRunner().invoke(cli.app, ["notify", "latest", "--runs", str(run.parent)])
    assert (told.exit_code, told.stdout) == (0, "told: webhook at 127.0.0.1\n")
    assert BAD.run_id in server.asked[0].json["text"]
    nothing = ["notify", "latest", "--runs", str(run / "none"), "--environment", "environments/staging.yaml"]
    assert CliRunner().invoke(cli.app, nothing).exit_code == 0
    assert "no verdict: staging, no run that left anything" in server.asked[1].json["text"]
    monkeypatch.setenv("DRILLBOOK_WEBHOOK", f"http://127.0.0.1:9{PATH}")
    untold = CliRunner().invoke(cli.app, ["notify", str(run)])
    assert untold.exit_code == 0
    assert "nothing listens there" in untold.stderr
    assert "Secret" not in untold.output + untold.stderr
    monkeypatch.delenv("DRILLBOOK_WEBHOOK")
    assert "nobody is to be told" in CliRunner().invoke(cli.app, ["notify", str(run)]).stderr


def test_whatever_hangs_is_not_waited_for(run, server, hook) -> None:
    over = threading.Event()
    server.answer = lambda _: (over.wait(5) and 200, {}, b"")
    began = time.monotonic()
    told = notify.tell_of(run, hook, within_s=0.1)
    assert time.monotonic() - began < 1
    assert told == notify.Told((), ("nobody knows who was told: it did not end within 0.1 s",))
    over.set()


def test_what_breaks_before_anybody_is_asked_is_said(run, hook, monkeypatch) -> None:
    def broken(*_arguments, **_options):
        raise MemoryError("no room")

    monkeypatch.setattr(notify, "news_of", broken)
    assert notify.tell_of(run, hook).failures == ("nobody was told: MemoryError: no room",)


def test_a_record_that_the_runs_end_contradicts_is_not_repeated_as_its_verdict(run, server, hook) -> None:
    assert notify.tell_of(run, hook, exit_code=1).receivers
    assert "*FAIL: staging" in server.asked[-1].json["text"]
    assert notify.tell_of(run, hook, exit_code=75).receivers
    text = server.asked[-1].json["text"]
    assert "*no verdict: staging" in text
    assert "record says FAIL, and the drills ended with exit code 75" in text


@pytest.fixture
def verify(run, monkeypatch):
    """`drillbook verify --notify` whose drills end with a code, and with or without a folder."""

    def call(code, *, begun=True):
        def drills(_command, _folder, pipe):
            if begun:
                os.write(pipe.write_end, os.fsencode(run))
            return code

        document = json.loads((run / "run.json").read_text())
        verdict = next((known for known in Verdict if known.exit_code == code), None)
        (run / "run.json").write_text(json.dumps({**document, "verdict": verdict and str(verdict), "exit_code": code}))
        monkeypatch.setattr(drills_process, "run", drills)
        return CliRunner().invoke(cli.app, ["verify", "--notify"], catch_exceptions=False)

    monkeypatch.delenv("DRILLBOOK_GITLAB_TOKEN", raising=False)
    return call


CODES = [(0, "PASS"), (1, "FAIL"), (75, "INCONCLUSIVE")]


@pytest.mark.parametrize(("code", "verdict"), CODES)
@pytest.mark.parametrize("receiver", ["takes it", "answers 500", "hangs", "is away", "is none"])
def test_a_verdict_stays_what_it_is_whatever_becomes_of_telling(
    verify, server, hook, monkeypatch, *, code, verdict, receiver
) -> None:
    over = threading.Event()
    url = {"is away": f"http://127.0.0.1:9{PATH}", "is none": "nonsense"}.get(receiver, hook["DRILLBOOK_WEBHOOK"])
    monkeypatch.setenv("DRILLBOOK_WEBHOOK", url)
    if receiver == "answers 500":
        server.says(500, {})
    if receiver == "hangs":
        server.answer = lambda _: (over.wait(5) and 200, {}, b"")
        monkeypatch.setattr(notify, "_webhook", lambda _: Webhook(url, within_s=0.05))
    done = verify(code)
    over.set()
    assert done.exit_code == code
    if receiver == "takes it":
        assert done.stdout.endswith("told: webhook at 127.0.0.1\n")
        assert f"*{verdict}: staging, {BAD.run_id}*" in server.asked[0].json["text"]
    else:
        assert "was not told" in done.stderr or "begins with https://" in done.stderr
        assert "Secret" not in done.output + done.stderr


@pytest.mark.parametrize("code", [2, 75])
def test_drills_that_were_refused_are_told_as_no_run(verify, server, hook, monkeypatch, code) -> None:
    monkeypatch.setenv("DRILLBOOK_WEBHOOK", hook["DRILLBOOK_WEBHOOK"])
    assert verify(4 if code == 2 else code, begun=False).exit_code == code
    assert "no verdict: twin, no run that left anything" in server.asked[0].json["text"]


def test_nobody_is_told_who_was_not_asked_for(verify, server, hook, monkeypatch) -> None:
    monkeypatch.setenv("DRILLBOOK_WEBHOOK", hook["DRILLBOOK_WEBHOOK"])
    assert verify(0).exit_code == 0
    assert len(server.asked) == 1
    assert CliRunner().invoke(cli.app, ["verify"], catch_exceptions=False).exit_code == 0
    assert len(server.asked) == 1
