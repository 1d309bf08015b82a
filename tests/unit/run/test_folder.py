from __future__ import annotations

import json
import math

import pytest

from drillbook.run.folder import FolderError, RunFolder, append_line, read_lines, read_what_is_whole, write_json


def test_a_run_folder_is_named_after_its_time_and_environment(tmp_path):
    folder = RunFolder.create(tmp_path, "twin", 1795422000.0)
    assert folder.run_id.startswith("20261123T")
    assert "-twin-" in folder.run_id


@pytest.mark.parametrize("name", ["../../etc/passwd", "/absolute", "a/../../b", "…", "x" * 500])
def test_no_drill_name_climbs_out_of_the_folder(tmp_path, name):
    folder = RunFolder.create(tmp_path, "twin", 0.0)
    path = folder.drill(name)
    assert path.resolve().parent == (folder.path / "drills").resolve()


def test_infinities_and_nan_become_json_that_others_read(tmp_path):
    append_line(tmp_path / "a.jsonl", {"high": math.inf, "low": -math.inf, "value": math.nan})
    assert json.loads((tmp_path / "a.jsonl").read_text()) == {"high": "inf", "low": "-inf", "value": None}


def test_a_torn_line_does_not_hide_what_was_appended_after_it(tmp_path):
    path = tmp_path / "a.jsonl"
    append_line(path, {"n": 1})
    path.write_bytes(path.read_bytes() + b'{"n": 2, "te')
    append_line(path, {"n": 3})
    assert [line["n"] for line in read_lines(path)] == [1, 3]


def test_wherever_a_line_is_torn_nothing_is_taken_for_it_and_nothing_else_is_lost(tmp_path):
    path = tmp_path / "a.jsonl"
    line = json.dumps({"n": 2, "arguments": {"slot": "green", "before": {"weights": {"blue": 100}}}}).encode()
    for cut in range(len(line)):
        path.write_bytes(b'{"n": 1}\n' + line[:cut])
        assert read_what_is_whole(path) == ([{"n": 1}], []), line[:cut]
        append_line(path, {"n": 3, "data": {"slot": "blue"}})
        assert [found["n"] for found in read_lines(path)] == [1, 3], line[:cut]


def test_a_last_line_that_lacks_but_its_end_is_whole(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"n": 1}\n{"n": 2}')
    assert [line["n"] for line in read_lines(tmp_path / "a.jsonl")] == [1, 2]


def test_a_full_disk_is_named_as_such():
    with pytest.raises(FolderError, match="disk of /dev is full"):
        append_line(__import__("pathlib").Path("/dev/full"), {"n": 1})


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FolderError, match="cannot be written"):
        write_json(tmp_path / "nowhere" / "run.json", {})
