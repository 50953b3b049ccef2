"""`BookNode`: an object in the book's style, with `self.W` and `self.dW`, as a node."""

from __future__ import annotations

import copy
from numbers import Real
from typing import Any, Self
from weakref import WeakValueDictionary

from ...backends import Array, Backend, CaptureError, backend_of, is_registered, namespace_of
from ...dtypes import copied, is_float16
from ..checks import check_like, check_replaces
from ..node import Node, copied_to
from ..spec import ArraySpec
from .attributes import Attributes
from .class_code import uses_numpy
from .form import Form, described, is_array, is_generator
from .statistics import make_statistics

OWN = frozenset({"inner", "form", "attributes", "lent", "name", "is_owned", "constants", "saved", "params",
                 "grads", "state"})  # fmt: skip
"""The attributes of an adapter itself; all others are those of the object within."""

CURE = "NumPy's functions and methods are for NumPy's arrays; for any library's, use xp = namespace_of(x)"
"""What to do about a layer that runs on NumPy only."""

MISUSED = (TypeError, AttributeError, RuntimeError, Warning)
"""What NumPy's functions raise for arrays of other libraries; a warning, if warnings are errors."""

_adapters: WeakValueDictionary[int, BookNode] = WeakValueDictionary()
"""The adapter of each object, by its id, so that two networks do not share an object unnoticed."""


class BookNode(Node):
    """An object with `forward` and `backward`, whose parameters are attributes with gradients: W and dW.

    The object computes with this node's arrays: before every call its attributes are set to them, so that
    `layer.W` is the live parameter of a network. It is given copies of its arguments, which it may change
    as the book's ReLU does, and its results are copied, so that it may keep them. Results have the dtype
    of the input, whatever NumPy makes of them within.
    """

    def __init__(self, inner: Any, name: str = "") -> None:
        name = name or type(inner).__name__
        form, attributes = Form.of(inner), Attributes.of(inner, name)
        if make_statistics(inner, attributes, form):
            attributes = Attributes.of(inner, name)
        vars(self).update(inner=inner, form=form, attributes=attributes, lent={})
        super().__init__(**{key: getattr(inner, key) for key in self.attributes.params})
        self.name = name
        self.state = {key: getattr(inner, key) for key in self.attributes.state}
        self.lend()
        _adapters[id(inner)] = self

    inner: Any
    form: Form
    attributes: Attributes
    lent: dict[str, Array]
    """The arrays that the object has been given for its parameters and state."""

    @property  # type: ignore[misc]  # object's is no property
    def __class__(self) -> Any:
        """The class of the object, for `isinstance` and for its name in messages."""
        inner = vars(self).get("inner")
        return type(self) if inner is None else type(inner)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.__getstate__())

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if "inner" not in vars(self) or name.startswith("__"):
                raise
            return getattr(self.inner, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in OWN or name.startswith("_") or name in self.params or name in self.state:
            super().__setattr__(name, value)
        else:
            setattr(self.inner, name, value)

    def on_moved(self) -> None:
        self.lend()

    def lend(self) -> None:
        """Set the object's parameters and state to the node's; take the values of any that it was given."""
        own = vars(self.inner)
        for arrays in (self._params, self._state):
            for key, array in arrays.items():
                given = own.get(key)
                if key in self.lent and given is not self.lent[key]:
                    check_replaces(f"{self.name}.{key}", given, array)
                    arrays[key] = namespace_of(array).astype(given, array.dtype)
                self.lent[key] = own[key] = arrays[key]

    def call(self, method: str, *arrays: Array, **options: Any) -> Any:
        """Call a method of the object with copies of the arrays."""
        self.lend()
        try:
            result = getattr(self.inner, method)(*map(copied, arrays), **options)
        except Exception as error:  # of any kind: it is raised again, with the layer's name
            if arrays and isinstance(error, MISUSED) and not isinstance(error, CaptureError):
                self.refuse_library(method, backend_of(arrays[0]), error)
            error.add_note(f"in {method} of {self.name} ({self.__class__.__name__})")
            raise
        for key in self._params:
            if vars(self.inner).get(key) is not self.lent[key]:
                raise RuntimeError(
                    f"{self.name}: {method} replaced self.{key}; leave parameters to the optimizer"
                )
        self.lend()
        return result

    def refuse_library(self, method: str, backend: Backend, error: Exception) -> None:
        """Raise if NumPy's functions or methods met other arrays, which is then the most likely cause."""
        lacks_method = isinstance(error, AttributeError) and is_registered(error.obj)  # x.copy()
        misused = lacks_method or (uses_numpy(self.__class__) and not backend.is_out_of_memory(error))
        if backend.name != "numpy" and misused:
            raise TypeError(
                f"{self.name}: {method} fails with arrays of {backend.name}: {CURE} "
                f"({type(error).__name__}: {error})"
            ) from error

    def run_forward(self, *inputs: Array, training: bool) -> Array:
        """The object's output; saves the specs of inputs and output for `backward`."""
        specs = [ArraySpec.of(x) for x in inputs]
        for key, value in list(self._params.items())[:1]:
            check_like(self.name, inputs[0], value, f"x and {key}")
        self.saved = None
        flag = {self.form.flag: training} if self.form.flag else {}
        y = self.checked("the result of forward", self.call("forward", *inputs, **flag), specs[0])
        self.saved = (specs, ArraySpec.of(y)) if training else None
        return y

    def run_backward(self, *dout: Array, inputs: int = 1) -> list[Array]:
        """Set the gradients of the parameters; return those of so many inputs."""
        (specs, _), own = self.saved, vars(self.inner)
        for key, value in self._params.items():
            zeros = key in self.attributes.accumulated
            own[f"d{key}"] = namespace_of(value).zeros_like(value) if zeros else None
        found = self.call("backward", *dout)
        self.take_gradients()
        several = found if inputs > 1 else (found,)
        if not isinstance(several, tuple) or len(several) != inputs:
            raise TypeError(f"{self.name}: expected {inputs} gradients from backward, got {described(found)}")
        return [
            self.checked(f"the gradient of {key} from backward", dx, spec, spec.shape)
            for key, dx, spec in zip(self.form.inputs, several, specs, strict=False)
        ]

    def take_gradients(self) -> None:
        """Set `grads` from the object's attributes; raise for one that is missing, or that nobody expects."""
        own, known = vars(self.inner), self.attributes
        for key, value in self._params.items():
            what, gradient = f"self.d{key}, the gradient of self.{key}", own.get(f"d{key}")
            if gradient is None:
                raise RuntimeError(
                    f"{self.name}: backward does not set {what}; if {key} is a constant, name it otherwise"
                )
            gradient = self.checked(what, gradient, ArraySpec.of(value), value.shape)
            self.set_grad(key, namespace_of(value).astype, gradient, value.dtype)
        if unknown := known.unknown_parameter(self.inner):
            raise RuntimeError(
                f"{self.name}: backward sets self.d{unknown}, but self.{unknown} was not known as a "
                f"parameter: in __init__, set plain attributes, self.{unknown} = … and self.d{unknown} = None"
            )

    def checked(self, what: str, array: Any, like: ArraySpec, shape: tuple[int, ...] | None = None) -> Array:
        """A copy, in the dtype of `like`, of an array that the object gives; raises for what is none."""
        if isinstance(array, Real) and not is_registered(array):
            array = like.xp.full((), float(array), dtype=like.dtype, device=like.device)
        if not (is_registered(array) and namespace_of(array) is like.xp):
            kind = f"{like.kind.__module__.partition('.')[0]}.{like.kind.__name__}"
            cure = f" of {backend_of(array).name}: {CURE}" if is_registered(array) else ""
            raise TypeError(f"{self.name}: expected {what} as a {kind}, got {described(array)}{cure}")
        if shape is not None and tuple(array.shape) != tuple(shape):
            raise ValueError(
                f"{self.name}: expected {what} in shape {tuple(shape)}, got {tuple(array.shape)}"
            )
        return like.xp.astype(array, like.dtype)

    def state_dtype(self, dtype: Any) -> Any:
        return "float32" if dtype is not None and is_float16(dtype) else dtype

    def carried(self) -> dict[str, Any]:
        """Copies of what the object carries from call to call outside its state: generators, counters."""
        kept = {
            key: value
            for key, value in vars(self.inner).items()
            if key in self.attributes.unsaved or is_generator(value)
        }
        return copy.deepcopy(kept)

    def carry(self, values: dict[str, Any]) -> None:
        """Go on from what `carried` returned."""
        vars(self.inner).update(copy.deepcopy(values))

    def to(self, backend: Backend, dtype: Any = None) -> Self:
        """A copy, with a copy of the object, whose arrays are on `backend`, in `dtype` (None keeps each)."""
        self.lend()
        clone = super().to(backend, dtype)
        shared = {id(array): array for array in self.lent.values()}
        try:
            inner = copy.deepcopy(self.inner, shared)
        except Exception as error:  # of any kind: copying runs user code
            raise TypeError(f"{self.name}: this layer cannot be copied: {error}") from error
        for key, value in vars(inner).items():
            if key not in self.lent and is_array(value):
                vars(inner)[key] = copied_to(backend, value, dtype)
        vars(clone).update(inner=inner, lent={})
        clone.lend()
        return clone


def owned(value: Any) -> BookNode | None:
    """The adapter through which a network or block owns an object, so that no other shares it unnoticed."""
    found = _adapters.get(id(value))
    return found if found is not None and found.inner is value and found.is_owned else None


def how_to_copy(layer: Node) -> str:
    """What a user writes to copy a layer that belongs to a network."""
    return "copy.deepcopy(layer)" if isinstance(layer, BookNode) else "layer.to(backend)"


def _restored(kind: type[BookNode], attributes: dict[str, Any]) -> BookNode:
    """An adapter of this class, from a copy or a pickle."""
    made = object.__new__(kind)
    vars(made).update(attributes)
    return made
