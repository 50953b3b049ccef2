"""Learning-rate schedules for `Optimizer(lr=…)`: functions of the step number, which starts at 1."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from .dtypes import is_whole
from .optimizers import Schedule

__all__ = ["Constant", "Cosine", "Step", "WarmUp"]


@dataclass(frozen=True)
class Constant:
    """The constant rate `lr`.

    >>> Constant(0.1)(1000)
    0.1
    """

    lr: float

    def __post_init__(self) -> None:
        _check_rate(self, self.lr)

    def __call__(self, step: int) -> float:
        return self.lr


@dataclass(frozen=True)
class Step:
    """lr · factor^⌊(step − 1) / every⌋: every `every` steps, multiply the rate by `factor`.

    >>> schedule = Step(0.1, every=100, factor=0.5)
    >>> schedule(1), schedule(100), schedule(101), schedule(201)
    (0.1, 0.1, 0.05, 0.025)
    """

    lr: float
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        _check_rate(self, self.lr)
        _check_steps(self, "every", self.every)
        if not 0.0 < self.factor <= 1.0:
            raise ValueError(f"Step: expected a factor above 0 and at most 1, got {self.factor}")

    def __call__(self, step: int) -> float:
        return float(self.lr * self.factor ** ((step - 1) // self.every))


@dataclass(frozen=True)
class Cosine:
    """Fall along half a cosine from `lr` at the first of `steps` steps to `lowest` at the last; then stay.

    Source: Loshchilov and Hutter, *SGDR* (2017), without restarts.

    >>> schedule = Cosine(0.1, steps=101)
    >>> schedule(1), round(schedule(51), 6), schedule(101), schedule(500)
    (0.1, 0.05, 0.0, 0.0)
    """

    lr: float
    steps: int
    lowest: float = 0.0

    def __post_init__(self) -> None:
        _check_rate(self, self.lr)
        _check_rate(self, self.lowest)
        if self.lowest > self.lr:
            raise ValueError(f"Cosine: expected lowest to be at most lr, {self.lr}, got {self.lowest}")
        _check_steps(self, "steps", self.steps)

    def __call__(self, step: int) -> float:
        done = min((step - 1) / max(self.steps - 1, 1), 1.0)
        return self.lowest + (self.lr - self.lowest) * (1.0 + math.cos(math.pi * done)) / 2.0


@dataclass(frozen=True)
class WarmUp:
    """Rise linearly over the first `steps` steps to the first rate of `after`, then follow `after`.

    Source: Goyal and others, *Accurate, large minibatch SGD* (2017), section 2.2.

    >>> schedule = WarmUp(Constant(0.1), steps=10)
    >>> schedule(1), schedule(10), schedule(11)
    (0.01, 0.1, 0.1)
    """

    after: Schedule
    steps: int

    def __post_init__(self) -> None:
        if not callable(self.after):
            raise TypeError(f"WarmUp: expected a schedule, such as Constant(0.1), got {self.after!r}")
        _check_steps(self, "steps", self.steps)

    def __call__(self, step: int) -> float:
        if step <= self.steps:
            return self.after(1) * step / self.steps
        return self.after(step - self.steps)


def _check_rate(schedule: object, lr: float) -> None:
    if not (math.isfinite(lr) and lr >= 0.0):
        raise ValueError(f"{type(schedule).__name__}: expected a finite rate of at least 0, got {lr}")


def _check_steps(schedule: object, what: str, steps: Any) -> None:
    if not is_whole(steps) or steps < 1:
        raise ValueError(
            f"{type(schedule).__name__}: expected {what} to be a whole number of at least 1, got {steps!r}"
        )
