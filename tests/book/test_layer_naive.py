"""The nodes of the apple graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backprop.book import AddLayer, MulLayer
from backprop.graphs import Variable


def test_apples() -> None:
    apples, tax = MulLayer(), MulLayer()
    price = tax.forward(apples.forward(100, 2), 1.1)
    assert price == pytest.approx(220)
    d_apples, d_tax = tax.backward(1)
    assert (*apples.backward(d_apples), d_tax) == pytest.approx((2.2, 110, 200))


def test_apples_and_oranges() -> None:
    apples, oranges, fruit, tax = MulLayer(), MulLayer(), AddLayer(), MulLayer()
    price = tax.forward(fruit.forward(apples.forward(100, 2), oranges.forward(150, 3)), 1.1)
    assert price == pytest.approx(715)
    d_fruit, d_tax = tax.backward(1)
    d_apples, d_oranges = fruit.backward(d_fruit)
    found = (*apples.backward(d_apples), *oranges.backward(d_oranges), d_tax)
    assert found == pytest.approx((2.2, 110, 3.3, 165, 650))


def test_variables_make_a_graph() -> None:
    apple, number, tax = Variable(100, "apple"), Variable(2, "number"), Variable(1.1, "tax")
    apples, oranges, fruit, taxed = MulLayer(), MulLayer(), AddLayer(), MulLayer()
    bought = apples.forward(apple, number), oranges.forward(Variable(150, "orange"), 3)
    price = taxed.forward(fruit.forward(*bought), tax)
    assert price.value == pytest.approx(715)
    assert {"apple", "number", "orange", "tax", "+"} <= {node.label for node in price.graph().nodes}
    price.backward()
    d_fruit, d_tax = taxed.backward(1)
    d_apples, _ = fruit.backward(d_fruit)
    by_hand = [value.value for value in (*apples.backward(d_apples), d_tax)]
    assert by_hand == pytest.approx([2.2, 110, 650])
    assert [apple.grad, number.grad, tax.grad] == pytest.approx(by_hand)


def test_variables_of_arrays() -> None:
    x, y = Variable([1.0, 2.0], "x"), [3.0, 4.0]
    assert MulLayer().forward(x, y).value.tolist() == [3.0, 8.0]
    assert AddLayer().forward(y, x).value.tolist() == [4.0, 6.0]
    for kind in (MulLayer, AddLayer):
        with pytest.raises(ValueError, match=r"expected two numbers, or arrays of one shape, got \(2,\) and"):
            kind().forward(x, Variable(3.0))


def test_whole_numbers_stay_whole() -> None:
    layer = MulLayer()
    assert repr(layer.forward(100, 2)) == "200"
    assert repr(layer.backward(1)) == "(2, 100)"
    assert (layer.x, layer.y) == (100, 2)


@pytest.mark.parametrize("make", [np.asarray, list])
def test_arrays(make: Any) -> None:
    mul, add = MulLayer(), AddLayer()
    x, y = make([1, 2]), make([3, 4])
    np.testing.assert_array_equal(mul.forward(x, y), [3, 8])
    np.testing.assert_array_equal(mul.backward([10, 100]), [[30, 400], [10, 200]])
    np.testing.assert_array_equal(add.forward(x, y), [4, 6])
    np.testing.assert_array_equal(add.backward([10, 100]), [[10, 100], [10, 100]])


@pytest.mark.parametrize("kind", [MulLayer, AddLayer])
@pytest.mark.parametrize(("x", "dout"), [([1.0, 2.0], 1), ([1.0, 2.0], [1.0]), (3, [1.0])])
def test_gradients_that_do_not_fit(kind: Any, x: Any, dout: Any) -> None:
    layer = kind()
    layer.forward(x, x)
    with pytest.raises(ValueError, match=rf"^{kind.__name__}: expected dout \("):
        layer.backward(dout)


@pytest.mark.parametrize("kind", [MulLayer, AddLayer])
def test_wrong_inputs(kind: Any) -> None:
    name = kind.__name__
    with pytest.raises(
        ValueError, match=rf"^{name}: expected two numbers, or arrays of one shape, got \(2,\) and \(\)"
    ):
        kind().forward([1, 2], 3)
    with pytest.raises(TypeError, match=f"^{name}: expected numbers, got str"):
        kind().forward("a", 3)
    with pytest.raises(RuntimeError, match=rf"^{name}: backward needs {name}\.forward\(x, y\) first"):
        kind().backward(1)
