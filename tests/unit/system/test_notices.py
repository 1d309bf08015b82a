"""The receiver of notices: keeps what it is told by whoever knows a hook, and says what it has."""

from __future__ import annotations

import importlib.util
import threading
from pathlib import Path

import pytest
import requests

from drillbook.drivers import received
from drillbook.drivers.webhook import Webhook
from drillbook.ports import Unreachable

SOURCE = Path(__file__).resolve().parents[3] / "system" / "notices" / "receiver.py"


@pytest.fixture
def receiver(tmp_path):
    spec = importlib.util.spec_from_file_location("receiver", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    server = module.Receiver(("127.0.0.1", 0), {"secret": "incident"}, tmp_path / "messages.jsonl")
    serving = threading.Thread(target=server.serve_forever, args=(0.01,))
    serving.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    serving.join()
    server.server_close()


def test_what_is_told_is_kept(receiver, tmp_path) -> None:
    assert received.texts(f"{receiver}/messages") == frozenset()
    Webhook(f"{receiver}/hooks/secret").send("the database is fenced")
    assert received.texts(f"{receiver}/messages") == {"the database is fenced"}
    assert '"channel": "incident"' in (tmp_path / "messages.jsonl").read_text()


def test_who_knows_no_hook_tells_nothing(receiver) -> None:
    with pytest.raises(Unreachable, match="it answered 404"):
        Webhook(f"{receiver}/hooks/guessed").send("nonsense")
    assert received.texts(f"{receiver}/messages") == frozenset()


@pytest.mark.parametrize(("body", "status"), [(b"{", 400), (b'{"text": 1}', 400), (b"[]", 400), (b"x" * 70_000, 413)])
def test_what_is_no_message_is_refused(receiver, body, status) -> None:
    assert requests.post(f"{receiver}/hooks/secret", data=body, timeout=5).status_code == status
    assert received.texts(f"{receiver}/messages") == frozenset()


@pytest.mark.parametrize(("path", "words"), [("/elsewhere", "404"), ("/hooks/secret", "404")])
def test_a_page_that_does_not_list_what_arrived_is_no_answer(receiver, path, words) -> None:
    with pytest.raises(Unreachable, match=words):
        received.texts(f"{receiver}{path}")
