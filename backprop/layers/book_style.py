"""What a layer in the book's style has: its parameters, its state, and the form of its `forward`.

The book's layers keep W in `self.W` and its gradient in `self.dW`. Nothing declares them, so they are found
in the object's attributes and in the code of its class; where that leaves a doubt, an error says what to
write.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from ..backends import dtype_name, is_registered
from .class_code import AttributeUse
from .node import Node

GRADIENTS = ("d_{}", "grad_{}", "{}_grad", "grad{}")
"""Common names for the gradient of W, besides the book's dW."""

SIGNALS = {"x", "y", "out", "input", "output"}
"""Names of a layer's inputs and outputs: such an array is a buffer, although it has a gradient."""

WEIGHTS = re.compile(r"[Wb]\d*|gamma|beta")
"""The book's names of parameters, which need no gradient to be taken for one."""

FLAGS = ("train_flg", "training", "train", "is_training")
"""Names of an argument of `forward` that tells training from inference."""

TARGETS = ("t", "target", "targets", "label", "labels", "y_true")
"""Names of the second argument of a loss."""


def is_book_style(value: Any) -> bool:
    """Whether an object has `forward` and `backward`, but does not derive from this package's classes.

    >>> class Double:
    ...     def forward(self, x):
    ...         return 2.0 * x
    ...     def backward(self, dout):
    ...         return 2.0 * dout
    >>> is_book_style(Double()), is_book_style(Double), is_book_style(Node())
    (True, False, False)
    """
    if isinstance(value, Node | type):
        return False
    return callable(getattr(value, "forward", None)) and callable(getattr(value, "backward", None))


@dataclass(frozen=True)
class Form:
    """The arguments of `forward`."""

    inputs: tuple[str, ...]
    """Those without a default: x, or x and y, or x and t."""
    flag: str | None
    """The name of the argument that tells training from inference; None if there is none."""
    takes_dout: bool
    """Whether `backward` needs an argument."""

    @classmethod
    def of(cls, value: Any) -> Form:
        """The form of an object's `forward`."""
        own = list(inspect.signature(value.forward).parameters.values())
        named = [p for p in own if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        inputs = tuple(p.name for p in named if p.default is p.empty and p.name not in FLAGS)
        flags = [p.name for p in named if p.name in FLAGS]
        flags += [p.name for p in named[1:2] if isinstance(p.default, bool)]
        return cls(inputs, flags[0] if flags else None, _needs_argument(value.backward))

    @property
    def is_loss(self) -> bool:
        """Whether the second input is a target, so that there is nothing above to give dout."""
        return len(self.inputs) == 2 and (self.inputs[1] in TARGETS or not self.takes_dout)


@dataclass(frozen=True)
class Attributes:
    """The attributes of a layer in the book's style, by what they are for."""

    params: tuple[str, ...]
    state: tuple[str, ...]
    """The arrays that `forward` reads before it sets them, such as running statistics."""
    unsaved: tuple[str, ...]
    """Other attributes that it carries from call to call: they are no arrays, so they cannot be saved."""
    saved: frozenset[str]
    """What `forward` sets before it reads it: for `backward`, and good for one step."""
    accumulated: frozenset[str]
    """The parameters whose gradient backward adds to, or writes into, so that it needs zeros before."""
    draws: bool
    """Whether `forward` seems to draw random numbers."""

    @classmethod
    def of(cls, layer: Any, name: str) -> Attributes:
        """Find the attributes of a layer, which errors call `name`; raises `TypeError` for a doubtful one."""
        kind, own = type(layer), attributes_of(layer, name)
        forward, backward = AttributeUse(kind, "forward"), AttributeUse(kind, "backward")
        carried = [key for key in forward.sets if key in forward.first_reads]
        saved = frozenset(forward.sets.keys() - forward.first_reads)
        gradients = {*backward.sets, *own}
        params = [
            key
            for key in own
            if key not in saved | SIGNALS and _is_parameter(name, key, own, gradients, key in carried)
        ]
        for key in own:
            if key in carried and (key in params or WEIGHTS.fullmatch(key)):
                raise TypeError(f"{name}: forward sets self.{key}; a parameter is made in __init__")
            if key in params and key in backward.sets:
                raise TypeError(f"{name}: backward sets self.{key}; leave the update to the optimizer")
        _check_holds_no_layers(name, own)
        _check_no_views(name, own, params, saved)
        others = [key for key in carried if key not in params]
        state = [key for key in others if is_array(own.get(key))]
        unsaved = [key for key in others if key not in state]
        draws = "random" in forward.first_reads or any(map(is_generator, own.values()))
        accumulated = frozenset(key for key in params if f"d{key}" in backward.first_reads)
        return cls(tuple(params), tuple(state), tuple(unsaved), saved, accumulated, draws)


def attributes_of(layer: Any, name: str) -> dict[str, Any]:
    """The attributes of an object; raises `TypeError` for one that has no `__dict__`."""
    try:
        return vars(layer)
    except TypeError:
        raise TypeError(
            f"{name}: {type(layer).__name__} has no attributes of its own (__slots__?): derive it from "
            "backprop.Layer"
        ) from None


def is_array(value: Any) -> bool:
    """Whether a value is an array of a registered library, not one of NumPy's scalars."""
    return is_registered(value) and not isinstance(value, np.generic)


def is_float_array(value: Any) -> bool:
    """Whether a value is a floating-point array."""
    return is_array(value) and dtype_name(value.dtype).startswith("float")


def is_generator(value: Any) -> bool:
    """Whether a value is one of NumPy's random generators."""
    return isinstance(value, np.random.Generator | np.random.RandomState)


def _needs_argument(function: Callable[..., Any]) -> bool:
    own = inspect.signature(function).parameters.values()
    return any(p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in own)


def _is_parameter(
    name: str, key: str, own: Mapping[str, Any], gradients: set[str], is_carried: bool
) -> bool:
    """Whether an attribute is a parameter; raises `TypeError` for one that must be one but cannot."""
    value, gradient = own[key], f"d{key}"
    declared = gradient in gradients and (own.get(gradient) is None or is_float_array(own[gradient]))
    if is_float_array(value):
        other = next((form.format(key) for form in GRADIENTS if form.format(key) in gradients), None)
        if other and not declared:
            raise TypeError(f"{name}: expected the gradient of self.{key} in self.{gradient}, not self.{other}")
        return declared or WEIGHTS.fullmatch(key) is not None
    might_be = value is None or is_array(value) or isinstance(value, Real | list | tuple)
    if declared and might_be and not is_carried:
        raise TypeError(
            f"{name}: expected a floating-point array in self.{key}, since it has a gradient, self.{gradient}; "
            f"got {described(value)}"
        )
    return False


def _check_holds_no_layers(name: str, own: Mapping[str, Any]) -> None:
    """Raise for parameters that are not attributes of the layer itself."""
    if {"params", "grads"} & own.keys():
        raise TypeError(
            f"{name}: expected parameters as attributes, such as self.W with its gradient self.dW, not in "
            "self.params and self.grads; or derive it from backprop.Layer, which has both as mappings"
        )
    for key, value in own.items():
        for item in _items(value):
            inner = f"{name}.{key}"
            if item.params if isinstance(item, Node) else is_book_style(item) and Attributes.of(item, inner).params:
                raise TypeError(
                    f"{name}: self.{key} holds a layer, {item.__class__.__name__}, whose parameters would not "
                    "be trained: give the network the layers themselves, or a Residual of them"
                )


def _items(value: Any) -> list[Any]:
    """A value, or what it holds if it is a list, a tuple or a dict."""
    return list(value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else [value])


def _check_no_views(
    name: str, own: Mapping[str, Any], params: list[str], saved: frozenset[str]
) -> None:
    """Raise for an attribute made in advance of a parameter, which a network moves."""
    for key, value in own.items():
        if key in saved or not isinstance(value, np.ndarray):
            continue
        for other in params:
            if key != other and isinstance(own[other], np.ndarray) and np.may_share_memory(value, own[other]):
                raise TypeError(
                    f"{name}: self.{key} shares the memory of self.{other}, which a network moves; compute it "
                    "in forward"
                )


def described(value: Any) -> str:
    """Describe a value that is no floating-point array."""
    if value is None:
        return "None"
    if is_array(value):
        return f"an array of {dtype_name(value.dtype)}"
    return f"a {type(value).__name__}"
