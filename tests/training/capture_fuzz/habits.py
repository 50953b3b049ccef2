"""A habit: something that users do in a layer, a loss, an optimizer, or between the steps of a training.

The lists in the other files register theirs by the decorators here, with the first line of the docstring as
the one line on what it is.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from backprop.layers import Layer


@dataclass(frozen=True)
class Making:
    """What a habit is made with."""

    rng: np.random.Generator
    width: int
    dtype: str
    k: int
    """The step at which something happens, if it happens at one."""

    def normal(self, *shape: int) -> np.ndarray:
        """A constant of the network's dtype, of the size of a weight."""
        return (0.3 * self.rng.standard_normal(shape)).astype(self.dtype)

    def ones(self, *shape: int) -> np.ndarray:
        """Ones of the network's dtype."""
        return np.ones(shape, self.dtype)


@dataclass(frozen=True)
class Habit:
    """One entry of the registry."""

    name: str
    kind: str
    """`"layer"`, `"loss"`, `"optimizer"` or `"change"`."""
    about: str
    make: Any
    hidden: bool = False
    """Whether it hides where nobody can look: globals, closures, clocks. Numbers may then differ if said so."""
    unsteady: bool = False
    """Whether two called trainings differ, as those that compute with the time."""
    shared: bool = False
    """Whether two trainings share what it changes, so that they cannot run at the same time."""
    plain: bool = False
    """Whether it keeps all the rules of the README, so that it has to be recorded."""
    needs: tuple[str, ...] = ()
    """Layers or optimizers of the package that it acts upon."""
    static: dict[str, Any] = field(default_factory=dict)
    """Attributes of its class, set anew for every run."""

    def build(self, making: Making) -> Any:
        """One of it, with its class as it was at first."""
        for name, value in self.static.items():
            setattr(self.make, name, value(making) if callable(value) else value)
        return self.make(making)


MARKS = ("hidden", "unsteady", "shared", "plain", "static")

HABITS: dict[str, Habit] = {}
"""All of them, by kind and name: `"layer.square"`, …"""


def register(kind: str, make: Any, **marks: Any) -> None:
    """Put it on the list."""
    name = f"{kind}.{make.__name__}"
    if name in HABITS:
        raise ValueError(f"two habits are called {name}")
    about = (make.__doc__ or "").strip().splitlines()
    if not about:
        raise ValueError(f"the habit {name} needs a line that says what it is")
    HABITS[name] = Habit(name, kind, about[0], make, **marks)


class User(Layer):
    """A user's layer that does `train(x)` in training and nothing in inference; dx = dout."""

    _attributes: ClassVar[dict[str, Any]] = {}

    def __init__(self, making: Making) -> None:
        super().__init__()
        self.k = making.k
        for name, value in self._attributes.items():
            setattr(self, name, value(making) if callable(value) else value)

    def forward(self, x: Any, *, training: bool = False) -> Any:
        return self.train(x) if training else x

    def train(self, x: Any) -> Any:
        """The forward pass of a training."""
        raise NotImplementedError

    def backward(self, dout: Any) -> Any:
        return dout


def layer(**attributes: Any) -> Callable[[Any], Any]:
    """Register a class of layers, or a function `train(self, x)` of which a class is made.

    `hidden`, `unsteady`, `shared`, `plain` and `static` mark the habit. All others are the attributes that its layers
    have: values, or functions of the `Making`.
    """
    marks = {name: attributes.pop(name) for name in MARKS if name in attributes}

    def decorate(subject: Any) -> Any:
        if not isinstance(subject, type):
            members = {"train": subject, "__doc__": subject.__doc__, "__module__": subject.__module__}
            subject = type(subject.__name__, (User,), members)
        if attributes:
            subject._attributes = attributes
        register("layer", subject, **marks)
        return subject

    return decorate


def other(kind: str, **marks: Any) -> Callable[[Any], Any]:
    """Register a loss or an optimizer, a class that is made with a `Making`, or a change.

    A change is a function of a training and of how often it has been called before, done in a hook or
    between two epochs.
    """

    def decorate(subject: Any) -> Any:
        register(kind, subject, **marks)
        return subject

    return decorate


def seed_globals(seed: int) -> None:
    """Python's and NumPy's generators from their start."""
    random.seed(seed)
    np.random.seed(seed)
