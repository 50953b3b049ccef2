"""What is measured in processes of their own; process 0 prints JSON, in seconds.

    python -m benchmarks.scaling.measuring computing W1
    mpiexec -n 2 python -m benchmarks.scaling.measuring exchange shared
    mpiexec -n 2 python -m benchmarks.scaling.measuring steps messages W1

Other programs may use the machine, which only takes time: what counts is the fastest repetition.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from backends import get_backend, world
from backends.communicator import OrderedSum
from backends.mpi import MPICommunicator, SentSum
from backprop import SGD, Adam, Optimizer

from ..processes import step_times
from ..workloads import ADAM_BETAS, ADAM_EPSILON, WORKLOADS, Data, Workload, initial_weights, load_data

LARGE = Workload(
    "100M", "784-5640×4-10, ReLU, batch 128, SGD", (784, *[5640] * 4, 10), 128, "sgd", 0.01, "he", 1
)
"""A network of 100 million parameters."""

EVERY = {**WORKLOADS, LARGE.name: LARGE}
PARTS = (1, 2, 4, 8)
"""The shares of a batch that are measured: all of it, a half, …"""
LENGTHS = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
"""Of the vectors that are exchanged."""
STEPS = {"W1": 600, "W2": 40, "W3": 60, "W4": 300, LARGE.name: 3}
"""The steps of an epoch, which others may leave undisturbed."""
EPOCHS = 10


def parameters(workload: Workload) -> int:
    """The number of a network's parameters."""
    if workload is LARGE:  # whose weights take a while
        return sum((m + 1) * n for m, n in zip(workload.sizes, workload.sizes[1:], strict=False))
    return sum(value.size for value in initial_weights(workload).values())


def computing(name: str) -> dict[str, Any]:
    """In one process: the step by the number of samples, and the update alone."""
    data, workload = load_data(floats=False), EVERY[name]
    batches = [workload.batch // part for part in PARTS]
    return {
        "steps": {batch: _step(replace(workload, batch=batch), data, 1) for batch in batches},
        "update": _update(workload),
    }


def steps(kind: str, name: str) -> float:
    """The step in all processes, which exchange in shared memory or by messages."""
    communicator = world()
    if isinstance(communicator, MPICommunicator):
        communicator.shared = kind == "shared"
    return _step(EVERY[name], load_data(floats=False), communicator.size)


def exchange(kind: str) -> dict[int, float]:
    """An exchange as that of a step, by its length: sums of gradients, and parameters from the others."""
    from mpi4py import MPI

    communicator, times = MPICommunicator(MPI.COMM_WORLD, shared=kind == "shared"), {}
    for length in LENGTHS:
        total = communicator.ordered_sum([1] * communicator.size, length, "float32")
        total.rows[...] = 1.0
        times[length] = _exchange(total, length)
    return times


def own(processes: int = 8) -> dict[str, float]:
    """In one process: what it does itself for each byte of a vector that is exchanged by messages."""
    mute = SimpleNamespace(
        rank=0, size=processes, Alltoallv=lambda *_buffers: None, Allgatherv=lambda *_buffers: None
    )
    seconds = {}
    for name, length in (("small", 3_000_000), ("large", 10_000_000)):
        total = SentSum(mute, [1] * processes, length, "float32")
        seconds[name] = _exchange(total, length) / total.rows.nbytes
    return seconds


def _exchange(total: OrderedSum, length: int) -> float:
    get_backend("cpu")  # which has freed memory kept, as in a training
    vector = np.zeros(length, np.float32)

    def once() -> None:
        total.add()
        total.gather(vector)

    return _call(once, length)


def _step(workload: Workload, data: Data, shards: int) -> float:
    # With so few steps the one that proves a recording, done twice, would show.
    large = workload.name == LARGE.name
    epochs = 4 if large else EPOCHS
    return min(step_times(workload, data, shards, epochs, STEPS[workload.name], capture=not large))


def _update(workload: Workload) -> float:
    """The optimizer's step, of all parameters as one vector."""
    optimizer: Optimizer = SGD(workload.lr)
    if workload.optimizer == "adam":
        optimizer = Adam(workload.lr, *ADAM_BETAS, epsilon=ADAM_EPSILON)
    backend, count = get_backend("cpu"), parameters(workload)
    params, grads = ({"flat": backend.asarray(np.ones(count, np.float32))} for _ in range(2))
    return _call(lambda: optimizer.update(params, grads), count)


def _call(call: Callable[[], object], length: int) -> float:
    """The time of a call for a vector of this length: the same number of calls in all processes."""
    calls = min(200, max(1, 3_000_000 // length))
    call()
    times = []
    for _ in range(20):
        began = time.perf_counter()
        for _ in range(calls):
            call()
        times.append((time.perf_counter() - began) / calls)
    return min(times)


def main() -> None:
    what, *more = sys.argv[1:]
    every: dict[str, Callable[..., Any]] = {
        "computing": computing,
        "exchange": exchange,
        "own": own,
        "steps": steps,
    }
    measured = every[what](*more)
    if world().rank == 0:
        print(json.dumps(measured))


if __name__ == "__main__":
    main()
