"""Validation of the arguments of `Training`."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np

from ..backends import Array
from ..dtypes import is_whole
from ..layers.shared_batch import UndividedBatch
from ..networks import Network
from .shard_proof import local_norms

Sampling = Literal["without-replacement", "with-replacement"]
SAMPLINGS: tuple[str, ...] = get_args(Sampling)


def check_whole(**arguments: Any) -> None:
    """Raise a `ValueError` unless each argument is None or a whole number of at least 1."""
    for name, value in arguments.items():
        if value is not None and (not is_whole(value) or value < 1):
            raise ValueError(f"expected {name} to be a whole number of at least 1, got {value!r}")


def check_validation(validation: Any, patience: int | None) -> None:
    """Raise unless `validation` is a share or a pair of arrays, or None without patience."""
    if validation is None:
        if patience is not None:
            raise ValueError("patience needs validation data: give validation=0.1, or validation=(x, t)")
    elif isinstance(validation, float | np.floating):
        if not 0.0 < validation < 1.0:
            raise ValueError(f"expected validation as a share above 0.0 and below 1.0, got {validation}")
    elif not is_pair(validation):
        raise TypeError(f"expected validation=(x, t) or a share such as 0.1, got {validation!r:.80}")


def check_hook(hook: Any, hook_steps: int | None) -> None:
    """Raise a `ValueError` for a hook without `hook_steps`, or `hook_steps` without a hook."""
    if hook is not None and hook_steps is None:
        raise ValueError(
            "a hook needs hook_steps, the number of steps between its calls: give hook_steps=100, say"
        )
    if hook is None and hook_steps is not None:
        raise ValueError(f"hook_steps={hook_steps} needs a hook, the function to call: give hook=…")


def steps_per_epoch(samples: int, batch_size: int, sampling: str) -> int:
    """⌈samples / batch_size⌉; raises a `ValueError` for a batch too large, or an unknown sampling."""
    if sampling not in SAMPLINGS:
        raise ValueError(f"unknown sampling {sampling!r}: expected one of {', '.join(SAMPLINGS)}")
    if batch_size > samples:
        raise ValueError(f"expected a batch size from 1 to the {samples} samples given, got {batch_size}")
    return math.ceil(samples / batch_size)


def total_steps(epochs: int | None, iterations: int | None, per_epoch: int) -> int:
    """The number of steps in all, from exactly one of epochs and iterations."""
    if (epochs is None) == (iterations is None):
        raise ValueError("give either epochs or iterations")
    return epochs * per_epoch if epochs is not None else iterations or 0


def check_last_batch(network: Network, x: Array, batch_size: int) -> None:
    """Raise if the last batch has one sample, and a layer cannot learn from it."""
    n = x.shape[0]
    if (n % batch_size or batch_size) > 1:
        return
    copied = copy.deepcopy(network)
    try:
        copied.forward(copied.scaled(x[:1, ...]), training=True)
    except ValueError as error:
        raise ValueError(f"{n:,} samples in batches of {batch_size} leave one alone: {error}") from None


def is_pair(value: Any) -> bool:
    """Whether `value` is a tuple or list of two."""
    return isinstance(value, (tuple, list)) and len(value) == 2


def default_shards(processes: int) -> int:
    """The smallest power of two that is at least the number of processes."""
    return int(1 << (processes - 1).bit_length())


def check_shards(shards: int, processes: int, batch_size: int) -> None:
    """Raise `ValueError` unless every process has a shard, and every shard of a batch a sample."""
    if shards < processes:
        raise ValueError(
            f"expected at least as many shards as processes, got {shards} for {processes}: give more shards, "
            "or start fewer processes"
        )
    if shards > batch_size:
        raise ValueError(
            f"expected at most as many shards as samples in a batch, got {shards} for batch_size {batch_size}"
        )


def check_smallest_shard(network: Network, x: Array, sizes: Sequence[int], shards: int) -> None:
    """Raise if a batch of one of these sizes has a shard of one sample, and a layer cannot learn from it."""
    if shards == 1 or all(size // shards != 1 for size in sizes) or not local_norms(network):
        return
    copied = copy.deepcopy(network)
    ys = [copied.scaled(x[i : i + 1, ...]) for i in range(2)]
    try:
        for layer in copied.layers.values():
            ys = layer.forward_parts([layer, layer.replica()], ys, _Pair())
    except ValueError as error:
        raise ValueError(
            f"{x.shape[0]:,} samples in batches of {sizes[0]}, cut into {shards} shards, leave one alone "
            f"in its shard: {error}"
        ) from None


class _Pair(UndividedBatch):
    """Two samples in two parts."""

    starts: Sequence[int] = (0, 1)

    def __init__(self) -> None:
        super().__init__(2)

    def sums(self, *values: Sequence[Array]) -> list[Array]:
        return [first + second for first, second in values]
