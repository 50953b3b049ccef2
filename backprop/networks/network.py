"""`Network`: an ordered stack of layers with a loss at the end."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Self

from ..backends import (
    Array,
    Backend,
    InPlaceDict,
    Namespace,
    backend_of,
    dtype_name,
    fused,
    get_backend,
    namespace_of,
)
from ..dtypes import widened
from ..errors import float16_training, missing_super_init
from ..inputs import Inputs
from ..layers import Layer
from ..layers.book_style.draws import Draws
from ..layers.book_style.form import LayerLike
from ..layers.naming import by_name
from ..losses import Loss, SoftmaxWithLoss
from ..losses.adapter import adapted_loss
from . import border
from .checks import check_no_alias, check_same_length, check_stack, common_backend
from .loading import load_params
from .numerical import numerical_gradient
from .parameters import FlatVector, LayerState, NamedParameters, common_dtype, named_parameters
from .stack import Stack
from .summary import summary
from .untrained import warn_of_untrained

if TYPE_CHECKING:
    from ..tracing import Trace

SET_BY_INIT = frozenset(
    {"_layers", "last_layer", "_params", "_state", "flat_params", "flat_grads", "dtype", "backend"}
)
"""The attributes that exist only after `Network.__init__`."""


class Network:
    """An ordered stack of named layers and a loss.

    Parameters
    ----------
    layers : a mapping of names to layers, or a sequence, which is named by class: `Affine1`, `ReLU1`,
        `Affine2`, … Their parameters must share one floating-point dtype and one device, and become
        parts of the network's flat vector. A class of your own may be written as in the book, with
        `forward(x)` or `forward(x, train_flg)`, `backward(dout)`, and gradients in `self.dW`, `self.db`.
    last_layer : the loss; `SoftmaxWithLoss()` by default. It may be written as in the book, too.
    weight_decay : λ; training minimizes the loss + λ/2 Σ W² over all weights W (not the biases)

    Methods that take data validate it: `x` must be an array of the network's own backend; it is
    converted to the network's dtype (precision loss warns once), and **uint8 counts as pixel bytes,
    divided by 255**. After `fit`, `inputs` describes the training data, and later inputs are scaled
    like them. Targets are validated on the host. `forward` and `last_layer` expect data from `as_input`
    and `as_target`.

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
    """The shape of a sample, if known."""

    weight_decay: float = 0.0
    """λ of the penalty λ/2 Σ W²."""

    inputs: Inputs | None = None
    """A description of the training data, used to scale later inputs; None before `fit`."""

    def __init__(
        self,
        layers: Mapping[str, LayerLike] | Sequence[LayerLike],
        last_layer: LayerLike | None = None,
        *,
        weight_decay: float = 0.0,
    ) -> None:
        if not (math.isfinite(weight_decay) and weight_decay >= 0.0):
            raise ValueError(f"expected a finite weight_decay of at least 0, got {weight_decay}")
        self.weight_decay = float(weight_decay)
        named = by_name(layers)
        last_layer = SoftmaxWithLoss() if last_layer is None else adapted_loss(last_layer)
        check_stack(named, last_layer)
        self._adopt(named, last_layer)
        warn_of_untrained(named)

    def _adopt(self, layers: dict[str, Layer], last_layer: Loss, backend: Backend | None = None) -> None:
        self._layers, self.last_layer = Stack(layers), last_layer
        places = named_parameters(layers)
        self.dtype = common_dtype(places) or "float32"
        self.backend = common_backend(places, backend or get_backend("cpu"))
        for name, layer in layers.items():
            check_no_alias(name, layer)
            layer.name, layer.is_owned = name, True
            state = {key: self.backend.asarray(value) for key, value in layer.state.items()}
            stay = self.backend.has_views or self.backend.replays_mappings
            layer.state = InPlaceDict(state) if stay else state
        self._params = NamedParameters(places)
        self._state = LayerState(named_parameters(layers, "state"))
        self._largest_parameter = max((math.prod(p.shape) for p in self._params.values()), default=0)
        with self.backend.current():
            self.flat_params = FlatVector("params", places, self.backend)
            self.flat_grads = FlatVector("grads", places, self.backend)
        self.warned_of_precision = False
        self._gradient_states: tuple[dict[str, Array], dict[str, Array]] | None = None
        self._gradient_draws: tuple[Draws, Draws] | None = None

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name in SET_BY_INIT and "_layers" not in vars(self):
                raise missing_super_init(type(self), "super().__init__(layers)")
            return super().__getattribute__(name)  # raises the usual error

    def __getstate__(self) -> dict[str, Any]:
        """For pickle and deepcopy: everything but the flat vector and its views, which are made again."""
        made = ("_params", "_state", "flat_params", "flat_grads", "backend")
        return {name: value for name, value in vars(self).items() if name not in made}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        dtype = self.dtype
        self._adopt(self.layers, self.last_layer)
        self.backend.dtype(dtype)  # raises where the library would make it narrower

    @property
    def layers(self) -> Stack:
        """The layers by name, in order."""
        return self._layers

    @layers.setter
    def layers(self, layers: Any) -> None:
        raise TypeError(
            "a network's layers cannot be replaced, since its parameters are parts of one vector: build "
            "a new Network"
        )

    @property
    def params(self) -> NamedParameters:
        """The live parameters by name: `"W1"`, `"b1"`, …; assigning a mapping calls `load_params`."""
        return self._params

    @params.setter
    def params(self, values: Mapping[str, Any]) -> None:
        if values is not self._params:
            self.load_params(values)

    @property
    def state(self) -> LayerState:
        """The layers' state, carried from step to step besides parameters, by name: `"running_mean1"`, …"""
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
    def lastLayer(self, loss: LayerLike) -> None:  # noqa: N802 - the book's spelling
        self.last_layer = adapted_loss(loss)

    def predict(self, x: Array) -> Array:
        """The output of the last layer before the loss, for a batch x: (N, …) to (N, C)."""
        x = self.as_input(x)
        with self.computing(x.shape[0]):
            return self.forward(x)

    def loss(self, x: Array, t: Array) -> Array:
        """The loss of the batch plus the penalty of `weight_decay`, a 0-d array on the network's device."""
        y = self.predict(x)
        with self.computing(y.shape[0]):
            return self.penalized(self.last_layer.forward(y, self.as_target(t, *_samples(y))))

    def computing(self, samples: int) -> AbstractContextManager[None]:
        """`Backend.computing` with batches of that many samples, based on the largest parameter."""
        return self.backend.computing(samples * self._largest_parameter)

    def penalized(self, loss: Array) -> Array:
        """The loss + λ/2 Σ W²."""
        if self.weight_decay:
            for layer, key in self._weights():
                W = layer.params[key]
                loss = _plus_share(loss, namespace_of(W).sum(W * W), share=0.5 * self.weight_decay)
        return loss

    def _weights(self) -> list[tuple[Layer, str]]:
        """Every weight, as its layer and its key there."""
        return [
            (layer, key)
            for layer in self.layers.values()
            for key in layer.params
            if key.rpartition(".")[2] == "W"
        ]

    def accuracy(self, x: Array, t: Array) -> float:
        """The share of samples in x whose predicted class matches t."""
        accuracy = self.evaluate(x, t)[1]
        if accuracy is None:
            raise TypeError(f"{self.last_layer.name} does not classify: this network has no accuracy")
        return accuracy

    def evaluate(self, x: Array, t: Array, batch_size: int = 1000) -> tuple[float, float | None]:
        """Loss without penalty, and accuracy or None, over all of x in batches."""
        check_same_length(x, t)
        x = self.validated(x)
        with self.computing(1):
            first = self.forward(self.scaled(x[0:1, ...]))
        return self.evaluate_validated(x, self.as_target(t, x.shape[0], tuple(first.shape[1:])), batch_size)

    def evaluate_validated(
        self, x: Array, t: Array, batch_size: int = 1000, between: Callable[[], None] = lambda: None
    ) -> tuple[float, float | None]:
        """Like `evaluate`, for data from `validated` and `as_target`; reads the device only at the end.

        `between` is called before every batch; it may raise.
        """
        n = x.shape[0]
        loss: Any = 0.0
        correct: Any = 0
        for start in range(0, n, batch_size):
            between()
            value, count = self.evaluated_batch(x, t, start, batch_size)
            with self.backend.current():
                loss, correct = loss + value, correct + count
        total, *counts = backend_of(loss).read(loss, *([correct] if self.last_layer.counts_correct else []))
        return float(total) / n, int(counts[0]) / n if counts else None

    def evaluated_batch(self, x: Array, t: Array, start: int, batch_size: int) -> tuple[Array, Any]:
        """The sum of the losses of a batch of validated data, and the number of correct samples or 0."""
        part = slice(start, min(start + batch_size, x.shape[0]))
        with self.computing(part.stop - start):
            y, target = widened(self.forward(self.scaled(x[part, ...]))), t[part, ...]
            loss = self.last_layer.forward(y, target) * float(y.shape[0])
            return loss, self.last_layer.correct(y, target) if self.last_layer.counts_correct else 0

    def gradient(self, x: Array, t: Array) -> dict[str, Array]:
        """The gradient of the loss for every parameter by backpropagation, as new arrays."""
        self._check_differentiable()
        x, draws = self.as_input(x), Draws.of(self.layers)
        with self.computing(x.shape[0]):
            start = self.copy_state()
            y = self.forward(x, training=True)
            self._gradient_states = (start, self.copy_state()) if start else None
            self._gradient_draws = (draws, Draws.of(self.layers)) if draws.carried else None
            self.last_layer.forward(y, self.as_target(t, *_samples(y)), training=True)
            if not self.params:
                return {}
            self.backward_params()
            xp = self.backend.xp
            return self.flat_grads.split(xp.asarray(self.flat_grads["flat"], copy=True))

    def numerical_gradient(self, x: Array, t: Array, h: float = 1e-4) -> dict[str, Array]:
        """The gradient by central differences, in float64, on a copy of the network.

        With dropout the loss depends on the masks. This method reuses those of the last call of `gradient`:
        it resets the state, which counts the masks, to its value before that call, and leaves it there for
        the next one. Without such a call, or after a training step since, it uses the masks of the next call.
        So the two methods agree in either order.
        """
        draws = self.draws_of_gradient()
        with self.backend.current(), self.backend.float64():
            self.state.update(self.state_of_gradient())
            draws.restore(self.layers)
            found = numerical_gradient(self, x, t, h, draws)
            draws.restore(self.layers)
        return found

    def trace(self, x: Array, t: Array) -> Trace:
        """Run a batch forward and backward in training mode, and return what happens in every layer.

        It runs on a copy: the network keeps its gradients, its state, and what its layers have saved. The
        gradients are those of `gradient`, weight decay included. With dropout, the masks are those of the
        last call of `gradient`; without such a call, or after a training step since, those of the next one.
        The same holds for `numerical_gradient`, so the three methods agree in any order.

        NaN and infinity are no error here: `Trace.first_nonfinite` tells where they first appear.

        >>> import numpy as np
        >>> from backprop import TwoLayerNet
        >>> network, x, t = TwoLayerNet(4, 5, 3, rng=0), np.ones((2, 4), "float32"), np.asarray([0, 2])
        >>> trace = network.trace(x, t)
        >>> trace["Affine2"]
        NodeTrace(Affine2: (2, 5) → (2, 3))
        >>> bool((trace["Affine2"].grads["W"] == network.gradient(x, t)["W2"]).all())
        True
        """
        from ..tracing import trace

        self._check_differentiable()
        with self.backend.current():
            return trace(self, x, t)

    def _check_differentiable(self) -> None:
        if self.params and self.dtype == "float16":
            raise float16_training(type(self).__name__)

    def state_of_gradient(self) -> Mapping[str, Array]:
        """The state before the last call of `gradient`, or the present one if it has changed since."""
        if self._gradient_states is not None:
            before, after = self._gradient_states
            if all(_same(after[key], value) for key, value in self.state.items()):
                return before
        return self.state

    def draws_of_gradient(self) -> Draws:
        """The draws before the last call of `gradient`, or the present ones if they have changed since."""
        before, after = self._gradient_draws or (None, None)
        draws = Draws.of(self.layers)
        return before if before is not None and after == draws else draws

    def copy_state(self) -> dict[str, Array]:
        """A copy of the state."""
        return {key: self.backend.xp.asarray(value, copy=True) for key, value in self.state.items()}

    def forward(self, x: Array, *, training: bool = False) -> Array:
        """The output for an x from `as_input`; `training` saves what backward needs."""
        for layer in self.layers.values():
            x = layer.forward(x, training=training)
        return x

    def backward(self, dout: Any = 1.0) -> Array:
        """Set every layer's `grads`; return the gradient of dout · loss with respect to the input."""
        dx = self.last_layer.backward(dout)
        for layer in reversed(self.layers.values()):
            dx = layer.backward(dx)
        self.decay(dout)
        return dx

    def backward_params(self, dout: Any = 1.0) -> None:
        """Set every layer's `grads`, but compute no gradients below the lowest parameters."""
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
            share = self.weight_decay * dout
            for layer, key in self._weights():
                layer.grads[key] = _decayed(layer.grads[key], layer.params[key], share)

    def as_input(self, x: Array) -> Array:
        """x in the network's dtype, scaled according to `inputs`; raises unless x is on its backend."""
        with self.backend.current():
            return self.scaled(border.validated(self, x))

    def validated(self, x: Array) -> Array:
        """x as pixel bytes or real numbers, ready for `scaled`; raises unless it is a valid input."""
        with self.backend.current():
            return border.validated(self, x)

    def scaled(self, x: Array) -> Array:
        """A validated x in the network's dtype, with uint8 divided by 255."""
        return border.scaled(x, self.dtype)

    def laid_out(self, x: Array, sample: tuple[int, ...] | None) -> Array:
        """x with samples of this shape if the layout is unambiguous, or with images of another size.

        The latter are allowed if the network takes any size, such as convolutions with a final mean over
        the image. Raises `ValueError` if the same numbers could be in another order.
        """
        return border.laid_out(self, x, sample)

    def as_target(self, t: Array, samples: int, outputs: tuple[int, ...]) -> Array:
        """t, validated on the host as the target for an output (samples, *outputs).

        Equivalent forms are converted (`Loss.converted`). Integers become bytes if they fit, which are
        faster to gather, else int64.
        """
        with self.backend.current():
            return border.as_target(self, t, samples, outputs)

    def as_target_for(self, x: Array, t: Array) -> Array:
        """`as_target` for all samples of x, with the output's shape taken from the first one."""
        y = self.predict(x[0 : min(1, x.shape[0]), ...])
        return self.as_target(t, x.shape[0], tuple(y.shape[1:]))

    def check_owned(self, array: Array, what: str) -> None:
        """Raise unless `array` is on the network's backend."""
        border.check_owned(self, array, what)

    def load_params(self, params: Mapping[str, Any]) -> None:
        """Set all parameters from a mapping by name (`"W1"`, `"b1"`, `"gamma1"`, …), such as the book's.

        The values are floating-point arrays of any library or nested lists, and are converted to the
        network's dtype. Raises a `ValueError` that lists everything missing, unknown, misshapen, of
        another kind of dtype, or too large for the network's dtype; the network is then unchanged.
        Running statistics belong to `state` and are not affected.
        """
        load_params(self, params)

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

        `input_shape` is the shape of one sample; by default the one the network or its lowest weights expect.
        """
        return summary(self, input_shape)

    @property
    def size(self) -> int:
        """The number of parameters."""
        return sum(math.prod(p.shape) for p in self.params.values())

    def _repr_html_(self) -> str:
        """The summary's table, for a notebook."""
        from .display import network_html

        return network_html(self)

    def __repr__(self) -> str:
        stack = " · ".join([*self.layers.shown.values(), self.last_layer.name])
        return (
            f"{type(self).__name__}({stack}; {self.size:,} parameters, {self.dtype} on {self.backend.device})"
        )


@fused
def _plus_share(xp: Namespace, loss: Array, squares: Array, *, share: float) -> Array:
    return loss + share * squares


@fused
def _decayed(xp: Namespace, grad: Array, W: Array, share: Any) -> Array:
    grad += share * W
    return grad


def _samples(y: Array) -> tuple[int, tuple[int, ...]]:
    """The number of samples in an output, and the shape of one."""
    return y.shape[0], tuple(y.shape[1:])


def _same(one: Array, other: Array) -> bool:
    return one is other or bool(namespace_of(one).all(one == other))
