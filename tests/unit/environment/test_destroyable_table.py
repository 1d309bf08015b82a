"""A table may be destroyed where the file says which, how it is restored, and that nobody lives on it."""

from __future__ import annotations

import pytest

from drillbook.domain.environment import TableSettings
from tests.unit.environment.test_faults_section import TWIN, read, refused

SECTION = TWIN[TWIN.index("  table:\n    name:") : TWIN.index("  backups:\n")]


def test_the_twins_file_says_which(tmp_path):
    found = read(tmp_path, TWIN).recovery
    assert "table" in found.losses
    owner = "user=analytics dbname=analytics"
    assert found.table == TableSettings(
        "public.events",
        {"us-east-1": f"host=10.77.1.11 port=30432 {owner}", "us-west-2": f"host=10.77.2.11 port=30432 {owner}"},
        "file:/var/lib/drillbook/twin/migration/database",
    )


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("tier: staging", "tier: production", "recovery.losses: data of production are not destroyed on purpose"),
        (SECTION, "", "recovery.losses: `table` is one that recovery.table has to name"),
        ("    written: SELECT", "    unwritten: SELECT", "unwritten"),
        ("name: public.events", "name: events; DROP", "recovery.table.name"),
        (
            "      us-west-2: host=10.77.2.11 port=30432 user=analytics dbname=analytics\n",
            "",
            "recovery.table.addresses",
        ),
    ],
)
def test_what_does_not_say_so_whole_is_refused(tmp_path, old, new, says):
    assert old in TWIN
    assert says in refused(tmp_path, TWIN.replace(old, new))


def test_a_restore_that_nothing_is_compared_by_is_no_recovery(tmp_path):
    lines = [line for line in TWIN.splitlines() if "written: SELECT" not in line]
    assert "is restored by recovery.backups, with its `written`" in refused(tmp_path, "\n".join(lines))


def test_production_may_name_a_table_that_it_does_not_lose(tmp_path):
    loses_none = TWIN.replace("losses: [server, servers, table, ", "losses: [server, ")
    text = loses_none.replace("tier: staging", "tier: production")
    assert text.count("losses: [server, ") == 1
    assert "destroyed" not in refused(tmp_path, text)
