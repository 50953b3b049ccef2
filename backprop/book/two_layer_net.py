"""The network of the book's chapter 5, `ch05/two_layer_net.py`."""

from __future__ import annotations

from .layers import Affine, Relu
from .network import Network, affine_params

__all__ = ["TwoLayerNet"]


class TwoLayerNet(Network):
    """Affine, ReLU, affine; softmax with cross-entropy.

    `backprop.TwoLayerNet` is the same network in float32, on any array library.

    Parameters
    ----------
    input_size, hidden_size, output_size : the numbers of inputs, of hidden neurons, and of classes
    weight_init_std : the standard deviation of the initial weights, which are drawn from `np.random`

    Source: *Deep Learning from Scratch*, section 5.7.2.

    >>> import numpy as np
    >>> np.random.seed(0)
    >>> network = TwoLayerNet(4, 3, 2)
    >>> x, t = np.random.rand(5, 4), np.array([0, 1, 1, 0, 1])
    >>> grads, numerical = network.gradient(x, t), network.numerical_gradient(x, t)
    >>> [bool(np.abs(grads[key] - numerical[key]).max() < 1e-6) for key in ("W1", "b1", "W2", "b2")]
    [True, True, True, True]
    """

    def __init__(
        self, input_size: int, hidden_size: int, output_size: int, weight_init_std: float = 0.01
    ) -> None:
        super().__init__(
            affine_params("TwoLayerNet", [input_size, hidden_size, output_size], weight_init_std)
        )
        self.layers = {
            "Affine1": Affine(self.params["W1"], self.params["b1"]),
            "Relu1": Relu(),
            "Affine2": Affine(self.params["W2"], self.params["b2"]),
        }
