"""What the book's networks share: parameters by name, layers in order, the loss, and pickles."""

from __future__ import annotations

import copy
import inspect
import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from .. import networks
from ..backends import HostArray
from ..layers.book_style.form import FLAG
from ..layers.checks import check_whole
from ..networks.initializers import standard_deviation
from .functions import target_rows
from .gradient import numerical_gradient
from .layers import Relu, Sigmoid, SoftmaxWithLoss
from .pickles import read_pickle, write_pickle

if TYPE_CHECKING:
    from ..tracing import Trace

ACTIVATIONS = {"relu": Relu, "sigmoid": Sigmoid}
"""The activation functions by the book's names."""


class Network:
    """A stack of layers that share their arrays with `params`.

    Change a parameter in place: `network.params["W1"] -= step`, or `network.params["W1"][...] = W`. After
    `network.params["W1"] = W` the layer would compute with the old array, as it does in the book; here the
    next call is an error.
    """

    params: dict[str, HostArray]
    """The parameters by name: `"W1"`, `"b1"`, …"""

    layers: Any
    """The layers by name, or in a list, in order."""

    last_layer: Any
    """The loss."""

    weight_decay_lambda: float = 0
    """λ of the penalty λ/2 Σ W²."""

    _how_to_go_on = (
        ", but backprop.Network(copy.deepcopy(network.layers)) has, which fit, check_gradients, explain and "
        "save_network take"
    )
    """After an error: where there is what only `backprop.Network` has."""

    def __init__(self, params: dict[str, HostArray]) -> None:
        self.params, self.layers, self.last_layer = params, {}, SoftmaxWithLoss()

    def __repr__(self) -> str:
        layers = self.layers if isinstance(self.layers, Mapping) else [type(x).__name__ for x in self.layers]
        count = sum(array.size for array in self.params.values())
        stack = f"{' · '.join(layers)}; " if layers else ""
        return f"{type(self).__name__}({stack}{count:,} parameters)"

    def __getattr__(self, name: str) -> NoReturn:
        """Say where to find what only `backprop.Network` has, such as the `backend` that `fit` asks for."""
        hint = ""
        if name in ("backend", "dtype") or (not name.startswith("_") and hasattr(networks.Network, name)):
            hint = self._how_to_go_on
        raise AttributeError(f"the book's {type(self).__name__} has no {name}{hint}", name=name, obj=self)

    @property
    def lastLayer(self) -> Any:  # noqa: N802 - the book's spelling
        """The loss, as chapter 5 calls it."""
        return self.last_layer

    @lastLayer.setter
    def lastLayer(self, loss: Any) -> None:  # noqa: N802 - the book's spelling
        self.last_layer = loss

    def predict(self, x: Any, train_flg: bool = False) -> HostArray:
        """The scores (N, C) for a batch x: the output of the last layer before the loss."""
        self._check_shared()
        for layer in self._stack():
            x = _called(layer.forward, x, training=train_flg)
        return np.asarray(x)

    def loss(self, x: Any, t: Any, train_flg: bool = False) -> Any:
        """The loss of the batch, with the penalty on the weights."""
        scores = _called(self.predict, x, training=train_flg)
        loss = _called(self.last_layer.forward, scores, t, training=train_flg)
        return loss + self._penalty() if self.weight_decay_lambda else loss

    def accuracy(self, x: Any, t: Any, batch_size: int | None = None) -> Any:
        """The share of samples whose predicted class is t: class numbers (N,), or one-hot rows."""
        x, t = np.asarray(x), np.asarray(t)
        if x.ndim < 2 or not t.ndim or len(x) != len(t) or not len(x):
            hint = "; give a single sample as x[None, ...] and [t]" if x.ndim < 2 else ""
            raise ValueError(f"accuracy: expected x (N, …) and t (N,), got {x.shape} and {t.shape}{hint}")
        size = len(x) if batch_size is None else batch_size
        check_whole("accuracy", 1, batch_size=size)
        correct = 0
        for start in range(0, len(x), size):
            part = slice(start, start + size)
            y = self.predict(x[part])
            correct += np.sum(y.argmax(axis=1) == target_rows("accuracy", y, t[part]).argmax(axis=1))
        return correct / len(x)

    def gradient(self, x: Any, t: Any) -> dict[str, HostArray]:
        """The gradient of the loss for every parameter, by backpropagation."""
        _called(self.loss, x, t, training=True)
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
            return _called(self.loss, x, t, training=True)

        return {name: numerical_gradient(loss, array) for name, array in self._arrays().items()}

    def trace(self, x: Any, t: Any) -> Trace:
        """What happens to a batch in training: `backprop.Network.trace` of a copy of this network."""
        layers, loss = copy.deepcopy((self.layers, self.last_layer))
        trace = networks.Network(layers, loss, weight_decay=self.weight_decay_lambda).trace(x, t)
        return replace(trace, network=repr(self))

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
        weights = [array for name, array in self._arrays().items() if name.startswith("W")]
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

    def _arrays(self) -> dict[str, HostArray]:
        """The parameters of the layers by name, in the order of the layers."""
        return {name: getattr(layer, key) for name, layer, key in self._places()}

    def _check_shared(self) -> None:
        """Raise unless the layers compute with the arrays of `params`."""
        for name, array in self._arrays().items():
            if self.params.get(name, array) is not array:
                raise ValueError(
                    f'{type(self).__name__}: params["{name}"] is not the array that its layer computes with; '
                    f'change it in place: network.params["{name}"][...] = …'
                )


def affine_params(name: str, sizes: Sequence[int], weight_init_std: str | float) -> dict[str, HostArray]:
    """Return W1, b1, W2, b2, … of fully connected layers between these sizes, drawn from `np.random`.

    The weights have the standard deviation `weight_init_std`, or √(2 / inputs) for `"he"` or `"relu"`, or
    √(1 / inputs) for `"xavier"` or `"sigmoid"`; the biases are 0.
    """
    hidden = [f"hidden size {number}" for number in range(1, len(sizes) - 1)]
    check_whole(name, 1, **dict(zip(["input_size", *hidden, "output_size"], sizes, strict=True)))
    params = {}
    for number, (inputs, outputs) in enumerate(itertools.pairwise(sizes), 1):
        std = standard_deviation(weight_init_std, inputs)
        params[f"W{number}"] = std * np.random.randn(inputs, outputs)
        params[f"b{number}"] = np.zeros(outputs)
    return params


def check_images(name: str, input_dim: Sequence[int], **widths: int) -> tuple[int, int]:
    """Return the channels and the height of square images; raise unless these and the widths are sizes."""
    if len(input_dim) != 3 or input_dim[1] != input_dim[2]:
        raise ValueError(f"{name}: expected input_dim (channels, height, width) of squares, got {input_dim}")
    check_whole(name, 1, channels=input_dim[0], height=input_dim[1], **widths)
    return input_dim[0], input_dim[1]


def conv_height(name: str, height: int, conv: Mapping[str, int], pooled: bool = False) -> int:
    """Return the height that a convolution, and then 2×2 pooling if `pooled`, makes of square images."""
    height = (height + 2 * conv["pad"] - conv["filter_size"]) // conv["stride"] + 1
    height = height // 2 if pooled else height
    if height < 1:
        raise ValueError(f"{name}: the images in input_dim are too small for its convolutions and pooling")
    return height


def check_conv(name: str, conv: Mapping[str, int]) -> None:
    """Raise unless these are the parameters of a convolution."""
    if set(conv) != {"filter_num", "filter_size", "pad", "stride"}:
        raise ValueError(f"{name}: expected filter_num, filter_size, pad and stride, got {dict(conv)}")
    check_whole(name, 1, **{key: conv[key] for key in ("filter_num", "filter_size", "stride")})
    check_whole(name, 0, pad=conv["pad"])


def _called(method: Callable[..., Any], *args: Any, training: bool) -> Any:
    """Call a method of a layer or network, with `train_flg` if it takes it."""
    flag = _flag(getattr(method, "__func__", method))
    return method(*args, **{flag: training} if flag else {})


@cache
def _flag(function: Any) -> str | None:
    """The argument that tells training from inference, such as that of dropout and batch normalization."""
    return next((name for name in inspect.signature(function).parameters if FLAG in name), None)


def _described(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array {value.shape} of {'floats' if value.dtype.kind == 'f' else value.dtype.name}"
    return "nothing" if value is None else type(value).__name__
