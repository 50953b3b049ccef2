"""Derivatives from differences, each with an estimate of its own error.

For an entry x, f is evaluated at x, x − h, x + h/2 and x + h. The slope at x of the parabola through the
first, second and last point is the central difference, with an error of h² f‴/6. The cubic through all four
extrapolates it (Richardson). The distance between the two slopes estimates the error of the central
difference, and so bounds that of the extrapolated one. They also disagree if a kink lies within h. Rounding
of f adds an error of 4 ν/h, where ν is the noise of f.

The noise is measured along a line, with steps so small that only rounding shows in the third
differences (Moré and Wild, *Estimating computational noise*, 2011).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

EPSILON = float(np.finfo(np.float64).eps)

HALF_A_BIT = 0.5 * EPSILON
"""The least relative noise of a number: the rounding of float64."""

FIRST_STEP = 1e-4
"""The first step, relative to the length scale of an entry."""

SMALLEST_STEP, LARGEST_STEP = 1e-12, 0.1
"""The limits of the steps, relative to the same length."""

NOISE_STEPS, NOISE_POINTS = (1e-8, 1e-10, 1e-12), 6
"""Smaller steps are used if f is not finite at the larger ones."""


@dataclass(frozen=True)
class Difference:
    """A slope by differences, and the parts of its estimated error."""

    value: float
    truncation: float
    rounding: float
    step: float
    size: float = 0.0
    """The Euclidean norm of the terms of f."""
    analytic: float = 0.0
    """The rounding error of the gradient it is compared with."""

    @property
    def error(self) -> float:
        return self.truncation + self.rounding + self.analytic

    def better_step(self) -> float:
        """The step that minimizes the sum of truncation, ∝ h², and rounding, ∝ 1/h."""
        if self.truncation <= self.rounding:
            return 10.0 * self.step
        ratio = float(np.cbrt(self.rounding / (2.0 * self.truncation)))
        return self.step * min(max(ratio, 1e-3), 10.0)

    def beside(self, larger: Difference) -> Difference:
        """This difference, with its truncation error refined by one at a larger step.

        If truncation shrinks with the step as expected, which it does not at a kink, the two cubics differ
        by about the error of the one with the larger step, which bounds that of the other.
        """
        shrinks = self.truncation < larger.truncation * (self.step / larger.step) ** 1.5
        if self.step > 0.6 * larger.step or not shrinks:
            return self
        return replace(self, truncation=min(self.truncation, abs(self.value - larger.value)))


class Differences:
    """Computes the differences of one array's entries.

    Parameters
    ----------
    values : the array, on the host, in float64
    whole : evaluates f with another array in its place
    entry : evaluates f with the entry at a flat index set to a value. Both return the terms of f as a
        host array; differences are taken before they are summed, since the sum would round.
    extrapolate : whether to use the cubic's slope or the plain central difference
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
        steps = [point - x for point in points]  # the actual steps, after rounding
        if not all(map(math.isfinite, rises)) or len({0.0, *steps}) < 4:
            return Difference(math.nan, math.inf, 0.0, step)
        central, cubic = slope(steps[:2], rises[:2]), slope(steps, rises)
        sizes = np.maximum(np.abs(self._center), np.maximum(np.abs(above), np.abs(below)))
        noises = np.maximum(self._noise, HALF_A_BIT * sizes)
        size, noise = float(_norm(sizes.reshape(-1))), float(_norm(noises.reshape(-1)))
        value = cubic if self._extrapolate else central
        rounding = 4.0 * (noise or EPSILON) / step  # a zero may be the result of 1 − 1
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
    """The length scale of every entry: |x|, clipped to the spread of the array."""
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
