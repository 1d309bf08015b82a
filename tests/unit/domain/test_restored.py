"""What a restore's script printed is read: a rung that was not come to is unknown, one that failed does not hold."""

from __future__ import annotations

import pytest

from drillbook.domain.pgbackrest import NotUnderstood
from drillbook.domain.restored import RUNGS, RUNGS_OF_TABLE, Restored

# As pgBackRest 2.45, pg_checksums and pg_amcheck of PostgreSQL 15 said it.
VERIFIED = "0 stanza: main status: ok   archiveId: 15-1, total WAL checked: 3, total valid WAL: 3"
GOOD = [
    f"verify {VERIFIED}",
    "restore 0 WARN: unknown group 'root' in backup manifest mapped to current group",
    "restore-ms 840",
    "bytes 23099395",
    "recovery 0 ",
    "recovery-ms 469",
    "recovering f",
    "objects f045c0f1",
    "objects-of-primary f045c0f1",
    "sequences 0",
    "restored drill-1 da25",
    "original drill-1 da25",
    "original drill-2 77aa",
    "writes 1",
    "checksums 0 Checksum operation completed Files scanned:   952 Blocks scanned:  2811 Bad checksums:  0",
    "amcheck 0 ",
    "end ",
]


def printed(**changed):
    lines = [line for line in GOOD if changed.get(line.partition(" ")[0], "") is not None]
    return Restored.printed("\n".join(f"{line.partition(' ')[0]} {changed[line.partition(' ')[0]]}"
                                      if line.partition(" ")[0] in changed else line for line in lines))  # fmt: skip


def test_a_whole_restore_is_read_whole() -> None:
    found = printed()
    assert {rung: found.holds(rung) for rung in RUNGS} == dict.fromkeys(RUNGS, True)
    assert (found.number("bytes"), found.number("restore-ms"), found.number("unheard")) == (23099395.0, 840.0, None)
    assert (found.events, found.originals) == ({"drill-1": "da25"}, {"drill-1": "da25", "drill-2": "77aa"})


@pytest.mark.parametrize(
    ("rung", "said"),
    [
        ("verify", "0 stanza: main status: error   checksum invalid: 1"),
        ("verify", "27 ERROR: [027]: option 'verbose' is not valid"),
        ("restore", "75 ERROR: [075]: unable to find backup set with stop time less than '2099-01-01'"),
        ("recovery", "1 FATAL:  recovery ended before configured recovery target was reached"),
        ("recovering", "t"),
        ("checksums", "1 pg_checksums: error: checksum verification failed in file base/5/1247"),
        ("amcheck", '2 btree index "events_pkey": ERROR:  high key invariant violated'),
        ("objects", "00000000"),
        ("sequences", "1"),
        ("writes", "ERROR:  cannot execute CREATE TABLE in a read-only transaction"),
    ],
)
def test_a_rung_that_fails_does_not_hold_and_says_why(rung, said) -> None:
    found = printed(**{rung: said})
    assert found.holds(rung) is False
    assert found.words(rung) == said
    assert sum(found.holds(other) is True for other in RUNGS) == len(RUNGS) - 1


@pytest.mark.parametrize("rung", RUNGS)
def test_a_rung_that_was_not_come_to_is_unknown(rung) -> None:
    assert printed(**{rung: None}).holds(rung) is None


def test_an_empty_answer_to_verify_is_no_sound_repository() -> None:
    assert printed(verify="").holds("verify") is None
    assert printed(verify="0 ").holds("verify") is False


def test_objects_are_not_the_same_as_nothing() -> None:
    assert printed(**{"objects-of-primary": None}).holds("objects") is None


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (GOOD[:-1], "does not come to its end"),
        ([*GOOD, "writes 1"], "says 'writes' twice"),
        (["restored drill-1 a", *GOOD], "names a key once and its hash"),
        (["restored ERROR:", *GOOD], "names a key once and its hash"),
    ],
)
def test_what_is_cut_or_says_things_twice_is_refused(lines, words) -> None:
    with pytest.raises(NotUnderstood, match=words):
        Restored.printed("\n".join(lines))


TABLE = ["restore 0 ", "recovery 0 ", "recovering f", "rows 20 -77", "rows-destroyed 20 -77", "sequences 0",
         "put-back 0 ", "sequences-put-back 0", "end "]  # fmt: skip


def of_table(**changed):
    lines = [
        f"{name} {changed.get(name.replace('-', '_'), rest)}" for name, _, rest in (x.partition(" ") for x in TABLE)
    ]
    return Restored.printed("\n".join(lines))


def test_a_table_that_was_put_back_whole_holds_on_every_rung() -> None:
    found = of_table()
    assert {rung: found.holds(rung) for rung in RUNGS_OF_TABLE} == dict.fromkeys(RUNGS_OF_TABLE, True)


@pytest.mark.parametrize(
    ("rung", "changed"),
    [
        ("rows", {"rows": "19 -77"}),
        ("rows", {"rows": "20 -78"}),
        ("put-back", {"put_back": "3 ERROR:  it is not what was restored"}),
        ("sequences-put-back", {"sequences_put_back": "1"}),
    ],
)
def test_a_rung_of_a_table_fails_by_itself(rung, changed) -> None:
    found = of_table(**changed)
    assert [it for it in RUNGS_OF_TABLE if not found.holds(it)] == [rung]
    assert found.holds(rung) is False


@pytest.mark.parametrize(
    "changed",
    [{"rows": "0 0", "rows_destroyed": "0 0"}, {"rows_destroyed": "psql: error: refused"}, {"rows": "ERROR:  none"}],
)
def test_rows_that_nobody_could_compare_prove_nothing(changed) -> None:
    assert of_table(**changed).holds("rows") is None
