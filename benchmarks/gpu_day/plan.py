"""The parts of the day, in their order: correctness first."""

from __future__ import annotations

from dataclasses import dataclass

from ..workloads import WORKLOADS

DEVICES = {"gpu": ("gpu", "torch:cuda", "jax:gpu"), "cpu": ("cpu", "torch", "jax")}
"""Ours on each library, by where the day takes place."""


@dataclass(frozen=True)
class Part:
    """A part of the day, which runs in a process of its own."""

    name: str
    module: str
    """The module with its `run(report, arguments, quick)`."""
    arguments: tuple[str, ...]
    seconds: float
    """How long it may take in a day of ten minutes."""
    proves: bool = False
    """Whether a failure means that results are wrong, and not only that a time is missing."""


def parts(where: str) -> list[Part]:
    """The parts of a day on a `"gpu"`; on a `"cpu"` they try the program."""
    here = "benchmarks.gpu_day.parts"
    ours, torch, jax = DEVICES[where]

    def proof(name: str, module: str, seconds: float, *arguments: str) -> Part:
        return Part(name, f"{here}.{module}", arguments, seconds, proves=True)

    def peers(workload: str, precision: str) -> Part:
        name = f"{workload} {precision}"
        return Part(name, f"{here}.peers", (where, workload, precision), 80.0)

    precisions = ("float32", "tf32") if where == "gpu" else ("float32",)
    return [
        Part("machine", f"{here}.machine", (where,), 20.0),
        proof("captured", "captured", 75.0, ours),
        proof("gradients", "gradients", 60.0, ours),
        proof("the book's run", "book_run", 45.0, ours),
        proof("resume", "resume", 30.0, ours),
        proof("NCCL", "nccl", 20.0, ours),
        proof(f"captured on {torch}", "captured", 45.0, torch),
        proof(f"captured on {jax}", "captured", 75.0, jax),
        Part("empty kernel", f"{here}.empty_kernel", (ours,), 15.0),
        Part("graphs", f"{here}.graphs", (ours,), 50.0),
        *(peers(workload, precision) for precision in precisions for workload in WORKLOADS),
    ]
