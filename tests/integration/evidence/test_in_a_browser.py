"""The report in a real browser: it asks for nothing, complains of nothing, and fits a phone."""

import html
import re
import subprocess

import pytest
import staged
from browser import CHROMIUM, PAPER, PHONE, QUIET, View

OWN = re.compile(r"https?://([a-z0-9-]+\.)*google(apis)?\.com/")
"""What Chromium asks for itself, whatever page it shows; nothing of it is resolved here."""

MEASURE = """<!DOCTYPE html><body><iframe id=page width={width} height=2000 srcdoc="{page}"></iframe><script>
onload = () => {{
  const root = document.getElementById("page").contentDocument.documentElement;
  document.body.dataset.needs = root.scrollWidth;
}};</script>"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: install the package chromium to run these")


def browse(profile, page, *options):
    command = [str(CHROMIUM), *QUIET, f"--user-data-dir={profile}", "--enable-logging=stderr", *options, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


def asked(net_log):
    urls = re.findall(r'"url":"((?:https?|wss?|ftp):[^"]*)"', net_log.read_text())
    return {url for url in urls if not OWN.match(url)}


@pytest.fixture
def page(tmp_path):
    return staged.write(tmp_path, staged.FAILED)


def test_it_asks_nothing_of_a_network_and_logs_nothing(tmp_path, page):
    net_log = tmp_path / "net.json"

    done = browse(tmp_path / "profile", page, f"--log-net-log={net_log}", "--dump-dom")

    assert "How to read this" in done.stdout
    assert "CONSOLE" not in done.stderr
    assert not asked(net_log)


def test_a_page_that_does_ask_and_complain_is_noticed(tmp_path):
    page = tmp_path / "bad.html"
    page.write_text('<img src="http://127.0.0.1:9/x.png"><script>console.error("seen")</script>')
    net_log = tmp_path / "net.json"

    done = browse(tmp_path / "profile", page, f"--log-net-log={net_log}", "--dump-dom")

    assert "CONSOLE" in done.stderr
    assert asked(net_log) == {"http://127.0.0.1:9/x.png"}


@pytest.mark.parametrize("width", [PHONE, 820, 1280])
def test_nothing_is_wider_than_the_screen(tmp_path, page, width):
    outer = tmp_path / "outer.html"
    outer.write_text(MEASURE.format(width=width, page=html.escape(page.read_text())))

    done = browse(tmp_path / "profile", outer, "--dump-dom")

    needs = re.search(r'data-needs="(\d+)"', done.stdout)
    assert needs is not None
    assert int(needs[1]) <= width


def test_it_prints(tmp_path, page):
    target = tmp_path / "report.pdf"

    browse(tmp_path / "profile", page, f"--print-to-pdf={target}")

    assert target.read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("name", [staged.FAILED, staged.TRACE, staged.HISTORY])
def test_paper_has_tables_as_tables_and_nothing_beyond_its_edge(browser, tmp_path, name):
    page = browser.open(staged.write(tmp_path, name))
    shown = "getComputedStyle(document.querySelector('.stacking tbody tr')).display"

    page.show(View(width=PHONE))
    assert page.evaluate(shown) == "block"

    page.show(View(width=PAPER, media="print"))
    assert page.evaluate(shown) == "table-row"
    assert page.evaluate("document.documentElement.scrollWidth") <= PAPER
