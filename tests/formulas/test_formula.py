"""How a number that is worked out is written."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from backprop import Identity, Network, SoftmaxWithLoss
from backprop.formulas import worked, worked_backward
from backprop.formulas.expression import Expression, Rest, Symbol
from backprop.formulas.formula import Step, Worked, largest, legible, total

x = Symbol("x", (0,), 1 / 3)
STEP = Step(Symbol("y", (0,)), 3 * x)


def test_a_step_is_symbols_numbers_and_the_result() -> None:
    assert STEP.lines() == ["y[0] = 3 x[0]", "= 3·0.3333", "≈ 1"]
    assert STEP.text() == "y[0] = 3 x[0] = 3·0.3333 ≈ 1"
    assert Step(Symbol("y"), 2 * Symbol("x", number=0.25)).text() == "y = 2 x = 2·0.25 = 0.5"


def test_numbers_that_say_the_same_as_the_result_are_left_out() -> None:
    assert Step(Symbol("y"), x).text() == "y = x[0] = 0.3333"


def test_a_step_is_a_symbol_of_the_next() -> None:
    known = STEP.known()
    assert (known.text(), known.value()) == ("y[0]", 1.0)
    worked = Worked((STEP, Step(Symbol("z"), known + 1)))
    assert worked.value == 2.0
    assert worked.text() == "y[0] = 3 x[0] = 3·0.3333 ≈ 1\nz = y[0] + 1 = 1 + 1 = 2"


def test_the_table_of_mathml_has_a_row_for_every_line() -> None:
    worked = Worked((STEP, Step(Symbol("z"), x)))
    table = ElementTree.fromstring(worked.mathml()).find("mtable")
    assert table is not None
    rows = [["".join(cell.itertext()) for cell in row] for row in table.findall("mtr")]
    assert [row[1] for row in rows] == ["=", "=", "≈", "=", "="]
    assert rows[2] == ["", "≈", "1"]


def term(place: int) -> Expression:
    return Symbol("x", (place,), float(VALUES[place]))


VALUES = np.asarray([1.0, -8.0, 2.0, 0.5, 4.0, -3.0, 0.25])


@pytest.mark.parametrize("count", [1, 2, 6])
def test_a_short_sum_is_written_whole(count: int) -> None:
    found = total(VALUES[:count], term)
    assert found.text() == " + ".join(f"x[{place}]" for place in range(count))
    assert found.value() == VALUES[:count].sum()


def test_a_long_sum_is_written_with_its_largest_terms_in_their_order() -> None:
    found = total(VALUES, term)
    assert found.text() == "x[1] + x[2] + x[4] + x[5] + ⋯"
    assert found.numbers().text() == "−8 + 2 + 4 + (−3) + [3 more: 1.75]"
    assert found.value() == VALUES.sum()


def test_a_sum_of_nothing_is_0() -> None:
    assert total(VALUES[:0], term).text() == "0"


def test_the_largest_of_many() -> None:
    found = largest(VALUES, term)
    assert found.numbers().text() == "max(1, 2, 0.5, 4, [3 more, at most: 0.25])"
    assert found.value() == 4.0
    assert largest(VALUES[:2], term, Symbol("0", number=0.0)).text() == "max(x[0], x[1], 0)"


def test_terms_that_are_not_numbers_are_written() -> None:
    values = np.where(np.arange(7) == 3, np.nan, VALUES)
    found = total(values, lambda place: Symbol("x", (place,), float(values[place])))
    assert "x[3]" in found.text()
    assert isinstance(found.parts[1], Rest)
    assert found.parts[1].count == 3
    assert np.isnan(found.value())


def evaluated(text: str) -> float:
    """What a line of numbers comes to, as it is written."""
    text = re.sub(r"\[[\d,]+ more: ([^\]]+)\]", r"(\1)", text.replace("−", "-").replace("·", "*"))
    return float(eval(text, {"exp": math.exp, "log": math.log}))


@pytest.mark.parametrize("classes", [2, 10])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_written_can_be_calculated_again(dtype: str, classes: int, rng: np.random.Generator) -> None:
    for lead in rng.uniform(3.0, 20.0, 30):
        x = rng.standard_normal((2, classes)).astype(dtype)
        x[:, 1] += lead
        network = Network([Identity()], SoftmaxWithLoss()).to(dtype=dtype)
        loss = network.trace(x, np.asarray([1, 0])).loss
        for sample in range(2):
            for found in (worked(loss, sample), worked_backward(loss, sample)):
                assert found is not None
                for step in found.steps:
                    *put_in, result = step.lines()[1:]
                    for line in put_in:
                        assert evaluated(line[2:]) == pytest.approx(evaluated(result[2:]), rel=5e-3)


def test_more_digits_only_where_digits_cancel() -> None:
    p = Step(Symbol("p"), Symbol("e", number=0.99981729))
    one, other = legible([p, Step(Symbol("d"), (p.known() - 1) / 10)])
    assert one.text() == "p = e = 0.9998173"
    assert other.text() == "d = (p − 1) / 10 = (0.9998173 − 1) / 10 = −1.827e−5"
    (plain,) = legible([Step(Symbol("d"), p.known() / 10)])
    assert plain.text() == "d = p/10 = 0.9998/10 = 0.09998"


def test_noise_has_no_more_digits() -> None:
    third = Symbol("x", number=0.1)
    (step,) = legible([Step(Symbol("y"), third + 0.2 - 0.3)])
    assert step.put_in == 4
    (step,) = legible([Step(Symbol("y"), Symbol("x", number=math.nan) - 1)])
    assert step.text() == "y = x − 1 = NaN − 1 = NaN"
