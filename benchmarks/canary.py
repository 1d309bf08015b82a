"""How a canary is decided: false aborts of releases that are no worse, and how soon worse ones are aborted.

`python benchmarks/canary.py [--aa N] [--worse N] [--json FILE]`. No platform is touched: windows of recorded traffic
(latencies of 100 metered requests a second, from a drill of the reference platform, with its hiccups) are drawn with
repetition, and each request goes to the canary with the chance of its weight. The decisions are those of
`drillbook.domain`, one look for each window. Beside what was needed stands what no test of this level can do with less.
The exit code is 1 when more than 1 canary in 100 is aborted that is no worse.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from drillbook.domain.canary import WHOLE, Arm, Comparison, Plan, Window
from drillbook.domain.canary_ruling import Step, look
from drillbook.domain.two_sample import Counts, divergence

RECORDED = Path(__file__).parent / "recorded" / "latencies_ms.json"
WINDOW_S = 0.25
OWN_ERRORS = 0.0005
"""Share of bad answers of the stable release itself, and so of one that is no worse."""
GIVE_UP = 10_000
"""Answers of the canary after which a release that is not aborted counts as never."""
MOST_FALSE = 0.01
_LEARNT = 12


@dataclass(frozen=True, slots=True)
class Release:
    """What the canary does.

    Attributes:
        name: In the table.
        errors: Share of its answers that are bad beyond stable's.
        slower: Factor on its latencies.
    """

    name: str
    errors: float = 0.0
    slower: float = 1.0


@dataclass(frozen=True, slots=True)
class Course:
    """One canary.

    Attributes:
        aborted_at: Its answers when it was aborted; None when it never was.
        promoted_at: Its answers when it would have had all traffic; None when it was aborted or not decided before.
        bad: Its bad answers until the end.
        seconds: Until it was aborted or would have had all traffic.
        reason: Why it was aborted.
    """

    aborted_at: int | None
    promoted_at: int | None
    bad: int
    seconds: float
    reason: str = ""


RELEASES = (
    Release("0.5 % errors", errors=0.005),
    Release("1 % errors", errors=0.01),
    Release("2 % errors", errors=0.02),
    Release("5 % errors", errors=0.05),
    Release("1.2x latency", slower=1.2),
    Release("1.5x latency", slower=1.5),
    Release("2x latency", slower=2.0),
)


def course(release: Release, plan: Plan, recorded: list[list[float]], draw: random.Random, *, on: bool) -> Course:
    """One canary, from its first answer on.

    Args:
        release: What it does.
        plan: How it is decided.
        recorded: Windows of latencies in ms.
        draw: Chance.
        on: Whether it goes on at its last weight when it would have had all traffic, to see when it is found.
    """
    seen, now_s, place, promoted = Comparison(plan), 0.0, 0, None
    for _ in range(_LEARNT):
        seen = seen.learn(_window(Release(""), 0.0, recorded, draw, now_s))
        now_s += WINDOW_S
    step = Step(plan.steps[place], now_s)
    while seen.canary.total < GIVE_UP:
        window = _window(release, step.weight / WHOLE, recorded, draw, now_s)
        now_s += WINDOW_S
        seen, step = seen.plus(window), step.plus(window)
        found = look(seen, step, now_s, seen.canary.total)
        if found.ruling == "abort":
            return Course(seen.canary.total, promoted, seen.canary.hits, now_s, found.reason)
        if found.ruling == "undecided" and promoted is None:
            return Course(None, None, seen.canary.hits, now_s, found.reason)
        if found.ruling == "promote" and promoted is None:
            place += 1
            if plan.steps[place] < WHOLE:
                step = Step(plan.steps[place], now_s)
                continue
            promoted = seen.canary.total
            if not on:
                break
    return Course(None, promoted, seen.canary.hits, now_s)


def _window(release: Release, weight: float, recorded: list[list[float]], draw: random.Random, at_s: float) -> Window:
    arms: list[tuple[list[float], int]] = []
    latencies = draw.choice(recorded)
    mine = [draw.random() < weight for _ in latencies]
    for chosen, errors, slower in ((True, release.errors, release.slower), (False, 0.0, 1.0)):
        took = [ms * slower / 1000 for ms, canary in zip(latencies, mine, strict=True) if canary is chosen]
        arms.append((took, sum(draw.random() < OWN_ERRORS + errors for _ in took)))
    canary, stable = (Arm(Counts(len(took), bad), tuple(took)) for took, bad in arms)
    return Window(at_s, at_s + WINDOW_S, canary, stable)


def bound(release: Release, plan: Plan, recorded: list[list[float]]) -> float:
    """Answers of the canary that any test of this level needs on average, were stable's behaviour known beforehand.

    log(1/level) over the divergence of what the canary does from the nearest thing within its margin (Wald 1945): for
    errors that of two shares, for latencies that of two log-normal distributions with the spread of each recorded
    window: what makes both slow at the same time is no part of it.
    """
    if release.errors:
        return plan.log_abort / divergence(OWN_ERRORS + release.errors, OWN_ERRORS + plan.margins.errors)
    spreads = [statistics.pstdev(math.log(ms) for ms in window) for window in recorded]
    beyond = math.log(release.slower / plan.margins.latency)
    return plan.log_abort / statistics.mean(beyond**2 / (2 * spread**2) for spread in spreads)


def _chance(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 -- the same figures each time


def main() -> int:
    """Simulate, print, keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--aa", type=int, default=1000, help="canaries that are no worse")
    parser.add_argument("--worse", type=int, default=30, help="canaries of each worse release")
    parser.add_argument("--json", type=Path, help="keep the figures in this file")
    wanted = parser.parse_args()
    recorded: list[list[float]] = json.loads(RECORDED.read_text(encoding="utf-8"))
    plan, began = Plan(), time.perf_counter()
    alike = [course(Release("A/A"), plan, recorded, _chance(seed), on=False) for seed in range(wanted.aa)]
    false = [each for each in alike if each.aborted_at is not None]
    undecided = sum(each.aborted_at is None and each.promoted_at is None for each in alike)
    print(
        f"A/A: {len(false)} of {len(alike)} aborted, {undecided} undecided; promoted after "
        f"{statistics.median(each.seconds for each in alike):.0f} s (median); simulated in "
        f"{time.perf_counter() - began:.0f} s"
    )
    for each in false:
        print(f"  aborted after {each.aborted_at} answers: {each.reason}")
    rows: list[dict[str, Any]] = []
    print(
        f"{'release':<14}{'caught':>8}{'answers needed: median':>24}{'90 %':>8}{'worst':>8}{'bound':>8}"
        f"{'bad answers':>13}"
    )
    for release in RELEASES:
        courses = [course(release, plan, recorded, _chance(seed), on=True) for seed in range(wanted.worse)]
        caught = sum(each.aborted_at is not None and each.promoted_at is None for each in courses) / len(courses)
        needed = sorted(each.aborted_at or math.inf for each in courses)
        row: dict[str, Any] = {
            "release": release.name, "caught": caught, "median": needed[len(needed) // 2],
            "ninety": needed[int(0.9 * len(needed))], "worst": needed[-1], "bound": bound(release, plan, recorded),
            "bad": statistics.median(each.bad for each in courses),
        }  # fmt: skip
        rows.append(row)
        print(
            f"{release.name:<14}{caught:>8.0%}{row['median']:>24,.0f}{row['ninety']:>8,.0f}{row['worst']:>8,.0f}"
            f"{row['bound']:>8,.0f}{row['bad']:>13,.0f}",
            flush=True,
        )
    if wanted.json:
        document = {"plan": asdict(plan), "aa": len(alike), "false": len(false), "undecided": undecided, "rows": rows}
        wanted.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 1 if len(false) > MOST_FALSE * len(alike) else 0


if __name__ == "__main__":
    sys.exit(main())
