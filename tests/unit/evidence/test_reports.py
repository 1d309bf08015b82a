"""What a report and its JUnit file say of runs that kept, broke, or did not decide their promises."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from sample import BROKEN, DRILL, KEPT, SCENARIO, UNDECIDED, Sample, check, event, way_back

from drillbook.domain.verdict import Verdict
from drillbook.evidence import folder, junit, report

if TYPE_CHECKING:
    from pathlib import Path

_VOID = frozenset({"meta", "link", "br", "hr", "img", "input", "col", "wbr"})


class Outline(HTMLParser):
    """Checks that every element is closed where it should be, and notes what matters to those who listen."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.seen if name == tag]


def html(run: Path) -> str:
    return report.render(run).read_text(encoding="utf-8")


def outline(page: str) -> Outline:
    found = Outline()
    found.feed(page)
    found.close()
    assert found.open == []
    return found


def suites(run: Path) -> ET.Element:
    return ET.fromstring(junit.render(run).read_bytes())  # noqa: S314 -- our own


@pytest.mark.parametrize(
    ("sample", "verdict"),
    [
        pytest.param(Sample(), Verdict.PASS, id="kept"),
        pytest.param(Sample(checks=(BROKEN, KEPT), failures=4), Verdict.FAIL, id="broken"),
        pytest.param(Sample(checks=(BROKEN, UNDECIDED)), Verdict.FAIL, id="broken-and-undecided"),
        pytest.param(Sample(checks=(UNDECIDED, KEPT)), Verdict.INCONCLUSIVE, id="undecided"),
        pytest.param(Sample(checks=()), Verdict.INCONCLUSIVE, id="nothing-judged"),
        pytest.param(Sample(error="the load ended early"), Verdict.INCONCLUSIVE, id="error"),
        pytest.param(Sample(error="x", drill={"verdict": "PASS"}), Verdict.INCONCLUSIVE, id="error-recorded-as-pass"),
        pytest.param(Sample(drill={"verdict": None}), Verdict.INCONCLUSIVE, id="drill-without-verdict"),
        pytest.param(Sample(run={"verdict": None}), Verdict.INCONCLUSIVE, id="run-without-verdict"),
        pytest.param(Sample(run={"exit_code": 75}), Verdict.INCONCLUSIVE, id="exit-code-that-contradicts"),
        pytest.param(Sample(undo="stuck"), Verdict.INCONCLUSIVE, id="not-put-back"),
    ],
)
def test_the_verdict_is_never_better_than_the_evidence(tmp_path, sample, verdict):
    run = sample.write(tmp_path)

    assert folder.read(run).verdict is verdict
    assert f"<title>{verdict}: " in html(run)


def test_a_pass_that_its_own_figures_contradict_is_a_failure(tmp_path):
    run = Sample(checks=(BROKEN,)).write(tmp_path)
    for name in ("checks.jsonl", "run.json", f"drills/{DRILL}/drill.json"):
        path = run / name
        path.write_text(path.read_text().replace('"FAIL"', '"PASS"').replace('"exit_code": 1', '"exit_code": 0'))

    assert folder.read(run).verdict is Verdict.FAIL
    assert "recorded as PASS" in html(run)
    assert suites(run).get("failures") == "1"


def test_the_same_folder_gives_the_same_bytes(tmp_path):
    run = Sample(checks=(BROKEN,), failures=4, events=way_back()).write(tmp_path)
    first = report.render(run).read_bytes(), junit.render(run).read_bytes()

    assert (report.render(run).read_bytes(), junit.render(run).read_bytes()) == first


def test_the_page_stands_on_its_own(tmp_path):
    page = html(Sample(failures=4).write(tmp_path))
    found = outline(page)

    assert not found.named("script")
    assert not found.named("img")
    assert not [name for _, attributes in found.seen for name in attributes if name.startswith("on")]
    assert [link["href"] for link in found.named("link")] == ["data:,"]
    assert "@import" not in page
    assert not re.findall(r"url\((?!['\"]?#)", page)
    assert all(not re.match(r"[a-z]+:|//|/", link["href"] or "") for link in found.named("a"))


def test_links_lead_to_files_that_are_there(tmp_path):
    run = Sample().write(tmp_path)
    page = html(run)
    ids = {attributes["id"] for _, attributes in outline(page).seen if "id" in attributes}

    for link in outline(page).named("a"):
        target = link["href"] or ""
        assert target[1:] in ids if target.startswith("#") else (run / target).is_file()


def test_the_page_can_be_heard(tmp_path):
    found = outline(html(Sample(checks=(BROKEN, KEPT, UNDECIDED), failures=4, events=way_back()).write(tmp_path)))

    assert found.named("html") == [{"lang": "en"}]
    assert all(len(found.named(landmark)) >= 1 for landmark in ("header", "main", "footer"))
    assert len(found.named("h1")) == 1
    assert all("scope" in header for header in found.named("th"))
    drawings = [svg for svg in found.named("svg") if svg.get("aria-hidden") != "true"]
    assert drawings
    assert all(svg.get("role") == "img" and svg.get("aria-label") for svg in drawings)
    levels = [int(tag[1]) for tag, _ in found.seen if re.fullmatch(r"h[1-6]", tag)]
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))


def test_ids_are_given_once(tmp_path):
    seen = outline(html(Sample(failures=4).write(tmp_path))).seen
    ids = [attributes["id"] for _, attributes in seen if "id" in attributes]

    assert sorted(ids) == sorted(set(ids))


def test_a_reader_finds_promise_measurement_events_undo_and_who(tmp_path):
    page = html(Sample(checks=(BROKEN,), failures=4, events=way_back()).write(tmp_path))

    for text in (
        SCENARIO, "DEP-2.3", "no request failed", "3 to 5 requests", "20 new connections were answered by green",
        "put back", "sum(http_requests_total{slot=&#34;green&#34;})", "ada", "bastion", "1.1.0", "switch-traffic",
        "requests.parquet",
    ):  # fmt: skip
        assert text in page, text


def test_a_way_back_is_told_in_stages(tmp_path):
    run = folder.read(Sample(checks=(BROKEN,), failures=4, events=way_back()).write(tmp_path))
    page = report.page(run)

    for stage in ("detect", "decide", "switch", "drained"):
        assert f">{stage}<" in page, stage


def recovered():
    """The notes of a recovery: well-formed ones, and two that say nothing."""
    layers = {"database": [11.5, 12.25], "dns": [0.0, 0.0], "elsewhere": [0.0, 0.5]}
    return (
        event(
            5, "note", "", activity="stages", connection="new", stages={"detect": [2.0, 2.5], "warm-up": [1.0, None]}
        ),
        event(5, "note", "", activity="layers", connection="new", layers=layers, not_probed=["pooler"]),
        event(5, "note", "", activity="layers", connection="new", layers={"database": [2.0, 1.0], "dns": "long"}),
        event(5, "note", "", activity="layers", layers=None),
    )


def test_a_recovery_is_told_by_stage_and_by_layer(tmp_path):
    found = folder.read(Sample(checks=(KEPT,), events=recovered()).write(tmp_path))
    page = report.page(found)
    words = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert "The recovery in its stages on new connections Part Took detect 2 to 2.5 s warm-up 1 s or more" in words
    assert "by the layer that it is put down to on new connections Part Took database 11.5 to 12.3 s" in words
    assert "explained by no layer 0 to 500 ms Not probed: pooler." in words
    assert words.count("by the layer that it is put down to") == 1


def test_each_verdict_has_its_place_in_junit(tmp_path):
    for name, judged, tag in (("kept", KEPT, None), ("broken", BROKEN, "failure"), ("open", UNDECIDED, "error")):
        case = suites(Sample(checks=(judged,)).write(tmp_path / name)).find(".//testcase")
        assert case is not None
        assert case.get("name") == SCENARIO
        assert {child.tag for child in case} & {"failure", "error"} == ({tag} if tag else set())


def test_junit_carries_measured_value_objective_and_bound(tmp_path):
    case = suites(Sample(checks=(BROKEN,)).write(tmp_path)).find(".//testcase")
    assert case is not None
    found = {each.get("name"): each.get("value") or "" for each in case.iter("property")}
    failure = case.find("failure")
    assert failure is not None

    assert found["release.failed_requests.measured"] == "3 to 5 requests"
    assert found["release.failed_requests.objective"].startswith("at_most 0")
    assert float(found["release.failed_requests.bound"]) in {3.0, 5.0}
    assert "3 to 5 requests" in (failure.get("message") or "")
    assert "at most 0 requests" in (failure.text or "")


def test_limits_and_bounds_without_an_end_are_told_in_words(tmp_path):
    endless = check(float("-inf"), float("inf"), float("inf"), unit="requests")
    run = Sample(checks=(endless, check(4, float("inf"), 2))).write(tmp_path)

    assert "4 requests or more" in html(run)
    assert "nan" not in html(run).lower().replace("name", "").replace("nano", "")
    assert suites(run).get("failures") == "1"


def test_a_drill_without_load_is_shown_by_its_events(tmp_path):
    run = Sample(events=(event(1_795_000_003.0, "decided", "stop here"),)).write(tmp_path)
    for path in (run / "drills" / DRILL / "load").iterdir():
        path.unlink()

    assert "stop here" in html(run)
    assert folder.read(run).verdict is Verdict.INCONCLUSIVE


def test_no_folder_is_refused_with_what_to_give(tmp_path):
    with pytest.raises(folder.NotARun, match="give the folder of a run"):
        report.render(tmp_path / "none")
