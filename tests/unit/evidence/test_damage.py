"""Folders cut short, overwritten or forged: always a report, never a PASS that the evidence does not carry."""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from sample import DRILL, KEPT, REQUESTS, START_S, Sample, check, event

from drillbook.domain.verdict import Verdict
from drillbook.evidence import folder, junit, report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

FOLDER = f"drills/{DRILL}"
NEEDED = ("run.json", "checks.jsonl", "timeline.jsonl", f"{FOLDER}/drill.json", REQUESTS)
OTHERS = (
    "undo.jsonl", "environment.yaml", f"{FOLDER}/journal.json", f"{FOLDER}/queries/001.json",
    f"{FOLDER}/load/stalls.parquet", f"{FOLDER}/load/plan.json",
)  # fmt: skip
STRANGE = (None, True, 10**400, "inf", [[]], {"a": {}}, "\x1b\ud800")
HOSTILE = "<script>alert(1)</script>\"'> ]]> {{ 7*7 }} \x1b[31mred\x1b[0m \u202etxt.exe\u0000"


def _delete(path: Path) -> None:
    path.unlink()


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _halve(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _garble(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 20)


def _replace_by_list(path: Path) -> None:
    path.write_text("[1, 2, 3]\n", encoding="utf-8")


def _nest(path: Path) -> None:
    path.write_text("[" * 100_000, encoding="utf-8")


def _make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: tuple[Callable[[Path], None], ...] = (
    _delete, _empty, _halve, _garble, _replace_by_list, _nest, _make_folder,
)  # fmt: skip


def both(run: Path) -> tuple[str, ET.Element]:
    page = report.render(run).read_text(encoding="utf-8")
    return page, ET.fromstring(junit.render(run).read_bytes())  # noqa: S314 -- our own


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", NEEDED)
def test_damage_to_what_a_verdict_rests_on_withholds_the_pass(tmp_path, name, damage):
    run = Sample().write(tmp_path / "run")
    damage(run / name)

    page, suites = both(run)

    assert folder.read(run).verdict is Verdict.INCONCLUSIVE
    assert name in page
    assert int(suites.get("errors", "0")) >= 1


@pytest.mark.parametrize("damage", [_delete, _halve, _replace_by_list])
@pytest.mark.parametrize("name", OTHERS)
def test_damage_to_the_rest_still_leaves_a_report(tmp_path, name, damage):
    run = Sample().write(tmp_path / "run")
    damage(run / name)

    both(run)

    assert folder.read(run).verdict is not Verdict.FAIL


def test_an_empty_folder_is_inconclusive(tmp_path):
    page, suites = both(tmp_path)

    assert "INCONCLUSIVE" in page
    assert suites.get("errors") == "1"


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from _places(item, (*path, key))


def _with(document: Any, place: tuple[Any, ...], value: Any) -> Any:
    changed = copy.deepcopy(document)
    owner = changed
    for key in place[:-1]:
        owner = owner[key]
    owner[place[-1]] = value
    return changed


@pytest.mark.parametrize(
    "name",
    ["run.json", "checks.jsonl", "timeline.jsonl", "undo.jsonl", f"{FOLDER}/drill.json", f"{FOLDER}/journal.json",
     f"{FOLDER}/queries/001.json"],
)  # fmt: skip
def test_no_strange_value_in_any_place_stops_the_reading(tmp_path, name):
    run = Sample(events=(event(START_S + 1, "decided", "roll back", activity="roll_back"),)).write(tmp_path / "run")
    (run / REQUESTS).unlink()
    (run / FOLDER / "load" / "plan.json").unlink()
    path = run / name
    whole = path.read_text(encoding="utf-8")
    first, _, rest = whole.partition("\n") if name.endswith("l") else (whole, "", "")
    document = json.loads(first)
    failures: list[str] = []
    for place in _places(document):
        for value in STRANGE:
            path.write_text(json.dumps(_with(document, place, value)) + "\n" + rest, encoding="utf-8")
            try:
                read = folder.read(run)
                report.page(read).encode()
                junit.document(read)
            except Exception as error:  # noqa: BLE001 -- all of them are to be told at once
                failures.append(f"{'.'.join(map(str, place))} = {str(value)[:20]!a}: {error!r}"[:160])

    assert not failures, "\n".join(failures)


def test_hostile_text_is_shown_and_does_nothing(tmp_path):
    judged = check(0, 0, id=HOSTILE, statement=HOSTILE, requirements=(HOSTILE,))
    hostile = event(START_S + 3, HOSTILE, HOSTILE, activity=HOSTILE, action=HOSTILE)
    names = {"feature": HOSTILE, "scenario": HOSTILE, "description": HOSTILE, "requirements": [HOSTILE]}
    sample = Sample(
        checks=(KEPT, judged), drill=names, events=(hostile,), versions=(HOSTILE.replace("\0", ""), "1.1.0"),
        run={"who": {"user": HOSTILE, "host": HOSTILE}, "versions": {HOSTILE: HOSTILE}, "run_id": HOSTILE},
        error=HOSTILE,
    )  # fmt: skip
    run = sample.write(tmp_path)
    (run / "environment.yaml").write_text(HOSTILE, encoding="utf-8")

    page, _ = both(run)

    assert "<script" not in page
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", page)
    assert "\\x1b[31mred" in page
    assert "\\u202e" in page
    assert "{{ 7*7 }}" in page
    written = (run / "junit.xml").read_text(encoding="utf-8")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", written)


@pytest.mark.parametrize("name", ["../../outside", "/etc", "javascript:alert(1)", "a/../../b", ".."])
def test_a_drill_whose_name_climbs_out_reads_nothing_there(tmp_path, name):
    run = Sample().write(tmp_path / "runs" / "run")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "drill.json").write_text('{"scenario": "SECRET", "verdict": "PASS"}', encoding="utf-8")
    with (run / "checks.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"drill": name}) + "\n")

    page, _ = both(run)

    assert "SECRET" not in page
    assert 'href="javascript:' not in page
    assert folder.read(run).verdict is Verdict.INCONCLUSIVE


def test_links_out_of_the_folder_are_not_followed(tmp_path):
    run = Sample().write(tmp_path / "run")
    secret = tmp_path / "secret"
    secret.write_text("SECRET", encoding="utf-8")
    (run / "environment.yaml").unlink()
    (run / "environment.yaml").symlink_to(secret)
    (run / REQUESTS).unlink()
    (run / REQUESTS).symlink_to(secret)

    page, _ = both(run)

    assert "SECRET" not in page
    assert folder.read(run).verdict is Verdict.INCONCLUSIVE


def test_a_report_is_not_written_through_a_link(tmp_path):
    run = Sample().write(tmp_path / "run")
    victim = tmp_path / "victim"
    victim.write_text("untouched", encoding="utf-8")
    for name in ("report.html", "junit.xml"):
        (run / name).symlink_to(victim)

    both(run)

    assert victim.read_text(encoding="utf-8") == "untouched"
