"""A limit that stands in an environment's file alone, and was changed since a run was held to it."""

from __future__ import annotations

import pytest

from drillbook.run.environment import DIRECTORY
from drillbook.run.limits import Limits

TWIN = (DIRECTORY / "twin.yaml").read_text()
assert "objectives:" in TWIN


def kept(folder, objectives):
    """A run's folder, whose environment promised this."""
    folder.mkdir()
    head, _, tail = TWIN.partition("objectives:")
    rest = [line for line in tail.splitlines()[1:] if line[:1] not in {" ", "#"}]
    after = tail[tail.index(rest[0]) :] if rest and rest[0] else ""
    (folder / "environment.yaml").write_text(f"{head}objectives: {{{objectives}}}\n{after}")
    return folder


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A project with an environment's file of its own."""
    (tmp_path / "environments").mkdir()
    monkeypatch.chdir(tmp_path)

    def file(objectives):
        run = kept(tmp_path / "as-file", objectives)
        (run / "environment.yaml").rename(tmp_path / "environments" / "twin.yaml")

    return file


@pytest.mark.parametrize(
    ("then", "now", "same"),
    [
        ("outage: 2 min", "outage: 120 s", True),
        ("outage: 2 min", "outage: 60 s", False),
        ("outage: 60 s", "outage: 2 min", False),
        ("outage: 2 min", "outage: 2 min, availability: 0.9999", False),
    ],
)
def test_what_the_file_says_now_is_what_a_run_has_to_have_been_held_to(tmp_path, here, then, now, same):
    run = kept(tmp_path / "run", then)
    here(now)
    assert Limits({"twin": run}).are_those_of(run, "twin") is same


def test_where_the_file_is_another_machines_the_newest_run_tells(tmp_path):
    older, newest = kept(tmp_path / "older", "outage: 2 min"), kept(tmp_path / "newest", "outage: 1 min")
    limits = Limits({"elsewhere": newest})
    assert limits.are_those_of(newest, "elsewhere")
    assert not limits.are_those_of(older, "elsewhere")


def test_a_run_whose_limits_nobody_knows_was_not_held_to_those_of_now(tmp_path, here):
    run = kept(tmp_path / "run", "outage: 1 min")
    here("outage: 1 min")
    (run / "environment.yaml").write_text("name: [")
    assert not Limits({"twin": run}).are_those_of(run, "twin")


def test_what_is_promised_now_and_cannot_be_read_was_kept_by_nobody(tmp_path, here):
    run = kept(tmp_path / "run", "outage: 250 ms")
    here("outage: 1 ms, no_such_key: 1")
    assert not Limits({"twin": run}).are_those_of(run, "twin")
    assert not Limits({"elsewhere": tmp_path}).are_those_of(run, "elsewhere")


def test_a_file_that_contradicts_itself_is_one_that_cannot_be_read(tmp_path, here):
    run = kept(tmp_path / "run", "outage: 250 ms")
    here("outage: 250 ms")
    file = tmp_path / "environments" / "twin.yaml"
    file.write_text(file.read_text().replace("steps: [5, 10, 25, 50, 100]", "steps: [50, 10, 100]"))
    assert not Limits({"twin": run}).are_those_of(run, "twin")


def test_the_file_that_somebody_names_is_the_one_that_counts(tmp_path, here):
    run = kept(tmp_path / "run", "outage: 250 ms")
    here("outage: 250 ms")
    named = kept(tmp_path / "named", "outage: 1 ms") / "environment.yaml"
    assert Limits({"twin": run}).are_those_of(run, "twin")
    assert not Limits({"twin": run}, named).are_those_of(run, "twin")


def test_where_neither_a_file_nor_a_run_tells_nothing_is_known_to_have_changed(tmp_path):
    assert Limits({}).are_those_of(tmp_path, "elsewhere")


def test_a_record_does_not_lead_to_a_file_elsewhere(tmp_path):
    other = kept(tmp_path / "other", "outage: 1 min") / "environment.yaml"
    assert Limits({}).are_those_of(tmp_path, str(other))
