"""Operators and NumPy's functions."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest

from backends import Backend
from backprop.graphs import Variable, exp

FUNCTIONS = [
    np.exp,
    np.log,
    np.sqrt,
    np.sin,
    np.cos,
    np.tanh,
    np.square,
    np.negative,
    np.sum,
    np.mean,
    np.max,
]
OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_numpys_functions_make_nodes(function: Any, backend: Backend) -> None:
    host = np.asarray([0.5, 1.5])
    found = function(Variable(backend.asarray(host)))
    assert isinstance(found, Variable)
    np.testing.assert_allclose(backend.to_numpy(found.value), function(host), rtol=1e-12)


@pytest.mark.parametrize("function", OPERATORS)
def test_operators_on_either_side(function: Any, backend: Backend) -> None:
    host, other = np.asarray([0.5, 1.5]), np.asarray([2.0, 3.0])
    x = Variable(backend.asarray(host))
    for constant, plain in ((2.0, 2.0), (3, 3.0), (backend.asarray(other), other)):
        pairs = [(function(x, constant), function(host, plain))]
        if not (backend.name == "strict" and hasattr(constant, "shape")):  # refuses what it does not know
            pairs.append((function(constant, x), function(plain, host)))
        for found, expected in pairs:
            assert isinstance(found, Variable)
            np.testing.assert_allclose(backend.to_numpy(found.value), expected, rtol=1e-12)


def test_products_of_matrices(backend: Backend) -> None:
    a, b = np.asarray([[1.0, 2.0]]), np.asarray([[3.0], [4.0]])
    x, y = Variable(backend.asarray(a)), Variable(backend.asarray(b))
    by_arrays = [] if backend.name == "strict" else [backend.asarray(a) @ y]
    for found in (x @ y, x @ backend.asarray(b), np.dot(x, y), np.matmul(x, y), *by_arrays):
        assert isinstance(found, Variable)
        assert backend.to_numpy(found.value).tolist() == [[11.0]]


def test_what_numpy_cannot_do_with_variables() -> None:
    x = Variable([1.0, 2.0])
    for call, name in (
        (lambda: np.floor(x), "floor"),
        (lambda: np.add.reduce(x), r"add\.reduce"),
        (lambda: np.concatenate([x, x]), "concatenate"),
    ):
        with pytest.raises(
            TypeError, match=rf"numpy\.{name} has no node for variables; there are add, cos, .* v\.value"
        ):
            call()
    with pytest.raises(TypeError, match=r"a Variable is no array, .* v\.value"):
        np.asarray(x)
    with pytest.raises(TypeError, match="out"):
        np.exp(x, out=np.zeros(2))


def test_comparisons_are_those_of_the_values() -> None:
    x, y = Variable(2.0), Variable(3.0)
    assert x < y
    assert x <= 2.0
    assert y > 2
    assert y >= x
    assert x == 2.0
    assert x != y
    assert (Variable([1.0, 3.0]) > 2.0).tolist() == [False, True]
    assert x
    assert not Variable(0)
    assert float(x) == 2.0
    assert len({x, Variable(2.0)}) == 2
    with pytest.raises(TypeError):
        float(Variable([1.0, 2.0]))


def test_powers_of_negative_numbers() -> None:
    x = Variable(-3.0)
    y = x**2 + x**-1 + x**3
    y.backward()
    assert y.value == pytest.approx(9.0 - 1.0 / 3.0 - 27.0)
    assert x.grad == pytest.approx(-6.0 - 1.0 / 9.0 + 27.0)
    with pytest.raises(ValueError, match="power: expected a base above 0, got -2"):
        (-2.0) ** x


def test_functions_want_variables() -> None:
    with pytest.raises(TypeError, match=r"Exp: expected variables \(backprop\.graphs\.Variable\), got float"):
        exp(2.0)  # type: ignore[arg-type]
