"""Scenarios are told apart by what they are called, and so are the folders of their drills."""

from __future__ import annotations

import pytest

from drillbook.domain.titles import LONGEST, clash, ids, numbered, slug, title


def test_an_example_is_named_by_its_values():
    assert title("A node is lost", ()) == "A node is lost"
    assert title("A node is lost", ("at night", "50 %")) == "A node is lost (at night, 50 %)"


def test_two_scenarios_of_one_title_are_told_with_their_files():
    assert clash([("One", "a.feature"), ("one", "b.feature"), ("Two", "b.feature")]) == ""
    told = clash([("One", "a.feature"), ("Two", "a.feature"), ("One", "b.feature")])
    assert told.startswith("two scenarios are called 'One', in a.feature and b.feature")


@pytest.mark.parametrize("name", ["a" * 79 + " b c", "x" * 200, "A (b) — c", "ends with -", "切替", "Ü" * 200, "é - "])
def test_a_slug_of_a_slug_is_the_same(name):
    assert slug(slug(name)) == slug(name)
    assert slug(name).isascii()
    assert len(slug(name)) <= LONGEST


def test_slugs_are_never_empty():
    assert slug("///") == "unnamed"
    assert slug("A good release — replaces the live one") == "a-good-release-replaces-the-live-one"


@pytest.mark.parametrize(
    "names",
    [
        ("Müller bleibt", "Möller bleibt", "Muller bleibt"),
        ("切替", "復旧", "unnamed"),
        ("A good one", "A good one откат"),
        ("back in ≤ 5 s", "back in ≥ 5 s"),
    ],
)
def test_names_that_differ_in_what_is_not_ascii_have_slugs_of_their_own(names):
    assert len({slug(name) for name in names}) == len(names)


def test_ids_are_numbered_where_names_are_alike_up_to_what_a_folder_may_be_called():
    alike = [f"{'x' * LONGEST} one", f"{'x' * LONGEST} two", "a (b)", "a b", "a-b"]
    found = ids(alike)
    assert list(found.values()) == alike
    assert list(found) == ["x" * 80, f"{'x' * 78}-2", "a-b", "a-b-2", "a-b-3"]
    assert [slug(id_) for id_ in found] == list(found), "a folder's name is its id's slug"
    assert numbered("a b", ["a-b"]) == "a-b-2"
