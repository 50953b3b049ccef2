"""Layers of one's own that keep their weights where nobody trains them.

`self.W = W` is what the book's layers do; here it is an attribute like any other, a constant. What tells a
weight from a constant is its gradient: the layer has a `dW`, or backward a `grads["W"]`.
"""

from __future__ import annotations

import dis
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

from ..backends import dtype_name, is_registered
from ..layers import Layer, Residual

GRADIENTS = ("d{}", "d_{}", "grad_{}", "{}_grad", "grad{}")
"""What the gradient of a weight is called."""


SIGNALS = {"x", "y", "out", "input", "output"}
"""What passes through a layer, whose gradients every backward has: such an array is a buffer."""


class UntrainedWarning(UserWarning):
    """An array of a layer has a gradient, but is no parameter and so is not trained."""


def warn_of_untrained(layers: Mapping[str, Layer]) -> None:
    """Warn of every array that is kept as a weight and not trained, with the cure."""
    for name, layer in layers.items():
        if isinstance(layer, Residual):
            warn_of_untrained({f"{name}.{key}": inner for key, inner in layer.layers.items()})
        elif found := list(_untrained(layer)):
            key, kept = found[0], " and ".join(f"self.{key}" for key in found)
            warnings.warn(
                f"{name} ({type(layer).__name__}): {kept} will not be trained, as only self.params is: in "
                f'__init__, after super().__init__(), write self.params["{key}"] = {key}, and in backward '
                f'self.grads["{key}"] = …',
                UntrainedWarning,
                stacklevel=3,
            )


def _untrained(layer: Layer) -> Iterator[str]:
    """The attributes that are weights."""
    if type(layer).__module__.startswith("backprop."):
        return
    arrays = [key for key, value in vars(layer).items() if _is_float_array(value)]
    if arrays:
        told = _Told.of(type(layer))
        names = told.names | vars(layer).keys()
        for key in arrays:
            if key in SIGNALS:
                continue
            has_gradient = key in told.texts or any(form.format(key) in names for form in GRADIENTS)
            if has_gradient and key not in told.by_forward:
                yield key


def _is_float_array(value: Any) -> bool:
    return is_registered(value) and value.ndim > 0 and dtype_name(value.dtype).startswith("float")


@dataclass
class _Told:
    """What the code of a layer's class tells."""

    names: set[str] = field(default_factory=set)
    """The attributes that its methods set, and the variables of backward."""
    texts: set[str] = field(default_factory=set)
    """Those that stand in backward, as the keys of gradients do."""
    by_forward: set[str] = field(default_factory=set)
    """The attributes that forward sets, or what it calls, as what it keeps of its input: no weights."""

    @classmethod
    def of(cls, kind: type) -> _Told:
        told = cls()
        for base in kind.__mro__[: kind.__mro__.index(Layer)]:
            for function in vars(base).values():
                if isinstance(function, FunctionType):
                    told.listen(function)
        return told

    def listen(self, function: FunctionType) -> None:
        code = function.__code__
        stored = {step.argval for step in dis.get_instructions(code) if step.opname == "STORE_ATTR"}
        self.names |= stored
        if function.__name__.startswith("backward"):
            self.names |= set(code.co_varnames[code.co_argcount + code.co_kwonlyargcount :])
            self.texts |= set(_texts(code.co_consts))
        elif function.__name__ != "__init__":
            self.by_forward |= stored


def _texts(constants: Iterable[Any]) -> Iterator[str]:
    """The texts among constants, also those in tuples, as the keys of a dict are."""
    for constant in constants:
        if isinstance(constant, tuple):
            yield from _texts(constant)
        elif isinstance(constant, str):
            yield constant
