"""Layers in the book's style: objects with `forward` and `backward` that derive from no class of ours."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ...backends import dtype_name, is_registered
from ...text import indefinite
from ..node import Node

FLAG = "train"
"""What the name of the argument of `forward` contains that tells training from inference: the book's
train_flg, and training, is_train, …"""

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
    switches: tuple[str, ...]
    """Others of `forward` with a default that is a truth value or a text: `test=False`, `mode="train"`."""
    takes_dout: bool
    """Whether `backward` needs an argument."""
    written: str
    """How `forward` is defined, for messages."""

    @classmethod
    def of(cls, value: Any) -> Form:
        """The form of an object's methods.

        >>> class Dropout:
        ...     def forward(self, x, train_flg=True): ...
        ...     def backward(self, dout): ...
        >>> form = Form.of(Dropout())
        >>> form.inputs, form.flag, form.written
        (('x',), 'train_flg', 'forward(self, x, train_flg=True)')
        """
        arguments = _arguments(value.forward)
        flag = next((p.name for p in arguments[1:] if FLAG in p.name), None)
        others = [p for p in arguments if p.name != flag]
        inputs = tuple(p.name for p in others if p.default is p.empty)
        switches = tuple(p.name for p in others if isinstance(p.default, bool | str))
        takes_dout = any(p.default is p.empty for p in _arguments(value.backward))
        own = inspect.signature(value.forward).parameters.values()
        written = ", ".join(["self", *(str(p.replace(annotation=p.empty)) for p in own)])
        return cls(inputs, flag, switches, takes_dout, f"forward({written})")

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


def is_writable(array: Any) -> bool:
    """Whether an array may be written to, as far as its library tells."""
    return not isinstance(array, np.ndarray) or array.flags.writeable


def is_generator(value: Any) -> bool:
    """Whether a value is one of NumPy's random generators."""
    return isinstance(value, np.random.Generator | np.random.RandomState)


def described(value: Any) -> str:
    """Describe what is no array as expected."""
    if is_array(value):
        return f"an array of {dtype_name(value.dtype)}"
    return "None" if value is None else indefinite(type(value).__name__)


def _arguments(function: Callable[..., Any]) -> list[inspect.Parameter]:
    own = inspect.signature(function).parameters.values()
    return [p for p in own if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
