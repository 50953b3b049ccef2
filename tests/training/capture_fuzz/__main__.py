"""`python -m tests.training.capture_fuzz SEED …` judges single cases and tells all about them; `--cases N` counts many."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter, defaultdict

from .cases import make
from .habits import HABITS
from .judgement import FAILURES, OUTCOMES, examine


def main() -> int:
    """0 when no case differs, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.training.capture_fuzz", description=__doc__)
    parser.add_argument("seeds", nargs="*", type=int, help="judge these cases")
    parser.add_argument("--cases", type=int, metavar="N", help="judge so many and count the outcomes")
    parser.add_argument("--start", type=int, default=0, metavar="SEED", help="the first of them")
    parser.add_argument("--control", action="store_true", help="call both runs: they have to be equal")
    parser.add_argument("--habits", action="store_true", help="list the habits")
    asked = parser.parse_args()
    if asked.habits:
        for name, habit in sorted(HABITS.items()):
            print(f"{name:44}{habit.about}")
        return 0
    seeds = [*asked.seeds, *range(asked.start, asked.start + (asked.cases or 0))]
    if not seeds:
        parser.error("expected a seed, or --cases N")
    counts: Counter[str] = Counter()
    failed: dict[str, list[int]] = defaultdict(list)
    began = time.perf_counter()
    for seed in seeds:
        outcome = examine(seed, control=asked.control)
        counts[outcome.kind] += 1
        case = make(seed)
        if asked.seeds:
            print(f"{case}\n{outcome.kind}\n{outcome.difference}\n{outcome.warned}".rstrip() + "\n")
        elif outcome.failed:
            print(
                f"{outcome.kind} {seed} {case.mode}: {outcome.difference} | {outcome.warned[:100]}",
                flush=True,
            )
            failed[" and ".join(habit.name for habit in case.habits)].append(seed)
    print(f"{summary(counts)}; {time.perf_counter() - began:.0f} s")
    for names, where in sorted(failed.items()):
        print(f"  {names or 'no habits'}: {' '.join(map(str, where[:8]))}")
    return 1 if any(counts[kind] for kind in FAILURES) else 0


def summary(counts: Counter[str]) -> str:
    """One line with the share of each outcome."""
    cases = sum(counts.values())
    shares = (
        f"{kind} {counts[kind]} ({counts[kind] / max(cases, 1):.1%})" for kind in OUTCOMES if counts[kind]
    )
    return f"capture fuzz, {cases} cases: {', '.join(shares)}"


if __name__ == "__main__":
    sys.exit(main())
