"""The fully connected networks of the book's chapter 6, `common/multi_layer_net.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..lookup import lookup
from .layers import Affine
from .network import ACTIVATIONS, Network, affine_params

__all__ = ["MultiLayerNet"]


class MultiLayerNet(Network):
    """Fully connected layers with an activation function after each but the last.

    Parameters
    ----------
    input_size, output_size : the numbers of inputs and of classes
    hidden_size_list : the number of neurons in every hidden layer
    activation : `"relu"` or `"sigmoid"`
    weight_init_std : the standard deviation of the initial weights; or `"relu"` or `"he"` for √(2 / inputs),
        `"sigmoid"` or `"xavier"` for √(1 / inputs)
    weight_decay_lambda : λ of the penalty λ/2 Σ W²

    Source: *Deep Learning from Scratch*, chapter 6.

    >>> network = MultiLayerNet(784, [100, 50], 10)
    >>> list(network.layers)
    ['Affine1', 'Activation_function1', 'Affine2', 'Activation_function2', 'Affine3']
    """

    def __init__(
        self,
        input_size: int,
        hidden_size_list: Sequence[int],
        output_size: int,
        activation: str = "relu",
        weight_init_std: str | float = "relu",
        weight_decay_lambda: float = 0,
    ) -> None:
        name = type(self).__name__
        if not isinstance(hidden_size_list, Sequence):
            raise TypeError(f"{name}: expected hidden_size_list such as [100, 100], got {hidden_size_list!r}")
        super().__init__(affine_params(name, [input_size, *hidden_size_list, output_size], weight_init_std))
        self.input_size, self.output_size = input_size, output_size
        self.hidden_size_list, self.hidden_layer_num = list(hidden_size_list), len(hidden_size_list)
        self.weight_decay_lambda = weight_decay_lambda
        function = lookup("activation", activation, ACTIVATIONS)
        self.layers = {}
        for number, size in enumerate([*hidden_size_list, output_size], 1):
            self.layers[f"Affine{number}"] = Affine(self.params[f"W{number}"], self.params[f"b{number}"])
            if number <= self.hidden_layer_num:
                self.layers |= self._activation(number, size, function())

    def _activation(self, number: int, size: int, function: Any) -> dict[str, Any]:
        """Return what follows the affine layer of this number, which has `size` neurons."""
        return {f"Activation_function{number}": function}
