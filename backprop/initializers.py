"""Initial values of weights: drawn on the host, the same on every backend."""

from __future__ import annotations

from typing import Any

import numpy as np


def normal(shape: tuple[int, ...], std: float, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Independent draws from the normal distribution with mean 0 and standard deviation `std`.

    Source: *Deep Learning from Scratch*, section 4.5.1 (std = 0.01).

    >>> import numpy
    >>> normal((2, 3), 0.01, numpy.random.default_rng(0)).shape
    (2, 3)
    """
    if not std >= 0.0:
        raise ValueError(f"normal: expected a standard deviation of at least 0, got {std}")
    return std * rng.standard_normal(shape)
