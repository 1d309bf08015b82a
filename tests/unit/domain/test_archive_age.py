"""How old what the archive lacked ever was, by looks at the primary."""

from __future__ import annotations

import dataclasses
import math

import pytest

from drillbook.domain import archive_age
from drillbook.domain.archive_age import Look
from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Window
from drillbook.domain.verdict import Objective, Verdict, judge
from drillbook.domain.wal import SEGMENT_BYTES

RPO = Objective("archive.age", "the archive never lacks anything older than 60 s", "at_most", 60, "s")


def look(at_s, position, reaches, ago_s=None):
    return Look(at_s, at_s + 0.1, position, reaches, ago_s)


def about(low, high):
    return pytest.approx((low, high))


def about_each(*high):
    return pytest.approx(list(high))


def bounds(interval):
    return interval.low, interval.high


def test_an_archive_that_has_everything_lacks_nothing_older_than_the_look_took():
    assert bounds(archive_age.worst([look(0, 100, 100)], 0)) == about(0, 0.1)


def test_what_is_lacking_is_as_old_as_the_looks_between_which_the_log_went_past_the_archives_end():
    looks = [look(0, 100, 100), look(1, 150, 100), look(2, 160, 100), look(3, 200, 200)]
    assert bounds(archive_age.ages(looks)[2]) == about(0.9, 2.1)
    assert bounds(archive_age.worst(looks, 3)) == about(0.9, 3.1)


def test_without_a_look_from_before_the_archives_last_file_bounds_it():
    assert archive_age.ages([look(0, 150, 100)])[0].high == math.inf
    assert bounds(archive_age.ages([look(0, 150, 100, ago_s=20.0)])[0]) == about(0, 20.1)


def test_the_archives_last_file_bounds_it_also_once_another_server_is_the_primary():
    looks = [look(0, 150, 100, ago_s=20.0), look(10, 160, None), look(20, 170, 60), look(30, 180, 60)]
    assert [age.high for age in archive_age.ages(looks)] == about_each(20.1, 30.1, 40.1, 50.1)
    assert archive_age.worst(looks, 31).high == pytest.approx(51.1)


def of(server, timeline, told):
    return dataclasses.replace(told, server=server, timeline=timeline)


def test_positions_of_another_servers_log_do_not_say_that_the_archive_has_it():
    """What the new primary wrote within a segment that the old one had archived whole is in no archive."""
    looks = [
        of("old", 3, look(0, 150, 100, ago_s=20.0)), of("old", 3, look(5, 210, 200, ago_s=0.0)),
        of("new", 1, look(30, 180, 60)), of("new", 4, look(40, 190, 100)),
    ]  # fmt: skip
    assert [bounds(age) for age in archive_age.ages(looks)] == [
        about(0, 20.1), about(0, 0.1), about(0, 25.1), about(9.9, 35.1),
    ]  # fmt: skip


def test_a_promotion_within_a_segment_archives_nothing_of_what_was_written_in_it_before():
    """What is lacking is as old as it was: the new timeline begins in the same segment, and has none of it."""
    looks = [
        of("old", 1, look(0, 120, 100, ago_s=2.0)), of("old", 1, look(10, 150, 100, ago_s=12.0)),
        of("new", 2, look(100, 170, 100)), of("new", 2, look(160, 190, 100)),
        of("new", 2, look(161, 210, 200, ago_s=1.0)),
    ]  # fmt: skip
    assert [age.high for age in archive_age.ages(looks)] == about_each(2.1, 12.1, 102.1, 162.1, 1.1)


def test_an_end_of_which_no_time_is_known_leaves_what_is_beyond_it_as_old_as_what_was_beyond_the_one_before():
    looks = [of("old", 1, look(0, 120, 100, ago_s=2.0)), of("new", 2, look(50, 330, 300))]
    assert archive_age.ages(looks)[1].high == pytest.approx(52.1)


def test_a_file_that_is_gone_says_nothing_of_what_came_after_a_later_one():
    looks = [look(0, 150, 100, ago_s=20.0), look(10, 260, 200)]
    assert archive_age.ages(looks)[1].high == pytest.approx(10.1)


def test_a_database_that_was_idle_for_hours_is_judged_from_the_first_look_on():
    """Its first byte was lacking until the archive was seen to have it; since when, nobody knows."""
    idle = [look(second, 101 + second, 100, ago_s=9000.0 + second) for second in range(50)]
    going_on = [look(second, 101 + second, 150) for second in range(50, 60)]
    assert bounds(archive_age.worst([*idle, *going_on], 60)) == about(48.9, 50.1)
    assert archive_age.worst(idle, 50).high > 9000


def test_an_archive_that_stood_still_in_the_drill_fails_though_it_catches_up_before_the_end():
    stuck = [look(second, 101 + second, 100) for second in range(900)]
    going_on = [look(second, 101 + second, 100 + second // 60 * 60) for second in range(900, 1200)]
    measured = archive_age.measured([*stuck, *going_on], Window(0, 1199))
    assert bounds(measured.interval) == about(898.9, 900.1)
    assert judge(dataclasses.replace(RPO, limit=300), measured).verdict is Verdict.FAIL


def test_an_archive_that_lacks_a_whole_segment_at_first_was_not_idle_and_may_have_stood_still_for_as_long():
    """It caught up within the drill's first minute."""
    stood = [look(second, 101 + SEGMENT_BYTES, 100, ago_s=7200.0 + second) for second in range(50)]
    going_on = [look(second, 101 + second + SEGMENT_BYTES, 150 + SEGMENT_BYTES) for second in range(50, 60)]
    for nothing_told in ([], [look(-1, 101 + SEGMENT_BYTES, None)]):
        measured = archive_age.measured([*nothing_told, *stood, *going_on], Window(-1, 60))
        assert measured.interval.high > 7200
        assert judge(dataclasses.replace(RPO, limit=3600), measured).verdict is Verdict.INCONCLUSIVE


def test_a_look_that_does_not_tell_of_the_archive_proves_nothing_to_be_lacking():
    """A backup's label was archived last: the segment before it may have been as well since the last look."""
    labels = [look(second, 150 + second, None) for second in range(2, 60)]
    looks = [look(0, 101, 100), look(1, 120, 100), *labels, look(60, 210, 208)]
    assert archive_age.ages(looks)[59].low == 0
    assert archive_age.worst(looks, 60).low == pytest.approx(0.9)


def test_while_nobody_answers_it_grows_on():
    looks = [look(0, 100, 100), look(1, 150, 100), look(41, 150, 100), look(42, 200, 200)]
    assert archive_age.worst(looks, 50).high == pytest.approx(42.1)
    assert archive_age.worst(looks[:2], 31).high == pytest.approx(31.1)


def test_a_new_primary_that_has_archived_nothing_goes_on_where_the_old_one_ended():
    looks = [look(0, 100, 100), look(1, 150, 100, ago_s=1.0), look(5, 160, None), look(6, 170, 50, ago_s=999.0)]
    assert bounds(archive_age.ages(looks)[3]) == about(4.9, 6.1)


def cycles(until_s, every_s=60):
    """A look a second at an archive that gets everything once a minute, one second after its segment ended."""
    return [look(second, 1000 + second, 1000 + (second - 1) // every_s * every_s) for second in range(1, until_s)]


def test_the_archive_is_about_to_go_on_when_it_lacks_nearly_what_it_lacked_before_it_last_went_on():
    assert archive_age.most_s(cycles(50)) is None
    assert archive_age.most_s(cycles(130)) == pytest.approx(61, abs=1.5)
    assert not archive_age.about_to_go_on(cycles(50), 6.0)
    assert not archive_age.about_to_go_on(cycles(150), 6.0)
    assert archive_age.about_to_go_on(cycles(179), 6.0)
    assert not archive_age.about_to_go_on(cycles(185), 6.0)


@pytest.mark.parametrize(("at_s", "least", "most"), [(178, 0.9, 1.1), (150, 0.4, 0.6), (184, 0.0, 0.15)])
def test_what_the_archive_lacked_at_a_moment_is_a_share_of_the_most(at_s, least, most):
    found = archive_age.share_at(cycles(200), Interval(at_s + 0.2, at_s + 0.8))
    assert least <= found.low <= found.high <= most


def test_of_a_moment_that_nobody_looked_at_before_nothing_is_known():
    assert archive_age.share_at(cycles(200), Interval(0.5, 0.6)) is None
    assert archive_age.share_at(cycles(200), Interval(20.5, 20.6)) is None


def test_an_archive_that_stands_still_fails_and_one_that_nobody_looked_at_tells_nothing():
    still = [look(second, 100 + second, 100) for second in range(120)]
    judged = judge(RPO, archive_age.measured(still, Window(0, 119)))
    assert judged.verdict is Verdict.FAIL
    moving = [look(second, 100 + second, 100 + second - second % 30) for second in range(120)]
    assert judge(RPO, archive_age.measured(moving, Window(0, 119))).verdict is Verdict.PASS
    assert judge(RPO, archive_age.measured([], Window(0, 119))).verdict is Verdict.INCONCLUSIVE
    late = judge(RPO, archive_age.measured(moving[10:], Window(0, 119)))
    assert late.verdict is Verdict.INCONCLUSIVE
    assert "in the first 10.0 s" in late.reason
