"""Two repositories in one region's store are none of the other region's."""

from __future__ import annotations

from dataclasses import asdict, replace
from types import SimpleNamespace

import pytest

from drillbook.domain.verdict import Objective, Verdict, judge
from drillbook.run.folder import write_json
from probes import backups
from tests.unit.features.test_steps import matching
from tests.unit.probes.test_of_backups import SEEN, STORES

SENTENCE = "every region of the environment has a repository of its own"


@pytest.mark.parametrize(
    ("told", "stores", "expected"),
    [
        (SEEN.report.stores, STORES, Verdict.PASS),
        ({1: "store.east.test", 2: "store.east.test"}, STORES, Verdict.FAIL),
        ({1: "store.east.test"}, STORES, Verdict.INCONCLUSIVE),
        (SEEN.report.stores, {}, Verdict.INCONCLUSIVE),
    ],
)
def test_each_region_has_a_repository_in_its_own_store(tmp_path, told, stores, expected) -> None:
    (tmp_path / backups.FILE).parent.mkdir()
    write_json(tmp_path / backups.FILE, asdict(replace(SEEN, report=replace(SEEN.report, stores=told))))
    judged = []

    def check(id_, statement, comparison, limit, measured):
        judged.append((id_, judge(Objective(id_, statement, comparison, limit, measured.unit), measured).verdict))

    (step,) = matching("then", SENTENCE)
    environment = SimpleNamespace(recovery=SimpleNamespace(repositories=stores))
    step.step_func(SimpleNamespace(folder=tmp_path, platform=SimpleNamespace(environment=environment), check=check))
    assert judged == [("backup.regions", expected)]
