"""The network of the book's chapter 4, `ch04/two_layer_net.py`, which has no layers yet."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from ..backends import HostArray
from .checks import doubles
from .functions import cross_entropy_error, sigmoid, sigmoid_grad, softmax, target_rows
from .network import Network, affine_params

__all__ = ["TwoLayerNet"]

NO_LAYERS = "the network of chapter 4 has no layers; that of chapter 5, backprop.book.TwoLayerNet, has"


class TwoLayerNet(Network):
    """Affine, sigmoid, affine, softmax; `predict` returns probabilities.

    It has no layers, so `trace` is an error; the `TwoLayerNet` of chapter 5 has both.

    Parameters
    ----------
    input_size, hidden_size, output_size : the numbers of inputs, of hidden neurons, and of classes
    weight_init_std : the standard deviation of the initial weights, which are drawn from `np.random`

    Source: *Deep Learning from Scratch*, section 4.5.1.
    """

    _how_to_go_on = f": {NO_LAYERS}"

    def __init__(
        self, input_size: int, hidden_size: int, output_size: int, weight_init_std: float = 0.01
    ) -> None:
        super().__init__(
            affine_params("TwoLayerNet", [input_size, hidden_size, output_size], weight_init_std)
        )

    def predict(self, x: Any, train_flg: bool = False) -> HostArray:
        """The probabilities (N, C) for a batch x (N, D)."""
        z1 = sigmoid(self._first(x))
        return softmax(np.dot(z1, self.params["W2"]) + self.params["b2"])

    def loss(self, x: Any, t: Any, train_flg: bool = False) -> Any:
        """`cross_entropy_error` of the batch."""
        return cross_entropy_error(self.predict(x), t)

    def gradient(self, x: Any, t: Any) -> dict[str, HostArray]:
        """The gradient of the loss for every parameter, by the chain rule written out."""
        x = np.atleast_2d(doubles("TwoLayerNet", x))
        a1 = self._first(x)
        z1 = sigmoid(a1)
        y = softmax(np.dot(z1, self.params["W2"]) + self.params["b2"])
        t = target_rows("TwoLayerNet", y, t)
        dy = (y * t.sum(axis=1, keepdims=True) - t) / len(x)
        da1 = sigmoid_grad(a1) * np.dot(dy, self.params["W2"].T)
        return {
            "W1": np.dot(x.T, da1),
            "b1": np.sum(da1, axis=0),
            "W2": np.dot(z1.T, dy),
            "b2": np.sum(dy, axis=0),
        }

    def trace(self, x: Any, t: Any) -> NoReturn:
        """Raise `TypeError`: there are no layers to trace."""
        raise TypeError(f"TwoLayerNet.trace: {NO_LAYERS}")

    def _first(self, x: Any) -> HostArray:
        """x W1 + b1."""
        x, W1 = doubles("TwoLayerNet", x), self.params["W1"]
        if x.ndim not in (1, 2) or x.shape[-1] != len(W1):
            raise ValueError(f"TwoLayerNet: expected x (N, {len(W1)}), got {x.shape}")
        a1: HostArray = np.dot(x, W1) + self.params["b1"]
        return a1

    def _arrays(self) -> dict[str, HostArray]:
        return self.params
