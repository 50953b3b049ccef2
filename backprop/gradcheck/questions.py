"""Validate the arguments of `check_gradients`."""

from __future__ import annotations

from typing import Any

from ..layers import Layer, Node
from ..layers.checks import described
from ..losses import Loss
from ..networks.checks import made_of_layers
from ..networks.network import Network
from .subject import INPUTS


def check_question(subject: Any, inputs: tuple[Any, ...], elements: int | None, h: float | None) -> None:
    """Raise unless the arguments can be checked."""
    if elements is not None and elements < 1:
        raise ValueError(f"check_gradients: expected elements of at least 1, got {elements}")
    if h is not None and not h > 0.0:
        raise ValueError(f"check_gradients: expected a step h above 0, got {h}")
    if not isinstance(subject, (Node, Network)):
        _check_function_question(subject, inputs)
        return
    wanted = 1 if isinstance(subject, Layer) else 2
    if len(inputs) != wanted:
        what = {1: "x"}.get(wanted, "x and t" if isinstance(subject, (Loss, Network)) else "x and y")
        raise TypeError(
            f"check_gradients: {subject.__class__.__name__} takes {what}, got {len(inputs)} input(s)"
        )
    for node in subject.layers.values() if isinstance(subject, Network) else [subject]:
        if not set(INPUTS).isdisjoint(node.params):
            raise ValueError(f"{node.name}: x and y are the inputs' names; rename the parameter")


def _check_function_question(subject: Any, inputs: tuple[Any, ...]) -> None:
    kind = subject if isinstance(subject, type) else type(subject)
    if issubclass(kind, (Node, Network)):
        raise TypeError(f"check_gradients: expected a layer, a loss or a network, got {subject!r}")
    if isinstance(subject, type) and hasattr(kind, "forward") and hasattr(kind, "backward"):
        raise TypeError(f"check_gradients: expected an instance of {kind.__name__}, got the class")
    if not callable(subject):
        raise TypeError(
            f"check_gradients: expected a layer, a loss, a network or a function, got {described(subject)}"
            f"{made_of_layers(subject)}"
        )
    if len(inputs) < 2 or not callable(inputs[0]):
        raise TypeError(
            "check_gradients: for a function, expected its gradient and its arguments, "
            f"check_gradients(f, grad, x), got {len(inputs)} input(s)"
        )
