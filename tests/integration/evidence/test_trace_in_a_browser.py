"""The traceability page in a real browser, with a state of every kind on it."""

import html
import re

import pytest
import staged
from browser import CHROMIUM, PHONE
from test_in_a_browser import MEASURE, asked, browse

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: install the package chromium to run these")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return staged.write(tmp_path_factory.mktemp("page"), staged.TRACE)


def test_it_asks_nothing_of_a_network_and_logs_nothing(tmp_path, page):
    net_log = tmp_path / "net.json"

    done = browse(tmp_path / "profile", page, f"--log-net-log={net_log}", "--dump-dom")

    assert "Requirement by requirement" in done.stdout
    assert "CONSOLE" not in done.stderr
    assert not asked(net_log)


@pytest.mark.parametrize("width", [PHONE, 1280])
def test_nothing_is_wider_than_the_screen(tmp_path, page, width):
    outer = tmp_path / "outer.html"
    outer.write_text(MEASURE.format(width=width, page=html.escape(page.read_text())))

    done = browse(tmp_path / "profile", outer, "--dump-dom")

    needs = re.search(r'data-needs="(\d+)"', done.stdout)
    assert needs is not None
    assert int(needs[1]) <= width
