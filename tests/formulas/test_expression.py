"""Parentheses and signs follow from the tree, in both ways of writing; numbers from the symbols."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest

from backprop.formulas.expression import (
    FUNCTIONS,
    Expression,
    Number,
    Partial,
    Rest,
    Symbol,
    Words,
    call,
    choice,
    equation,
    lines,
    max_over,
    root,
    sum_over,
    transposed,
)

x, y, z, W = (Symbol(name) for name in "xyzW")
dy = Partial("y")
a, b = Symbol("a", (0, 1), 0.25), Symbol("b", (2,), -3.0)

WRITTEN = {
    "x + y + z": x + y + z,
    "x − y − z": x - y - z,
    "x − (y − z)": x - (y - z),
    "x − (y + z)": x - (y + z),
    "x + y − z": x + (y - z),
    "x + (−y)": x + -y,
    "−(x + y)": -(x + y),
    "−x y": -(x * y),
    "(−x) y": -x * y,
    "x (y + z)": x * (y + z),
    "(x + y) z": (x + y) * z,
    "x y z": x * y * z,
    "(x + y) / z": (x + y) / z,
    "x / (y z)": x / (y * z),
    "x / (y/z)": x / (y / z),
    "x/y / z": x / y / z,
    "∂L/∂y / x": dy / x,
    "x/y · z": x / y * z,
    "x y / z": x * y / z,
    "1/x": 1 / x,
    "2 x": 2 * x,
    "x·2": x * 2,
    "2·(x + y)": 2 * (x + y),
    "0.5 x²": 0.5 * x**2,
    "1 − x²": 1 - x**2,
    "(x + y)²": (x + y) ** 2,
    "(x y)³": (x * y) ** 3,
    "(x/y)²": (x / y) ** 2,
    "x^y": x**y,
    "x⁻²": x**-2,
    "x^(0.5)": x**0.5,
    "x^(y − 1)": x ** (y - 1),
    "√x": root(x),
    "√(x + y)": root(x + y),
    "√(2/x)": root(2 / x),
    "exp(−x)": call("exp", -x),
    "max(x, 0)": call("max", x, 0),
    "|x| y": call("abs", x) * y,
    "x Wᵀ": x * transposed(W),
    "∂L/∂y · Wᵀ": dy * transposed(W),
    "xᵀ ∂L/∂y": transposed(x) * dy,
    "∂L/∂W[0,3]": Partial("W", (0, 3)),
    "Σₙ xₙ": sum_over("n", Symbol("x", ("n",))),
    "x (Σ y)": x * sum_over("", y),
    "Σₖ (x + y)": sum_over("k", x + y),
    "Σ[c,k] x": sum_over("c,k", x),
    "maxₖ x": max_over("k", x),
    "max x": max_over("", x),
    "x if y > 0, else 2 z": choice(x, y, 0, 2 * z),
    "x = y; y = z": lines(equation(x, y), equation(y, z)),
    "xₙₖ": Symbol("x", ("n", "k")),
    "x[n,f]": Symbol("x", ("n", "f")),
    "x[2i+u]": Symbol("x", ("2i+u",)),
    "σ² + ε": Symbol("σ²") + Symbol("ε"),
    "as it is": Words("as it is"),
}


@pytest.mark.parametrize(("text", "expression"), WRITTEN.items(), ids=WRITTEN)
def test_text(text: str, expression: Expression) -> None:
    assert expression.text() == text


def fences(element: ElementTree.Element) -> int:
    return sum(mark.text == "(" for mark in element.iter("mo"))


@pytest.mark.parametrize(("text", "expression"), WRITTEN.items(), ids=WRITTEN)
def test_mathml_is_well_formed_and_needs_no_more_parentheses(text: str, expression: Expression) -> None:
    root_element = ElementTree.fromstring(expression.mathml().replace("&nbsp;", " "))
    assert root_element.tag == "math"
    assert fences(root_element) <= text.count("(")


NUMBERS = {
    "0.25·(−3)": a * b,
    "0.25 + (−3)": a + b,
    "0.25 − (−3)": a - b,
    "−3 − 0.25": b - a,
    "(−3)²": b**2,
    "0.25²": a**2,
    "0.25/(−3)": a / b,
    "2·0.25": 2 * a,
    "2·0.25²": 2 * a**2,
    "max(−3, 0)": call("max", b, 0),
    "−(−3)": -b,
    "0.25 x": a * x,
    "0.25 + [7 more: −1.5]": a + Rest(7, -1.5),
    "0.25 + [1,000 more: 1.5]": a + Rest(1000, 1.5),
}


@pytest.mark.parametrize(("text", "expression"), NUMBERS.items(), ids=NUMBERS)
def test_numbers_are_put_in(text: str, expression: Expression) -> None:
    assert expression.numbers().text() == text


def test_elements_of_mathml() -> None:
    assert (equation(y, x / 2)).mathml(block=True) == (
        '<math display="block"><mrow><mi>y</mi><mo>=</mo><mfrac><mi>x</mi><mn>2</mn></mfrac></mrow></math>'
    )
    assert Number(1.5e-7).mathml() == (
        "<math><mrow><mn>1.5</mn><mo>·</mo><msup><mn>10</mn><mn>−7</mn></msup></mrow></math>"
    )
    assert (
        Rest(3, 0.5).numbers().mathml() == "<math><munder><mn>0.5</mn><mtext>3 more</mtext></munder></math>"
    )
    assert Rest(3, 0.5).mathml() == "<math><mi>⋯</mi></math>"


def test_text_is_escaped() -> None:
    for expression in (Symbol("<b>&\x1b"), Words("<b>&\x1b"), Symbol("x", ("<b>&\x1b",))):
        assert "<b>" not in expression.mathml()
        assert "&lt;b&gt;&amp;" in expression.mathml()
        assert "\x1b" not in expression.mathml() + expression.text()


@pytest.mark.parametrize(("expression", "value"), [
    (a + b, -2.75), (a - b, 3.25), (a * b, -0.75), (a / b, -1 / 12), (-a, -0.25), (a**2, 0.0625),
    (root(a), 0.5), (call("exp", a), math.exp(0.25)), (call("log", a), math.log(0.25)),
    (call("tanh", a), math.tanh(0.25)), (call("abs", b), 3.0), (call("max", a, b, 1), 1.0),
    (call("min", a, b), -3.0), (call("sin", a), math.sin(0.25)), (call("cos", a), math.cos(0.25)),
    (choice(1, a, 0, 2), 1.0), (choice(1, b, 0, 2), 2.0), (a + Rest(3, 1.5), 1.75),
])  # fmt: skip
def test_value(expression: Expression, value: float) -> None:
    assert expression.value() == pytest.approx(value, rel=1e-15)
    assert expression.numbers().value() == expression.value()


def test_every_function_has_a_value() -> None:
    assert all(math.isfinite(call(name, 0.5).value()) for name in FUNCTIONS)


def test_overflow_and_division_by_zero_are_numbers() -> None:
    assert call("exp", 1000).value() == math.inf
    assert (1 / Symbol("x", number=0.0)).value() == math.inf
    assert math.isnan((Symbol("x", number=0.0) / 0).value())


def test_without_numbers_there_is_no_value() -> None:
    for expression in (x + a, sum_over("n", a), Words("x")):
        with pytest.raises(TypeError, match="has no number"):
            expression.value()


def test_shown_values_come_from_the_written_digits() -> None:
    third = Symbol("x", number=1 / 3)
    assert (third * 3).numbers().value(shown=True) == pytest.approx(0.9999)
    assert (third * 3).numbers().value() == 1.0
    assert (third + Rest(2, 2 / 3)).numbers().value(shown=True) == pytest.approx(0.3333 + 0.6667)
    assert as_written(0.044715) == "0.044715"


def as_written(constant: float) -> str:
    return (x * constant).text().removeprefix("x·")
