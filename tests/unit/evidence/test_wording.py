import pytest

from drillbook.domain.interval import Interval
from drillbook.domain.wording import duration, moment, one_line, quantity, span, visible


@pytest.mark.parametrize(
    ("interval", "unit", "words"),
    [
        (Interval(0.02, 0.04), "s", "20 to 40 ms"),
        (Interval(0.02, 12.3456), "s", "20 ms to 12.4 s"),
        (Interval(0, 0.0213), "s", "0 to 21.3 ms"),
        (Interval(0, 0), "s", "0 s"),
        (Interval(8.1, float("inf")), "s", "8.1 s or more"),
        (Interval(float("-inf"), 2), "1", "2 or less"),
        (Interval(0.999499, 1), "ratio", "99.9499 to 100 %"),
        (Interval(1, 1), "ratio", "100 %"),
        (Interval(0, 0), "events", "0 events"),
        (Interval(0.1 + 0.2, 0.4), "s", "300 to 400 ms"),
        (Interval(1e300, 1e301), "1", "1e+300 to 1e+301"),
    ],
)
def test_an_interval_reads_as_people_say_it(interval, unit, words):
    assert span(interval, unit) == words


def test_bounds_are_rounded_outwards_so_that_rounding_never_keeps_a_promise():
    assert span(Interval(0.99949999, 0.9999), "ratio") == "99.9499 to 99.99 %"
    assert span(Interval(1.0, 120.04), "s") == "1 to 121 s"


def test_a_limit_reads_as_it_was_written():
    assert quantity(0.9995, "ratio") == "99.95 %"
    assert quantity(120, "s") == "120 s"
    assert quantity(0.3, "s") == "300 ms"
    assert quantity(float("inf"), "s") == "unbounded s"


@pytest.mark.parametrize(
    ("hidden", "shown"),
    [
        ("\x1b[31m", "\\x1b[31m"),
        ("\u202etxt.exe", "\\u202etxt.exe"),
        ("a\u200bb", "a\\u200bb"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("\x9b", "\\x9b"),
        ("größer ✓ 日本", "größer ✓ 日本"),
        ("two\nlines\t", "two\nlines\t"),
    ],
)
def test_what_hides_becomes_visible_and_nothing_else_changes(hidden, shown):
    assert visible(hidden) == shown


def test_one_line_shows_line_breaks():
    assert one_line("a\nb") == "a\\x0ab"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(3.21, "3.2 s"), (245, "4 min 05 s"), (7500, "2 h 05 min"), (float("nan"), "unknown")],
)
def test_durations(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize("impossible", [None, 1e300, float("nan"), -1e18])
def test_a_time_that_no_calendar_has_is_unknown(impossible):
    assert moment(impossible) == "unknown"
