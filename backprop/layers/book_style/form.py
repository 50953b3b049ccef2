"""Layers in the book's style: objects with `forward` and `backward` that derive from no class of ours."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ...backends import dtype_name, is_registered
from ..node import Node

FLAGS = ("train_flg", "training", "train", "is_training")
"""Names of the argument of `forward` that tells training from inference."""

TARGETS = ("t", "target", "targets", "label", "labels", "y_true")
"""Names of the second argument of a loss."""


class LayerLike(Protocol):
    """A layer or loss of this package, or one in the book's style."""

    def forward(self, *args: Any, **options: Any) -> Any: ...
    def backward(self, *args: Any) -> Any: ...


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
    """The arguments of `forward` and `backward`."""

    inputs: tuple[str, ...]
    """Those of `forward` that have no default: x, or x and y, or x and t."""
    flag: str | None
    """The one that tells training from inference; None if there is none."""
    takes_dout: bool
    """Whether `backward` needs an argument."""

    @classmethod
    def of(cls, value: Any) -> Form:
        """The form of an object's methods.

        >>> class Dropout:
        ...     def forward(self, x, train_flg=True): ...
        ...     def backward(self, dout): ...
        >>> Form.of(Dropout())
        Form(inputs=('x',), flag='train_flg', takes_dout=True)
        """
        arguments = _arguments(value.forward)
        inputs = tuple(p.name for p in arguments if p.default is p.empty and p.name not in FLAGS)
        flags = [p.name for p in arguments if p.name in FLAGS]
        flags += [p.name for p in arguments[1:2] if isinstance(p.default, bool)]
        takes_dout = any(p.default is p.empty for p in _arguments(value.backward))
        return cls(inputs, flags[0] if flags else None, takes_dout)

    @property
    def is_loss(self) -> bool:
        """Whether the second input is a target, or `backward` needs nothing from above."""
        return len(self.inputs) == 2 and (self.inputs[1] in TARGETS or not self.takes_dout)


def is_array(value: Any) -> bool:
    """Whether a value is an array of a registered library, and none of NumPy's scalars."""
    return is_registered(value) and not isinstance(value, np.generic)


def is_float_array(value: Any) -> bool:
    """Whether a value is a floating-point array."""
    return is_array(value) and dtype_name(value.dtype).startswith("float")


def is_generator(value: Any) -> bool:
    """Whether a value is one of NumPy's random generators."""
    return isinstance(value, np.random.Generator | np.random.RandomState)


def described(value: Any) -> str:
    """Describe what is no array as expected."""
    if is_array(value):
        return f"an array of {dtype_name(value.dtype)}"
    return "None" if value is None else f"a {type(value).__name__}"


def _arguments(function: Callable[..., Any]) -> list[inspect.Parameter]:
    own = inspect.signature(function).parameters.values()
    return [p for p in own if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
