"""What readers of report.html and junit.xml find in them, and what they cannot be made to find."""

import shutil
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import evidence_samples as samples
import pyarrow as pa
import pytest

from drillbook.domain.verdict import Verdict
from drillbook.evidence import folder, junit, report

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Every element with its attributes, and the text; unbalanced elements are an error."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.text = [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


def rendered(run):
    return Page(report.render(run).read_text(encoding="utf-8"))


def cases(run):
    root = ET.fromstring(junit.render(run).read_bytes())  # noqa: S314 -- our own
    return root, root.findall(".//testcase")


def test_a_clean_run_says_pass_and_what_was_proved(tmp_path):
    run = samples.write(tmp_path, [samples.cutover(), samples.rollback()])

    assert folder.read(run).verdict is Verdict.PASS
    words = rendered(run).words
    assert words.index("✓ PASS") < words.index("2 drills ran, and every promise was shown to be kept.")
    assert words.index("✓ DEP-2.1") < words.index("Not proved in this run")
    assert "twin staging" in words
    assert "2026-11-23 08:00:00 UTC" in words
    assert "release on builder" in words
    assert "python 3.11.7" in words


def test_each_objective_shows_its_limit_its_interval_and_its_verdict(tmp_path):
    page = rendered(samples.write(tmp_path, [samples.cutover()]))

    plots = [attrs["aria-label"] for attrs in page.all("svg") if attrs.get("class") == "interval"]
    assert plots == [
        "measured 0 to 21 ms, limit at most 250 ms: PASS",
        "measured 99.951 to 100 %, limit at least 99.9 %: PASS",
        "measured 41 to 63 ms, limit at most 300 ms: PASS",
        "measured 0 events, limit at most 0 events: PASS",
    ]


def test_a_rollback_is_told_in_its_stages(tmp_path):
    words = rendered(samples.write(tmp_path, [samples.rollback()])).words

    for stage in ("found bad 7.5 s", "decided 100 ms", "old release 700 ms", "finished what it had 4.5 s"):
        assert stage in words
    assert "first bad answer → last bad answer, as users saw it" in words
    assert "Close-up of the failures" in words


def test_every_event_of_the_plot_is_in_the_table_under_its_number(tmp_path):
    drill = samples.rollback()
    page = rendered(samples.write(tmp_path, [drill]))

    numbers = [f"{number} +{t_s:.2f} s {kind}" for number, (t_s, kind, *_) in enumerate(drill.events, start=1)]
    for line in numbers:
        assert line in page.words


def test_a_broken_promise_outranks_an_undecided_one(tmp_path):
    run = samples.write(tmp_path, [samples.cutover(), samples.undecided(), samples.broken()])

    words = rendered(run).words
    assert "✕ FAIL" in words
    assert "1 of 3 drills saw a promise broken, and 1 could not decide." in words
    assert "✕ DEP-2.3 broken" in words
    assert "? OBS-1.1 undecided" in words
    assert "Prometheus has no series of slot green: was it scraped?" in words


def test_a_drill_without_checks_is_inconclusive_with_that_reason(tmp_path):
    drill = samples.cutover()
    drill.judgements = []
    run = samples.write(tmp_path, [drill])

    assert folder.read(run).drills[0].verdict is Verdict.INCONCLUSIVE
    assert "Nothing was judged in this drill" in rendered(run).words


def test_an_error_is_inconclusive_with_its_text(tmp_path):
    drill = samples.cutover()
    drill.extra = {"error": "the cluster went away", "verdict": "PASS"}
    run = samples.write(tmp_path, [drill])

    assert folder.read(run).verdict is Verdict.INCONCLUSIVE
    assert "the cluster went away" in rendered(run).words


def test_a_pass_that_its_own_values_do_not_support_is_not_believed(tmp_path):
    run = samples.write(tmp_path, [samples.broken()])
    for name in ("checks.jsonl", "run.json", "drills/slow-rollback/drill.json"):
        text = (run / name).read_text().replace('"FAIL"', '"PASS"').replace('"exit_code": 1', '"exit_code": 0')
        (run / name).write_text(text)

    found = folder.read(run)
    assert found.recorded is Verdict.PASS
    assert found.verdict is Verdict.FAIL
    assert "The run itself recorded PASS" in rendered(run).words


def test_a_drill_that_was_asked_for_and_left_nothing_is_named(tmp_path):
    run = samples.write(tmp_path, [samples.cutover(), samples.rollback()])
    shutil.rmtree(run / "drills" / "rollback")
    for name in ("checks.jsonl", "timeline.jsonl"):
        lines = (run / name).read_text().splitlines(keepends=True)
        (run / name).write_text("".join(line for line in lines if '"drill": "rollback"' not in line))

    assert folder.read(run).missing == ("rollback",)
    assert folder.read(run).verdict is Verdict.INCONCLUSIVE
    assert "? rollback no record" in rendered(run).words


def test_a_test_that_is_named_after_its_scenario_is_found(tmp_path):
    run = samples.write(tmp_path, [samples.rollback()])
    asked = "test_a_bad_release_that_passes_its_health_checks_is_taken_back_by_itself[fails 10 % of requests]"
    (run / "run.json").write_text((run / "run.json").read_text().replace('["rollback"]', f'["{asked}"]'))

    assert folder.read(run).missing == ()
    assert folder.read(run).verdict is Verdict.PASS


def test_a_change_that_could_not_be_put_back_withholds_the_pass(tmp_path):
    run = samples.write(tmp_path, [samples.cutover()], stuck=True)

    assert folder.read(run).verdict is Verdict.INCONCLUSIVE
    assert "✕ could not be put back" in rendered(run).words


def test_undone_changes_show_what_was_seen(tmp_path):
    words = rendered(samples.write(tmp_path, [samples.cutover()])).words

    assert "✓ put back, and seen to be slot blue has the public's traffic" in words


def test_steps_queries_and_raw_files_are_there(tmp_path):
    page = rendered(samples.write(tmp_path, [samples.cutover()]))

    assert "✕ failed" in page.words
    assert "Boom: it broke" in page.words
    assert 'sum(http_requests_total{slot="green"})' in page.words
    links = {attrs["href"] for attrs in page.all("a")}
    assert {"drills/cutover/queries/001.json", "drills/cutover/load/requests.parquet", "run.json"} <= links


def test_a_killed_load_shows_what_its_stream_holds(tmp_path):
    run = samples.write(tmp_path, [samples.cutover()])
    load = run / "drills" / "cutover" / "load"
    rows = samples.requests(samples.cutover())
    with pa.OSFile(str(load / "requests.arrows"), "wb") as sink, pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows, max_chunksize=100)
    data = (load / "requests.arrows").read_bytes()
    (load / "requests.arrows").write_bytes(data[: len(data) // 2])
    (load / "requests.parquet").unlink()

    found = folder.read(run).drills[0]
    assert found.traffic is not None
    assert 500 <= len(found.traffic.due_s) < 1500
    assert found.verdict is Verdict.INCONCLUSIVE


def test_the_same_folder_gives_the_same_bytes(tmp_path):
    run = samples.write(tmp_path, [samples.cutover(), samples.rollback()])

    first = report.render(run).read_bytes(), junit.render(run).read_bytes()
    assert (report.render(run).read_bytes(), junit.render(run).read_bytes()) == first
    moved = tmp_path / "elsewhere"
    shutil.copytree(run, moved)
    assert (report.render(moved).read_bytes(), junit.render(moved).read_bytes()) == first


def test_the_page_asks_nothing_of_a_network_and_runs_nothing(tmp_path):
    page = rendered(samples.write(tmp_path, [samples.hostile(), samples.rollback()]))

    assert not page.all("script")
    assert not page.all("img")
    for tag, attrs in page.elements:
        assert not [name for name in attrs if name.startswith("on")], tag
        assert not {"src", "srcset", "action", "data"} & attrs.keys()
        target = attrs.get("href", "#")
        assert target.startswith(("#", "data:,")) or ":" not in target.split("/", 1)[0]


def test_hostile_texts_are_shown_as_they_are(tmp_path):
    run = samples.write(tmp_path, [samples.hostile()])
    page = rendered(run)

    shown = samples.HOSTILE.replace("\x1b", "\\x1b").replace("\x00", "\\x00").replace("\u202e", "\\u202e")
    shown = shown.replace("\ud800", "\\ud800")
    assert shown in page.words
    assert "{{ 7*7 }}" in page.words
    raw = (run / "report.html").read_bytes()
    assert b"\x1b" not in raw
    assert b"\x00" not in raw
    root, _ = cases(run)
    assert shown in ET.tostring(root, encoding="unicode", method="text")


def test_the_page_is_built_for_assistive_technology(tmp_path):
    page = rendered(samples.write(tmp_path, [samples.cutover(), samples.undecided()]))

    tags = [tag for tag, _ in page.elements]
    assert [tags.count(tag) for tag in ("main", "header", "footer", "h1")] == [1, 1, 1, 1]
    assert page.all("html") == [{"lang": "en"}]
    assert all("scope" in attrs for attrs in page.all("th"))
    for svg in page.all("svg"):
        assert svg.get("aria-hidden") == "true" or (svg["role"] == "img" and svg["aria-label"])
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    named = {attrs["aria-labelledby"] for _, attrs in page.elements if "aria-labelledby" in attrs}
    assert named <= set(ids)


@pytest.mark.parametrize("seed", range(20))
def test_damage_never_crashes_and_never_makes_a_pass_of_something_else(tmp_path, seed):
    run = samples.write(tmp_path, [samples.undecided()])

    what = samples.damaged(run, seed)

    assert folder.read(run).verdict is not Verdict.PASS, what
    rendered(run)
    cases(run)


@pytest.mark.parametrize(
    "name",
    [
        "run.json", "checks.jsonl", "timeline.jsonl", "drills/cutover/drill.json", "drills/cutover/journal.json",
        "drills/cutover/load/requests.parquet",
    ],
)  # fmt: skip
@pytest.mark.parametrize("damage", ["remove", "truncate", "garbage"])
def test_a_pass_does_not_survive_damage_to_what_it_rests_on(tmp_path, name, damage):
    run = samples.write(tmp_path, [samples.cutover()])
    assert folder.read(run).verdict is Verdict.PASS
    path = run / name
    if damage == "remove":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-9] if damage == "truncate" else b"\xff\xfe{]")

    assert folder.read(run).verdict is Verdict.INCONCLUSIVE
    assert name in rendered(run).words
    root, _ = cases(run)
    assert int(root.get("errors")) > 0


def test_links_and_names_that_climb_out_of_the_folder_are_not_followed(tmp_path):
    secret = tmp_path / "secret.json"
    secret.write_text('{"scenario": "stolen", "verdict": "PASS"}')
    run = samples.write(tmp_path, [samples.cutover()])
    (run / "drills" / "cutover" / "drill.json").unlink()
    (run / "drills" / "cutover" / "drill.json").symlink_to(secret)
    (run / "drills" / "linked").symlink_to(tmp_path, target_is_directory=True)
    with (run / "checks.jsonl").open("a") as file:
        file.write('{"drill": "../../"}\n{"drill": "%s"}\n' % ("x" * 5000))

    assert "stolen" not in rendered(run).words
    assert folder.read(run).verdict is Verdict.INCONCLUSIVE


def test_an_empty_folder_is_inconclusive(tmp_path):
    assert folder.read(tmp_path).verdict is Verdict.INCONCLUSIVE
    assert "No drill left a record" in rendered(tmp_path).words
    root, found = cases(tmp_path)
    assert [root.get(count) for count in ("tests", "failures", "errors")] == ["1", "0", "1"]
    assert found[0].find("error") is not None


def test_no_folder_is_a_sentence(tmp_path):
    with pytest.raises(folder.NotARun, match="is not a folder: give the folder of a run"):
        report.render(tmp_path / "none")


def test_junit_tells_failures_from_what_could_not_be_decided(tmp_path):
    run = samples.write(tmp_path, [samples.cutover(), samples.undecided(), samples.broken()])
    root, found = cases(run)

    assert [root.get(count) for count in ("tests", "failures", "errors")] == ["3", "1", "1"]
    by_name = {case.get("name"): case for case in found}
    drills = (samples.cutover(), samples.undecided(), samples.broken())
    passed, undecided, broken = (by_name[drill.scenario] for drill in drills)
    assert passed.find("failure") is None
    assert passed.find("error") is None
    assert "was it scraped?" in undecided.find("error").get("message")
    assert "measured 8.1 s or more" in broken.find("failure").text
    assert not root.findall(".//skipped")


def test_junit_has_measured_value_objective_and_bound(tmp_path):
    _, found = cases(samples.write(tmp_path, [samples.cutover()]))

    figures = {item.get("name"): item.get("value") for item in found[0].findall("properties/property")}
    assert figures["release.downtime.new.measured"] == "0 to 21 ms"
    assert figures["release.downtime.new.objective"] == "at_most 0.25 s"
    assert figures["release.downtime.new.bound"] == "0.021"
    assert "measured 99.951 to 100 %" in found[0].find("system-out").text


def test_the_worst_comes_first_where_somebody_decides(tmp_path):
    run = samples.write(tmp_path, [samples.cutover(), samples.undecided(), samples.broken()])

    decided = rendered(run).words.partition("the worst first")[2]

    names = (samples.broken().scenario, samples.undecided().scenario, samples.cutover().scenario)
    assert [decided.index(name) for name in names] == sorted(decided.index(name) for name in names)
    assert decided.index("Drill 1 of 3") < decided.rindex(samples.broken().scenario), "then in the order of time"
