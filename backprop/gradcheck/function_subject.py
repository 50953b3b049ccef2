"""A function and its gradient, as a subject of the check."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..backends import Array, Backend
from . import promises
from .libraries import Library
from .subject import Promise, Slot, on_host, real


class FunctionSubject:
    """Σ dout · f(inputs) with the user's gradient; dout is 1 if f returns a number."""

    def __init__(
        self,
        f: Callable[..., Any],
        gradient: Callable[..., Any],
        given: Sequence[Any],
        library: Backend | Library,
        rng: np.random.Generator,
    ) -> None:
        self.f, self.gradient, self.given, self.library = f, gradient, given, library
        self.inputs = [library.asarray(real("arguments", value), dtype="float64") for value in given]
        self.name = getattr(f, "__name__", type(f).__name__)
        self.evaluations = 0
        self.slots = [(self.name, name) for name in _argument_names(f, len(given))]
        y = real("values of f", f(*self.copies()))
        self.dout = np.ones(()) if y.shape == () else rng.uniform(0.5, 1.5, y.shape)

    def get(self, slot: Slot) -> Array:
        return self.inputs[self.slots.index(slot)]

    def set(self, slot: Slot, values: Array) -> None:
        self.inputs[self.slots.index(slot)] = values

    def terms(self, slot: Slot | None = None) -> np.ndarray:
        self.evaluations += 1
        return np.atleast_1d(on_host(self.f(*self.copies())) * self.dout)

    def copies(self) -> list[Array]:
        """Copies of the inputs for one call, which may change them."""
        return [self.library.asarray(on_host(value), dtype="float64") for value in self.inputs]

    def regions(self) -> list[np.ndarray]:
        return []

    def gradients(self, scale: float = 1.0) -> dict[Slot, Array]:
        douts = (self.library.asarray(self.dout * scale, dtype="float64"),) if self.dout.shape else ()
        found = self.gradient(*self.copies(), *douts)
        found = found if isinstance(found, (tuple, list)) and len(self.slots) > 1 else (found,)
        factor = 1.0 if douts else scale
        pairs = zip(self.slots, found, strict=False)
        return {slot: real("gradients", g) * factor for slot, g in pairs if g is not None}

    def gradients_with(self, rounded: Callable[[Array], Array]) -> dict[Slot, Array]:
        return self.gradients()

    def promises(self) -> list[Promise]:
        """The promises of the function and its gradient."""
        return promises.of_functions(self)


def _argument_names(f: Callable[..., Any], count: int) -> list[str]:
    try:
        names = list(inspect.signature(f).parameters)[:count]
    except (TypeError, ValueError):  # some functions written in C have no signature
        names = []
    return names if len(names) == count else ["x"] if count == 1 else [f"x{i}" for i in range(1, count + 1)]
