"""The attributes of a layer in the book's style: which are parameters, which are state.

The book's layers keep W in `self.W` and its gradient in `self.dW`. Nothing declares that, so it is found in
the object and in the code of its class; where a doubt is left, an error says what to write.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from ...text import indefinite
from ..node import Node
from .class_code import AttributeUse
from .form import described, is_array, is_book_style, is_float_array, is_generator, is_writable

WEIGHTS = re.compile(r"[Wb]\d*|gamma|beta")
"""The book's names of parameters, which are taken for parameters even without a gradient."""

OTHER_GRADIENTS = ("d_{}", "grad_{}", "{}_grad", "grad{}")
"""Common names for the gradient of W, besides the book's dW."""

SIGNALS = frozenset({"x", "y", "out", "input", "output"})
"""Names of a layer's inputs and outputs: such an array is a buffer, although it has a gradient."""


@dataclass(frozen=True)
class Attributes:
    """The names of a layer's attributes, by what they are for."""

    params: tuple[str, ...]
    state: tuple[str, ...]
    """The arrays that `forward` sets from their old values, such as running statistics."""
    unsaved: tuple[str, ...]
    """What it sets so but is no array yet, such as a counter: nobody can save it."""
    saved: frozenset[str]
    """What `forward` sets anew in every call, for `backward`."""
    accumulated: frozenset[str]
    """The parameters whose gradient `backward` adds to, or writes into, so that it needs zeros before."""
    untrained: tuple[str, ...]
    """Those that hold numbers, but that are none of these: weights by another form, or constants."""
    draws: bool
    """Whether `forward` seems to draw random numbers."""

    @classmethod
    def of(cls, layer: Any, name: str) -> Attributes:
        """Find the attributes of a layer; raises `TypeError`, beginning with `name`, for doubtful ones."""
        own = _own(layer, name)
        forward, backward = AttributeUse(type(layer), "forward"), AttributeUse(type(layer), "backward")
        carried = [key for key in forward.sets if key in forward.first_reads]
        saved = frozenset(forward.sets.keys() - forward.first_reads)
        params = [
            key
            for key in {**own, **dict.fromkeys(carried)}
            if key not in saved | SIGNALS and _is_parameter(name, key, own, {*backward.sets, *own}, carried)
        ]
        _check_not_set(name, "forward", params, carried)
        _check_not_set(name, "backward", params, backward.sets)
        _check_holds_no_parameters(name, own)
        _check_has_no_views(name, own, params, saved)
        others = [key for key in carried if key not in params]
        state = [key for key in others if is_array(own.get(key))]
        known = {*params, *(f"d{key}" for key in params), *forward.sets, *backward.sets}
        return cls(
            params=tuple(params),
            state=tuple(state),
            unsaved=tuple(key for key in others if key not in state),
            saved=saved,
            accumulated=frozenset(key for key in params if f"d{key}" in backward.first_reads),
            untrained=tuple(_untrained(type(layer), own, known)),
            draws="random" in forward.first_reads or any(map(is_generator, own.values())),
        )

    def unknown_parameter(self, layer: Any) -> str | None:
        """After `backward`: an array with a gradient that is no parameter; None if there is none."""
        expected = {*self.params, *self.state, *self.unsaved, *self.saved, *SIGNALS}
        for gradient, value in vars(layer).items():
            key = gradient[1:]
            if gradient[0] == "d" and key not in expected and is_float_array(value):
                array: Any = getattr(layer, key, None)
                if is_float_array(array) and array.shape == value.shape:
                    return key
        return None


def _own(layer: Any, name: str) -> dict[str, Any]:
    try:
        return vars(layer)
    except TypeError:
        raise TypeError(
            f"{name}: {indefinite(type(layer).__name__)} has __slots__, so that its parameters cannot be "
            "found: leave them out, or derive it from backprop.Layer"
        ) from None


def _is_parameter(
    name: str, key: str, own: Mapping[str, Any], known: set[str], carried: Collection[str]
) -> bool:
    """Whether an attribute is a parameter; raises for one that has a gradient but cannot be one."""
    value, gradient = own.get(key), f"d{key}"
    has_gradient = gradient in known and (own.get(gradient) is None or is_float_array(own[gradient]))
    if is_float_array(value):
        other = next((form.format(key) for form in OTHER_GRADIENTS if form.format(key) in known), None)
        if other and not has_gradient:
            raise TypeError(
                f"{name}: expected the gradient of self.{key} in self.{gradient}, not self.{other}"
            )
        return has_gradient or WEIGHTS.fullmatch(key) is not None
    if key in carried and (WEIGHTS.fullmatch(key) or (has_gradient and value is None)):
        raise TypeError(
            f"{name}: forward makes self.{key}; make a parameter in __init__, and if it is none, call it and "
            f"self.{gradient} by other names"
        )
    if has_gradient and key not in carried and (value is None or _is_numeric(value)):
        raise TypeError(
            f"{name}: expected a floating-point array in self.{key}, since it has a gradient, "
            f"self.{gradient}; got {described(value)}"
        )
    return False


def _is_numeric(value: Any) -> bool:
    return is_array(value) or isinstance(value, Real | list | tuple)


def _check_not_set(name: str, method: str, params: Iterable[str], names: Collection[str]) -> None:
    """Raise if a method sets a parameter."""
    for key in params:
        if key in names:
            raise TypeError(f"{name}: {method} sets self.{key}; leave a parameter to the optimizer")


def _check_holds_no_parameters(name: str, own: Mapping[str, Any]) -> None:
    """Raise for parameters in lists, and in layers within the layer."""
    if any(is_array(own.get(key)) or own.get(key) for key in ("params", "grads")):
        raise TypeError(
            f"{name}: expected parameters as attributes, such as self.W with its gradient self.dW, not in "
            "self.params and self.grads; or derive it from backprop.Layer, which has both as mappings"
        )
    for key, value in own.items():
        for item in _items(value):
            if _has_parameters(item, f"{name}.{key}"):
                raise TypeError(
                    f"{name}: self.{key} holds a layer, {item.__class__.__name__}, whose parameters would "
                    "not be trained: give the network the layers themselves, or a Residual of them"
                )


def _items(value: Any) -> Iterator[Any]:
    """A value, or what lists, tuples and dicts hold, and those within them."""
    if isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _items(item)
    else:
        yield value


def _has_parameters(item: Any, name: str) -> bool:
    if isinstance(item, Node):
        return bool(item.params)
    if not is_book_style(item):
        return False
    found = Attributes.of(item, name)
    return bool(found.params or found.untrained)


def _untrained(kind: type, own: Mapping[str, Any], known: Collection[str]) -> Iterator[str]:
    """The attributes, also those of the class, with floating-point arrays that may be written to."""
    of_class = {key: value for base in reversed(kind.__mro__) for key, value in vars(base).items()}
    for key, value in {**of_class, **own}.items():
        if key not in known and any(is_float_array(item) and is_writable(item) for item in _items(value)):
            yield key


def _check_has_no_views(name: str, own: Mapping[str, Any], params: list[str], saved: frozenset[str]) -> None:
    """Raise for what was computed from a parameter in advance and shares its memory."""
    for key, value in own.items():
        for other in params:
            if key in saved or key == other:
                continue
            if isinstance(value, np.ndarray) and np.may_share_memory(value, own[other]):
                raise TypeError(
                    f"{name}: self.{key} shares the memory of self.{other}, which a network moves; compute "
                    "it in forward"
                )
