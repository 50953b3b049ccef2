"""The range and the size of inputs."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ..backends import Array, backend_of, dtype_name, namespace_of

LARGE = 10.0
"""The root mean square of inputs from which on training is likely to fail."""

SAMPLES = 1000
"""How many samples are read at a time, and how many, evenly spread, give the root mean square."""


def extent(x: Array) -> tuple[float, float]:
    """The least and the largest value."""
    if dtype_name(x.dtype) == "bool":
        return 0.0, 1.0
    backend = backend_of(x)
    if backend.device == "cpu":
        host = backend.to_numpy(x)
        return float(host.min()), float(host.max())
    return float(backend.to_numpy(backend.xp.min(x))), float(backend.to_numpy(backend.xp.max(x)))


def is_whole(x: Array) -> bool:
    """Whether all numbers are whole."""
    if not dtype_name(x.dtype).startswith("float"):
        return True
    xp = namespace_of(x)
    return all(bool(xp.all(xp.floor(part) == part)) for _, part in parts(x))


def parts(x: Array) -> Iterator[tuple[int, Array]]:
    """The samples, some at a time, with the number of the first."""
    for start in range(0, x.shape[0], SAMPLES):
        yield start, x[start : min(start + SAMPLES, x.shape[0]), ...]


def root_mean_square(x: Array) -> float:
    """The root mean square of evenly spread samples."""
    part = x[:: max(1, x.shape[0] // SAMPLES), ...]
    host = backend_of(part).to_numpy(part).astype(np.float64)
    return math.sqrt(float(np.square(host).mean())) if host.size else 0.0
