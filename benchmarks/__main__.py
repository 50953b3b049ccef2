"""Compare the time of a training step with that of other libraries, on the same work.

The speed of shared machines drifts; ratios within a round do not. So every contender is a process of its own
with a fixed thread count, and in every round each runs for a moment, in a new order. All start from the same
weights and report the loss after the same number of steps, so that none wins by computing something else.

A time is that of a step in a training that has long been running, the device at rest before and after a
burst, and contains everything that a user then pays: drawing the order and gathering the batches for all; for
ours, whose bursts are whole epochs of one `Training`, also the last step of an epoch done both ways and the
reading of the losses. What comes before, imports, compiling, recording and the first steps, stands apart.

On a GPU all use products in full float32, or all in TF32, by --precision. `ours:fit@jax` is ours on another
library or device, as `ours:called@torch:cuda`. --device jax compares ours on JAX with JAX's own scan:

    python -m benchmarks --device jax --workload W1,W2,W4
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from importlib import metadata

from .measuring import Setting, measure
from .precision import PRECISIONS
from .table import report
from .workloads import WORKLOADS

CPU = ("floor:numpy", "handwritten:numpy", "ours:fit", "ours:called", "ours:layers", "pytorch:eager",
       "pytorch:fused", "pytorch:compile", "pytorch:channels-last", "jax_nn:jit", "jax_nn:scan",
       "sklearn_mlp:partial_fit", "book:as-published")  # fmt: skip
GPU = ("ours:fit", "ours:called", "ours:layers", "pytorch:eager", "pytorch:fused", "pytorch:compile",
       "pytorch:channels-last", "pytorch:cuda-graph", "jax_nn:jit", "jax_nn:scan")  # fmt: skip
DEVICES = {
    "cpu": ("cpu", CPU),
    "gpu": ("gpu", GPU),
    "jax": ("cpu", ("ours:fit@jax", "ours:fit", "jax_nn:jit", "jax_nn:scan")),
    "jax:gpu": ("gpu", ("ours:fit@jax:gpu", "ours:fit", "jax_nn:jit", "jax_nn:scan")),
}
"""By the option: where the peers run, and the contenders."""


def machine() -> str:
    """The processor and the versions, in one line."""
    found = []
    for package in ("numpy", "torch", "jax", "scikit-learn", "cupy-cuda13x", "cupy-cuda12x"):
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    versions = ", ".join([f"Python {platform.python_version()}", *found])
    return f"{platform.machine()}, {os.cpu_count()} cores, {versions}"


def main() -> None:
    """Run the benchmarks selected by the options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workload", default="W1,W2", help="W1 to W4, comma-separated (%(default)s)")
    parser.add_argument("--threads", default="1", help="thread counts, comma-separated (%(default)s)")
    parser.add_argument("--device", default="cpu", choices=list(DEVICES))
    parser.add_argument(
        "--precision", default="float32", choices=PRECISIONS, help="of products on a GPU (%(default)s)"
    )
    parser.add_argument("--only", help="contenders, comma-separated, as jax_nn:scan or ours:fit@jax")
    parser.add_argument("--rounds", type=_positive, default=20, help="(default: %(default)s)")
    parser.add_argument("--burst", type=float, default=0.3, help="seconds per burst (default: %(default)s)")
    parser.add_argument(
        "--limit", type=float, default=600.0, help="seconds for an answer (default: %(default)s)"
    )
    parser.add_argument("--together", action="store_true", help="start all contenders at the same time")
    parser.add_argument("--json", action="store_true", help="all times, as JSON")
    options = parser.parse_args()
    device, contenders = DEVICES[options.device]
    names = contender_names(options.only) if options.only else list(contenders)
    workloads = chosen("workload", options.workload, list(WORKLOADS))
    if options.precision == "tf32" and device == "cpu":
        sys.exit("--precision tf32 is for GPUs: give --device gpu or jax:gpu, or leave it out")
    try:
        threads = [_positive(count) for count in options.threads.split(",")]
    except argparse.ArgumentTypeError as error:
        sys.exit(f"--threads: {error}")
    if not options.json:
        print(machine())
    for workload in workloads:
        for count in threads:
            setting = Setting(workload, count, device, options.precision if device != "cpu" else "float32")
            measured = measure(names, setting, options.rounds, options.burst, options.limit, options.together)
            print(json.dumps(measured) if options.json else f"\n{report(measured)}", flush=True)


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got {text!r}")
    return number


def contender_names(names: str) -> list[str]:
    """The contenders between the commas; exits with an error if one is unknown, or a peer is @ a device."""
    known = list(dict.fromkeys([*CPU, *GPU]))
    for name in names.split(","):
        contender, at, _ = name.partition("@")
        chosen("contender", contender, known)
        if at and not contender.startswith("ours:"):
            sys.exit(f"contender {name!r}: only ours runs on a library of choice, as ours:fit@jax")
    return names.split(",")


def chosen(what: str, names: str, known: list[str]) -> list[str]:
    """The names between the commas; exits with an error if one is unknown."""
    for name in names.split(","):
        if name not in known:
            sys.exit(f"unknown {what} {name!r}: expected some of {', '.join(known)}")
    return names.split(",")


if __name__ == "__main__":
    main()
