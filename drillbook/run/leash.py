"""A child that ends with its runner: `python -m drillbook.run.leash PARENT_PID MODULE ARGUMENT...`."""

from __future__ import annotations

import runpy
import sys

from drillbook.run import processes


def command(parent: int, module: str, *arguments: str) -> list[str]:
    """A command line that runs a module in a process which the kernel kills when the parent is gone."""
    return [sys.executable, "-m", "drillbook.run.leash", str(parent), module, *arguments]


if __name__ == "__main__":
    processes.die_with(int(sys.argv[1]))
    sys.argv = sys.argv[2:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
