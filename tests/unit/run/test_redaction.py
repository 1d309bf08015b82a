from __future__ import annotations

import base64
import io
import json
import sys
from urllib.parse import quote

import pytest
from ruamel.yaml import YAML

from drillbook.domain.redaction import REDACTED, Redactor
from drillbook.run import redaction, secrets_in
from drillbook.run.folder import append_line, write_json

SECRET = "Zx9/planted+secret=&<7>"  # noqa: S105 - planted
LONG = "eyJhbGciOiJSUzI1NiJ9." + "".join(f"{number:x}Qq" for number in range(300))


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    monkeypatch.setenv(redaction.SOURCE_VARIABLE, "")
    redaction.forget()
    yield
    redaction.forget()


@pytest.mark.parametrize(
    "shown",
    [
        SECRET,
        quote(SECRET, safe=""),
        json.dumps(SECRET),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
        base64.b64encode(b"user:" + SECRET.encode()).decode(),
        base64.b64encode(b"ab" + SECRET.encode() + b"more").decode(),
        "&lt;".join(SECRET.replace("&", "&amp;").split("<")).replace(">", "&gt;"),
    ],
    ids=["plain", "url", "json", "base64", "base64url", "basic", "inside base64", "html"],
)
def test_a_secret_is_found_however_it_is_written(shown):
    found = Redactor([SECRET]).text(f"before {shown} after")
    assert REDACTED in found
    assert found.startswith("before ")
    assert found.endswith(" after")
    assert "planted" not in found
    assert base64.b64encode(SECRET.encode()).decode()[4:20] not in found


def test_what_is_left_of_a_long_secret_that_was_cut_off_is_taken_out():
    found = Redactor([LONG]).text(f"refused: {LONG[:200]}")
    assert len(found) < len("refused: ") + len(REDACTED) + 16


def test_every_line_of_a_key_is_a_secret():
    key = "-----BEGIN PRIVATE KEY-----\n" + "\n".join(c * 64 for c in "AB") + "\n-----END PRIVATE KEY-----\n"
    assert "B" * 64 not in Redactor([key]).text(f"line 2 is {'B' * 64}")


def test_short_values_stay_and_a_url_never_shows_who_asks():
    redactor = Redactor(["true", "blue"])
    assert redactor.text("blue is true") == "blue is true"
    assert redactor.text("http://me:pw@host/path and a@b.example") == f"http://{REDACTED}@host/path and a@b.example"


def test_a_document_is_redacted_in_keys_and_values():
    assert Redactor([SECRET]).document({SECRET: [SECRET, 1, None, (SECRET, True)]}) == {
        REDACTED: [REDACTED, 1, None, [REDACTED, True]]
    }


def test_variables_are_secrets_by_their_names(monkeypatch, tmp_path):
    file = tmp_path / "password"
    file.write_text("from-a-file-0815\n")
    monkeypatch.setenv("MY_API_TOKEN", "token-of-mine-4711")
    monkeypatch.setenv("DATABASE_PASSWORD_FILE", str(file))
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:in-a-url-99@host/base")
    monkeypatch.setenv("SSH_KEY", "/home/me/.ssh/id")
    monkeypatch.setenv("COLOUR", "ultramarine")
    said = "token-of-mine-4711 from-a-file-0815 in-a-url-99 /home/me/.ssh/id ultramarine"
    assert redaction.text(said) == f"{REDACTED} {REDACTED} {REDACTED} /home/me/.ssh/id ultramarine"


def environment_file(tmp_path):
    kubeconfig = {
        "users": [
            {"user": {"token": "bearer-token-1", "password": "basic-password-2", "tokenFile": "token"}},
            {"user": {"client-key-data": base64.b64encode(b"private-key-data-3").decode(), "client-key": "key.pem"}},
            {"user": {"exec": {"env": [{"name": "CLOUD_SECRET", "value": "exec-secret-4"}]}}},
            "nonsense",
        ]
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(kubeconfig))
    (tmp_path / "token").write_text("token-in-a-file-5\n")
    (tmp_path / "key.pem").write_text("key-in-a-file-6\n")
    (tmp_path / "values.yaml").write_text(
        "database: {secret: analytics-database, password: values-password-7}\nurl: amqp://u:amqp-password-8@h\n"
    )
    path = tmp_path / "sample.yaml"
    content = {
        "name": "sample",
        "regions": {"here": {"kubeconfig": "kubeconfig"}},
        "releases": {"values": ["values.yaml", "missing.yaml"], "namespace": "public-words"},
        "metrics": {"url": "https://asker:url-password-9@prometheus.example"},
    }
    path.write_text(json.dumps(content))
    return path, content


SECRETS = (
    "bearer-token-1 basic-password-2 private-key-data-3 exec-secret-4 token-in-a-file-5 key-in-a-file-6 "
    "values-password-7 amqp-password-8 url-password-9"
)


def test_an_environment_file_tells_its_secrets_and_those_of_what_it_names(tmp_path, monkeypatch):
    monkeypatch.setenv("SOME_SECRET", "public-words")
    path, content = environment_file(tmp_path)
    redaction.learn_environment_file(path, content)
    assert redaction.text(SECRETS) == " ".join([REDACTED] * 9)
    assert redaction.text("analytics-database in public-words") == "analytics-database in public-words"


def test_a_process_that_is_started_learns_the_same(tmp_path):
    path, content = environment_file(tmp_path)
    redaction.learn_environment_file(path, content)
    redaction.forget()
    assert redaction.text("bearer-token-1") == "bearer-token-1"
    redaction.learn_inherited()
    assert redaction.text("bearer-token-1") == REDACTED


@pytest.mark.parametrize(
    "content", [None, [], "text", {"regions": []}, {"regions": {"a": 1}, "releases": {"values": 3}}]
)
def test_an_environment_file_of_any_shape_is_no_error(tmp_path, content):
    redaction.learn_environment_file(tmp_path / "strange.yaml", content)


def test_what_is_written_to_a_run_has_no_secret(tmp_path):
    redaction.learn([SECRET])
    write_json(tmp_path / "a.json", {"error": f"said {SECRET}", "path": tmp_path})
    append_line(tmp_path / "b.jsonl", {"data": {"deep": [SECRET]}})
    for path in (tmp_path / "a.json", tmp_path / "b.jsonl"):
        assert "planted" not in path.read_text()
        assert REDACTED in path.read_text()
        json.loads(path.read_text())


def test_a_stream_redacts_what_comes_in_pieces():
    redaction.learn([SECRET])
    behind = io.StringIO()
    stream = redaction.Redacting(behind)
    print("it is", SECRET[:9], end="", file=stream)
    print(SECRET[9:], "indeed", file=stream)
    stream.write("no line end")
    stream.flush()
    assert behind.getvalue() == f"it is {REDACTED} indeed\nno line end"


def test_streams_are_guarded_once(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    redaction.learn([SECRET])
    redaction.guard_streams()
    redaction.guard_streams()
    sys.stdout.write(f"{SECRET}\n")
    assert out.getvalue() == f"{REDACTED}\n"


def test_the_values_of_the_reference_platform_hold_no_secret_by_name():
    values = "database: {secret: analytics-database, key: url}"
    assert list(secrets_in.of_values(YAML(typ="safe").load(values))) == []
