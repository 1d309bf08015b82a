from __future__ import annotations

import socket
import threading
import time
from collections import Counter

import dns.message
import dns.rcode
import dns.rrset
import pytest

from drillbook.domain.traffic import Connection
from probes import downtime
from tests.integration.load.loads import stopped, whole_window


class Nameserver(threading.Thread):
    """Answers every question with 127.0.0.1, fails, or is silent."""

    def __init__(self, ttl_s):
        super().__init__(daemon=True)
        self.mode = "answer"
        self.asked = 0
        self._ttl_s = ttl_s
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1#{self._socket.getsockname()[1]}"

    def run(self):
        while True:
            data, peer = self._socket.recvfrom(2048)
            if not data:
                self._socket.close()
                return
            self.asked += 1
            query = dns.message.from_wire(data)
            reply = dns.message.make_response(query)
            if self.mode == "silent":
                continue
            if self.mode == "fail":
                reply.set_rcode(dns.rcode.NXDOMAIN)
            else:
                reply.answer.append(dns.rrset.from_text(query.question[0].name, self._ttl_s, "IN", "A", "127.0.0.1"))
            self._socket.sendto(reply.to_wire(), peer)

    def end(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"", self._socket.getsockname())
        self.join(5)


@pytest.fixture
def nameserver(request):
    server = Nameserver(request.param)
    server.start()
    yield server
    server.end()


def started(stub, load, nameserver):
    return load(f"http://system.test:{stub.port}", nameservers=[nameserver.address])


@pytest.mark.parametrize("nameserver", [1], indirect=True)
def test_an_answer_is_used_for_its_ttl_and_no_longer(stub, load, nameserver):
    running = started(stub, load, nameserver)
    running.wait_for("running")
    time.sleep(2.5)
    asked = nameserver.asked
    stopped(running)
    # Seed, meter and read-back have a client each.
    assert 3 <= asked <= 6


@pytest.mark.parametrize("nameserver", [0], indirect=True)
def test_names_that_fail_are_an_outage_of_new_connections_only(stub, load, nameserver):
    running = started(stub, load, nameserver)
    running.wait_for("running")
    time.sleep(0.5)
    nameserver.mode = "fail"
    time.sleep(0.6)
    nameserver.mode = "silent"
    time.sleep(0.3)
    nameserver.mode = "answer"
    time.sleep(1.5)
    stopped(running)
    window = whole_window(running.drill_dir)
    new = downtime.downtime(running.drill_dir, window, Connection.NEW).interval
    reused = downtime.downtime(running.drill_dir, window, Connection.REUSED).interval
    assert 0.4 < new.low < new.high < 2.5
    assert reused.low == 0
    seen = Counter(row["outcome"] for row in running.rows() if row["connection"] == "new")
    assert seen["dns"] > 10
    assert set(seen) <= {"ok", "dns", "timeout"}
    assert any("NXDOMAIN" in row["error"] for row in running.rows())
