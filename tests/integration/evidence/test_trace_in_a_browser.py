"""The traceability page in a real browser, with a state of every kind on it."""

import html
import re
import sys
import time
from pathlib import Path

import pytest
from test_in_a_browser import CHROMIUM, MEASURE, PHONE, asked, browse

from drillbook.evidence import history, trace_report, tracing
from drillbook.evidence.requirements import catalogue
from drillbook.evidence.scenarios import Scenario

sys.path.insert(0, str(Path(__file__).parents[2] / "unit" / "evidence"))
import evidence_samples as samples

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: install the package chromium to run these")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    runs = folder / "runs"
    runs.mkdir()
    drills = [samples.cutover(), samples.rollback(), samples.undecided(), samples.broken(), samples.hostile()]
    samples.write(runs, drills)
    found = tracing.read_runs(runs)
    scenarios = [Scenario(d.scenario, "F", "f.feature", d.requirements) for run in found for d in run.drills]
    scenarios.append(Scenario("Never drilled", "F", "f.feature", ("DR-1.5",)))
    matrix = tracing.trace(
        catalogue(), scenarios, found, now_s=(found[0].finished_s or time.time()) + 60, max_age_days=1
    )
    assert len({row.state for row in matrix.rows}) >= 4
    return trace_report.render(folder / "traceability.html", matrix, history.of(found))


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
