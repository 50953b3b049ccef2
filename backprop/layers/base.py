"""What a layer is: `forward` keeps what `backward` will need, `backward` uses it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from numbers import Integral
from typing import Any, NamedTuple, Self

import numpy as np

from ..backends import Array, Backend, InPlaceDict, backend_of, dtype_name, is_registered, namespace_of

HALF = (
    "float16 cannot be trained, since squares and sums overflow; train in float32 and convert the network "
    'for inference, network.to(dtype="float16")'
)
"""Why float16 is for inference only, and what to do."""


OF_A_NODE = frozenset(
    {"_params", "_grads", "_state", "_saved", "params", "grads", "state", "saved", "constants"}
)
"""What the constructor of a layer or loss makes."""


def no_constructor(kind: type, call: str = "super().__init__()") -> AttributeError:
    """The error for an object whose class has a constructor that leaves out that of its base."""
    return AttributeError(f"{kind.__name__}: its __init__ does not call {call}; call it there first")


class Node:
    """A differentiable function with parameters: what layers and losses have in common.

    A subclass writes `forward` and, under it, `backward`. `forward(…, training=True)` sets `saved`
    to whatever `backward` needs; inference sets it to None.

    An argument of either is only read, and may be kept until `backward`: it must not be changed in
    between. A result belongs to the caller, who may change it in place at once: no layer keeps a
    result, hands out its argument, or hands out one memory twice. What `backward` needs of an output is
    kept as something else, such as y > 0; where that is its kind alone, as `ArraySpec.of(y)`.
    """

    name: str
    """The name in error messages; a network calls its layers `"Affine1"`, `"ReLU1"`, …"""

    in_network: bool = False
    """Whether a network or a block has taken the layer, which can have one place only."""

    constants: dict[Any, Array]
    """Arrays made once, by shape and kind, and kept for good: a captured step goes on reading them."""

    def __init__(self, **params: Array) -> None:
        for name in params:
            vars(self).pop(name, None)  # `self.W = W` before this call would hide the parameter
        self._params: dict[str, Array] = params
        self._grads: dict[str, Array] = {}
        self._state: dict[str, Array] = {}
        self.constants: dict[Any, Array] = {}
        self.name = type(self).__name__
        self._saved: Any = None

    @property
    def params(self) -> dict[str, Array]:
        """The parameters by name: `"W"`, `"b"`, …"""
        return self._params

    @params.setter
    def params(self, values: dict[str, Array]) -> None:
        self._params = _placed(self._params, values)

    @property
    def grads(self) -> dict[str, Array]:
        """After `backward`, the gradient of the loss for every parameter: same keys, same shapes."""
        return self._grads

    @grads.setter
    def grads(self, values: dict[str, Array]) -> None:
        self._grads = _placed(self._grads, values)

    @property
    def state(self) -> dict[str, Array]:
        """What `forward(…, training=True)` changes and no gradient does: running statistics, counters.

        It has all its keys from the constructor on. In a network its arrays keep their place where the
        library can, as a recorded step needs it: `state["mean"] = values` writes the values there.
        """
        return self._state

    @state.setter
    def state(self, values: dict[str, Array]) -> None:
        missing = self._state.keys() - values.keys()
        if missing:
            raise ValueError(f"{self.name}: expected all of the state, without {', '.join(sorted(missing))}")
        if isinstance(self._state, InPlaceDict) and not isinstance(values, InPlaceDict):
            self._state.update(values)
        else:
            self._state = values

    def __getattr__(self, name: str) -> Any:
        """`layer.W` is `layer.params["W"]`, and `layer.running_mean` is `layer.state["running_mean"]`."""
        for arrays in (vars(self).get("_params", {}), vars(self).get("_state", {})):
            if name in arrays:
                return arrays[name]
        if name in OF_A_NODE and "_params" not in vars(self):
            raise no_constructor(type(self))
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}", name=name, obj=self)

    def __setattr__(self, name: str, value: Any) -> None:
        for arrays in (vars(self).get("_params", {}), vars(self).get("_state", {})):
            if name in arrays:
                check_replaces(f"{self.name}.{name}", value, arrays[name])
                arrays[name] = value
                return
        object.__setattr__(self, name, value)

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[Any, ...]:
        """A small instance and its NumPy inputs, away from kinks: what `backprop check` checks."""
        raise NotImplementedError(
            f"{cls.__name__} has no case to check: add a classmethod case(cls, rng) that returns "
            "(layer, x) with small NumPy arrays"
        )

    @property
    def saved(self) -> Any:
        """What the last `forward(…, training=True)` kept for `backward`."""
        if self._saved is None:
            raise RuntimeError(
                f"{self.name}: backward needs {self.name}.forward(…, training=True) first; without "
                "training=True, forward keeps nothing for it"
            )
        return self._saved

    @saved.setter
    def saved(self, value: Any) -> None:
        self._saved = value

    def to(self, backend: Backend, dtype: Any = None) -> Self:
        """A copy of its own with the parameters on `backend`, as `dtype` (None keeps each dtype)."""
        clone = copy.copy(self)
        clone._grads, clone.saved, clone.in_network = {}, None, False
        clone._params = {key: _moved(value, backend, dtype) for key, value in self.params.items()}
        kept = self.state_dtype(dtype)
        clone._state = {key: _moved(value, backend, kept) for key, value in self.state.items()}
        return clone

    def state_dtype(self, dtype: Any) -> Any:
        """The dtype of the state where that of the parameters is `dtype`; None keeps each."""
        return dtype

    def move_state_to(self, x: Array) -> None:
        """Bring the state to the library and device of the input `x`, where it is not yet."""
        for key, value in self.state.items():
            if type(value) is not type(x) or value.device != x.device:
                self.state[key] = _moved(value, backend_of(x), None)

    def set_grad(self, key: str, function: Callable[..., Array], *args: Any, **options: Any) -> None:
        """`grads[key] = function(*args, **options)`, computed into its place in a network.

        The place is part of the network's flat vector; saving the copy matters for large weights.
        """
        if isinstance(self._grads, Views):
            self._grads.write(key, function, *args, **options)
        else:
            self._grads[key] = function(*args, **options)

    def check_float(self, x: Array) -> Any:
        """The namespace of the input `x`, which must be a floating-point array."""
        xp = namespace_of(x)
        if not _is_float(x.dtype.__class__, x.dtype):
            raise TypeError(
                f"{self.name}: expected floating-point input, got {dtype_name(x.dtype)}; "
                "convert it first, for instance to float32"
            )
        return xp

    def check_like(self, x: Array, reference: Any, names: str) -> None:
        """Raise unless `x` has the library, dtype and device of `reference`, an array or a form.

        `names` is "x and W".
        """
        kind: Any = reference.kind if isinstance(reference, ArraySpec) else type(reference)
        if type(x) is kind and x.dtype == reference.dtype and x.device == reference.device:
            return
        xp = reference.xp if isinstance(reference, ArraySpec) else namespace_of(reference)
        if namespace_of(x) is not xp:
            raise TypeError(
                f"{self.name}: {names} are arrays of two libraries, {_kind(type(x))} and {_kind(kind)}; "
                "bring both to one backend with backend.asarray(…)"
            )
        if x.dtype != reference.dtype:
            raise TypeError(
                f"{self.name}: {names} differ in dtype, {dtype_name(x.dtype)} and "
                f"{dtype_name(reference.dtype)}; convert one of them"
            )
        if x.device != reference.device:
            raise ValueError(
                f"{self.name}: {names} are on two devices, {x.device} and {reference.device}; "
                "bring both to one with backend.asarray(…)"
            )

    def check_dout(self, dout: Array, y: Any) -> None:
        """Raise unless `dout` fits `y`, an array with the shape, dtype and device of the output or a form."""
        namespace_of(dout)  # a TypeError for what is no array
        if dout.shape != y.shape:
            raise ValueError(f"{self.name}: expected dout {tuple(y.shape)}, got {tuple(dout.shape)}")
        self.check_like(dout, y, "dout and output")

    def __repr__(self) -> str:
        shapes = ", ".join(f"{key}={tuple(value.shape)}" for key, value in self.params.items())
        return f"{type(self).__name__}({shapes})"


class ArraySpec(NamedTuple):
    """What an array is besides its numbers: kept in place of an output that nothing else is needed of."""

    kind: type
    xp: Any
    shape: tuple[int, ...]
    dtype: Any
    device: Any

    @classmethod
    def of(cls, x: Array) -> ArraySpec:
        """The form of an array."""
        return cls(type(x), namespace_of(x), x.shape, x.dtype, x.device)


class Views(dict[str, Array]):
    """A dict whose arrays keep their place: setting a key writes the value into the array there."""

    backend: Backend
    """Where the arrays are."""

    def __setitem__(self, key: str, value: Array) -> None:
        if key not in self:
            raise KeyError(f"no parameter {key!r}: a layer in a network keeps its {', '.join(self)}")
        view = self[key]
        if value is view:
            return
        if value.shape != view.shape:
            raise ValueError(f"{key}: expected shape {tuple(view.shape)}, got {tuple(value.shape)}")
        view[...] = value if value.dtype == view.dtype else namespace_of(view).astype(value, view.dtype)

    def write(self, key: str, function: Callable[..., Array], *args: Array, **options: Any) -> None:
        """Compute function(*args, **options) into the array at `key`."""
        self.backend.write_out(self[key], function, *args, **options)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set every given key."""
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def __ior__(self, other: Any) -> Self:  # type: ignore[override,misc]  # dict's is overloaded
        self.update(other)
        return self

    def __delitem__(self, key: str) -> None:
        raise TypeError("the parameters of a layer in a network cannot be deleted")

    def pop(self, *_: Any) -> Any:
        """Refused, as every deletion."""
        raise TypeError("the parameters of a layer in a network cannot be deleted")

    popitem = clear = pop

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


def _moved(value: Array, backend: Backend, dtype: Any) -> Array:
    """A copy on `backend`; `dtype` is for floating-point values, None keeps theirs."""
    host = backend_of(value).to_numpy(value) if is_registered(value) else np.asarray(value)
    own = dtype_name(host.dtype)
    return backend.asarray(host.copy(), dtype=dtype if dtype and own.startswith("float") else own)


def check_replaces(name: str, value: Any, current: Array) -> None:
    """Raise unless the array can replace another: its library and shape, numbers of its kind that fit."""
    if value is current:
        return
    if getattr(value, "shape", None) != current.shape:
        given = tuple(value.shape) if hasattr(value, "shape") else value
        raise ValueError(f"{name}: expected an array of shape {tuple(current.shape)}, got {given!r}")
    if namespace_of(value) is not namespace_of(current):
        raise TypeError(
            f"{name}: expected an array of {type(current).__module__.partition('.')[0]}, "
            f"got {type(value).__module__}.{type(value).__name__}; convert it with backend.asarray(…)"
        )
    if value.dtype == current.dtype:
        return
    wanted, given = dtype_name(current.dtype), dtype_name(value.dtype)
    kinds = ("float",) if wanted.startswith("float") else ("int", "uint")
    if not given.startswith(kinds):
        raise TypeError(f"{name}: expected numbers of a dtype such as {wanted}, got {given}")
    if wanted.startswith("float") and overflows(host := backend_of(value).to_numpy(value), wanted):
        largest = np.abs(host[np.isfinite(host)]).max()
        raise ValueError(f"{name}: expected numbers that fit into {wanted}, got {largest}")


def overflows(value: np.ndarray[Any, Any], dtype: str) -> bool:
    """Whether a finite number becomes infinite in this dtype."""
    with np.errstate(over="ignore"):
        return bool((np.isfinite(value) & ~np.isfinite(value.astype(dtype))).any())


def _placed(current: dict[str, Array], values: dict[str, Array]) -> dict[str, Array]:
    """`values`, written into their place where `current` has one."""
    if isinstance(current, Views) and not isinstance(values, Views):
        current.update(values)
        return current
    return values


class Layer(Node):
    """A differentiable function of one array, stacked with others into a network."""

    def forward(self, x: Array, *, training: bool = False) -> Array:
        """The output for a batch `x`, whose first axis counts the samples."""
        raise NotImplementedError(f"{self.name} has no forward")

    def backward(self, dout: Array) -> Array:
        """Set `grads` and return dx, given dout: the gradient of the loss for forward's output."""
        raise NotImplementedError(f"{self.name} has no backward")

    def backward_params(self, dout: Array) -> None:
        """Set `grads` only: what a network calls on its bottom layer, where nobody needs dx."""
        self.backward(dout)

    def region(self, x: Array) -> Array | None:
        """For a piecewise smooth layer, which piece each entry of `x` lies on; None where smooth.

        The gradient check compares it on both sides of a central difference: where it differs, a
        kink lies between them and the difference is no derivative.
        """
        return None


def by_name(layers: Mapping[str, Layer] | Sequence[Layer]) -> dict[str, Layer]:
    """The mapping, or the layers by their class and its count: `"Affine1"`, `"ReLU1"`, `"Affine2"`, …"""
    if isinstance(layers, Mapping):
        return dict(layers)
    counts: dict[str, int] = {}
    names = {}
    for layer in layers:
        kind = layer.__name__ if isinstance(layer, type) else type(layer).__name__
        counts[kind] = counts.get(kind, 0) + 1
        names[f"{kind}{counts[kind]}"] = layer
    return names


def _is_float(kind: type, dtype: Any) -> bool:
    return _name(kind, dtype) in ("float16", "float32", "float64")


def is_integer(dtype: Any) -> bool:
    """Whether the dtype, of any library, is a signed or unsigned integer."""
    return _name(dtype.__class__, dtype).startswith(("int", "uint"))


@cache
def _name(kind: type, dtype: Any) -> str:
    # `kind` keeps the cache from comparing the dtypes of two libraries, which strict ones refuse.
    return dtype_name(dtype)


def copied(x: Array) -> Array:
    """A copy of a floating-point array, in memory of its own."""
    return namespace_of(x).astype(x, x.dtype)


def widened(x: Array) -> Array:
    """float16 as float32, whose sums and squares neither overflow nor lose digits; else x itself."""
    return namespace_of(x).astype(x, namespace_of(x).float32) if is_half(x.dtype) else x


def narrowed(x: Array, dtype: Any) -> Array:
    """What was computed from `widened`, in the dtype it had before."""
    return x if x.dtype == dtype else namespace_of(x).astype(x, dtype)


def is_whole(value: Any) -> bool:
    """Whether it is a whole number, Python's or NumPy's; True and False are none."""
    return not isinstance(value, bool) and isinstance(value, Integral)


def is_half(dtype: Any) -> bool:
    """Whether the dtype, of any library, is float16."""
    return _name(dtype.__class__, dtype) == "float16"


def _kind(kind: type) -> str:
    return f"{kind.__module__.partition('.')[0]}.{kind.__name__}"
