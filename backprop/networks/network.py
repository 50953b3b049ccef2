"""What a network is: an ordered stack of layers with a loss at the end."""

from __future__ import annotations

import copy
import inspect
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NoReturn, Self

import numpy as np

from ..backends import (
    Array,
    Backend,
    HostArray,
    InPlaceDict,
    backend_of,
    dtype_name,
    get_backend,
    is_registered,
    namespace_of,
)
from ..inputs import Inputs, PrecisionWarning, as_numbers, kind_of, laid_out
from ..layers import Layer
from ..layers.base import HALF, Node, by_name, no_constructor, overflows, widened
from ..layers.merged import shown_names
from ..losses import Loss, SoftmaxWithLoss
from ..numerical import central_differences
from .parameters import FlatVector, LayerState, NamedParameters, common_dtype, named_parameters
from .untrained import warn_of_untrained

OF_A_NETWORK = frozenset(
    {"_layers", "last_layer", "_params", "_state", "flat_params", "flat_grads", "dtype", "backend", "_said"}
)
"""What the constructor of a network makes."""


class Network:
    """An ordered stack of named layers and a loss.

    Parameters
    ----------
    layers : a mapping of names to layers, or a sequence, whose names are then made from the
        classes: `Affine1`, `ReLU1`, `Affine2`, … Their parameters must share one floating-point
        dtype and one device, and become parts of the network's flat vector.
    last_layer : the loss; `SoftmaxWithLoss()` by default
    weight_decay : λ; what is minimised is the loss + λ/2 Σ W² over all weights W (not the biases)

    The network's border is here: `x` must be an array of the network's own backend; it is
    converted to the network's dtype (precision loss warns once), and **uint8 counts
    as pixel bytes, divided by 255**. From `fit` on, `inputs` has what the
    training data were, and others are scaled as they. Targets are checked on the host. What is inside
    the border (`forward`, `last_layer`) expects data that has passed it.

    Source: *Deep Learning from Scratch*, section 5.7.

    >>> import numpy as np
    >>> from backprop import Affine, ReLU
    >>> rng = np.random.default_rng(0)
    >>> W1, W2 = rng.standard_normal((2, 3)), rng.standard_normal((3, 2))
    >>> network = Network([Affine(W1, np.zeros(3)), ReLU(), Affine(W2, np.zeros(2))])
    >>> list(network.layers), list(network.params)
    (['Affine1', 'ReLU1', 'Affine2'], ['W1', 'b1', 'W2', 'b2'])
    >>> x, t = np.asarray([[1.0, 2.0]]), np.asarray([1])
    >>> grads = network.gradient(x, t)
    >>> bool(np.allclose(grads["W1"], network.numerical_gradient(x, t)["W1"]))
    True
    """

    input_shape: tuple[int, ...] | None = None
    """The shape of a sample, where the network knows it."""

    weight_decay: float = 0.0
    """λ of the penalty λ/2 Σ W²."""

    inputs: Inputs | None = None
    """What the inputs of its training were, and so how others are scaled; None before `fit`."""

    def __init__(
        self,
        layers: Mapping[str, Layer] | Sequence[Layer],
        last_layer: Loss | None = None,
        *,
        weight_decay: float = 0.0,
    ) -> None:
        if not (math.isfinite(weight_decay) and weight_decay >= 0.0):
            raise ValueError(f"expected a finite weight_decay of at least 0, got {weight_decay}")
        self.weight_decay = float(weight_decay)
        named = by_name(layers)
        last_layer = SoftmaxWithLoss() if last_layer is None else last_layer
        _check_stack(named, last_layer)
        self._adopt(named, last_layer)
        warn_of_untrained(named)

    def _adopt(self, layers: dict[str, Layer], last_layer: Loss, backend: Backend | None = None) -> None:
        self._layers, self.last_layer = Stack(layers), last_layer
        places = named_parameters(layers)
        self.dtype = common_dtype(places) or "float32"
        self.backend = _common_backend(places, backend or get_backend("cpu"))
        for name, layer in layers.items():
            _check_no_alias(name, layer)
            layer.name, layer.in_network = name, True
            state = {key: self.backend.asarray(value) for key, value in layer.state.items()}
            layer.state = InPlaceDict(state) if self.backend.has_views else state
        self._params = NamedParameters(places)
        self._state = LayerState(named_parameters(layers, "state"))
        self._largest = max((math.prod(array.shape) for array in self._params.values()), default=0)
        self.flat_params = FlatVector("params", places, self.backend)
        self.flat_grads = FlatVector("grads", places, self.backend)
        self._said = False
        self._differentiated: tuple[dict[str, Array], dict[str, Array]] | None = None

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name in OF_A_NETWORK and "_layers" not in vars(self):
                raise no_constructor(type(self), "super().__init__(layers)")
            return super().__getattribute__(name)  # which says what is missing

    def __getstate__(self) -> dict[str, Any]:
        """For pickle and deepcopy: all but the flat vector, which is made anew."""
        made = ("_params", "_state", "flat_params", "flat_grads", "backend")
        return {name: value for name, value in vars(self).items() if name not in made}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._adopt(self.layers, self.last_layer)

    @property
    def layers(self) -> Stack:
        """The layers by name, in order."""
        return self._layers

    @layers.setter
    def layers(self, layers: Any) -> None:
        raise TypeError(
            "a network's layers stay, as its parameters are parts of one vector: build a new Network"
        )

    @property
    def params(self) -> NamedParameters:
        """The live parameters by name: `"W1"`, `"b1"`, …; setting them is `load_params`."""
        return self._params

    @params.setter
    def params(self, values: Mapping[str, Any]) -> None:
        if values is not self._params:
            self.load_params(values)

    @property
    def state(self) -> LayerState:
        """What the layers carry from step to step besides parameters, by name: `"running_mean1"`, …"""
        return self._state

    @state.setter
    def state(self, values: Mapping[str, Array]) -> None:
        if values is not self._state:
            self._state.update(values)

    @property
    def lastLayer(self) -> Loss:  # noqa: N802 - the book's spelling
        """The loss, by the book's name."""
        return self.last_layer

    @lastLayer.setter
    def lastLayer(self, loss: Loss) -> None:  # noqa: N802 - the book's spelling
        self.last_layer = loss

    def predict(self, x: Array) -> Array:
        """The output of the last layer before the loss, for a batch x: (N, …) to (N, C)."""
        x = self.as_input(x)
        with self.limit_threads(x.shape[0]):
            return self.forward(x)

    def loss(self, x: Array, t: Array) -> Array:
        """The loss of the batch with the penalty of `weight_decay`, a 0-d array on the network's device."""
        y = self.predict(x)
        return self.penalized(self.last_layer.forward(y, self.as_target(t, *_samples(y))))

    def limit_threads(self, samples: int) -> AbstractContextManager[None]:
        """`Backend.limit_threads` for batches of that many samples: the largest weight decides."""
        return self.backend.limit_threads(samples * self._largest)

    def penalized(self, loss: Array) -> Array:
        """The loss + λ/2 Σ W²."""
        if self.weight_decay:
            for layer, key in self._weights():
                W = layer.params[key]
                loss = loss + (0.5 * self.weight_decay) * namespace_of(W).sum(W * W)
        return loss

    def _weights(self) -> list[tuple[Layer, str]]:
        """Every layer with the key of a weight it has."""
        return [
            (layer, key)
            for layer in self.layers.values()
            for key in layer.params
            if key.rpartition(".")[2] == "W"
        ]

    def accuracy(self, x: Array, t: Array) -> float:
        """The share of samples in x whose class is predicted as in t."""
        accuracy = self.evaluate(x, t)[1]
        if accuracy is None:
            raise TypeError(f"{self.last_layer.name} does not classify: this network has no accuracy")
        return accuracy

    def evaluate(self, x: Array, t: Array, batch_size: int = 1000) -> tuple[float, float | None]:
        """Loss, without a penalty, and accuracy over all of x, in batches; None if there is no accuracy."""
        check_same_length(x, t)
        x = self.checked(x)
        with self.limit_threads(1):
            first = self.forward(self.scaled(x[0:1, ...]))
        return self.evaluate_checked(x, self.as_target(t, x.shape[0], tuple(first.shape[1:])), batch_size)

    def evaluate_checked(
        self, x: Array, t: Array, batch_size: int = 1000, between: Callable[[], None] = lambda: None
    ) -> tuple[float, float | None]:
        """`evaluate` for what has passed `checked` and `as_target`: two numbers are read at the end.

        `between` is called before every batch; it may raise.
        """
        n = x.shape[0]
        loss: Any = 0.0
        correct: Any = 0
        for start in range(0, n, batch_size):
            between()
            part = slice(start, min(start + batch_size, n))
            with self.limit_threads(part.stop - start):
                y, target = widened(self.forward(self.scaled(x[part, ...]))), t[part, ...]
            loss = loss + self.last_layer.forward(y, target) * float(y.shape[0])
            if self.last_layer.counts_correct:
                correct = correct + self.last_layer.correct(y, target)
        to_numpy = backend_of(loss).to_numpy
        accuracy = int(to_numpy(correct)) / n if self.last_layer.counts_correct else None
        return float(to_numpy(loss)) / n, accuracy

    def gradient(self, x: Array, t: Array) -> dict[str, Array]:
        """The gradient of the loss for every parameter, by backpropagation, as arrays of its own."""
        if self.params and self.dtype == "float16":
            raise TypeError(f"{type(self).__name__}: {HALF}")
        x, start = self.as_input(x), self._state_now()
        with self.limit_threads(x.shape[0]):
            y = self.forward(x, training=True)
            self._differentiated = (start, self._state_now()) if start else None
            self.last_layer.forward(y, self.as_target(t, *_samples(y)), training=True)
            if not self.params:
                return {}
            self.backward_params()
        xp = self.backend.xp
        return self.flat_grads.split(xp.asarray(self.flat_grads["flat"], copy=True))

    def numerical_gradient(self, x: Array, t: Array, h: float = 1e-4) -> dict[str, Array]:
        """The same by central differences, in float64, on a copy of the network.

        With dropout the loss depends on the masks. They are those of the last call of `gradient`, and the
        state, their count among it, is set back to what it was before it, so that the next call has them
        again; without a call before, or after a step of training since, they are those of the next one.
        So the two agree in either order.
        """
        last, now = self._differentiated, self._state_now()
        if last and all(_same(last[1][key], value) for key, value in now.items()):
            for key, value in last[0].items():
                self.state[key] = value
        network = self.to(dtype="float64")
        x = network.as_input(x)
        with self.limit_threads(x.shape[0]):
            t = network.as_target(t, *_samples(network.forward(x)))
        start = network._state_now()

        def loss() -> float:
            for key, value in start.items():  # the same masks in every run
                network.state[key] = self.backend.xp.asarray(value, copy=True)
            y = network.forward(x, training=True)
            return float(self.backend.to_numpy(network.penalized(network.last_layer.forward(y, t))))

        def gradient(name: str) -> Array:
            values = np.array(self.backend.to_numpy(network.params[name]))

            def with_entry(index: tuple[int, ...], entry: float) -> float:
                changed = values.copy()
                changed[index] = entry
                network.params[name] = self.backend.asarray(changed)
                return loss()

            differences = central_differences(with_entry, values, h)
            network.params[name] = self.backend.asarray(values)
            return self.backend.asarray(differences)

        with self.limit_threads(x.shape[0]):
            return {name: gradient(name) for name in self.params}

    def _state_now(self) -> dict[str, Array]:
        """A copy of the state."""
        return {key: self.backend.xp.asarray(value, copy=True) for key, value in self.state.items()}

    def forward(self, x: Array, *, training: bool = False) -> Array:
        """The output for x, which has passed `as_input`; `training` keeps what backward needs."""
        for layer in self.layers.values():
            x = layer.forward(x, training=training)
        return x

    def backward(self, dout: Any = 1.0) -> Array:
        """Set every layer's `grads`, and return the gradient of dout · loss for the input."""
        dx = self.last_layer.backward(dout)
        for layer in reversed(self.layers.values()):
            dx = layer.backward(dx)
        self.decay(dout)
        return dx

    def backward_params(self, dout: Any = 1.0) -> None:
        """Set every layer's `grads`, and compute nothing below the lowest parameters."""
        dx = self.last_layer.backward(dout)
        layers = list(self.layers.values())
        bottom = next((i for i, layer in enumerate(layers) if layer.params), len(layers))
        for layer in reversed(layers[bottom + 1 :]):
            dx = layer.backward(dx)
        if bottom < len(layers):
            layers[bottom].backward_params(dx)
        self.decay(dout)

    def decay(self, dout: Any) -> None:
        """Add the gradient of the penalty, dout · λ W."""
        if self.weight_decay:
            for layer, key in self._weights():
                layer.grads[key] += (self.weight_decay * dout) * layer.params[key]

    def as_input(self, x: Array) -> Array:
        """x in the network's dtype, scaled as `inputs` says; raises unless x is on its backend."""
        return self.scaled(self.checked(x))

    def checked(self, x: Array) -> Array:
        """x, if it can be an input, as bytes for pixels or as real numbers, which `scaled` takes."""
        x = as_numbers("the input", x)
        self.check_owned(x, "input")
        x = backend_of(x).detached(x)
        if x.ndim == 0 or x.shape[0] == 0:
            raise ValueError(
                f"{type(self).__name__}: expected at least one sample, got input {tuple(x.shape)}"
            )
        name = dtype_name(x.dtype)
        if name.startswith("complex"):
            raise TypeError(f"{type(self).__name__}: expected real input, got {name}")
        if name.startswith("float") and _bits(name) > _bits(self.dtype) and not self._said:
            self._said = True
            warnings.warn(
                f"{type(self).__name__}: {name} input is converted to the network's {self.dtype}; "
                f"give {self.dtype}, or build the network with dtype={name!r}",
                PrecisionWarning,
                stacklevel=3,
            )
        if self.inputs is not None:
            return self.inputs.of_prediction(self.laid_out(x, self.inputs.shape), self.dtype)
        return self.laid_out(x, self.input_shape)

    def laid_out(self, x: Array, sample: tuple[int, ...] | None) -> Array:
        """x with samples of this shape, where it is certain how, or images of another height and width.

        These are for a network that takes any, as one of convolutions with a mean over the image at the end.
        Raises `ValueError` for as many numbers in another order.
        """
        try:
            return laid_out(x, sample)
        except ValueError:
            own = tuple(map(int, x.shape[1:]))
            if sample and len(own) == len(sample) == 3 and own[0] == sample[0]:
                channels, height, width = own
                if self._gives_one_shape(sample, own, (channels, 2 * height, 2 * width)):
                    return x
            raise

    def _gives_one_shape(self, *samples: tuple[int, ...]) -> bool:
        """Whether samples of all these shapes go through the network and give outputs of one shape."""
        try:
            network = copy.deepcopy(self)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                zeros = [self.backend.asarray(np.zeros((1, *sample)), dtype=self.dtype) for sample in samples]
                return len({tuple(network.forward(x).shape) for x in zeros}) == 1
        except Exception:  # whatever a layer raises for a size it does not take
            return False

    def scaled(self, x: Array) -> Array:
        """x in the network's dtype, uint8 divided by 255: `as_input` for data that has been checked."""
        xp = namespace_of(x)
        dtype = getattr(xp, self.dtype)
        if x.dtype == dtype:
            return x
        converted = xp.astype(x, dtype)
        if x.dtype == xp.uint8:
            converted *= 1.0 / 255.0
        return converted

    def as_target(self, t: Array, samples: int, outputs: tuple[int, ...]) -> Array:
        """t, checked on the host to be a target for an output (samples, *outputs).

        Integers become bytes where they fit, which are quicker to gather, else int64; other forms of the
        same are converted (`Loss.taken`).
        """
        self.check_owned(t, "target")
        backend = backend_of(t)
        t = backend.detached(t)
        given = backend.to_numpy(t)
        host = self.last_layer.taken(given)
        self.last_layer.check_targets(host, samples, tuple(outputs))
        if host is not given:
            t = backend.asarray(host)
        if not dtype_name(t.dtype).startswith(("int", "uint", "bool")):
            return t
        fits = host.min() >= 0 and host.max() <= 255
        return backend.xp.astype(t, backend.xp.uint8 if fits else backend.xp.int64)

    def as_target_for(self, x: Array, t: Array) -> Array:
        """`as_target` for all samples of x at once: the first one shows the output's shape."""
        y = self.predict(x[0 : min(1, x.shape[0]), ...])
        return self.as_target(t, x.shape[0], tuple(y.shape[1:]))

    def check_owned(self, array: Array, what: str) -> None:
        """Raise unless `array` is on the network's backend."""
        namespace_of(array)  # a TypeError for what is no array
        if self.params and not self.backend.owns(array):
            found = backend_of(array)
            raise TypeError(
                f"{type(self).__name__}: the network is on {self.backend.name} ({self.backend.device}) but "
                f"the {what} is on {found.name} ({found.device}); "
                f"convert it with network.backend.asarray(…)"
            )

    def load_params(self, params: Mapping[str, Any]) -> None:
        """Set all parameters from a mapping by name (`"W1"`, `"b1"`, `"gamma1"`, …), such as the book's.

        The values are arrays of any library or nested lists; floating-point ones are converted to the
        network's dtype. Missing, unknown and misshapen ones, other dtypes and finite numbers that are
        too large for the network's dtype are a `ValueError` that lists every one of them, and the
        network is left as it was. Running statistics are no parameters but in `state`, and stay.
        """
        if not isinstance(params, Mapping):
            raise TypeError(
                f"{type(self).__name__}: expected a mapping of names to parameters, got {_described(params)}"
            )
        host = {name: _on_host(value) for name, value in params.items()}
        differences = [f"{name}: missing" for name in self.params if name not in host]
        differences += [f"{name}: unknown" for name in host if name not in self.params]
        for name, own in self.params.items():
            value = host.get(name)
            if value is None:
                continue
            if tuple(value.shape) != tuple(own.shape):
                differences.append(f"{name}: expected shape {tuple(own.shape)}, got {tuple(value.shape)}")
            if value.dtype.kind != "f":
                differences.append(f"{name}: expected floating-point numbers, got {kind_of(value.dtype)}")
            elif overflows(value, self.dtype):
                largest = np.abs(value[np.isfinite(value)]).max()
                differences.append(f"{name}: expected numbers that fit into {self.dtype}, got {largest}")
        if differences:
            raise ValueError(f"these parameters do not fit {type(self).__name__}: {'; '.join(differences)}")
        for name in self.params:
            self.params[name] = self.backend.asarray(host[name], dtype=self.dtype)

    def to(self, *, dtype: Any = None, device: str | Backend | None = None) -> Self:
        """A copy of the network in another dtype or on another device."""
        backend = self.backend if device is None else get_backend(device)
        clone = object.__new__(type(self))
        vars(clone).update(vars(self))
        layers = {name: layer.to(backend, dtype) for name, layer in self.layers.items()}
        clone._adopt(layers, self.last_layer.to(backend, dtype), backend)
        if not clone.params:
            clone.dtype = dtype_name(dtype or self.dtype)
        return clone

    def summary(self, input_shape: Sequence[int] | None = None) -> str:
        """A table of every layer's output shape for a batch of N, and its number of parameters.

        `input_shape` is a sample's; by default what the network or its lowest weights expect.
        """
        input_shape = self.input_shape if input_shape is None else input_shape
        if input_shape is None:
            weights = [layer.params["W"] for layer in self.layers.values() if "W" in layer.params]
            if not weights or weights[0].ndim != 2:
                raise ValueError("summary: give input_shape, the shape of one sample, as (1, 28, 28)")
            input_shape = (weights[0].shape[0],)
        x = self.backend.asarray(np.zeros((1, *input_shape)), dtype=self.dtype)
        rows = [("input", _batch_shape(x), 0)]
        for name, layer in zip(self.layers.shown.values(), self.layers.values(), strict=True):
            x = layer.forward(x)
            rows.append((name, _batch_shape(x), sum(math.prod(p.shape) for p in layer.params.values())))
        rows.append((self.last_layer.name, "()", 0))
        width = max(len(name) for name, _, _ in rows) + 2
        shape_width = max(len(shape) for _, shape, _ in rows) + 2
        lines = [f"{'layer':<{width}}{'output':<{shape_width}}{'parameters':>10}"]
        lines += [f"{name:<{width}}{shape:<{shape_width}}{count:>10,}" for name, shape, count in rows]
        lines.append(f"{'total':<{width + shape_width}}{self.size:>10,}")
        return "\n".join(lines)

    @property
    def size(self) -> int:
        """The number of parameters."""
        return sum(math.prod(p.shape) for p in self.params.values())

    def __repr__(self) -> str:
        stack = " · ".join([*self.layers.shown.values(), self.last_layer.name])
        return (
            f"{type(self).__name__}({stack}; {self.size:,} parameters, {self.dtype} on {self.backend.device})"
        )


class Stack(dict[str, Layer]):
    """A network's layers by name. A layer without parameters and state can be replaced by another such."""

    @property
    def shown(self) -> dict[str, str]:
        """What each one is shown as: one that stands for several with the names of these."""
        return shown_names({name: type(layer).__name__ for name, layer in self.items()})

    def __setitem__(self, name: str, layer: Layer) -> None:
        own = self.get(name)
        if layer is own:
            return
        if own is None or any(node.params or node.state for node in (own, layer)):
            raise TypeError(
                f"{name}: a network's layers stay, as its parameters are parts of one vector; only a layer "
                "without parameters can be replaced by another. Build a new Network"
            )
        _check_stack({name: layer}, None)
        layer.name, layer.in_network = name, True
        own.in_network = False
        super().__setitem__(name, layer)

    def __missing__(self, name: object) -> NoReturn:
        hint = ""
        if isinstance(name, int) and -len(self) <= name < len(self):
            hint = f"; by position: list(network.layers.values())[{name}]"
        raise KeyError(f"no layer {name!r}: expected one of {', '.join(map(repr, self))}{hint}")

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("a network's layers stay: build a new Network")

    __delitem__ = pop = popitem = clear = update = setdefault = __ior__ = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


def check_same_length(x: Array, t: Array) -> None:
    """Raise unless both are arrays and there is a target for every sample."""
    for array in (x, t):
        namespace_of(array)
        if array.ndim == 0:
            raise ValueError("expected an array of samples, got a single number")
    if x.shape[0] != t.shape[0]:
        raise ValueError(
            f"{x.shape[0]} samples but {t.shape[0]} targets; expected as many targets as samples"
        )


def _samples(y: Array) -> tuple[int, tuple[int, ...]]:
    return y.shape[0], tuple(y.shape[1:])


def _check_stack(layers: Mapping[str, Layer], last_layer: Loss | None) -> None:
    """Raise unless every layer is one, and free to be put into a network."""
    if not layers:
        raise ValueError("expected at least one layer, such as Affine(W, b), got none")
    for name, layer in layers.items():
        if not isinstance(layer, Layer):
            raise TypeError(f"{name}: expected a layer, such as ReLU(), got {_described(layer)}")
        _check_takes_training(name, layer)
        _check_constructed(layer)
        if layer.in_network:
            raise ValueError(
                f"{name}: this layer is in a network or a block already; give a copy, layer.to(backend)"
            )
    if last_layer is not None and not isinstance(last_layer, Loss):
        raise TypeError(
            f"expected a loss, such as SoftmaxWithLoss(), as last_layer, got {_described(last_layer)}"
        )
    if last_layer is not None:
        _check_constructed(last_layer)
    if len({id(layer) for layer in layers.values()}) < len(layers):
        raise ValueError("a layer stands in this network twice: give every place a layer of its own")


def _check_constructed(node: Node) -> None:
    if "_params" not in vars(node):
        raise no_constructor(type(node))


def _check_takes_training(name: str, layer: Layer) -> None:
    """Raise unless `forward` can be called as a network calls it."""
    if not inspect.ismethod(layer.forward):
        return
    parameters = inspect.signature(layer.forward).parameters.values()
    if not any(p.name == "training" or p.kind is p.VAR_KEYWORD for p in parameters):
        raise TypeError(
            f"{name}: {type(layer).__name__}.forward does not take `training`: write "
            "def forward(self, x, *, training=False)"
        )


def _check_no_alias(name: str, layer: Layer) -> None:
    """Raise if an attribute is a parameter's array, which the network's vector is about to replace."""
    for attribute, value in vars(layer).items():
        for key, parameter in layer.params.items():
            if value is parameter:
                raise ValueError(
                    f"{name}.{attribute} is the array of the parameter {key}, and would not be trained, as a "
                    f'network moves its parameters: use self.params["{key}"], or self.{key}, instead'
                )


def _described(value: Any) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__}"
    hint = ", which does not derive from backprop.Layer" if hasattr(value, "backward") else ""
    return f"a {type(value).__name__}{hint}"


def _common_backend(places: Mapping[str, tuple[Any, str]], default: Backend) -> Backend:
    backends = {name: backend_of(layer.params[key]) for name, (layer, key) in places.items()}
    if len({id(backend) for backend in backends.values()}) > 1:
        listed = ", ".join(f"{name} {backend.name} ({backend.device})" for name, backend in backends.items())
        raise TypeError(f"a network's parameters must be on one device, got {listed}")
    return next(iter(backends.values()), default)


def _on_host(value: Any) -> HostArray:
    """The array or nested list as a NumPy array; one of objects, which fits nowhere, if it is ragged."""
    if is_registered(value):
        return backend_of(value).to_numpy(value)
    try:
        return np.asarray(value)
    except ValueError:
        return np.empty(len(value), dtype=object)


def _same(one: Array, other: Array) -> bool:
    return one is other or bool(namespace_of(one).all(one == other))


def _bits(float_name: str) -> int:
    """The 64 in "float64"."""
    return int(float_name.removeprefix("float"))


def _batch_shape(x: Array) -> str:
    return f"({', '.join(['N', *map(str, x.shape[1:])])})"
