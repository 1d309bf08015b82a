"""What the archive watch wrote down, read again."""

from __future__ import annotations

import json

from drillbook.domain.measurement import Window
from probes import archive


def line(at_s, *, primary, position=None, archived=None, ago_s=None, region="r"):
    return json.dumps({
        "region": region, "asked_s": at_s, "answered_s": at_s + 0.1, "primary": primary, "position": position,
        "archived": archived, "failed": 0, "written_ago_s": ago_s, "error": "" if primary is not None else "gone",
    })  # fmt: skip


def test_only_primaries_count_and_only_segments_say_how_far_the_archive_reaches(tmp_path):
    folder = tmp_path / "drill"
    (folder / archive.FOLDER).mkdir(parents=True)
    end = 3 * 16 * 2**20
    lines = [
        line(1, primary=True, position=end + 5, archived="000000010000000000000002", ago_s=-0.01),
        line(1, primary=False),
        line(2, primary=None),
        line(2, primary=True, position=end + 9, archived="000000010000000000000002.00000028.backup", ago_s=2.0),
        line(3, primary=True, position=end + 9, archived=None),
    ]
    (folder / archive.FOLDER / "looks.jsonl").write_text("\n".join(lines) + '\n{"region": "cut')
    found = archive.looks(folder)
    assert [look.reaches for look in found] == [end, None, None]
    assert found[0].written_ago_s == 0
    measured = archive.worst_age(folder, Window(1, 4))
    assert (measured.samples, measured.evidence) == (3, ("drills/drill/archive/looks.jsonl",))
    assert measured.interval.high >= 2.9


def test_a_partial_segment_ends_a_timeline_and_of_the_next_one_nothing_is_there(tmp_path):
    folder = tmp_path / "drill"
    (folder / archive.FOLDER).mkdir(parents=True)
    begin = 0x57 * 16 * 2**20
    names = ("0000000B00000000000000" + name for name in ("57", "57.partial"))
    lines = [line(at_s, primary=True, position=begin + 99, archived=name, ago_s=1.0) for at_s, name in enumerate(names)]
    (folder / archive.FOLDER / "looks.jsonl").write_text("\n".join(lines) + "\n")
    found = archive.looks(folder)
    assert [(look.timeline, look.reaches) for look in found] == [(0xB, begin + 16 * 2**20), (0xC, begin)]
    # Its last write was the end of what the next timeline lacks, and not the beginning.
    assert [look.written_ago_s for look in found] == [1.0, None]


SEGMENT = 16 * 2**20
LOST_S, PROMOTED_S, ENDED_S = 58, 150, 211


def seen(at_s):
    """Segments end each 60 s; within 0x0A, which was begun at 0, the primary is lost, and another one promoted."""
    if at_s < LOST_S:
        last = (at_s - 1) // 60 + 9
        position = (at_s // 60 + 10) * SEGMENT + 1000 * (at_s % 60 + 1)
        return line(at_s, primary=True, position=position, archived=f"{1:08X}{last:016X}", ago_s=at_s - 60 * (last - 9))
    if at_s < PROMOTED_S:
        return line(at_s, primary=None)
    if at_s < ENDED_S:
        position, archived = 10 * SEGMENT + 1000 * at_s, f"{1:08X}{10:016X}.partial"
        return line(at_s, primary=True, position=position, archived=archived, ago_s=at_s - LOST_S, region="other")
    position, archived = 11 * SEGMENT + 99, f"{2:08X}{10:016X}"
    return line(at_s, primary=True, position=position, archived=archived, ago_s=at_s - ENDED_S + 1, region="other")


def test_after_a_promotion_within_a_segment_the_age_is_that_of_the_segments_beginning(tmp_path):
    folder = tmp_path / "drill"
    (folder / archive.FOLDER).mkdir(parents=True)
    lines = [seen(at_s) for at_s in range(-150, 240)]
    (folder / archive.FOLDER / "looks.jsonl").write_text("\n".join(lines) + "\n")
    found = archive.worst_age(folder, Window(-150, 240)).interval
    assert found.low <= ENDED_S <= found.high < ENDED_S + 2


def test_where_nobody_looked_there_is_nothing_to_judge(tmp_path):
    assert archive.worst_age(tmp_path, Window(0, 1)).interval is None
