"""Initial weights, drawn on the host so that they are the same on every backend."""

from __future__ import annotations

import math

import numpy as np

from ..backends import HostArray
from ..lookup import lookup

GAINS = {"he": 2.0, "relu": 2.0, "xavier": 1.0, "sigmoid": 1.0}
"""Variance of a weight times its neuron's number of inputs, by the book's names."""


def normal(shape: tuple[int, ...], std: float, rng: np.random.Generator) -> HostArray:
    """Independent draws from the normal distribution with mean 0 and standard deviation `std`.

    Source: *Deep Learning from Scratch*, section 4.5.1 (std = 0.01).

    >>> import numpy
    >>> normal((2, 3), 0.01, numpy.random.default_rng(0)).shape
    (2, 3)
    """
    if not (math.isfinite(std) and std >= 0.0):
        raise ValueError(f"normal: expected a finite standard deviation of at least 0, got {std}")
    return std * rng.standard_normal(shape)


def standard_deviation(init: str | float, inputs: int) -> float:
    """The standard deviation of the weights of neurons with this many inputs.

    Parameters
    ----------
    init : `"he"` or `"relu"` for √(2 / inputs), `"xavier"` or `"sigmoid"` for √(1 / inputs), or the
        standard deviation itself

    Source: He and others (2015); Glorot and Bengio (2010), in the book's form; *Deep Learning from
    Scratch*, section 6.2.

    >>> standard_deviation("he", 50), standard_deviation("xavier", 100), standard_deviation(0.01, 784)
    (0.2, 0.1, 0.01)
    """
    if isinstance(init, str):
        return math.sqrt(lookup("initial values", init, GAINS, "a number or ") / inputs)
    if not (math.isfinite(init) and init >= 0.0):
        raise ValueError(f"expected a finite standard deviation of at least 0, got {init}")
    return float(init)
