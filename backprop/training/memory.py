"""Out of memory in a step: say which batch size would fit."""

from __future__ import annotations

import math
from collections.abc import Iterator

from .step import TrainStep


class BatchTooLargeError(MemoryError):
    """A step does not fit into the device's memory; says what it needs, what is free and what would fit."""

    def __init__(self, device: str, batch_size: int, needed: int, free: int | None) -> None:
        known = "" if free is None else f" and {free / 1e6:,.0f} MB are free"
        fits = f"about {max(batch_size * free // needed, 1):,}" if free else f"{max(batch_size // 2, 1):,}"
        super().__init__(
            f"out of memory on {device}: a step with a batch of {batch_size:,} needs about "
            f"{needed / 1e6:,.0f} MB{known}; try a batch size of {fits}"
        )


def within_memory(step: TrainStep, steps: Iterator[int]) -> Iterator[int]:
    """Yield the steps; if memory runs out, raise an error that suggests a batch size."""
    backend = step.network.backend
    try:
        yield from steps
    except Exception as error:
        if not backend.is_out_of_memory(error):
            raise
    else:
        return
    needed = step.batch_size * _bytes_per_sample(step)
    raise BatchTooLargeError(backend.device, step.batch_size, needed, backend.free_memory) from None


def _bytes_per_sample(step: TrainStep) -> int:
    """Estimate the memory of a step per sample: each layer's input and output, and their gradients."""
    network = step.network
    x = network.scaled(step.data["x"][:1, ...])
    entries: int = math.prod(x.shape)
    for layer in network.layers.values():
        x = layer.forward(x)
        entries += 3 * math.prod(x.shape)
    return entries * int(network.dtype.removeprefix("float")) // 8
