"""Which region's object store has which repository is what a file says, once for each region."""

from __future__ import annotations

import pytest

from drillbook.twin import backups
from drillbook.twin.layout import PROFILES
from tests.unit.environment.test_faults_section import TWIN, read, refused

PLACE = TWIN[TWIN.index("    repositories: {") : TWIN.index("    written: SELECT key")]


def test_the_twins_file_names_the_stores_that_its_repositories_are_in(tmp_path):
    found = read(tmp_path, TWIN).recovery.repositories
    assert found == {region.name: backups.host(region) for region in PROFILES["staging"].regions}


def test_a_file_need_not_say_so(tmp_path):
    assert read(tmp_path, TWIN.replace(PLACE, "")).recovery.repositories == {}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("us-west-2: objectstore.us-west-2.drillbook.test}", "eu-west-1: objectstore.eu-west-1.drillbook.test}",
         "recovery.backups.repositories names us-east-1, eu-west-1, and the regions are us-east-1, us-west-2"),
        ("objectstore.us-west-2.drillbook.test}", "Objectstore.us-east-1.drillbook.test}",
         "recovery.backups.repositories names one store for more than one region"),
        ("objectstore.us-west-2.drillbook.test}", "'https://objectstore.us-west-2.drillbook.test'}",
         "recovery.backups.repositories.us-west-2 is"),
        ("objectstore.us-west-2.drillbook.test}", "2}", "recovery.backups.repositories.us-west-2 is 2"),
    ],
)  # fmt: skip
def test_what_does_not_tell_the_regions_apart_is_refused(tmp_path, old, new, says):
    assert PLACE.count(old) == 1
    assert says in refused(tmp_path, TWIN.replace(PLACE, PLACE.replace(old, new)))
