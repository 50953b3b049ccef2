"""Compare the gradient of one array with differences, entry by entry."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import reduce

import numpy as np

from .differences import EPSILON, FIRST_STEP, LARGEST_STEP, SMALLEST_STEP, Difference, Differences
from .report import GradientEntry
from .variable import Variable
from .verdicts import FAILED, PASSED, UNRESOLVED

GATE = 1e-7
"""The relative error that always passes."""

MULTIPLE = 10.0
"""A deviation fails if it exceeds the estimated error of the difference this many times."""

SMALL = 1e-2
"""Entries below this share of the array's largest are compared as if they were that large."""

SETTLED = 5e-7
"""The estimated error, relative to the entry, below which no other step is tried."""

RESOLVED = 1e-6
"""The largest estimated error, relative to the array's largest entry, of a resolved entry."""

ZERO = 1e3 * EPSILON
"""The largest entry, relative to |f| / |x|, of a gradient that is zero except for rounding."""

ZERO_ERROR = 1e-9
"""The largest estimated error, on the same scale, of a difference that shows it is zero."""

ATTEMPTS = 7
"""The most steps tried for an entry."""

CONFIRMED = 5
"""How many failures of an array a second step must confirm; later ones are accepted."""


def compare(
    variable: Variable,
    analytic: np.ndarray,
    rng: np.random.Generator,
    *,
    rounding: float = 0.0,
    h: float | None = None,
    gate: float = GATE,
    elements: int | None = None,
) -> GradientEntry:
    """Compare an analytic gradient with differences; return the worst entry and the overall verdict.

    `rounding` is the effect of rounding on the analytic gradient; it counts as an error of the difference.
    """
    entries = np.arange(analytic.size)
    if elements is not None and elements < analytic.size:
        entries = rng.choice(analytic.size, elements, replace=False)
    differences = Differences(variable.values, variable.whole, variable.entry, rng, extrapolate=h is None)
    found = _Comparison(variable, differences, analytic.reshape(-1), gate, h, rounding)
    if differences.finite:
        found.run(entries)
    return found.entry(entries)


@dataclass
class _Comparison:
    variable: Variable
    differences: Differences
    analytic: np.ndarray
    gate: float
    h: float | None
    rounding: float
    estimates: dict[int, Difference] = field(default_factory=dict)
    kinks: int = 0
    doubted: set[int] = field(default_factory=set)
    """Entries whose deviation no second step confirmed."""
    confirmed: int = 0
    relative_step: float = FIRST_STEP
    largest: float = 0.0
    largest_analytic: float = 0.0

    def run(self, entries: Iterable[int]) -> None:
        """Estimate every entry, starting with the step that suited the previous one."""
        finite = np.abs(self.analytic[np.isfinite(self.analytic)])
        self.largest = self.largest_analytic = float(finite.max(initial=0.0))
        for i in map(int, entries):
            estimate = self.estimates[i] = self._estimate(i)
            if math.isfinite(estimate.value):
                self.largest = max(self.largest, abs(estimate.value))

    def _estimate(self, i: int) -> Difference:
        """The difference at the first step that settles the entry, or the best one tried."""
        tried: list[Difference] = []
        length, kinked = float(self.differences.lengths[i]), False
        step = self.relative_step * length if self.h is None else self.h
        while True:
            tried.append(self._difference(i, step))
            tried = _beside_each_other(tried)
            best = self._most_trusted(tried)
            if self.h is not None:
                kinked = not self._settles(i, best) and self._crosses(i, best)
                break
            if self._deviates(i, best):
                if self.confirmed >= CONFIRMED or self._confirms(i, best, tried):
                    self.confirmed += 1
                    break
            elif self._settles(i, best):
                break
            crossed = self._crosses(i, tried[-1])
            kinked = kinked or crossed
            step = self._next_step(i, tried, crossed)
            within = SMALLEST_STEP * length <= step <= LARGEST_STEP * length
            if len(tried) == ATTEMPTS or not within:
                if self._deviates(i, best) and not self._confirms(i, best, tried):
                    self.doubted.add(i)
                break
        if kinked:
            self.kinks += 1
        elif math.isfinite(best.value):
            self.relative_step = best.step / length
        return best

    def _difference(self, i: int, step: float) -> Difference:
        d = self.differences.at(i, step)
        return replace(d, analytic=self.rounding)

    def _next_step(self, i: int, tried: list[Difference], crossed: bool) -> float:
        if crossed:
            return tried[-1].step / 8.0
        best, steps = self._most_trusted(tried), [d.step for d in tried]
        if self._deviates(i, best):
            step = self._smallest_telling_step(i, best)
            return 4.0 * max(steps) if any(step > 0.5 * other for other in steps) else step
        step = best.better_step()
        return 4.0 * max(steps) if any(0.5 < step / other < 2.0 for other in steps) else step

    def _smallest_telling_step(self, i: int, d: Difference) -> float:
        """The step at which rounding is a hundredth of the deviation; a larger one may hide a narrow bend."""
        deviation = abs(float(self.analytic[i]) - d.value)
        telling = d.step * min(1.0, 100.0 * d.rounding / deviation) if math.isfinite(deviation) else 0.0
        return max(telling, 1.01 * SMALLEST_STEP * float(self.differences.lengths[i]))

    def _most_trusted(self, tried: list[Difference]) -> Difference:
        """The difference with the least error among those not contradicted at a smaller step."""
        ranked = sorted(tried, key=lambda d: d.error)
        uncontradicted = (d for d in ranked if not any(_contradicts(other, d) for other in tried))
        return next(uncontradicted, ranked[0])

    def _confirms(self, i: int, best: Difference, tried: list[Difference]) -> bool:
        """Whether a second step confirms a deviation."""
        return any(
            self._deviates(i, d) and abs(d.value - best.value) <= MULTIPLE * (d.error + best.error)
            for d in tried
            if d is not best
        )

    def _scale(self, i: int, d: Difference) -> float:
        """The scale for errors of this entry."""
        sizes = [abs(v) for v in (float(self.analytic[i]), d.value) if math.isfinite(v)]
        return max(*sizes, SMALL * self.largest, 0.0)

    def _deviates(self, i: int, d: Difference) -> bool:
        tolerance = max(self.gate * self._scale(i, d), MULTIPLE * d.error)
        return not abs(float(self.analytic[i]) - d.value) <= tolerance

    def _settles(self, i: int, d: Difference) -> bool:
        return d.error <= SETTLED * self._scale(i, d) or self._is_zero(i, d)

    def _is_zero(self, i: int, d: Difference) -> bool:
        """Whether the difference shows that the whole gradient is zero."""
        change = self._change(i, d)
        shown = abs(d.value) <= MULTIPLE * d.error and d.truncation + d.rounding <= ZERO_ERROR * change
        if self.rounding * d.step > ZERO_ERROR * d.size:  # no rounding: the gradient jumps there
            return False
        return shown and self.largest_analytic <= max(ZERO * change, MULTIPLE * self.rounding)

    def _change(self, i: int, d: Difference) -> float:
        """|f| / |xᵢ|, a natural scale if the whole gradient is zero."""
        return d.size / float(self.differences.lengths[i])

    def _crosses(self, i: int, d: Difference) -> bool:
        """Whether a kink lies between the ends of the difference."""
        x = float(self.variable.values.reshape(-1)[i])
        ends = [self.variable.regions(i, x + d.step), self.variable.regions(i, x - d.step)]
        return any(not np.array_equal(above, below) for above, below in zip(*ends, strict=True))

    def entry(self, entries: np.ndarray) -> GradientEntry:
        """The line of the report."""
        if not self.estimates:  # f is not finite
            self.estimates = {int(i): Difference(math.nan, math.nan, 0.0, 0.0) for i in entries}
        rows = [self._result(i) for i in self.estimates]
        verdicts = [verdict for verdict, _, _ in rows]
        verdict = next((v for v in (FAILED, UNRESOLVED) if v in verdicts), PASSED)
        order = range(len(rows))
        worst = max((k for k in order if verdicts[k] == verdict), key=lambda k: rows[k][1])
        i = list(self.estimates)[worst]
        estimate, (_, error, uncertainty) = self.estimates[i], rows[worst]
        shape = self.variable.values.shape
        return GradientEntry(
            *self.variable.slot,
            shape=tuple(shape),
            analytic=float(self.analytic[i]),
            numerical=estimate.value,
            error=error,
            uncertainty=uncertainty,
            index=tuple(int(j) for j in np.unravel_index(i, shape)),
            compared=len(rows),
            kinks=self.kinks,
            wrong=verdicts.count(FAILED),
            unresolved=verdicts.count(UNRESOLVED),
            verdict=verdict,
            reason=_reason(estimate) if verdict == UNRESOLVED else "",
        )

    def _result(self, i: int) -> tuple[str, float, float]:
        """An entry's verdict, its relative error, and its uncertainty."""
        d = self.estimates[i]
        zero = self._is_zero(i, d)
        scale = self._change(i, d) if zero else self._scale(i, d)
        deviation = abs(float(self.analytic[i]) - d.value)
        error = _ratio(deviation, scale)
        resolved = math.isfinite(d.value) and math.isfinite(d.error) and math.isfinite(scale)
        if not resolved and self.differences.finite and math.isfinite(self.analytic[i]):
            verdict = UNRESOLVED
        elif self._deviates(i, d):
            verdict = UNRESOLVED if i in self.doubted else FAILED
        elif zero or d.error <= RESOLVED * self.largest or d.error == 0.0:
            verdict = PASSED
        else:
            verdict = UNRESOLVED
        return verdict, error, _ratio(d.error, scale)


def _contradicts(smaller: Difference, larger: Difference) -> bool:
    """Whether the difference at the smaller step clearly disagrees."""
    apart = abs(smaller.value - larger.value)
    return smaller.step < larger.step and apart > MULTIPLE * (smaller.error + larger.error)


def _beside_each_other(tried: list[Difference]) -> list[Difference]:
    """The differences, with truncation errors refined by those at larger steps."""
    return [reduce(Difference.beside, tried, d) for d in tried]


def _ratio(value: float, scale: float) -> float:
    if not value:
        return 0.0
    return value / scale if scale and not math.isnan(value) else math.inf


def _reason(d: Difference) -> str:
    if d.analytic > d.truncation + d.rounding:
        return "rounding of the arguments changes the gradient as much; try other inputs, away from jumps"
    if d.rounding >= 0.1 * d.truncation:
        return (
            "the gradient is small compared with the rounding of the function; try inputs or parameters of "
            "another scale"
        )
    return "the function is not smooth there, at any step; try other inputs"
