"""Clipping by the norm of all gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest

from backends import Backend
from backprop import SGD


def test_clipping_scales_all_gradients_alike(backend: Backend) -> None:
    grads = {"W": backend.asarray([[3.0, 0.0]]), "b": backend.asarray([4.0])}
    for max_norm, scale in ((1.0, 0.2), (4.999, 4.999 / 5.0), (5.0, 1.0), (100.0, 1.0)):
        clipped = SGD(1.0, max_norm=max_norm).clipped(grads)
        np.testing.assert_allclose(backend.to_numpy(clipped["W"]), [[3.0 * scale, 0.0]], rtol=1e-12)
        np.testing.assert_allclose(backend.to_numpy(clipped["b"]), [4.0 * scale], rtol=1e-12)
    zero = SGD(1.0, max_norm=1.0).clipped({"W": backend.asarray([0.0, 0.0])})
    np.testing.assert_array_equal(backend.to_numpy(zero["W"]), [0.0, 0.0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("max_norm", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("size", [1e-30, 1e-22, 1.0, 1e22, 1e30])
def test_clipping_where_squares_overflow_or_vanish(
    size: float, max_norm: float, dtype: str, backend: Backend
) -> None:
    values = {"W": np.asarray([[3.0, -0.5], [0.0, 1.0]]) * size, "b": np.asarray([-4.0]) * size}
    grads = {key: backend.asarray(value, dtype=dtype) for key, value in values.items()}
    clipped = SGD(1.0, max_norm=max_norm).clipped(grads)
    norm = math.sqrt(sum(float((value * value).sum()) for value in values.values()))
    for key, value in values.items():
        expected = value * min(1.0, max_norm / norm)
        np.testing.assert_allclose(backend.to_numpy(clipped[key]), expected, rtol=1e-5)
        assert clipped[key].dtype == backend.dtype(dtype)
    if norm <= max_norm:
        for key, g in grads.items():  # not even rounded
            np.testing.assert_array_equal(backend.to_numpy(clipped[key]), backend.to_numpy(g))


@pytest.mark.parametrize("max_norm", [1e-60, 1e60])
def test_a_max_norm_that_the_dtype_cannot_hold(max_norm: float, backend: Backend) -> None:
    g = {"W": backend.asarray([0.0, 3.0], dtype="float32")}
    clipped = backend.to_numpy(SGD(1.0, max_norm=max_norm).clipped(g)["W"])
    assert clipped[0] == 0.0
    assert clipped[1] == 3.0 if max_norm > 1.0 else 0.0 <= clipped[1] < 1e-37


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_clipping_what_is_not_finite(bad: float, backend: Backend) -> None:
    grads = {"W": backend.asarray([1.0, bad]), "b": backend.asarray([2.0])}
    for value in SGD(1.0, max_norm=0.5).clipped(grads).values():
        assert np.isnan(backend.to_numpy(value)).all()


@pytest.mark.only("torch")
def test_clipping_is_pytorch_s(backend: Backend, rng: np.random.Generator) -> None:
    import torch

    for size in (1e-30, 1e-3, 1e2, 1e10):  # beyond, its own squares overflow
        values = [
            torch.tensor(size * rng.standard_normal(shape), dtype=torch.float32) for shape in (5, (2, 3))
        ]
        ours = SGD(1.0, max_norm=1.0).clipped(dict(zip("ab", values, strict=True)))
        params = [torch.zeros_like(value, requires_grad=True) for value in values]
        for p, value in zip(params, values, strict=True):
            p.grad = value.clone()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        for p, found in zip(params, ours.values(), strict=True):
            torch.testing.assert_close(found, p.grad, rtol=1e-5, atol=0.0)


def test_an_extra_gradient_does_not_count() -> None:
    params = {"W": np.zeros(2)}
    SGD(1.0, max_norm=1.0).update(params, {"W": np.asarray([0.0, 0.5]), "b": np.asarray([100.0])})
    np.testing.assert_array_equal(params["W"], [0.0, -0.5])


def test_without_max_norm_the_gradients_are_returned() -> None:
    grads = {"W": np.asarray([3.0, 4.0])}
    assert SGD(0.1).clipped(grads) is grads
    assert SGD(0.1, max_norm=1.0).clipped(grads) is not grads
