"""What keeps a page small however much was drilled: short paths, and the raw answers in the folder."""

import json
import re
from dataclasses import replace

import pytest
from sample import DRILL, Sample, check

from drillbook.evidence import folder, pages, report, svg


def corners(path):
    """The points that a path of M, H, V and Z passes."""
    x = y = 0.0
    for letter, first, second in re.findall(r"([MHVZ])([-\d.]+)?(?: ([-\d.]+))?", path):
        x = float(first) if letter in "MH" else x
        y = float(second) if letter == "M" else float(first) if letter == "V" else y
        if letter != "Z":
            yield x, y


@pytest.mark.parametrize(
    ("upper", "lower", "expected"),
    [
        ([5], [9], [(0, 5), (1, 5), (1, 9), (0, 9)]),
        ([5, 5, 5], [9, 9, 9], [(0, 5), (3, 5), (3, 9), (0, 9)]),
        ([5, 4, 4], [9, 9, 8], [(0, 5), (1, 5), (1, 4), (3, 4), (3, 8), (2, 8), (2, 9), (0, 9)]),
    ],
)
def test_stairs_turn_where_the_height_changes_and_nowhere_else(upper, lower, expected):
    drawn = svg.stairs(range(len(upper) + 1), upper, lower, "area")

    assert list(corners(re.search(r' d="([^"]*)"', drawn)[1])) == expected


def test_stairs_without_a_step_are_nothing():
    assert not svg.stairs([], [], [], "area")


@pytest.fixture
def asked(tmp_path):
    """A drill that asked 30 questions, of which a check rests on the 29th."""
    cited = f"drills/{DRILL}/queries/029.json"
    judged = check(0, 0)
    judged = replace(judged, measurement=replace(judged.measurement, evidence=(cited,)))
    run = Sample(checks=(judged,)).write(tmp_path)
    for number in range(2, 31):
        document = {"promql": f"up == {number}", "status": 200, "body": {"of": f'"{number}" <&>'}}
        (run / f"drills/{DRILL}/queries/{number:03d}.json").write_text(json.dumps(document))
    return folder.read(run)


def test_many_drills_share_the_room_for_raw_answers(asked):
    drills = [replace(asked.drills[0], queries_left_out=3)] * 40

    view = report.views(replace(asked, drills=tuple(drills)))[0]

    assert len(view.queries) == 10
    assert view.queries_left_out == 23
    assert view.queries[-1].file.endswith("029.json"), "what a check rests on is shown"
    assert [query.file for query in view.queries] == sorted(query.file for query in view.queries)
    assert report.views(asked)[0].queries_left_out == 0


def test_an_answer_is_escaped_as_far_as_text_has_to_be(asked):
    page = report.page(asked)

    assert '\\"30\\" &lt;&amp;&gt;' in page
    assert pages.templates().filters["content"]("</pre>\u202e") == "&lt;/pre&gt;\\u202e"
