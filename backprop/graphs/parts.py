"""What a graph is made of: nodes, and edges with their values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from ..backends import HostArray


class Kind(Enum):
    """What a node of a graph stands for, and so how it is drawn."""

    VALUE = "value"
    """An input, a target or the result: its name alone."""
    OPERATION = "operation"
    """An operation such as × or +: a circle."""
    LAYER = "layer"
    """A layer: a box."""
    LOSS = "loss"
    """The loss: a box."""


@dataclass(frozen=True)
class GraphNode:
    """A node of a graph."""

    id: str
    label: str
    """What is drawn: `"×"`, `"Affine1"`, the name of an input."""
    kind: Kind
    detail: str = ""
    """A second line, such as the formula."""
    link: str = ""
    """The address that the drawing leads to from here, such as a place on the same page."""


@dataclass(frozen=True, eq=False)
class GraphEdge:
    """An edge from one node to another, with what went along it."""

    source: str
    target: str
    forward: HostArray | None = None
    """The values passed forward; 0-d for a number, None if unknown."""
    backward: HostArray | None = None
    """The gradient passed back, of the same shape; None where none is computed, never zeros in its place."""
    name: str = ""

    def __post_init__(self) -> None:
        for key in ("forward", "backward"):
            values = getattr(self, key)
            if values is not None:
                object.__setattr__(self, key, _numbers(values))


def _numbers(values: object) -> HostArray:
    found = np.asarray(values)
    if found.dtype.kind not in "biuf":
        raise TypeError(f"GraphEdge: expected real numbers, got {found.dtype}")
    return found
