"""The deep convolutional network of the book's chapter 8, `ch08/deep_convnet.py`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from .layers import Affine, Convolution, Dropout, Pooling, Relu
from .network import Network, check_conv, check_images, conv_height

__all__ = ["DeepConvNet"]


def _conv(filter_num: int, pad: int = 1) -> dict[str, int]:
    return {"filter_num": filter_num, "filter_size": 3, "pad": pad, "stride": 1}


class DeepConvNet(Network):
    """Three times (convolution, ReLU, convolution, ReLU, 2×2 max pooling), then affine, ReLU, dropout,
    affine, dropout; softmax with cross-entropy. The last dropout, on the scores, is the book's.

    Parameters
    ----------
    input_dim : channels, height and width of an image, which is square
    conv_param_1, …, conv_param_6 : `filter_num`, `filter_size`, `pad` and `stride` of the convolutions; by
        default 16, 16, 32, 32, 64 and 64 filters of 3×3, the fourth with a pad of 2, the others with 1
    hidden_size, output_size : the numbers of hidden neurons and of classes

    The initial weights are drawn from `np.random`, with √(2 / inputs) as their standard deviation. (The book
    has fixed numbers for it, those of the default arguments.)

    Source: *Deep Learning from Scratch*, section 8.1.

    >>> network = DeepConvNet()
    >>> len(network.layers), network.params["W7"].shape
    (20, (1024, 50))
    """

    layers: list[Any]

    def __init__(
        self,
        input_dim: tuple[int, int, int] = (1, 28, 28),
        conv_param_1: Mapping[str, int] | None = None,
        conv_param_2: Mapping[str, int] | None = None,
        conv_param_3: Mapping[str, int] | None = None,
        conv_param_4: Mapping[str, int] | None = None,
        conv_param_5: Mapping[str, int] | None = None,
        conv_param_6: Mapping[str, int] | None = None,
        hidden_size: int = 50,
        output_size: int = 10,
    ) -> None:
        super().__init__({})
        convolutions = [
            conv_param_1 or _conv(16),
            conv_param_2 or _conv(16),
            conv_param_3 or _conv(32),
            conv_param_4 or _conv(32, pad=2),
            conv_param_5 or _conv(64),
            conv_param_6 or _conv(64),
        ]
        self.layers = []
        name = type(self).__name__
        channels, size = check_images(name, input_dim, hidden_size=hidden_size, output_size=output_size)
        for number, conv in enumerate(convolutions, 1):
            check_conv(name, conv)
            shape = (conv["filter_num"], channels, conv["filter_size"], conv["filter_size"])
            W, b = self._drawn(number, shape, math.prod(shape[1:]), shape[0])
            self.layers += [Convolution(W, b, conv["stride"], conv["pad"]), Relu()]
            channels, size = shape[0], conv_height(name, size, conv, pooled=number % 2 == 0)
            if number % 2 == 0:
                self.layers.append(Pooling(pool_h=2, pool_w=2, stride=2))
        flat = channels * size * size
        hidden = Affine(*self._drawn(7, (flat, hidden_size), flat, hidden_size))
        output = Affine(*self._drawn(8, (hidden_size, output_size), hidden_size, output_size))
        self.layers += [hidden, Relu(), Dropout(0.5), output, Dropout(0.5)]

    def loss(self, x: Any, t: Any, train_flg: bool = True) -> Any:
        """The loss of the batch, with dropout: every call draws new masks."""
        return super().loss(x, t, train_flg)

    def accuracy(self, x: Any, t: Any, batch_size: int | None = 100) -> Any:
        """The share of samples whose predicted class is t, in batches.

        All samples count; of the book's, those after the last full batch count as wrong.
        """
        return super().accuracy(x, t, batch_size)

    def _drawn(self, number: int, shape: tuple[int, ...], inputs: int, outputs: int) -> tuple[Any, Any]:
        """Return new weights and biases, which are parameters by this number."""
        W, b = math.sqrt(2.0 / inputs) * np.random.randn(*shape), np.zeros(outputs)
        self.params[f"W{number}"], self.params[f"b{number}"] = W, b
        return W, b
