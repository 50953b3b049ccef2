"""Prove and measure everything on one GPU, in ten minutes at most and without a network.

In this order: captured training against called training for every layer, loss and optimizer, on CuPy, PyTorch
and JAX; every gradient; the book's run with its accuracy; a training resumed from CPU to GPU and back; NCCL
in a group of one; the time of an empty kernel in a graph; the nodes of a captured step and how much of an
epoch the GPU works; W1 to W4 beside PyTorch and JAX with their memory, in float32 and again in TF32. A
library that is missing is reported as such.

Each part is a process of its own with a time limit of its own, so a failure, a crash or a hang loses nothing
but what was still to be found there. The file is written after every part. The exit status is 1 if a proof
failed, 2 if nothing could run here, else 0.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .plan import DEVICES, Part, parts
from .running import Outcome, run_part
from .table import table

DAY = 10.0
"""The minutes for which the parts' limits are made."""
LEAST = 0.25
"""A part begins only with this share of its time left."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts, print the table, write the JSON, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu_day",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=_minutes, default=DAY, help="for everything (default: 10)")
    parser.add_argument("--out", type=Path, default=Path("gpu_day.json"), help="(default: %(default)s)")
    parser.add_argument("--parts", help="only these, comma-separated; --parts list names them")
    parser.add_argument(
        "--device", default="gpu", choices=list(DEVICES), help="cpu tries the program without a GPU"
    )
    parser.add_argument("--quick", action="store_true", help="every part tiny: tries the program")
    options = parser.parse_args(arguments)
    every = parts(options.device)
    if options.parts == "list":
        print("\n".join(part.name for part in every))
        return 0
    chosen = _chosen(every, options.parts)
    settings = {"device": options.device, "minutes": options.minutes, "quick": options.quick}

    def write(done: Sequence[Outcome]) -> None:
        _write(options.out, {**settings, "parts": [outcome.to_dict() for outcome in done]})

    write([])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the part that runs is ended
    try:
        outcomes = run_day(chosen, options.minutes, options.quick, write)
    except KeyboardInterrupt:
        sys.exit(f"\ninterrupted; the parts that had ended are in {options.out}")
    print(f"\n{table(outcomes)}\n\nwritten to {options.out}")
    return exit_status(outcomes)


def run_day(
    chosen: Sequence[Part], minutes: float, quick: bool, after: Callable[[Sequence[Outcome]], None]
) -> list[Outcome]:
    """Run the parts one after the other within so many minutes; call `after` with the outcomes so far."""
    end, share = time.monotonic() + 60.0 * minutes, min(minutes / DAY, 1.0)
    outcomes: list[Outcome] = []
    for part in chosen:
        left = end - time.monotonic()
        limit = min(share * part.seconds, left)
        if left < LEAST * share * part.seconds:
            outcome = Outcome(part.name, "skipped", f"no time left of {minutes:g} minutes", part.proves)
        else:
            print(f"{part.name}: at most {limit:.0f} s … ", end="", flush=True)
            outcome = run_part(part, limit, quick)
            print(f"{outcome.status}, {outcome.seconds:.0f} s", flush=True)
        outcomes.append(outcome)
        after(outcomes)
    return outcomes


def exit_status(outcomes: Sequence[Outcome]) -> int:
    """1 if a proof failed, 2 if nothing could run, else 0."""
    if any(outcome.is_wrong for outcome in outcomes):
        return 1
    found = [outcome for outcome in outcomes if outcome.findings and outcome.status != "missing"]
    return 0 if any(outcome.part != "machine" for outcome in found) else 2


def _chosen(every: Sequence[Part], names: str | None) -> list[Part]:
    known = [part.name for part in every]
    wanted = known if names is None else [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in known:
            sys.exit(f"unknown part {name!r}: expected some of {', '.join(map(repr, known))}")
    return [part for part in every if part.name in wanted]


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not 0.0 < minutes <= DAY:
        raise argparse.ArgumentTypeError(f"expected a number above 0, up to {DAY:g}, got {text!r}")
    return minutes


def _write(path: Path, found: dict[str, Any]) -> None:
    """Write what was found so far; exits with an error if the file cannot be written."""
    try:
        path.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    except OSError as error:
        sys.exit(f"cannot write {path}: {error.strerror}; give another file with --out")


if __name__ == "__main__":
    sys.exit(main())
