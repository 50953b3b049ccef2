"""The book's optimizers: on arrays and on numbers, against the formulas and backprop's own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import backprop
from backprop.book import SGD, AdaGrad, Adam, Momentum, Nesterov, RMSprop, TwoLayerNet

ALL = (SGD, Momentum, Nesterov, AdaGrad, RMSprop, Adam)
SLOTS = {SGD: "", Momentum: "v", Nesterov: "v", AdaGrad: "h", RMSprop: "h", Adam: "mv"}


def expected(kind: Any, p: float, gradients: list[float]) -> float:
    """The parameter after the book's formulas, with its default settings."""
    v = h = m = 0.0
    for t, g in enumerate(gradients, 1):
        if kind is SGD:
            p -= 0.01 * g
        elif kind is Momentum:
            v = 0.9 * v - 0.01 * g
            p += v
        elif kind is Nesterov:
            p += 0.9**2 * v - 1.9 * 0.01 * g
            v = 0.9 * v - 0.01 * g
        elif kind is AdaGrad:
            h += g**2
            p -= 0.01 * g / (math.sqrt(h) + 1e-7)
        elif kind is RMSprop:
            h = 0.99 * h + 0.01 * g**2
            p -= 0.01 * g / (math.sqrt(h) + 1e-7)
        else:
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
            rate = 0.001 * math.sqrt(1 - 0.999**t) / (1 - 0.9**t)
            p -= rate * m / (math.sqrt(v) + 1e-7)
    return p


GRADIENTS = [1.5, -0.5, 2.0, 0.25]


@pytest.mark.parametrize("kind", ALL)
def test_python_numbers(kind: Any) -> None:
    optimizer, params = kind(), {"x": -7.0, "y": 2}
    for g in GRADIENTS:
        optimizer.update(params, {"x": g, "y": -g})
    assert float(params["x"]) == pytest.approx(expected(kind, -7.0, GRADIENTS), rel=1e-13)
    assert float(params["y"]) == pytest.approx(expected(kind, 2.0, [-g for g in GRADIENTS]), rel=1e-13)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_arrays_change_in_place(kind: Any, dtype: str) -> None:
    W = np.asarray([[-7.0, 2.0]], dtype)
    optimizer, params = kind(), {"W": W}
    for g in GRADIENTS:
        optimizer.update(params, {"W": np.asarray([[g, -g]], dtype)})
    assert params["W"] is W
    assert W.dtype == dtype
    after = [expected(kind, -7.0, GRADIENTS), expected(kind, 2.0, [-g for g in GRADIENTS])]
    np.testing.assert_allclose(W[0], after, rtol=1e-13 if dtype == "float64" else 1e-6)


@pytest.mark.parametrize("kind", ALL)
def test_steps_are_those_of_backprop_up_to_rounding(kind: Any, rng: np.random.Generator) -> None:
    start = rng.standard_normal((3, 4))
    theirs, ours = {"W": start.copy()}, {"W": start.copy()}
    book, own = kind(lr=0.1), getattr(backprop, kind.__name__)(lr=0.1)
    for _ in range(5):
        g = {"W": rng.standard_normal((3, 4))}
        book.update(theirs, g)
        own.update(ours, g)
    np.testing.assert_allclose(theirs["W"], ours["W"], rtol=1e-10)
    assert np.abs(theirs["W"] - start).max() > 1e-3


@pytest.mark.parametrize("kind", ALL)
def test_what_is_remembered(kind: Any) -> None:
    optimizer = kind()
    assert [getattr(optimizer, slot) for slot in SLOTS[kind]] == [None] * len(SLOTS[kind])
    optimizer.update({"W": np.ones(2), "b": 1.0}, {"W": np.ones(2), "b": 1.0})
    for slot in SLOTS[kind]:
        assert list(getattr(optimizer, slot)) == ["W", "b"]
        assert getattr(optimizer, slot)["W"].shape == (2,)
        assert getattr(optimizer, slot)["b"] != 0.0


def test_settings_may_change() -> None:
    optimizer, params = Momentum(lr=1.0, momentum=0.5), {"x": 0.0}
    optimizer.update(params, {"x": 1.0})
    optimizer.lr, optimizer.momentum = 0.5, 0.25
    optimizer.update(params, {"x": 1.0})
    assert float(params["x"]) == -1.0 + (-0.25 - 0.5)


def test_adam_counts_its_steps() -> None:
    optimizer = Adam()
    assert optimizer.iter == 0
    optimizer.update({"x": 0.0}, {"x": 1.0})
    with pytest.raises(ValueError, match="expected a gradient for y"):
        optimizer.update({"y": 0.0}, {"x": 1.0})
    assert optimizer.iter == 1


@pytest.mark.parametrize("kind", ALL)
def test_wrong_gradients(kind: Any) -> None:
    name = kind.__name__
    with pytest.raises(ValueError, match=f"^{name}: expected a gradient for W, got those for b"):
        kind().update({"W": np.ones(2)}, {"b": np.ones(2)})
    with pytest.raises(ValueError, match=rf"^{name}: expected a gradient \(2,\) for W, got \(1,\)"):
        kind().update({"W": np.ones(2)}, {"W": np.ones(1)})
    with pytest.raises(ValueError, match=f"^{name}: expected a gradient for W, got those for nothing"):
        kind().update({"W": np.ones(2)}, {})
    with pytest.raises(TypeError, match=f"^{name}: expected W in floating point, got int64"):
        kind().update({"W": np.ones(2, np.int64)}, {"W": np.ones(2)})


@pytest.mark.parametrize("kind", ALL[1:])
def test_an_optimizer_of_other_parameters(kind: Any) -> None:
    optimizer = kind()
    optimizer.update({"W": np.ones(2)}, {"W": np.ones(2)})
    for params in ({"W": np.ones(3)}, {"b": np.ones(2)}):
        with pytest.raises(
            ValueError, match="this optimizer was used for other parameters than .* make a new one"
        ):
            optimizer.update(params, params)


@pytest.mark.parametrize("kind", ALL)
def test_what_is_no_parameter(kind: Any) -> None:
    name, optimizer, network = kind.__name__, kind(), TwoLayerNet(2, 2, 2)
    with pytest.raises(TypeError, match=f"^{name}: expected params as a dict, got TwoLayerNet; give network"):
        optimizer.update(network, network.params)
    with pytest.raises(TypeError, match=f"^{name}: expected grads as a dict, got NoneType$"):
        optimizer.update(network.params, None)
    with pytest.raises(TypeError, match=f"^{name}: expected W as a number or an array, got list"):
        optimizer.update({"W": [1.0]}, {"W": [1.0]})


@pytest.mark.parametrize("kind", ALL)
def test_all_parameters_change_or_none(kind: Any) -> None:
    params = {"W": np.ones(2), "b": np.ones(2)}
    params["b"].flags.writeable = False
    with pytest.raises(ValueError, match="b is read-only and cannot be changed; give b"):
        kind().update(params, {"W": np.ones(2), "b": np.ones(2)})
    np.testing.assert_array_equal(params["W"], 1.0)
