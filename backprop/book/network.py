"""What the book's networks share: parameters by name, layers in order, the loss, and pickles."""

from __future__ import annotations

import inspect
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from ..backends import HostArray
from ..layers.checks import check_whole
from ..networks.initializers import standard_deviation
from .gradient import numerical_gradient
from .layers import Relu, Sigmoid, SoftmaxWithLoss
from .pickles import read_pickle, write_pickle

ACTIVATIONS = {"relu": Relu, "sigmoid": Sigmoid}
"""The activation functions by the book's names."""


class Network:
    """A stack of layers that share their arrays with `params`.

    Change a parameter in place: `network.params["W1"] -= step`. As in the book, an assignment
    `network.params["W1"] = W` makes another array of it, of which the layer knows nothing.
    """

    params: dict[str, HostArray]
    """The parameters by name: `"W1"`, `"b1"`, …"""

    layers: Any
    """The layers by name, or in a list, in order."""

    last_layer: Any
    """The loss."""

    weight_decay_lambda: float = 0
    """λ of the penalty λ/2 Σ W²."""

    def __init__(self, params: dict[str, HostArray]) -> None:
        self.params, self.layers, self.last_layer = params, {}, SoftmaxWithLoss()

    @property
    def lastLayer(self) -> Any:  # noqa: N802 - the book's spelling
        """The loss, as chapter 5 calls it."""
        return self.last_layer

    @lastLayer.setter
    def lastLayer(self, loss: Any) -> None:  # noqa: N802 - the book's spelling
        self.last_layer = loss

    def predict(self, x: Any, train_flg: bool = False) -> HostArray:
        """The scores (N, C) for a batch x: the output of the last layer before the loss."""
        for layer in self._stack():
            kind: Any = type(layer)
            x = layer.forward(x, train_flg) if _takes_flag(kind) else layer.forward(x)
        return np.asarray(x)

    def loss(self, x: Any, t: Any, train_flg: bool = False) -> Any:
        """The loss of the batch, with the penalty on the weights."""
        loss = self.last_layer.forward(self.predict(x, train_flg), t)
        return loss + self._penalty() if self.weight_decay_lambda else loss

    def accuracy(self, x: Any, t: Any, batch_size: int | None = None) -> Any:
        """The share of samples whose predicted class is t: class numbers (N,), or one-hot rows."""
        x, t = np.asarray(x), np.asarray(t)
        t = t if t.ndim == 1 else t.argmax(axis=1)
        if len(x) != len(t) or not len(x):
            raise ValueError(f"accuracy: expected as many labels as samples, got {len(t)} and {len(x)}")
        size = len(x) if batch_size is None else batch_size
        correct = 0
        for start in range(0, len(x), size):
            part = slice(start, start + size)
            correct += np.sum(self.predict(x[part]).argmax(axis=1) == t[part])
        return correct / len(x)

    def gradient(self, x: Any, t: Any) -> dict[str, HostArray]:
        """The gradient of the loss for every parameter, by backpropagation."""
        self.loss(x, t, train_flg=True)
        dout = self.last_layer.backward(1)
        for layer in reversed(self._stack()):
            dout = layer.backward(dout)
        grads = {name: getattr(layer, f"d{key}") for name, layer, key in self._places()}
        if self.weight_decay_lambda:
            for name, layer, key in self._places():
                if key == "W":
                    grads[name] = grads[name] + self.weight_decay_lambda * layer.W
        return grads

    def numerical_gradient(self, x: Any, t: Any) -> dict[str, HostArray]:
        """The gradient by `numerical_gradient`, all of it with the same masks of dropout.

        The masks are the next ones of `np.random`: to compare with `gradient`, call `np.random.seed` with one
        seed before each of the two.
        """
        state = np.random.get_state()

        def loss(_: HostArray) -> Any:
            np.random.set_state(state)
            return self.loss(x, t, train_flg=True)

        return {name: numerical_gradient(loss, self.params[name]) for name in self._names()}

    def save_params(self, file_name: str | os.PathLike[str] = "params.pkl") -> None:
        """Write `params` as a pickle, as the book's code does."""
        write_pickle(file_name, self.params)

    def load_params(self, file_name: str | os.PathLike[str] = "params.pkl") -> None:
        """Read `params` from a pickle, the book's too, without running anything in it.

        Raises `ValueError`, and changes nothing, unless the pickle is a dict of arrays with the names and the
        shapes of `params`.
        """
        values = read_pickle(file_name)
        for name in {**self.params, **values}:
            want, got = (_described(arrays.get(name)) for arrays in (self.params, values))
            if want != got:
                raise ValueError(f"{os.fspath(file_name)}: expected {want} for {name}, got {got}")
        for name in self.params:
            self.params[name] = values[name]
        for name, layer, key in self._places():
            setattr(layer, key, self.params[name])

    def _penalty(self) -> Any:
        """λ/2 Σ W²."""
        weights = [self.params[name] for name in self._names() if name.startswith("W")]
        return sum(0.5 * self.weight_decay_lambda * np.sum(W**2) for W in weights)

    def _stack(self) -> list[Any]:
        """The layers in order."""
        return list(self.layers.values() if isinstance(self.layers, Mapping) else self.layers)

    def _places(self) -> Iterator[tuple[str, Any, str]]:
        """Every parameter's name, its layer, and its name there: `"W2"`, the second of the layers, `"W"`."""
        number = 0
        for layer in self._stack():
            number += hasattr(layer, "W")
            for key in ("W", "b", "gamma", "beta"):
                if hasattr(layer, key):
                    yield f"{key}{number}", layer, key

    def _names(self) -> list[str]:
        """The names of the parameters, in the order of the layers."""
        return [name for name, _, _ in self._places()]


def affine_params(name: str, sizes: Sequence[int], weight_init_std: str | float) -> dict[str, HostArray]:
    """Return W1, b1, W2, b2, … of fully connected layers between these sizes, drawn from `np.random`.

    The weights have the standard deviation `weight_init_std`, or √(2 / inputs) for `"he"` or `"relu"`, or
    √(1 / inputs) for `"xavier"` or `"sigmoid"`; the biases are 0.
    """
    check_whole(name, 1, **{f"width {number}": size for number, size in enumerate(sizes)})
    params = {}
    for number, (inputs, outputs) in enumerate(itertools.pairwise(sizes), 1):
        std = standard_deviation(weight_init_std, inputs)
        params[f"W{number}"] = std * np.random.randn(inputs, outputs)
        params[f"b{number}"] = np.zeros(outputs)
    return params


def check_conv(name: str, conv: Mapping[str, int]) -> None:
    """Raise unless these are the parameters of a convolution."""
    if set(conv) != {"filter_num", "filter_size", "pad", "stride"}:
        raise ValueError(f"{name}: expected filter_num, filter_size, pad and stride, got {dict(conv)}")
    check_whole(name, 1, **{key: conv[key] for key in ("filter_num", "filter_size", "stride")})
    check_whole(name, 0, pad=conv["pad"])


@cache
def _takes_flag(kind: Any) -> bool:
    """Whether `forward` takes `train_flg`, as that of dropout and batch normalization does."""
    return "train_flg" in inspect.signature(kind.forward).parameters


def _described(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array {value.shape}"
    return "nothing" if value is None else type(value).__name__
