"""Derivatives from differences, each with an estimate of its own error.

Around an entry x, f is known at x, x − h, x + h/2 and x + h. The parabola through the first, second and
last of these has the central difference for its slope at x, which is off by h² f‴/6. The cubic through
all four extrapolates it (Richardson), and the distance of the two slopes says how far off the central
difference was: more than the extrapolated one still is. Where a kink lies within h the two disagree as
well. To this comes what the rounding of f makes of the slope, 4 ν/h for a noise ν of f.

The noise is measured: f along a line, in steps too small for anything but rounding to show in the third
differences (Moré and Wild, *Estimating computational noise*, 2011).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

EPSILON = float(np.finfo(np.float64).eps)

HALF_A_BIT = 0.5 * EPSILON
"""The least noise of a number, relative to it: what storing it in float64 may change."""

FIRST_STEP = 1e-4
"""The step to begin with, relative to the length on which an entry is expected to matter."""

SMALLEST_STEP, LARGEST_STEP = 1e-12, 0.1
"""The limits of steps, relative to the same length."""

NOISE_STEPS, NOISE_POINTS = (1e-8, 1e-10, 1e-12), 6
"""Smaller ones where f has no value at the larger."""


@dataclass(frozen=True)
class Difference:
    """A slope by differences, and the parts of its estimated error."""

    value: float
    truncation: float
    rounding: float
    step: float
    size: float = 0.0
    """The root of the sum of the squares of the terms of f."""
    analytic: float = 0.0
    """What rounding makes of the gradient that this one is compared with."""

    @property
    def error(self) -> float:
        return self.truncation + self.rounding + self.analytic

    def better_step(self) -> float:
        """The step at which truncation, ∝ h², and rounding, ∝ 1/h, would be least together."""
        if self.truncation <= self.rounding:
            return 10.0 * self.step
        ratio = float(np.cbrt(self.rounding / (2.0 * self.truncation)))
        return self.step * min(max(ratio, 1e-3), 10.0)

    def beside(self, larger: Difference) -> Difference:
        """The same with what another slope at a larger step says of the truncation.

        Where truncation falls with the step as it should, and not as at a kink, the two cubics differ
        by the error of the one with the larger step, which is the greater.
        """
        shrinks = self.truncation < larger.truncation * (self.step / larger.step) ** 1.5
        if self.step > 0.6 * larger.step or not shrinks:
            return self
        return replace(self, truncation=min(self.truncation, abs(self.value - larger.value)))


class Differences:
    """The differences of one array's entries.

    Parameters
    ----------
    values : the array, on the host, in float64
    whole : f of an array in its place
    entry : f with the entry of this flat index set to this value. Both return a host array whose sum is
        the function: differences are taken before the sum, which would round.
    extrapolate : whether a difference's value is the cubic's slope, or the plain central difference
    """

    def __init__(
        self,
        values: np.ndarray,
        whole: Callable[[np.ndarray], np.ndarray],
        entry: Callable[[int, float], np.ndarray],
        rng: np.random.Generator,
        *,
        extrapolate: bool = True,
    ) -> None:
        self._values, self._entry, self._extrapolate = values.reshape(-1), entry, extrapolate
        self.lengths = _lengths(self._values)
        self._center, self._noise = _noise(whole, values, self.lengths.reshape(values.shape), rng)
        self.finite = bool(np.isfinite(self._center).all())

    def at(self, i: int, step: float) -> Difference:
        """∂f/∂xᵢ with this step."""
        x = float(self._values[i])
        points = (x + step, x - step, x + 0.5 * step)
        above, below, between = (self._entry(i, point) for point in points)
        rises = [float((terms - self._center).sum()) for terms in (above, below, between)]
        steps = [point - x for point in points]  # as far as they have really gone
        if not all(map(math.isfinite, rises)) or len({0.0, *steps}) < 4:
            return Difference(math.nan, math.inf, 0.0, step)
        central, cubic = slope(steps[:2], rises[:2]), slope(steps, rises)
        sizes = np.maximum(np.abs(self._center), np.maximum(np.abs(above), np.abs(below)))
        noises = np.maximum(self._noise, HALF_A_BIT * sizes)
        size, noise = float(_norm(sizes.reshape(-1))), float(_norm(noises.reshape(-1)))
        value = cubic if self._extrapolate else central
        rounding = 4.0 * (noise or EPSILON) / step  # zeros may be 1 − 1
        return Difference(value, abs(cubic - central), rounding, step, size or 1.0)


def slope(steps: Sequence[float], rises: Sequence[float]) -> float:
    """The slope at 0 of the polynomial through (0, 0) and the points (step, rise).

    >>> slope([2.0, -2.0], [4.0 + 8.0, -4.0 + 8.0])  # 2t + 2t²
    2.0
    """
    total = 0.0
    for t, rise in zip(steps, rises, strict=True):
        total += rise / t * math.prod(s / (s - t) for s in steps if s != t)
    return total


def _lengths(flat: np.ndarray) -> np.ndarray:
    """For every entry the length on which it may matter: |x|, but near the spread of the array."""
    if not flat.size:
        return flat
    spread = float(np.abs(flat - np.median(flat)).mean()) or float(np.abs(flat).mean()) or 1.0
    if not math.isfinite(spread):
        return np.ones_like(flat)
    lengths: np.ndarray = np.clip(np.abs(flat), 0.1 * spread, 10.0 * spread)
    return lengths


def _noise(
    whole: Callable[[np.ndarray], np.ndarray],
    values: np.ndarray,
    lengths: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """The terms of f at `values`, and for each the standard deviation of its rounding."""
    direction = rng.uniform(0.5, 1.0, values.shape) * rng.choice([-1.0, 1.0], values.shape)
    for step in NOISE_STEPS:
        samples = np.stack([whole(values + (k * step) * lengths * direction) for k in range(NOISE_POINTS)])
        if np.isfinite(samples).all() or not np.isfinite(samples[0]).all():
            break
    third = np.diff(samples, 3, axis=0)
    measured = _norm(third) / math.sqrt(20.0 * len(third))  # the variance of a third difference is 20 ν²
    center: np.ndarray = samples[0]
    noise: np.ndarray = np.maximum(measured, HALF_A_BIT * np.abs(center))
    return center, noise


def _norm(values: np.ndarray) -> np.ndarray:
    """√Σ v² along the first axis, without squares that overflow."""
    largest = np.abs(values).max(axis=0, initial=0.0)
    unit = np.where(largest > 0.0, largest, 1.0)
    norm: np.ndarray = unit * np.sqrt(np.square(values / unit).sum(axis=0))
    return norm
