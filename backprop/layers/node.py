"""`Node`: parameters, `forward`, and under it `backward`. Layers and losses are nodes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np

from ..backends import Array, Backend, InPlaceDict, backend_of, dtype_name, is_registered, on_one_device
from ..errors import missing_super_init
from .checks import check_replaces

SET_BY_INIT = frozenset(
    {"_params", "_grads", "_state", "_saved", "params", "grads", "state", "saved", "constants"}
)
"""The attributes that exist only after `Node.__init__`."""


class Node:
    """A differentiable function with parameters.

    A subclass writes `forward` and, under it, `backward`. `forward(…, training=True)` sets `saved`
    to whatever `backward` needs; inference sets it to None.

    Both only read their arguments, which may be saved until `backward` and must not change in between. A
    result belongs to the caller, who may change it in place at once: no layer keeps a result, returns its
    argument, or returns one memory twice. Where `backward` needs something of an output, `forward` saves
    it in another form, such as y > 0, or as `ArraySpec.of(y)` where shape and dtype are enough.
    """

    name: str
    """The name in error messages; a network calls its layers `"Affine1"`, `"ReLU1"`, …"""

    is_owned: bool = False
    """Whether a network or a block has taken the layer, which can have one place only."""

    constants: dict[Any, Array]
    """Arrays made once for each shape and dtype, and never changed: a captured step goes on reading them."""

    def __init__(self, **params: Array) -> None:
        for name in params:
            vars(self).pop(name, None)  # `self.W = W` before this call would hide the parameter
        self._params: dict[str, Array] = params
        self._grads: dict[str, Array] = {}
        self._state: dict[str, Array] = {}
        self.constants = {}
        self.name = type(self).__name__
        self._saved: Any = None

    def __call__(self, *inputs: Any) -> Any:
        """Apply the node to variables of `backprop.graphs`, which remember it: `Mul()(apple, number)`."""
        for x in inputs:
            if hasattr(type(x), "of_node"):
                return type(x).of_node(self, inputs)
        given = ", ".join(type(x).__name__ for x in inputs) or "nothing"
        raise TypeError(
            f"{self.name}: expected variables (backprop.graphs.Variable), got {given}; arrays and numbers go "
            f"to {self.name}.forward(…)"
        )

    @property
    def params(self) -> dict[str, Array]:
        """The parameters by name: `"W"`, `"b"`, …"""
        return self._params

    @params.setter
    def params(self, values: dict[str, Array]) -> None:
        self._params = _in_place(self._params, values)
        self.on_moved()

    @property
    def grads(self) -> dict[str, Array]:
        """After `backward`, the gradient of the loss for every parameter: same keys, same shapes."""
        return self._grads

    @grads.setter
    def grads(self, values: dict[str, Array]) -> None:
        self._grads = _in_place(self._grads, values)

    @property
    def state(self) -> dict[str, Array]:
        """The arrays that `forward(…, training=True)` changes itself: running statistics, counters.

        It has all its keys from the constructor on. In a network, where the library has views, its arrays
        stay where they are, as a recorded step needs: `state["mean"] = values` writes the values there.
        """
        return self._state

    @state.setter
    def state(self, values: dict[str, Array]) -> None:
        missing = self._state.keys() - values.keys()
        if missing:
            raise ValueError(f"{self.name}: expected all of the state, without {', '.join(sorted(missing))}")
        self._state = _in_place(self._state, values)
        self.on_moved()

    def on_moved(self) -> None:
        """Called after `params` or `state` has been set, as by a network, which moves the arrays."""

    @property
    def saved(self) -> Any:
        """What the last `forward(…, training=True)` saved for `backward`."""
        if self._saved is None:
            raise RuntimeError(
                f"{self.name}: backward needs {self.name}.forward(…, training=True) first; without "
                "training=True, forward keeps nothing for it"
            )
        return self._saved

    @saved.setter
    def saved(self, value: Any) -> None:
        self._saved = value

    def __getstate__(self) -> dict[str, Any]:
        """For pickle and copies: without what `forward` saved, which only this object's `backward` needs."""
        return {**vars(self), "_saved": None}

    def set_grad(self, key: str, function: Callable[..., Array], *args: Any, **options: Any) -> None:
        """`grads[key] = function(*args, **options)`, in a network computed straight into its flat vector.

        That saves a copy, which matters for large weights.
        """
        if isinstance(self._grads, InPlaceDict):
            self._grads.write_out(key, function, *args, **options)
        else:
            self._grads[key] = function(*args, **options)

    def to(self, backend: Backend, dtype: Any = None) -> Self:
        """A copy whose parameters and state are on `backend`, in `dtype` (None keeps each dtype)."""
        clone = copy.copy(self)
        clone._grads, clone.saved, clone.is_owned = {}, None, False
        clone._params = {key: copied_to(backend, value, dtype) for key, value in self.params.items()}
        state_dtype = self.state_dtype(dtype)
        clone._state = {key: copied_to(backend, value, state_dtype) for key, value in self.state.items()}
        return clone

    def replica(self) -> Self:
        """A node with the same parameters and state, which saves and differentiates for itself."""
        twin = copy.copy(self)
        twin._grads, twin.saved = {}, None
        vars(twin).update({name: _replicated(value) for name, value in vars(twin).items()})
        return twin

    def follow(self, original: Node) -> None:
        """Take over the attributes of the node that this one is a replica of."""
        for name, value in vars(original).items():
            if name in ("_grads", "_saved"):
                continue
            pairs = list(zip(_nodes_in(vars(self).get(name)), _nodes_in(value), strict=False))
            for twin, node in pairs:
                twin.follow(node)
            if not pairs:
                vars(self)[name] = value

    def state_dtype(self, dtype: Any) -> Any:
        """The dtype of the state where that of the parameters is `dtype`; None keeps each."""
        return dtype

    def move_state_to(self, x: Array) -> None:
        """Move the state to the library and device of the input `x`."""
        for key, value in self.state.items():
            if type(value) is not type(x) or not on_one_device(value, x):
                self.state[key] = copied_to(backend_of(x), value, None)

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[Any, ...]:
        """A small instance and its NumPy inputs, away from kinks, for `backprop check`."""
        raise NotImplementedError(
            f"{cls.__name__} has no case to check: add a classmethod case(cls, rng) that returns "
            "(layer, x) with small NumPy arrays"
        )

    def __getattr__(self, name: str) -> Any:
        """`layer.W` is `layer.params["W"]`, and `layer.running_mean` is `layer.state["running_mean"]`."""
        for arrays in (vars(self).get("_params", {}), vars(self).get("_state", {})):
            if name in arrays:
                return arrays[name]
        if name in SET_BY_INIT and "_params" not in vars(self):
            raise missing_super_init(type(self))
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}", name=name, obj=self)

    def __setattr__(self, name: str, value: Any) -> None:
        for arrays in (vars(self).get("_params", {}), vars(self).get("_state", {})):
            if name in arrays:
                check_replaces(f"{self.name}.{name}", value, arrays[name])
                arrays[name] = value
                return
        object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{key}={tuple(value.shape)}" for key, value in self.params.items())
        return f"{self.__class__.__name__}({shapes})"


def _in_place(current: dict[str, Array], values: dict[str, Array]) -> dict[str, Array]:
    """`values`, or where the current arrays must stay where they are, these with the values written in."""
    if isinstance(current, InPlaceDict) and not isinstance(values, InPlaceDict):
        current.update(values)
        return current
    return values


def copied_to(backend: Backend, value: Array, dtype: Any) -> Array:
    """A copy on `backend`, where floating-point values have this dtype; None keeps theirs."""
    host = backend_of(value).to_numpy(value) if is_registered(value) else np.asarray(value)
    own = dtype_name(host.dtype)
    return backend.asarray(host.copy(), dtype=dtype if dtype and own.startswith("float") else own)


def _replicated(value: Any) -> Any:
    """`value` with replicas of the nodes that it is, or holds."""
    if isinstance(value, Node):
        return value.replica()
    if not any(True for _ in _nodes_in(value)):
        return value
    if isinstance(value, dict):
        return {key: _replicated(item) for key, item in value.items()}
    return type(value)(map(_replicated, value))


def _nodes_in(value: Any) -> Iterator[Node]:
    """The nodes that `value` is, or holds in a list, a tuple or a dict."""
    if isinstance(value, Node):
        yield value
    elif type(value) in (list, tuple, dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _nodes_in(item)
