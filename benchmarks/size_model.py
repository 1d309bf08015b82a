"""How often the size model's bounds hold, for errors of several kinds whose truth is known.

`python benchmarks/size_model.py [--trials N] [--json FILE]`. Four sizes of ratio 2, once and three times each; the
bound is for the next step at 8 times the largest.
"""

from __future__ import annotations

import argparse
import json
import math
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from drillbook.domain import cost_line

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = (1.0, 2.0, 4.0, 8.0)
NEXT = 64.0
COSTS = ((1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (1.0, 0.1), (10.0, 0.1))
"""Seconds that are fixed, and for each unit of size."""
SPREADS = (0.05, 0.2)
CONFIDENCE = 0.95
_LEAST = {"normal": 0.92, "lognormal": 0.92, "additive": 0.92, "exponential": 0.88}
"""Shares that the documentation of `cost_line` states."""


def errors(kind: str, random: np.random.Generator, spread: float) -> Callable[[float, float], float]:
    """What a step takes whose mean is the first number, when the smallest step's is the second."""
    return {
        "normal": lambda mean, _: max(0.0, mean * (1 + spread * random.standard_normal())),
        "lognormal": lambda mean, _: (
            mean * random.lognormal(-math.log1p(spread**2) / 2, math.sqrt(math.log1p(spread**2)))
        ),
        "additive": lambda mean, smallest: max(0.0, mean + spread * smallest * random.standard_normal()),
        "exponential": lambda mean, _: mean * (1 - spread + spread * random.exponential()),
    }[kind]


def held(kind: str, costs: tuple[float, float], spread: float, times: int, trials: int) -> float:
    """The share of trials in which the next step stayed under its bound."""
    random = np.random.default_rng(1)
    took = errors(kind, random, spread)
    fixed, slope = costs
    sizes = [size for size in SIZES for _ in range(times)]
    smallest = fixed + slope * SIZES[0]
    kept = 0
    for _ in range(trials):
        line = cost_line.fit(sizes, [took(fixed + slope * size, smallest) for size in sizes])
        kept += took(fixed + slope * NEXT, smallest) <= line.at_most_s(NEXT, CONFIDENCE)
    return kept / trials


def main() -> int:
    """Print the worst and the best share of each kind; 1 when one is below what is documented."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--trials", type=int, default=2000)
    options.add_argument("--json", type=Path)
    given = options.parse_args()
    figures: dict[str, dict[str, float]] = {}
    for kind, documented in _LEAST.items():
        shares = [
            held(kind, costs, spread, times, given.trials) for costs, spread, times in product(COSTS, SPREADS, (1, 3))
        ]
        figures[kind] = {"least": min(shares), "most": max(shares), "documented": documented}
        print(f"{kind:12}  a bound at {CONFIDENCE:.0%} held in {min(shares):.1%} to {max(shares):.1%} of the trials")
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2))
    # Of so few trials the share itself is known to this much.
    tolerance = 3 * math.sqrt(0.08 * 0.92 / given.trials)
    return int(any(found["least"] < found["documented"] - tolerance for found in figures.values()))


if __name__ == "__main__":
    raise SystemExit(main())
