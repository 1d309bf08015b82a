"""A child that ends with its runner: `python -m drillbook.run.leash PARENT_PID MODULE ARGUMENT...`.

The kernel watches the thread that starts such a child, so it has to be one that lives as long as its process.
"""

from __future__ import annotations

import os
import runpy
import sys

from drillbook.run import processes, redaction

_PROGRAM = "--"


def command(parent: int, module: str, *arguments: str) -> list[str]:
    """A command line that runs a module in a process which the kernel kills when the parent is gone."""
    return [sys.executable, "-m", "drillbook.run.leash", str(parent), module, *arguments]


def before_a_program(parent: int) -> tuple[str, ...]:
    """What to put before a program and its arguments, for the same."""
    return (sys.executable, "-m", "drillbook.run.leash", str(parent), _PROGRAM)


def main() -> None:
    """Become the module or the program."""
    processes.die_with(int(sys.argv[1]))
    if sys.argv[2] == _PROGRAM:
        os.execvp(sys.argv[3], sys.argv[3:])
    redaction.learn_inherited()
    redaction.guard_streams()
    sys.argv = sys.argv[2:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
