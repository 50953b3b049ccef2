"""The convolutional network of the book's chapter 7, `ch07/simple_convnet.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .layers import Affine, Convolution, Pooling, Relu
from .network import Network, check_conv, check_images, conv_height

__all__ = ["SimpleConvNet"]


class SimpleConvNet(Network):
    """Convolution, ReLU, 2×2 max pooling, affine, ReLU, affine; softmax with cross-entropy.

    Parameters
    ----------
    input_dim : channels, height and width of an image, which is square
    conv_param : `filter_num`, `filter_size`, `pad` and `stride` of the convolution
    hidden_size, output_size : the numbers of hidden neurons and of classes
    weight_init_std : the standard deviation of the initial weights, which are drawn from `np.random`

    Source: *Deep Learning from Scratch*, section 7.5.

    >>> network = SimpleConvNet()
    >>> list(network.layers)
    ['Conv1', 'Relu1', 'Pool1', 'Affine1', 'Relu2', 'Affine2']
    >>> network.params["W1"].shape, network.params["W2"].shape
    ((30, 1, 5, 5), (4320, 100))
    """

    def __init__(
        self,
        input_dim: tuple[int, int, int] = (1, 28, 28),
        conv_param: Mapping[str, int] | None = None,
        hidden_size: int = 100,
        output_size: int = 10,
        weight_init_std: float = 0.01,
    ) -> None:
        conv = conv_param or {"filter_num": 30, "filter_size": 5, "pad": 0, "stride": 1}
        name = type(self).__name__
        check_conv(name, conv)
        channels, height = check_images(name, input_dim, hidden_size=hidden_size, output_size=output_size)
        filters, size, stride, pad = conv["filter_num"], conv["filter_size"], conv["stride"], conv["pad"]
        pooled = conv_height(name, height, conv, pooled=True)
        super().__init__({})
        shapes = {
            1: (filters, channels, size, size),
            2: (filters * pooled * pooled, hidden_size),
            3: (hidden_size, output_size),
        }
        for number, shape in shapes.items():
            self.params[f"W{number}"] = weight_init_std * np.random.randn(*shape)
            self.params[f"b{number}"] = np.zeros(shape[0] if number == 1 else shape[1])
        self.layers = {
            "Conv1": Convolution(self.params["W1"], self.params["b1"], stride, pad),
            "Relu1": Relu(),
            "Pool1": Pooling(pool_h=2, pool_w=2, stride=2),
            "Affine1": Affine(self.params["W2"], self.params["b2"]),
            "Relu2": Relu(),
            "Affine2": Affine(self.params["W3"], self.params["b3"]),
        }

    def accuracy(self, x: Any, t: Any, batch_size: int | None = 100) -> Any:
        """The share of samples whose predicted class is t, in batches.

        All samples count; of the book's, those after the last full batch count as wrong.
        """
        return super().accuracy(x, t, batch_size)
