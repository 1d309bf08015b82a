import io
import json

import pytest

from drillbook.terminal import Live


def stream(encoding):
    raw = io.BytesIO()
    return raw, io.TextIOWrapper(raw, encoding=encoding, errors="strict", write_through=True)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_terminal_that_lacks_letters_gets_the_rest(encoding, tmp_path):
    raw, out = stream(encoding)
    live = Live(out, 1)
    timeline = tmp_path / "timeline.jsonl"
    event = {"t_s": 12.0, "kind": "observed", "text": "größer → ✓ \x1b[31m"}
    timeline.write_text(json.dumps(event) + "\n")

    live.drill_started("größer → ✓", 10.0, 3.0)
    live.follow(timeline)
    live.close()

    lines = raw.getvalue().decode(encoding).splitlines()
    assert "drill 1 of 1: gr" in lines[1]
    assert "2.0 s  observed   gr" in lines[2]
    assert "\x1b" not in lines[2]
    assert ("→" in lines[1]) == (encoding == "utf-8")


def test_without_a_terminal_there_is_no_colour():
    raw, out = stream("utf-8")

    Live(out, 1).drill_finished("FAIL", ["a promise was broken"])

    assert raw.getvalue().decode() == "  FAIL\n    a promise was broken\n"


def test_what_a_drill_did_last_is_printed_before_the_next_one_and_never_as_if_before_its_beginning(tmp_path):
    raw, out = stream("utf-8")
    live = Live(out, 2)
    timeline = tmp_path / "timeline.jsonl"
    live.follow(timeline)

    live.drill_started("first", 100.0, 3.0)
    with timeline.open("a") as file:
        file.write(json.dumps({"t_s": 112.0, "kind": "note", "text": "put back"}) + "\n")
        file.flush()
        live.drill_finished("PASS", [])
        file.write(json.dumps({"t_s": 112.96, "kind": "note", "text": "lock kept"}) + "\n")
    live.drill_started("second", 113.0, 3.0)
    live.close()

    lines = [line.strip() for line in raw.getvalue().decode().splitlines() if line]
    assert lines == [
        "drill 1 of 2: first (about 3 s)",
        "12.0 s  note       put back",
        "PASS",
        "13.0 s  note       lock kept",
        "drill 2 of 2: second (about 3 s)",
    ]
