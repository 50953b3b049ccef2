"""The machines that are assumed, and the networks on them. Their sources are in docs/scaling.md."""

from __future__ import annotations

from ..workloads import Workload
from .measuring import EVERY, LARGE, parameters
from .model import ITEM, Cluster, Computing, Job, Link

HIDDEN = 100
"""The width of W4's layers with batch normalization, whose statistics are exchanged."""

ETHERNET = Link(25e-6, 8 / 10e9)
INFINIBAND = Link(1.5e-6, 8 / 200e9)

GPU_MEMORY = 3.35e12
"""Bytes a second of an H100's memory."""
GPU_RATE = 40e12
"""Floating-point operations a second of large float32 products: 60 % of an H100's peak."""
GPU_STEPS = {"W1": 88e-6, "W2": 183e-6, "W3": 368e-6, "W4": 478e-6}
"""Measured on one H200, benchmarks/RESULTS.md."""
NVLINK = Cluster(
    "NVLink",
    between=Link(2.5e-6, 8 / 200e9),
    own=6 / GPU_MEMORY,  # sorted, added and put in place: each is read and written
    node=8,
    within=Link(2e-6, 1 / 450e9),
)


def networks(own: float, large: float) -> list[Cluster]:
    """One process on every node, which does this with a byte itself."""
    return [
        Cluster("10 Gbit/s Ethernet", ETHERNET, own, large),
        Cluster("200 Gbit/s InfiniBand", INFINIBAND, own, large),
    ]


def job(name: str, computing: Computing) -> Job:
    """One of the networks that are measured."""
    workload = EVERY[name]
    hidden = len(workload.sizes) - 2
    # Forward the sums and the sums of squares, backward two sums at once, for each layer.
    small = (HIDDEN, HIDDEN, 2 * HIDDEN) * hidden if workload.batch_norm else ()
    return Job(name, computing, workload.batch, parameters(workload) + 3, small)


def on_a_gpu(name: str) -> Job:
    """The same on an H100: what is not products does not shrink with the samples."""
    workload = EVERY[name]
    per_sample = operations(workload) / GPU_RATE
    size = ITEM * parameters(workload)
    update = 3 * size / GPU_MEMORY  # parameters and gradients read, parameters written
    if workload is LARGE:
        return job(name, Computing(3 * size / GPU_MEMORY, per_sample, update))
    fixed = GPU_STEPS[name] - per_sample * workload.batch - update
    return job(name, Computing(fixed, per_sample, update))


def operations(workload: Workload) -> float:
    """Floating-point operations for a sample, forward, and backward twice as many; see `Workload`."""
    weights = sum(m * n for m, n in zip(workload.sizes, workload.sizes[1:], strict=False))
    convolved = workload.filters * 25 * 24 * 24  # whose input needs no gradient
    return 6.0 * weights + 4.0 * convolved
