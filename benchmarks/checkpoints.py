"""The cost of saving a run: `python -m benchmarks.checkpoints [pairs]`.

Runs `backprop train`, the book's 10,000 steps with an evaluation and a checkpoint every epoch, alternately
with and without `--no-save`. The share is the median of the pairs' ratios, less 1.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from statistics import median, quantiles

TRAIN = ("-m", "backprop", "train", "--device", "cpu", "--json", "--no-report")


def seconds(folder: str, *more: str) -> float:
    """The time reported by the command, without Python's start."""
    done = subprocess.run(
        [sys.executable, *TRAIN, *more], cwd=folder, stdout=subprocess.PIPE, text=True, check=True
    )
    return float(json.loads(done.stdout.splitlines()[-1])["seconds"])


def main() -> None:
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    with tempfile.TemporaryDirectory(dir=".") as folder:
        measured = [(seconds(folder, "--no-save"), seconds(folder)) for _ in range(pairs)]
    low, middle, high = quantiles([kept / bare - 1.0 for bare, kept in measured], n=4)
    bare, kept = (median(times) for times in zip(*measured, strict=True))
    print(f"nothing saved {bare:.2f} s, 17 checkpoints {kept:.2f} s; medians of {pairs} pairs")
    print(f"share: {middle:.1%} (quartiles {low:.1%} to {high:.1%})")


if __name__ == "__main__":
    main()
