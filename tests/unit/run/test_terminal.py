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
