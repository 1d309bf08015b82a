"""How a canary is decided: false aborts of releases that are no worse, and how soon worse ones are aborted.

`python -m benchmarks.canary [--aa N] [--worse N] [--json FILE]`. No platform is touched: windows of recorded traffic
(latencies of 100 metered requests a second, from a drill of the reference platform, with its hiccups) are drawn with
repetition, and each request goes to the canary with the chance of its weight. The decisions are those of
`drillbook.domain`, one look for each window. Beside what was needed stands what no test of this level can do with less.
The exit code is 1 when it is not shown, at 95 % confidence, that at most 1 canary in 100 is aborted that is no worse,
when fewer than 95 in 100 of any worse one are aborted before all users have it, or when more than 5 in 100 are promoted
of one that leaves requests without an answer that names it.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drillbook.domain.canary import WHOLE, Arm, Comparison, Plan, Window
from drillbook.domain.canary_ruling import Step, look
from drillbook.domain.statistics import share
from drillbook.domain.two_sample import Counts, divergence

if TYPE_CHECKING:
    from collections.abc import Iterable

RECORDED = Path(__file__).parent / "recorded" / "latencies_ms.json"
WINDOW_S = 0.25
OWN_ERRORS = 0.0005
"""Share of bad answers of the stable release itself, and so of one that is no worse."""
MOST_FALSE = 0.01
LEAST_CAUGHT = 0.95
CONFIDENCE = 0.95
_LEARNT = 12


@dataclass(frozen=True, slots=True)
class Release:
    """What the canary does.

    Attributes:
        name: In the table.
        errors: Share of its answers that are bad beyond stable's.
        slower: Factor on its latencies.
        unnamed: Share of its requests that fail without an answer that names it, beyond stable's.
        everywhere: Share of all requests that do, whichever release they were for, also before the canary.
    """

    name: str
    errors: float = 0.0
    slower: float = 1.0
    unnamed: float = 0.0
    everywhere: float = 0.0


@dataclass(frozen=True, slots=True)
class Course:
    """One canary.

    Attributes:
        aborted_at: Its answers when it was aborted; None when it never was.
        promoted_at: Its answers when it would have had all traffic; None when it was aborted or not decided before.
        bad: Its bad answers until the end.
        seconds: Until it was aborted, would have had all traffic, or was held for too long.
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
    Release("0.5 % unnamed", unnamed=0.005),
    Release("1 % unnamed", unnamed=0.01),
    Release("2 % unnamed", unnamed=0.02),
)


def course(seed: int, release: Release, plan: Plan, recorded: list[list[float]]) -> Course:
    """One canary, from its first answer to its end.

    Args:
        seed: Of chance.
        release: What it does.
        plan: How it is decided.
        recorded: Windows of latencies in ms.
    """
    draw = random.Random(seed)  # noqa: S311 -- the same figures each time
    seen, now_s, place = Comparison(plan), 0.0, 0
    for _ in range(_LEARNT):
        seen = seen.learn(_window(replace(release, unnamed=0.0), 0.0, recorded, draw, now_s))
        now_s += WINDOW_S
    step = Step(plan.steps[place], now_s)
    while True:
        window = _window(release, step.weight / WHOLE, recorded, draw, now_s)
        now_s += WINDOW_S
        seen, step = seen.plus(window), step.plus(window)
        found = look(seen, step, now_s, seen.canary.total)
        if found.ruling == "abort":
            return Course(seen.canary.total, None, seen.canary.hits, now_s, found.reason)
        if found.ruling == "undecided":
            return Course(None, None, seen.canary.hits, now_s, found.reason)
        if found.ruling == "promote":
            place += 1
            if plan.steps[place] == WHOLE:
                return Course(None, seen.canary.total, seen.canary.hits, now_s, found.reason)
            step = Step(plan.steps[place], now_s)


def _window(release: Release, weight: float, recorded: list[list[float]], draw: random.Random, at_s: float) -> Window:
    arms: list[tuple[list[float], int]] = []
    latencies, lost = draw.choice(recorded), 0
    mine = [draw.random() < weight for _ in latencies]
    for chosen, errors, slower in ((True, release.errors, release.slower), (False, 0.0, 1.0)):
        took = [ms * slower / 1000 for ms, canary in zip(latencies, mine, strict=True) if canary is chosen]
        if unnamed := release.everywhere + (release.unnamed if chosen else 0.0):
            asked = len(took)
            took = [latency_s for latency_s in took if draw.random() >= unnamed]
            lost += asked - len(took)
        arms.append((took, sum(draw.random() < OWN_ERRORS + errors for _ in took)))
    canary, stable = (Arm(Counts(len(took), bad), tuple(took)) for took, bad in arms)
    return Window(at_s, at_s + WINDOW_S, canary, stable, Counts(lost, lost))


def bound(release: Release, plan: Plan, recorded: list[list[float]]) -> float | None:
    """Answers of the canary that any test of this level needs on average, were stable's behaviour known beforehand.

    log(1/level) over the divergence of what the canary does from the nearest thing within its margin (Wald 1945): for
    errors that of two shares, for latencies that of two log-normal distributions with the spread of each recorded
    window: what makes both slow at the same time is no part of it. None of failures that name nobody: what is known of
    them hangs on the time before the canary.
    """
    if release.unnamed:
        return None
    if release.errors:
        return plan.log_abort / divergence(OWN_ERRORS + release.errors, OWN_ERRORS + plan.margins.errors)
    spreads = [statistics.pstdev(math.log(ms) for ms in window) for window in recorded]
    beyond = math.log(release.slower / plan.margins.latency)
    return plan.log_abort / statistics.mean(beyond**2 / (2 * spread**2) for spread in spreads)


def bound_of_promotion(plan: Plan) -> float:
    """The same for a canary that is like stable, until it is known to be within its margin."""
    return plan.log_assured / divergence(OWN_ERRORS, OWN_ERRORS + plan.margins.errors)


def summary(release: Release, courses: list[Course], plan: Plan, recorded: list[list[float]]) -> dict[str, Any]:
    """A row of the table."""
    aborted = sorted(each.aborted_at for each in courses if each.aborted_at is not None)
    promoted = sum(each.promoted_at is not None for each in courses)
    needed = [*aborted, *([None] * (len(courses) - len(aborted)))]
    return {
        "release": release.name, "trials": len(courses), "aborted": len(aborted), "promoted": promoted,
        "undecided": len(courses) - len(aborted) - promoted,
        "aborted_share": asdict(share(len(aborted), len(courses), CONFIDENCE)),
        "promoted_share": asdict(share(promoted, len(courses), CONFIDENCE)),
        "median": needed[len(needed) // 2], "ninety": needed[int(0.9 * len(needed))],
        "bound": bound(release, plan, recorded), "bad": statistics.median(each.bad for each in courses),
    }  # fmt: skip


def told(row: dict[str, Any]) -> str:
    """The same for people."""
    needed = "".join(
        f"{'never' if row[name] is None else format(row[name], ',.0f'):>9}" for name in ("median", "ninety")
    )
    least = "" if row["bound"] is None else format(row["bound"], ",.0f")
    return (
        f"{row['release']:<14}{row['trials']:>7}{row['aborted']:>9}{row['undecided']:>11}{row['promoted']:>10}"
        f"{needed}{least:>8}{row['bad']:>13,.0f}"
    )


def main() -> int:
    """Simulate, print, keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--aa", type=int, default=600, help="canaries that are no worse")
    parser.add_argument("--worse", type=int, default=60, help="canaries of each worse release")
    parser.add_argument("--json", type=Path, help="keep the figures in this file")
    wanted = parser.parse_args()
    recorded: list[list[float]] = json.loads(RECORDED.read_text(encoding="utf-8"))
    plan, began = Plan(), time.perf_counter()
    with ProcessPoolExecutor() as pool:

        def courses(release: Release, trials: int) -> Iterable[Course]:
            return pool.map(partial(course, release=release, plan=plan, recorded=recorded), range(trials))

        alike = list(courses(Release("A/A"), wanted.aa))
        false = [each for each in alike if each.aborted_at is not None]
        promoted = [each.promoted_at for each in alike if each.promoted_at is not None]
        rate = share(len(false), len(alike), CONFIDENCE)
        print(
            f"A/A: {len(false)} of {len(alike)} aborted (at most {rate.high:.2%} at {CONFIDENCE:.0%} confidence), "
            f"{len(alike) - len(false) - len(promoted)} undecided; promoted after {statistics.median(promoted):,.0f} "
            f"answers (median; mean {statistics.mean(promoted):,.0f}, and no test's can be below "
            f"{bound_of_promotion(plan):,.0f}) and "
            f"{statistics.median(each.seconds for each in alike):.0f} s; simulated in "
            f"{time.perf_counter() - began:.0f} s"
        )
        for each in false:
            print(f"  aborted after {each.aborted_at} answers: {each.reason}")
        print(
            f"{'release':<14}{'trials':>7}{'aborted':>9}{'undecided':>11}{'promoted':>10}{'median':>9}{'90 %':>9}"
            f"{'bound':>8}{'bad answers':>13}"
        )
        rows: list[dict[str, Any]] = []
        for release in RELEASES:
            rows.append(summary(release, list(courses(release, wanted.worse)), plan, recorded))
            print(told(rows[-1]), flush=True)
    # Nobody can tell whose the failures are that name nobody: they need not abort, but must not promote.
    caught = [row["trials"] - row["promoted"] if row["bound"] is None else row["aborted"] for row in rows]
    missed = [row["release"] for row, of in zip(rows, caught, strict=True) if of < LEAST_CAUGHT * row["trials"]]
    if rate.high > MOST_FALSE:
        missed.append("A/A")
    if wanted.json:
        document = {
            "plan": asdict(plan), "missed": missed, "rows": rows,
            "aa": {
                "trials": len(alike), "aborted": len(false), "share": asdict(rate), "promoted": len(promoted),
                "median": statistics.median(promoted), "mean": statistics.mean(promoted),
                "bound": bound_of_promotion(plan),
            },
        }  # fmt: skip
        wanted.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    if missed:
        print(f"MISSED: {', '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
