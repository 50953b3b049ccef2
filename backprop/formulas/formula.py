"""A layer's formula, and the formula of one entry with its numbers put in."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ..backends import HostArray
from ..text import SIGNIFICANT, digits
from .expression import Expression, Number, Partial, Rest, Symbol, call
from .writing import MathML

if TYPE_CHECKING:
    from ..tracing.record import NodeTrace

Entry: TypeAlias = tuple[int, ...]
"""The indices of an entry of an array."""

MOST = 15
"""The most digits of a number: those that float64 keeps."""

LONGEST, KEPT = 6, 4
"""A sum of more terms than the first is written with its largest ones, as many as the second."""


@dataclass(frozen=True)
class Step:
    """The formula of one number: `y[0,3] = x[0,1] W[1,3] + b[3] = 2·0.5 + 1 = 2`."""

    target: Symbol
    expression: Expression
    put_in: int = field(default=SIGNIFICANT, compare=False)
    """How many digits the numbers put in have."""
    come_out: int = field(default=SIGNIFICANT, compare=False)
    """How many digits the result has."""

    @property
    def value(self) -> float:
        """The number that comes out."""
        return self.expression.value()

    def known(self) -> Symbol:
        """The target with its number, as a symbol for later steps."""
        return replace(self.target, number=self.value)

    def lines(self) -> list[str]:
        """`y = …`, `= …` with the numbers put in, and `= …` with the result, each a line of text.

        The last sign is ≈ where the result of the written numbers is another one in its last digit.
        """
        signs = ("=", "=", self._last_sign())
        left = (f"{self.target.text()} ", "", "")
        rows = zip(left, signs, self._sides(), strict=True)
        return [f"{start}{sign} {side.text()}" for start, sign, side in rows if side is not None]

    def text(self) -> str:
        """All of it in one line."""
        return " ".join(self.lines())

    def markup(self) -> str:
        """The rows of a table of MathML, aligned at their signs."""
        to, rows = MathML(), []
        signs = ("=", "=", self._last_sign())
        left = (self.target.write(to), "", "")
        for start, sign, side in zip(left, signs, self._sides(), strict=True):
            if side is not None:
                cells = ((start, "right"), (to.sign(sign), "center"), (side.write(to), "left"))
                rows.append("".join(f'<mtd style="text-align: {edge}">{cell}</mtd>' for cell, edge in cells))
        first, *others = rows
        return f'<mtr class="first">{first}</mtr>' + "".join(f"<mtr>{row}</mtr>" for row in others)

    def _sides(self) -> tuple[Expression, Expression | None, Expression]:
        """Symbols, numbers unless they say the same as the result, and the result."""
        put_in, result = self.expression.numbers(self.put_in), Number(self.value, self.come_out)
        return self.expression, None if put_in.text() == result.text() else put_in, result

    def _last_sign(self) -> str:
        written = self._written(self.put_in)
        return "=" if digits(written, self.come_out) == digits(self.value, self.come_out) else "≈"

    def legible(self, come_out: int) -> Step:
        """With so many digits in the result, and as many in the numbers put in as give it.

        Where digits cancel, as in 0.9998 − 1, numbers of four digits would not.
        """
        value = self.value
        fewest = come_out if isinstance(self.expression, Symbol) else SIGNIFICANT
        error = 10.0 ** (1 - come_out)
        fitting = (
            put_in
            for put_in in range(fewest, MOST + 1)
            if math.isclose(self._written(put_in), value, rel_tol=error)
        )
        return replace(self, put_in=next(fitting, fewest), come_out=come_out)

    def _written(self, put_in: int) -> float:
        """The result of the numbers that are written."""
        return self.expression.numbers(put_in).value(shown=True)


@dataclass(frozen=True)
class Worked:
    """How one number comes about: steps, of which the last gives it."""

    steps: tuple[Step, ...]

    @property
    def value(self) -> float:
        """The number that comes out, computed in float64 from the numbers put in."""
        return self.steps[-1].value

    def lines(self) -> list[str]:
        """Lines of text; every step begins with its target."""
        return [line for step in self.steps for line in step.lines()]

    def text(self) -> str:
        """One line of text for each step."""
        return "\n".join(step.text() for step in self.steps)

    def mathml(self) -> str:
        """A table of MathML."""
        rows = "".join(step.markup() for step in self.steps)
        return f'<math display="block"><mtable displaystyle="true">{rows}</mtable></math>'


Steps: TypeAlias = tuple[Step, ...]

Work: TypeAlias = Callable[["NodeTrace", Entry], Steps | None]
"""Works out one entry of an array from what is traced; None where that is unknown."""


def legible(steps: Iterable[Step]) -> Steps:
    """Steps of which each can be calculated again from the digits that are written.

    A number that a later step needs with more digits has them where it comes out.

    >>> x = Symbol("x", number=1.000012345)
    >>> first = Step(Symbol("y"), 1 / x)
    >>> for step in legible([first, Step(Symbol("z"), 1 - first.known())]):
    ...     print(step.text())
    y = 1/x = 1/1.0000123 ≈ 0.99998766
    z = 1 − y = 1 − 0.99998766 = 1.234e−5
    """
    found, needed = list[Step](), dict[Symbol, int]()
    for step in reversed(list(steps)):
        found.append(step.legible(needed.get(step.known(), SIGNIFICANT)))
        for symbol in step.expression.symbols():
            needed[symbol] = max(needed.get(symbol, SIGNIFICANT), found[-1].put_in)
    return tuple(reversed(found))


@dataclass(frozen=True)
class Formula:
    """What a layer or loss computes, forward and backward."""

    forward: Expression
    backward: Expression | None = None
    """The gradients for the inputs and the parameters; None if unknown."""
    note: str = ""
    """A remark on the symbols."""
    back_note: str = ""
    """A remark on those of the gradients alone."""
    entry: Work | None = None
    """Works out an entry of the output."""
    gradients: Mapping[str, Work] = field(default_factory=dict)
    """Works out an entry of the gradient for an input or a parameter, by its name."""


def at(name: str, array: HostArray, *index: int) -> Symbol:
    """An entry of an array as a symbol with its number."""
    return Symbol(name, index, float(array[index]))


def partial(name: str, array: HostArray, *index: int) -> Partial:
    """An entry of a gradient as a symbol with its number."""
    return Partial(name, index, float(array[index]))


def total(values: HostArray, term: Callable[[int], Expression]) -> Expression:
    """A sum of these values, of which `term` writes the one at a place; of a long one, the largest terms."""
    with np.errstate(all="ignore"):
        terms = _terms(values, np.abs(values), term, lambda others: float(np.sum(others)), "more")
    return reduce(lambda left, right: left + right, terms or [Number(0.0)])


def largest(values: HostArray, term: Callable[[int], Expression], *others: Expression) -> Expression:
    """The largest of these values, written like `total`, and of others."""
    terms = _terms(values, values, term, lambda rest: float(np.max(rest)), "more, at most")
    return call("max", *terms, *others)


def _terms(
    values: HostArray,
    sizes: HostArray,
    term: Callable[[int], Expression],
    summary: Callable[[HostArray], float],
    what: str,
) -> list[Expression]:
    """All terms, or those of the largest sizes and the rest."""
    if len(values) <= LONGEST:
        return [term(place) for place in range(len(values))]
    first = np.where(np.isnan(sizes), -np.inf, -sizes)
    kept = max(1, min(KEPT, int(np.count_nonzero(values))))
    places = sorted(np.argsort(first, kind="stable")[:kept].tolist())
    rest = summary(np.delete(values, places))
    return [*(term(place) for place in places), Rest(len(values) - kept, rest, what)]
