"""The process of one experiment: `python -m drillbook.run.experiment_process EXPERIMENT.json JOURNAL.json`."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chaoslib.experiment import ensure_experiment_is_valid, run_experiment
from chaoslib.types import Strategy

from drillbook.run.folder import write_json

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Run the experiment, always roll back, write the journal; 0 when the journal was written."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    experiment: dict[str, Any] = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    ensure_experiment_is_valid(experiment)
    settings = {"runtime": {"rollbacks": {"strategy": "always"}}}
    journal = run_experiment(experiment, settings=settings, strategy=Strategy.DEFAULT)
    write_json(Path(arguments[1]), dict(journal))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
