"""`Builder`: make initialized layers for the networks in this folder."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...backends import Array, Backend, dtype_name, get_backend
from ...dtypes import is_whole
from ...layers import Affine, BatchNormalization, Dropout
from ..initializers import normal, standard_deviation


class Builder:
    """Makes layers with initial values drawn on the host and moved to a device.

    `owner` is the prefix of every error message.
    """

    def __init__(self, owner: str, dtype: Any, device: str | Backend, rng: Any) -> None:
        if dtype_name(dtype) not in ("float32", "float64"):
            raise ValueError(f"{owner}: expected dtype float32 or float64, got {dtype_name(dtype)}")
        self.owner, self.dtype = owner, dtype
        self.backend, self.rng = get_backend(device), np.random.default_rng(rng)

    def array(self, values: np.ndarray) -> Array:
        """The values on the device, in the network's dtype."""
        return self.backend.asarray(values, dtype=self.dtype)

    def affine(self, inputs: int, outputs: int, init: str | float) -> Affine:
        """An affine layer; `init` is what `standard_deviation` takes."""
        W = normal((inputs, outputs), standard_deviation(init, inputs), self.rng)
        return Affine(self.array(W), self.array(np.zeros(outputs)))

    def filters(self, channels: int, outputs: int, size: int, init: str | float) -> tuple[Array, Array]:
        """W and b of a convolution with square kernels."""
        shape = (outputs, channels, size, size)
        W = normal(shape, standard_deviation(init, channels * size * size), self.rng)
        return self.array(W), self.array(np.zeros(outputs))

    def batch_norm(self, features: int, *, synchronized: bool) -> BatchNormalization:
        """Batch normalization with γ = 1 and β = 0."""
        gamma, beta = self.array(np.ones(features)), self.array(np.zeros(features))
        return BatchNormalization(gamma, beta, synchronized=synchronized)

    def dropout(self, ratio: float) -> Dropout:
        """Dropout with a random seed."""
        return Dropout(ratio, seed=int(self.rng.integers(2**31)))

    def check_kind(self, kind: Any, example: Any, length: int | None = None, **given: Any) -> None:
        """Raise unless the arguments are of this kind and, if given, of this length."""
        for what, value in given.items():
            if not isinstance(value, kind) or (length is not None and len(value) != length):
                raise ValueError(f"{self.owner}: expected {what} such as {example!r}, got {value!r}")

    def check_sizes(self, **sizes: Any) -> None:
        """Raise unless the sizes are whole numbers of at least 1."""
        for what, size in sizes.items():
            if not is_whole(size) or size < 1:
                raise ValueError(f"{self.owner}: expected {what} of at least 1, got {size!r}")
