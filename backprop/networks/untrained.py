"""Warn of custom layers whose weights would not be trained.

In a custom `Layer`, the book's `self.W = W` makes an ordinary attribute, which is never updated. It must have
been meant as a weight if it has a gradient: the layer has a `dW`, or backward sets `grads["W"]`. In a layer
in the book's style, every array is meant as one that is not explained otherwise, nor read-only.
"""

from __future__ import annotations

import dis
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

from ..backends import dtype_name, is_registered
from ..layers import Layer, Node, Residual
from ..layers.book_style.attributes import OTHER_GRADIENTS, SIGNALS
from ..layers.book_style.node import BookNode

GRADIENTS = ("d{}", *OTHER_GRADIENTS)
"""Common names for the gradient of a weight."""


class UntrainedWarning(UserWarning):
    """A layer's array has a gradient but is not a parameter, and so will not be trained."""


def warn_of_untrained(layers: Mapping[str, Node]) -> None:
    """Warn of every weight that will not be trained, and say how to fix it."""
    for name, layer in layers.items():
        if isinstance(layer, Residual):
            warn_of_untrained({f"{name}.{key}": inner for key, inner in layer.layers.items()})
        elif found := list(_untrained(layer)):
            kept = " and ".join(f"self.{key}" for key in found)
            cure = _cure_of_book_style if isinstance(layer, BookNode) else _cure
            warnings.warn(
                f"{name} ({layer.__class__.__name__}): {kept} will {cure(found[0])}",
                UntrainedWarning,
                stacklevel=3,
            )


def _cure(key: str) -> str:
    return (
        "not be trained, since only self.params is: in __init__, after super().__init__(), write "
        f'self.params["{key}"] = {key}, and in backward self.grads["{key}"] = …'
    )


def _cure_of_book_style(key: str) -> str:
    return (
        "be neither trained nor saved: a parameter is an array in an attribute of its own, whose gradient "
        "backward sets (self.W and self.dW); running statistics are such arrays that forward sets (self.mean "
        f"= …); a constant is read-only (self.{key}.flags.writeable = False)"
    )


def _untrained(layer: Node) -> Iterable[str]:
    """The attributes that hold untrained weights."""
    if isinstance(layer, BookNode):
        return layer.attributes.untrained
    return _plain_weights(layer) if isinstance(layer, Layer) else ()


def _plain_weights(layer: Layer) -> Iterator[str]:
    """The attributes of a custom `Layer` that hold weights, but are no parameters."""
    if type(layer).__module__.startswith("backprop."):
        return
    arrays = [key for key, value in vars(layer).items() if _is_float_array(value)]
    if arrays:
        code = _ClassCode.of(type(layer))
        names = code.names | vars(layer).keys()
        for key in arrays:
            if key in SIGNALS:
                continue
            has_gradient = key in code.strings or any(form.format(key) in names for form in GRADIENTS)
            if has_gradient and key not in code.set_by_forward:
                yield key


def _is_float_array(value: Any) -> bool:
    return is_registered(value) and value.ndim > 0 and dtype_name(value.dtype).startswith("float")


@dataclass
class _ClassCode:
    """Names found in the code of a layer's class."""

    names: set[str] = field(default_factory=set)
    """The attributes that methods set, and the local variables of backward."""
    strings: set[str] = field(default_factory=set)
    """The strings in backward, such as the keys of gradients."""
    set_by_forward: set[str] = field(default_factory=set)
    """The attributes that forward, or a method it calls, sets: saved values, not weights."""

    @classmethod
    def of(cls, kind: type) -> _ClassCode:
        code = cls()
        for base in kind.__mro__[: kind.__mro__.index(Layer)]:
            for function in vars(base).values():
                if isinstance(function, FunctionType):
                    code.read(function)
        return code

    def read(self, function: FunctionType) -> None:
        code = function.__code__
        stored = {step.argval for step in dis.get_instructions(code) if step.opname == "STORE_ATTR"}
        self.names |= stored
        if function.__name__.startswith("backward"):
            self.names |= set(code.co_varnames[code.co_argcount + code.co_kwonlyargcount :])
            self.strings |= set(_strings(code.co_consts))
        elif function.__name__ != "__init__":
            self.set_by_forward |= stored


def _strings(constants: Iterable[Any]) -> Iterator[str]:
    """The strings among constants, including those in tuples, such as the keys of a dict."""
    for constant in constants:
        if isinstance(constant, tuple):
            yield from _strings(constant)
        elif isinstance(constant, str):
            yield constant
