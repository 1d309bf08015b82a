"""Programs that a pipeline calls, told how to end; `drillbook` is the real one but for what needs a platform."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from drillbook.domain.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

PROJECT = Path(__file__).resolve().parents[3]

_STAND_IN = """#!/bin/sh
echo "{name} $*" >> {calls}
{then}
"""
_DRILLBOOK = """#!/bin/sh
echo "drillbook $*" >> {calls}
case $1 in
  verify) exec {python} {stand_in} verify {ending} ;;
  version|recover|twin|notify|archive) exit 0 ;;
esac
PYTHONPATH={project} exec {python} -m drillbook "$@"
"""


def record(verdict: str | None = "PASS", *, age_s: float = 0.0, **changes: object) -> dict[str, object]:
    """A run's verdict file, of a run that ended so many seconds ago."""
    code = Verdict[verdict].exit_code if verdict else None
    return {
        "run_id": "of-the-stand-in", "environment": {"name": "twin"}, "verdict": verdict, "exit_code": code,
        "requested": ["a drill"], "interrupted": False, "released": ["1.1.0"], "age_s": age_s, **changes,
    }  # fmt: skip


class Programs:
    """A folder for the front of PATH.

    Attributes:
        folder: Where they lie.
        calls: File with a line for each call.
    """

    def __init__(self, folder: Path, names: tuple[str, ...]) -> None:
        self.folder = folder
        self.calls = folder / "calls"
        self._ending = folder / "ending.json"
        folder.mkdir(parents=True)
        for name in names:
            self.write(folder / name)
        self._write(folder / "drillbook", _DRILLBOOK.format(
            calls=self.calls, python=sys.executable, stand_in=__file__, ending=self._ending, project=PROJECT,
        ))  # fmt: skip

    def write(self, path: Path, then: str = "exit 0") -> None:
        """A program that only writes down that it was called."""
        self._write(path, _STAND_IN.format(name=path.name, calls=self.calls, then=then))

    def make_test_leaves(self, document: dict[str, object]) -> None:
        """`make test` leaves this verdict file, as the tests' own drills do."""
        file, run = self.folder / "of-make-test.json", "reports/runs/20261123T081400Z-twin-0a1b"
        file.write_text(json.dumps({**document, "started_s": time.time(), "finished_s": time.time()}), encoding="utf-8")
        then = f'[ "$1" != test ] || {{ mkdir -p {run} && cp {file} {run}/run.json; }}'
        self.write(self.folder / "make", then)

    def drills_end(self, exit_code: int, document: Mapping[str, object] | None) -> None:
        """How the next `drillbook verify` ends, and what verdict file it leaves; None is none."""
        self._ending.write_text(json.dumps({"exit_code": exit_code, "document": document}), encoding="utf-8")
        self.calls.unlink(missing_ok=True)

    def called(self, beginning: str) -> list[str]:
        """The calls that begin so."""
        lines = self.calls.read_text(encoding="utf-8").splitlines() if self.calls.is_file() else []
        return [line for line in lines if line.startswith(beginning)]

    @staticmethod
    def _write(path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)


def verify(ending: Path) -> int:
    """Stands in for `drillbook verify`."""
    told = json.loads(ending.read_text(encoding="utf-8"))
    if told["document"] is not None:
        ended_s = time.time() - told["document"].pop("age_s")
        run = Path("reports/runs/20261123T081500Z-twin-0a1b")
        run.mkdir(parents=True)
        document = {**told["document"], "started_s": ended_s, "finished_s": ended_s}
        (run / "run.json").write_text(json.dumps(document), encoding="utf-8")
    return int(told["exit_code"])


if __name__ == "__main__":
    sys.exit(verify(Path(sys.argv[2])))
