"""The book's run through the command line: 10,000 steps, and the accuracy on test data."""

from __future__ import annotations

import json
import subprocess
import sys

from backends import get_backend

from ..reporting import Report

ACCURACY, QUICK_ACCURACY = 0.966, 0.5
"""The least, after 10,000 steps (0.9702 ± 0.0010 over ten seeds) and after 300."""


def run(report: Report, arguments: list[str], quick: bool) -> None:
    get_backend(arguments[0])  # a missing GPU is that, not a failure
    command = [sys.executable, "-m", "backprop", "train", "--device", arguments[0], "--no-save", "--json"]
    done = subprocess.run(
        [*command, *(["--iters", "300"] if quick else [])], stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        raise RuntimeError(f"backprop train ended with status {done.returncode}")
    found = json.loads(done.stdout.splitlines()[-1])
    accuracy, least = found["test_accuracy"], QUICK_ACCURACY if quick else ACCURACY
    result = f"{accuracy:.4f} (at least {least})"
    report.add("test accuracy", result, passed=accuracy >= least, shown=True, accuracy=accuracy)
    report.add("time in all", f"{found['seconds']:.1f} s", seconds=found["seconds"])
