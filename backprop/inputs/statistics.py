"""The range and the size of inputs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..backends import Array, backend_of, dtype_name, namespace_of
from .mapped import Mapped

LARGE = 10.0
"""The root mean square of inputs from which on training is likely to fail."""

SAMPLES = 1000
"""The most samples that are read at a time, and how many, evenly spread, give the root mean square."""

ENTRIES = 2**20
"""The most entries that are read at a time, unless a single sample has more."""


def extent(x: Any) -> tuple[float, float]:
    """The least and the largest value."""
    if dtype_name(x.dtype) == "bool":
        return 0.0, 1.0
    if isinstance(x, Mapped):
        bounds = [(part.min(), part.max()) for _, part in parts(x)]
        return float(min(low for low, _ in bounds)), float(max(high for _, high in bounds))
    backend = backend_of(x)
    if backend.device == "cpu":
        host = backend.to_numpy(x)
        return float(host.min()), float(host.max())
    return float(backend.to_numpy(backend.xp.min(x))), float(backend.to_numpy(backend.xp.max(x)))


def is_whole(x: Array) -> bool:
    """Whether all numbers are whole."""
    if not dtype_name(x.dtype).startswith("float"):
        return True
    return all(_are_whole(part) for _, part in parts(x))


def _are_whole(x: Array) -> bool:
    xp = namespace_of(x)
    return bool(xp.all(xp.floor(x) == x))


def parts(x: Any) -> Iterator[tuple[int, Any]]:
    """The samples, some at a time, with the number of the first."""
    count = min(SAMPLES, _at_once(x))
    for start in range(0, x.shape[0], count):
        yield start, x[start : min(start + count, x.shape[0]), ...]


def _at_once(x: Array) -> int:
    """How many samples have so few entries that they are read at once."""
    return max(1, ENTRIES // max(1, math.prod(x.shape[1:])))


def root_mean_square(x: Array) -> float:
    """The root mean square of evenly spread samples."""
    every, total, entries = max(1, x.shape[0] // SAMPLES), 0.0, 0
    for start in range(0, x.shape[0], every * _at_once(x)):
        part = x[start : min(start + every * _at_once(x), x.shape[0]) : every, ...]
        host = backend_of(part).to_numpy(part).astype(np.float64)
        total, entries = total + float(np.square(host).sum()), entries + host.size
    return math.sqrt(total / entries) if entries else 0.0
