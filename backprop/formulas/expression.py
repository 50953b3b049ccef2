"""A formula as a tree, written as text or as MathML, and computed where its numbers are known.

Python's operators build the tree, so parentheses follow from it:

>>> x, y = Symbol("x"), Symbol("y")
>>> (sigmoid := equation(y, 1 / (1 + call("exp", -x)))).text()
'y = 1 / (1 + exp(−x))'
>>> sigmoid.mathml()[:40]
'<math><mrow><mi>y</mi><mo>=</mo><mfrac><'

A symbol may have a number, which can be put in its place:

>>> line = 2 * Symbol("x", (0, 3), number=-0.25) + 1
>>> line.text(), line.numbers().text(), line.value()
('2 x[0,3] + 1', '2·(−0.25) + 1', 0.5)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, TypeAlias, Union

import numpy as np

from ..text import SIGNIFICANT, digits
from .digits import rounded
from .writing import Index, MathML, Text, Writer

Operand: TypeAlias = Union["Expression", int, float]

RELATION, SUM, PRODUCT, ATOM = range(4)
"""How tightly an expression binds."""

EXACT = 10
"""The digits of a constant."""

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "exp": np.exp,
    "log": np.log,
    "tanh": np.tanh,
    "sin": np.sin,
    "cos": np.cos,
    "abs": np.abs,
    "max": lambda *values: reduce(np.maximum, values),
    "min": lambda *values: reduce(np.minimum, values),
}


@dataclass(frozen=True)
class Expression:
    """A node of the tree."""

    parts: tuple[Expression, ...]

    def level(self) -> int:
        """How tightly it binds, from `RELATION` to `ATOM`."""
        return ATOM

    def write(self, to: Writer) -> str:
        """The expression in one of the two ways."""
        raise NotImplementedError(f"{type(self).__name__} has no write")

    def compute(self, *values: Any) -> Any:
        """The value, from those of the parts."""
        raise TypeError(f"{self.text()} has no number")

    def rows(self) -> tuple[Expression, ...]:
        """The formulas below each other; of most expressions, itself."""
        return (self,)

    def within(self, to: Writer, least: int) -> str:
        """The expression as part of one that binds this tightly: in parentheses if it binds less."""
        return self.write(to) if self.level() >= least else to.fenced(self.write(to))

    def text(self) -> str:
        """One line of Unicode."""
        return self.write(Text())

    def mathml(self, *, block: bool = False) -> str:
        """A `math` element of MathML, on lines of its own if `block`."""
        kind = ' display="block"' if block else ""
        return f"<math{kind}>{self.write(MathML())}</math>"

    def numbers(self, significant: int = SIGNIFICANT) -> Expression:
        """The expression with numbers of so many digits in place of the symbols that have one."""
        return replace(self, parts=tuple(part.numbers(significant) for part in self.parts))

    def symbols(self) -> Iterator[Symbol]:
        """The symbols in it."""
        for part in self.parts:
            yield from part.symbols()

    def value(self, *, shown: bool = False) -> float:
        """The number that it comes to; if `shown`, computed from the rounded numbers that are written."""
        with np.errstate(all="ignore"):
            return float(self.compute(*(np.float64(part.value(shown=shown)) for part in self.parts)))

    def __add__(self, other: Operand) -> Expression:
        return Infix((self, as_expression(other)), "+")

    def __radd__(self, other: Operand) -> Expression:
        return as_expression(other) + self

    def __sub__(self, other: Operand) -> Expression:
        return Infix((self, as_expression(other)), "−")

    def __rsub__(self, other: Operand) -> Expression:
        return as_expression(other) - self

    def __mul__(self, other: Operand) -> Expression:
        return Product((self, as_expression(other)))

    def __rmul__(self, other: Operand) -> Expression:
        return as_expression(other) * self

    def __truediv__(self, other: Operand) -> Expression:
        return Fraction((self, as_expression(other)))

    def __rtruediv__(self, other: Operand) -> Expression:
        return as_expression(other) / self

    def __pow__(self, other: Operand) -> Expression:
        return Power((self, as_expression(other)))

    def __neg__(self) -> Expression:
        return Negative((self,))


@dataclass(frozen=True)
class Leaf(Expression):
    """A node without parts."""

    parts: tuple[Expression, ...] = field(default=(), init=False)

    def numbers(self, significant: int = SIGNIFICANT) -> Expression:
        return self


@dataclass(frozen=True)
class Number(Leaf):
    """A number with this many digits."""

    number: float
    significant: int = SIGNIFICANT

    def level(self) -> int:
        text = digits(self.number, self.significant)
        return SUM if text.startswith("−") else PRODUCT if "e" in text else ATOM

    def write(self, to: Writer) -> str:
        return to.number(digits(self.number, self.significant))

    def value(self, *, shown: bool = False) -> float:
        return rounded(self.number, self.significant) if shown else float(self.number)


@dataclass(frozen=True)
class Symbol(Leaf):
    """A name with indices, and the number that it stands for, if known."""

    name: str
    index: Index = ()
    number: float | None = None

    def write(self, to: Writer) -> str:
        return to.indexed(to.name(self.name), self.index)

    def numbers(self, significant: int = SIGNIFICANT) -> Expression:
        return self if self.number is None else Number(self.number, significant)

    def symbols(self) -> Iterator[Symbol]:
        yield self

    def value(self, *, shown: bool = False) -> float:
        return float(self.compute() if self.number is None else self.number)


@dataclass(frozen=True)
class Partial(Symbol):
    """The partial derivative of the loss for the named symbol."""

    def write(self, to: Writer) -> str:
        above = to.row(to.name("∂"), to.name("L"))
        return to.fraction(above, to.row(to.name("∂"), super().write(to)))


@dataclass(frozen=True)
class Words(Leaf):
    """Words within a formula."""

    words: str

    def write(self, to: Writer) -> str:
        return to.words(self.words)


@dataclass(frozen=True)
class Rest(Leaf):
    """The terms of a long sum that are not written: how many, and what they come to."""

    count: int
    number: float
    what: str = "more"
    is_put_in: bool = False
    significant: int = SIGNIFICANT

    def write(self, to: Writer) -> str:
        if not self.is_put_in:
            return to.name("⋯")
        number = Number(self.number, self.significant).within(to, RELATION if to.is_flat else PRODUCT)
        return to.labelled(number, f"{self.count:,} {self.what}")

    def numbers(self, significant: int = SIGNIFICANT) -> Expression:
        return replace(self, is_put_in=True, significant=significant)

    def value(self, *, shown: bool = False) -> float:
        return rounded(self.number, self.significant) if shown else self.number


@dataclass(frozen=True)
class Infix(Expression):
    """A sum, a difference, an equation, or expressions with a comma."""

    sign: str

    def level(self) -> int:
        return SUM if self.sign in "+−" else RELATION

    def write(self, to: Writer) -> str:
        first, second = self.parts
        is_split = self.sign == "−" and second.level() == SUM
        is_signed = self.sign in "+−" and isinstance(second, Number | Negative) and second.level() == SUM
        least = ATOM if is_split or is_signed else RELATION
        return to.row(first.within(to, RELATION), to.sign(self.sign), second.within(to, least))

    def compute(self, *values: Any) -> Any:
        return values[0] + values[1] if self.sign == "+" else values[0] - values[1]


@dataclass(frozen=True)
class Negative(Expression):
    """−x."""

    def level(self) -> int:
        return SUM

    def write(self, to: Writer) -> str:
        return to.row(to.minus(), self.parts[0].within(to, PRODUCT))

    def compute(self, *values: Any) -> Any:
        return -values[0]


@dataclass(frozen=True)
class Product(Expression):
    """Two factors, side by side, or with a dot where numbers or fractions meet."""

    def level(self) -> int:
        return PRODUCT

    def write(self, to: Writer) -> str:
        first, second = self.parts
        last, start = _last(first), second.parts[0] if isinstance(second, Power) else second
        if isinstance(start, Number) or (isinstance(last, Number) and not isinstance(start, Symbol | Call)):
            dot = "·"
        else:
            dot = " · " if isinstance(last, Fraction | Partial) else ""
        return to.row(first.within(to, PRODUCT), to.times(dot), second.within(to, PRODUCT))

    def compute(self, *values: Any) -> Any:
        return values[0] * values[1]


@dataclass(frozen=True)
class Fraction(Expression):
    """A numerator over a denominator."""

    def level(self) -> int:
        return PRODUCT

    def write(self, to: Writer) -> str:
        least = (PRODUCT, ATOM) if to.is_flat else (RELATION, RELATION)
        return to.fraction(self.parts[0].within(to, least[0]), self.parts[1].within(to, least[1]))

    def compute(self, *values: Any) -> Any:
        return values[0] / values[1]


@dataclass(frozen=True)
class Power(Expression):
    """A base with an exponent, or a matrix with the T of a transposed one."""

    def write(self, to: Writer) -> str:
        return to.raised(self.parts[0].within(to, ATOM), self.parts[1].write(to))

    def compute(self, *values: Any) -> Any:
        return values[0] ** values[1]


@dataclass(frozen=True)
class Root(Expression):
    """A square root."""

    def write(self, to: Writer) -> str:
        return to.root(self.parts[0].write(to))

    def compute(self, *values: Any) -> Any:
        return np.sqrt(values[0])


@dataclass(frozen=True)
class Call(Expression):
    """A function of its arguments."""

    name: str

    def write(self, to: Writer) -> str:
        inside = [part.write(to) for part in self.parts]
        return to.fenced(inside[0], "|", "|") if self.name == "abs" else to.called(self.name, inside)

    def compute(self, *values: Any) -> Any:
        return FUNCTIONS[self.name](*values)


@dataclass(frozen=True)
class Sum(Expression):
    """A sum over indices, or the largest."""

    index: Index
    sign: str = "Σ"

    def level(self) -> int:
        return SUM

    def write(self, to: Writer) -> str:
        return to.row(to.over(self.sign, self.index), self.parts[0].within(to, PRODUCT))


@dataclass(frozen=True)
class Choice(Expression):
    """The first part if the second is larger than the third, else the fourth."""

    def level(self) -> int:
        return RELATION

    def write(self, to: Writer) -> str:
        then, larger, smaller, otherwise = (part.write(to) for part in self.parts)
        return to.row(
            then, to.words(" if "), larger, to.sign(">"), smaller, to.sign(","), to.words("else "), otherwise
        )

    def compute(self, *values: Any) -> Any:
        return values[0] if values[1] > values[2] else values[3]


@dataclass(frozen=True)
class Lines(Expression):
    """Formulas below each other."""

    def rows(self) -> tuple[Expression, ...]:
        return self.parts

    def write(self, to: Writer) -> str:
        return to.lines([part.write(to) for part in self.parts])


def as_expression(value: Operand) -> Expression:
    """The expression, or a constant."""
    return value if isinstance(value, Expression) else Number(float(value), EXACT)


def equation(left: Operand, right: Operand) -> Expression:
    """Left = right."""
    return Infix((as_expression(left), as_expression(right)), "=")


def call(name: str, *arguments: Operand) -> Expression:
    """A function in `FUNCTIONS` of its arguments."""
    return Call(tuple(map(as_expression, arguments)), name)


def root(inside: Operand) -> Expression:
    """The square root."""
    return Root((as_expression(inside),))


def sum_over(index: str, body: Expression) -> Expression:
    """The sum over indices, separated by commas; over everything if empty."""
    return Sum((body,), tuple(index.split(",")) if index else ())


def max_over(index: str, body: Expression) -> Expression:
    """The largest over indices, separated by commas; of everything if empty."""
    return Sum((body,), tuple(index.split(",")) if index else (), "max")


def choice(then: Operand, larger: Operand, smaller: Operand, otherwise: Operand) -> Expression:
    """`then` if larger > smaller, else `otherwise`."""
    return Choice(tuple(map(as_expression, (then, larger, smaller, otherwise))))


def transposed(matrix: Expression) -> Expression:
    """A matrix with a T."""
    return Power((matrix, Symbol("T")))


def lines(*formulas: Expression) -> Expression:
    """Formulas below each other."""
    return Lines(formulas)


def _last(part: Expression) -> Expression:
    """The last factor of a product."""
    return _last(part.parts[1]) if isinstance(part, Product) else part
