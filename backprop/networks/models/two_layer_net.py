"""The network of the book's chapter 5."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...backends import Backend
from ...layers import ReLU
from ...losses import SoftmaxWithLoss
from ..network import Network
from .builder import Builder


class TwoLayerNet(Network):
    """Affine, ReLU, Affine, softmax with loss: the book's network of section 5.7.2.

    Parameters
    ----------
    input_size, hidden_size, output_size : the widths
    weight_init_std : standard deviation of the initial weights, or `"he"` or `"xavier"`; the biases
        start at 0
    dtype : `"float32"` or `"float64"`
    device : a name that `backprop.backends.get_backend` takes, or a backend
    rng : a `numpy.random.Generator` or a seed; the same seed gives the same weights everywhere

    >>> network = TwoLayerNet(784, 50, 10, rng=0)
    >>> network
    TwoLayerNet(Affine1 · Relu1 · Affine2 · SoftmaxWithLoss; 39,760 parameters, float32 on cpu)
    >>> print(network.summary())
    layer            output     parameters
    input            (N, 784)            0
    Affine1          (N, 50)        39,250
    Relu1            (N, 50)             0
    Affine2          (N, 10)           510
    SoftmaxWithLoss  ()                  0
    total                           39,760
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        weight_init_std: str | float = 0.01,
        *,
        dtype: Any = "float32",
        device: str | Backend = "cpu",
        rng: np.random.Generator | int | None = None,
    ) -> None:
        build = Builder("TwoLayerNet", dtype, device, rng)
        build.check_sizes(input_size=input_size, hidden_size=hidden_size, output_size=output_size)
        first = build.affine(input_size, hidden_size, weight_init_std)
        second = build.affine(hidden_size, output_size, weight_init_std)
        super().__init__({"Affine1": first, "Relu1": ReLU(), "Affine2": second}, SoftmaxWithLoss())
