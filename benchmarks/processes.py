"""The time of a training step in one process and in several, each with one thread.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 mpiexec -n 2 python -m benchmarks.processes --shards 2
    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python -m benchmarks.processes --shards 1

A step is the median over epochs, after the first, of what an epoch takes, divided by its steps.
"""

from __future__ import annotations

import argparse
import time
from itertools import pairwise
from statistics import median

from backends import get_backend, world
from backprop import SGD, Adam, BatchNormalization, Network, Optimizer, Training

from .contenders.ours import layers_of
from .workloads import ADAM_BETAS, ADAM_EPSILON, WORKLOADS, Data, Workload, load_data

STEPS = {"W1": 600, "W2": 300, "W3": 200, "W4": 600}
"""The steps of an epoch."""


def step_times(
    workload: Workload,
    data: Data,
    shards: int,
    epochs: int,
    steps: int,
    *,
    capture: bool = True,
    synchronized: bool = True,
) -> list[float]:
    """Seconds of a step in every epoch after the first."""
    samples = steps * workload.batch
    pixels = data.pixels[:samples].reshape(-1, 1, 28, 28) if workload.filters else data.pixels[:samples]
    optimizer: Optimizer = SGD(workload.lr)
    if workload.optimizer == "adam":
        optimizer = Adam(workload.lr, *ADAM_BETAS, epsilon=ADAM_EPSILON)
    network = Network(layers_of(workload, get_backend("cpu"), merged=True))
    for layer in network.layers.values():
        if isinstance(layer, BatchNormalization):
            layer.synchronized = synchronized
    training = Training(
        network,
        pixels,
        data.t[:samples],
        optimizer=optimizer,
        epochs=epochs,
        batch_size=workload.batch,
        rng=0,
        shards=shards,
        capture=capture,
    )
    ends = [time.perf_counter() for _ in training]
    return [(end - start) / steps for start, end in pairwise(ends)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workload", default="W1,W2,W3,W4", help="comma-separated (W1,W2,W3,W4)")
    parser.add_argument("--shards", type=int, default=1, help="(default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=7, help="(default: %(default)s)")
    parser.add_argument(
        "--batch-norm",
        choices=["synchronized", "local"],
        default="synchronized",
        help="the statistics of W4 (default: %(default)s)",
    )
    options = parser.parse_args()
    synchronized = options.batch_norm == "synchronized"
    data, processes = load_data(floats=False), world()
    for name in options.workload.split(","):
        steps = STEPS[name]
        times = step_times(
            WORKLOADS[name], data, options.shards, options.epochs, steps, synchronized=synchronized
        )
        seconds = median(times)
        if processes.rank == 0:
            print(f"{name} processes {processes.size} shards {options.shards} µs/step {1e6 * seconds:,.0f}")


if __name__ == "__main__":
    main()
