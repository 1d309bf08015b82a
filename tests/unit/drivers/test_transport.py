"""A failed request is told in words, whichever library wrapped it."""

from __future__ import annotations

import socket

import pytest
import requests
import urllib3

from drillbook.drivers.bounds import TooLarge
from drillbook.drivers.transport import reason


def failed(ask, url) -> Exception:
    with pytest.raises((requests.RequestException, urllib3.exceptions.HTTPError)) as raised:
        ask(url)
    return raised.value


def by_urllib3(url):
    with urllib3.PoolManager(retries=urllib3.Retry(total=0)) as pool:
        pool.request("GET", url, timeout=0.05)


def by_requests(url):
    with requests.Session() as session:
        session.get(url, timeout=0.05)


@pytest.fixture(params=[by_urllib3, by_requests])
def ask(request):
    return request.param


def test_nothing_listens(ask):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        assert reason(failed(ask, url)) == "nothing listens there"


def test_silence(ask):
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert reason(failed(ask, url)) == "no whole answer came in time"


def test_a_name_that_is_none(ask, monkeypatch):
    def no_such_name(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_such_name)
    assert reason(failed(ask, "http://cluster.invalid")) == "its name cannot be resolved"


def test_a_broken_answer():
    lost = urllib3.exceptions.ProtocolError("Connection aborted.", ConnectionResetError(104, "reset"))
    assert reason(requests.ConnectionError(lost)) == "it broke off its answer"


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (urllib3.exceptions.SSLError("self-signed certificate"), "not accepted: self-signed certificate"),
        (requests.RequestException("the answer is larger than 9 bytes"), "the answer is larger than 9 bytes"),
        (
            urllib3.exceptions.ProtocolError("Connection broken", TooLarge("the answer is larger than 9 bytes")),
            "the answer is larger than 9 bytes",
        ),
        (OSError(101, "Network is unreachable"), "Network is unreachable"),
        (urllib3.exceptions.HTTPError(), "HTTPError"),
    ],
)
def test_other_causes_speak_for_themselves(error, says):
    assert reason(error).endswith(says)
