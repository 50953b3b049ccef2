"""Return layers in the book's style to earlier random draws and counters, for runs that must be alike."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..node import Node
from ..residual import Residual
from .node import BookNode


@dataclass(frozen=True, eq=False)
class Draws:
    """What layers in the book's style carry from call to call outside their state."""

    carried: Mapping[str, dict[str, Any]]
    """Each one's counters and generators, by the layer's name."""
    generator: Any
    """The state of NumPy's global generator, from which the book draws; None without such layers."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Draws) and pickle.dumps(vars(self)) == pickle.dumps(vars(other))

    __hash__ = None  # type: ignore[assignment]  # it holds arrays

    @classmethod
    def of(cls, layers: Mapping[str, Node]) -> Draws:
        """What the layers carry now."""
        carried = {name: layer.carried() for name, layer in book_layers(layers)}
        return cls(carried, np.random.get_state(legacy=False)) if carried else NONE

    def restore(self, layers: Mapping[str, Node]) -> None:
        """Let the layers, or copies of them, go on from there."""
        for name, layer in book_layers(layers):
            layer.carry(self.carried[name])
        if self.generator is not None:
            np.random.set_state(self.generator)

    @contextmanager
    def repeated(self, copies: Mapping[str, Node]) -> Iterator[None]:
        """While active, copies of the layers go on from there; the global generator is then as it was."""
        generator = np.random.get_state(legacy=False)
        self.restore(copies)
        try:
            yield
        finally:
            np.random.set_state(generator)


NONE = Draws({}, None)
"""Those of a network without such layers."""


def book_layers(layers: Mapping[str, Node]) -> Iterator[tuple[str, BookNode]]:
    """The layers in the book's style with their names, also those within blocks."""
    for name, layer in layers.items():
        if isinstance(layer, BookNode):
            yield name, layer
        elif isinstance(layer, Residual):
            yield from book_layers({f"{name}.{key}": inner for key, inner in layer.layers.items()})
