"""`python -m loadtests --plan plan.json`: exit 0 when the load was made, 1 when it broke, 2 for a wrong plan."""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import argparse  # noqa: E402 - after the patch
import logging  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

from loadtests.plan import PlanError, read  # noqa: E402
from loadtests.state import Phase, StateFile  # noqa: E402


def main() -> int:
    """Run one load."""
    parser = argparse.ArgumentParser(prog="python -m loadtests", description="Make one load as a plan says.")
    parser.add_argument("--plan", type=Path, required=True, help="plan.json")
    path = parser.parse_args().plan
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        plan = read(path)
        workload = plan.adapter()
        plan.output.mkdir(parents=True, exist_ok=True)
    except PlanError as error:
        sys.stderr.write(f"loadtests: {error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"loadtests: the output folder cannot be made: {error}\n")
        return 2
    state = StateFile(plan.output, plan.clock)
    # Locust takes a second to import: a plan that is wrong is told of before.
    from loadtests.load import Load  # noqa: PLC0415

    try:
        Load(plan, workload, state).run()
    except Exception as error:
        logging.getLogger("loadtests").exception("the load broke")
        state.enter(Phase.FAILED, str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
