"""Elementary functions: special values, and options."""

from __future__ import annotations

import numpy as np
import pytest

from backends import Backend
from backprop.layers import Cos, Exp, Log, Neg, Power, Sin, Sqrt

LAYERS = {Neg: np.negative, Exp: np.exp, Log: np.log, Sqrt: np.sqrt, Sin: np.sin, Cos: np.cos}


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_are_those_of_numpy(layer: type, dtype: str, backend: Backend) -> None:
    x = np.linspace(0.5, 3.0, 7).astype(dtype)
    y = layer().forward(backend.asarray(x))
    assert y.dtype == backend.dtype(dtype)
    np.testing.assert_allclose(
        backend.to_numpy(y), LAYERS[layer](x), rtol=1e-6 if dtype == "float32" else 1e-14
    )


@pytest.mark.parametrize("layer", [*LAYERS, lambda: Power(2)])
def test_whole_numbers_are_refused(layer: type, backend: Backend) -> None:
    with pytest.raises(TypeError, match="expected floating-point input, got int64"):
        layer().forward(backend.asarray([1, 2]))


@pytest.mark.parametrize("exponent", [3, 2, 1, 0, -1, -2.0, np.int64(2)])
def test_whole_powers_of_negative_numbers(exponent: float, backend: Backend) -> None:
    x = np.asarray([-2.0, 0.5])
    layer = Power(exponent)
    y = layer.forward(backend.asarray(x), training=True)
    np.testing.assert_allclose(backend.to_numpy(y), x**exponent)
    dx = layer.backward(backend.asarray([1.0, 10.0]))
    np.testing.assert_allclose(backend.to_numpy(dx), exponent * x ** (exponent - 1.0) * [1.0, 10.0])


def test_powers_at_zero(backend: Backend) -> None:
    """x⁰ is 1 everywhere, so its derivative is 0, not 0 · ∞; those of x and x² are 1 and 0."""
    for exponent, value, slope in ((0, 1.0, 0.0), (1, 0.0, 1.0), (2, 0.0, 0.0)):
        layer = Power(exponent)
        assert float(layer.forward(backend.asarray([0.0]), training=True)[0]) == value
        assert float(layer.backward(backend.asarray([1.0]))[0]) == slope


@pytest.mark.parametrize("exponent", [np.nan, np.inf, "2", None, True, 1j])
def test_what_is_no_exponent(exponent: object) -> None:
    with pytest.raises(ValueError, match="Power: expected a finite number as exponent, got"):
        Power(exponent)  # type: ignore[arg-type]
