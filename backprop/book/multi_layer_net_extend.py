"""`MultiLayerNet` with batch normalization and dropout: the book's `common/multi_layer_net_extend.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .layers import BatchNormalization, Dropout
from .multi_layer_net import MultiLayerNet

__all__ = ["MultiLayerNetExtend"]


class MultiLayerNetExtend(MultiLayerNet):
    """`MultiLayerNet` with batch normalization before, and dropout after every activation function.

    Parameters
    ----------
    input_size, hidden_size_list, output_size, activation, weight_init_std, weight_decay_lambda : see
        `MultiLayerNet`
    use_dropout : whether there is dropout
    dropout_ration : the share that is dropped (the spelling is the book's)
    use_batchnorm : whether there is batch normalization

    Source: *Deep Learning from Scratch*, sections 6.3 and 6.4.

    >>> network = MultiLayerNetExtend(784, [100], 10, use_dropout=True, use_batchnorm=True)
    >>> list(network.layers)
    ['Affine1', 'BatchNorm1', 'Activation_function1', 'Dropout1', 'Affine2']
    """

    def __init__(
        self,
        input_size: int,
        hidden_size_list: Sequence[int],
        output_size: int,
        activation: str = "relu",
        weight_init_std: str | float = "relu",
        weight_decay_lambda: float = 0,
        use_dropout: bool = False,
        dropout_ration: float = 0.5,
        use_batchnorm: bool = False,
    ) -> None:
        self.use_dropout, self.dropout_ration, self.use_batchnorm = use_dropout, dropout_ration, use_batchnorm
        super().__init__(
            input_size, hidden_size_list, output_size, activation, weight_init_std, weight_decay_lambda
        )

    def _activation(self, number: int, size: int, function: Any) -> dict[str, Any]:
        layers: dict[str, Any] = {}
        if self.use_batchnorm:
            gamma, beta = np.ones(size), np.zeros(size)
            self.params[f"gamma{number}"], self.params[f"beta{number}"] = gamma, beta
            layers[f"BatchNorm{number}"] = BatchNormalization(gamma, beta)
        layers |= super()._activation(number, size, function)
        if self.use_dropout:
            layers[f"Dropout{number}"] = Dropout(self.dropout_ration)
        return layers
