"""Pooling: ties, padding, special values, and errors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from backends import Backend
from backprop import AveragePooling, ConvolutionReLUPooling, MaxPooling, Pooling

from .images import run, whole


def test_the_books_spelling(backend: Backend) -> None:
    assert Pooling is MaxPooling
    y = Pooling(2, 2, 2, 0).forward(backend.asarray(np.arange(16.0).reshape(1, 1, 4, 4)))
    np.testing.assert_array_equal(backend.to_numpy(y), [[[[5.0, 7.0], [13.0, 15.0]]]])


@pytest.mark.only("torch")
@pytest.mark.parametrize("setting", [(2, 2, 2, 0), (3, 3, 1, 1), (3, 2, 2, 1), (2, 3, 4, 0)])
def test_ties_go_where_pytorch_sends_them(setting: tuple[int, ...], backend: Backend) -> None:
    import torch

    pool_h, pool_w, stride, pad = setting
    x = torch.from_numpy(whole(2, 3, 9, 8, most=1)).requires_grad_()
    expected = torch.nn.functional.max_pool2d(x, (pool_h, pool_w), stride, pad)
    dout = torch.from_numpy(whole(*expected.shape, most=5))
    expected.backward(dout)
    y, dx = run(MaxPooling(*setting), x.detach().numpy(), dout.numpy(), backend)
    np.testing.assert_array_equal(y, expected.detach().numpy())
    np.testing.assert_array_equal(dx, x.grad.numpy())


def test_padding_counts_as_minus_infinity_or_as_zeros(backend: Backend) -> None:
    x = backend.asarray(np.full((1, 1, 2, 2), -4.0))
    np.testing.assert_array_equal(
        backend.to_numpy(MaxPooling(2, pad=1).forward(x)), np.full((1, 1, 2, 2), -4)
    )
    mean = AveragePooling(2, pad=1).forward(x)
    np.testing.assert_array_equal(backend.to_numpy(mean), np.full((1, 1, 2, 2), -1))


@pytest.mark.parametrize(("args", "message"), [
    ((0,), "expected pool_h to be a whole number of at least 1, got 0"),
    ((2, -1), "expected pool_w to be a whole number of at least 1, got -1"),
    ((2, 2, 0), "expected stride to be a whole number of at least 1, got 0"),
    ((2, 2, 2, -1), "expected pad to be a whole number of at least 0, got -1"),
    ((3, 2, 2, 2), "expected pad of at most half the window 3×2, got 2"),
])  # fmt: skip
@pytest.mark.parametrize("kind", [MaxPooling, AveragePooling])
def test_wrong_windows(kind: Any, args: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{kind.__name__}: {message}$"):
        kind(*args)
    if len(args) < 3:
        with pytest.raises(ValueError, match=f"^ConvolutionReLUPooling: {message}$"):
            ConvolutionReLUPooling(np.ones((2, 1, 3, 3)), np.ones(2), 1, 0, *args)


@pytest.mark.parametrize("kind", [MaxPooling, AveragePooling])
def test_wrong_pooling_input(kind: Any, backend: Backend) -> None:
    layer = kind(3, 2, pad=1)
    with pytest.raises(ValueError, match=rf"^{layer.name}: expected input \(N, C, H, W\), got \(2, 3, 4\)$"):
        layer.forward(backend.asarray(np.zeros((2, 3, 4))))
    with pytest.raises(ValueError, match="a window 3×2 is larger than the image 0×4 with pad 1$"):
        layer.forward(backend.asarray(np.zeros((2, 3, 0, 4))))
    with pytest.raises(TypeError, match="expected floating-point input, got int64"):
        layer.forward(backend.asarray(np.zeros((2, 3, 4, 4), np.int64)))
    layer.forward(backend.asarray(np.zeros((2, 3, 4, 4))), training=True)
    with pytest.raises(ValueError, match=r"expected dout \(2, 3, 2, 3\), got \(2, 3, 2, 2\)"):
        layer.backward(backend.asarray(np.zeros((2, 3, 2, 2))))


def test_a_window_wider_than_the_padded_image_is_refused(backend: Backend) -> None:
    x = backend.asarray(np.zeros((1, 1, 9, 2)), dtype="float32")
    with pytest.raises(ValueError, match="a window 2×5 is larger than the image 9×2 with pad 1"):
        MaxPooling(2, 5, pad=1).forward(x)


def test_the_regions_of_padded_windows(backend: Backend) -> None:
    x = -1.0 - np.arange(9.0).reshape(1, 1, 3, 3)  # below 0, and so below a pad of zeros
    found = MaxPooling(2, pad=1).region(backend.asarray(x))
    assert backend.to_numpy(found).tolist() == [[[[3, 2], [1, 0]]]]


POOLINGS = [
    (2,),
    (3, 2, 2, 1),
    (2, 3, 1, 1),
    (3, 3, 2, 1),
    (4, 4, 3, 2),
    (5, 5, 1, 2),
    (4, 4, 1, 2),
    (2, 2, 3, 1),
]


@pytest.mark.parametrize("settings", POOLINGS)
def test_a_window_of_minus_infinity_has_its_gradient_inside(
    settings: tuple[int, ...], backend: Backend, rng: np.random.Generator
) -> None:
    """At its first pixel, not in the padding around it."""
    pooling = MaxPooling(*settings)
    x = rng.standard_normal((2, 3, 6, 5))
    x[rng.random(x.shape) < 0.7] = -math.inf
    x[0, 0] = -math.inf
    y = pooling.forward(backend.asarray(x), training=True)
    dout = rng.uniform(0.5, 1.5, tuple(y.shape))
    dx = backend.to_numpy(pooling.backward(backend.asarray(dout)))
    expected, values = by_windows(pooling, x, dout)
    np.testing.assert_array_equal(backend.to_numpy(y), values)
    np.testing.assert_allclose(dx, expected, rtol=1e-12)
    assert dx.sum() == pytest.approx(dout.sum())


def by_windows(pooling: MaxPooling, x: np.ndarray, dout: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """dx and y, window by window, from the pixels of the image alone."""
    dx, y, pad = np.zeros_like(x), np.empty_like(dout), pooling.pad
    for n, c, a, b in np.ndindex(dout.shape):
        top, left = a * pooling.stride_h - pad, b * pooling.stride_w - pad
        rows, columns = slice(max(top, 0), top + pooling.pool_h), slice(max(left, 0), left + pooling.pool_w)
        window = x[n, c, rows, columns]
        nan = np.flatnonzero(np.isnan(window))
        place = nan[-1] if nan.size else window.argmax()
        i, j = np.unravel_index(place, window.shape)
        dx[n, c, rows.start + i, columns.start + j] += dout[n, c, a, b]
        y[n, c, a, b] = window[i, j]
    return dx, y


@pytest.mark.parametrize("settings", POOLINGS)
def test_nan_is_the_largest(settings: tuple[int, ...], backend: Backend, rng: np.random.Generator) -> None:
    pooling = MaxPooling(*settings)
    x = rng.standard_normal((2, 3, 6, 5))
    x[rng.random(x.shape) < 0.15] = math.nan
    y = pooling.forward(backend.asarray(x), training=True)
    dout = rng.uniform(0.5, 1.5, tuple(y.shape))
    dx = backend.to_numpy(pooling.backward(backend.asarray(dout)))
    expected, values = by_windows(pooling, x, dout)
    np.testing.assert_array_equal(backend.to_numpy(y), values)
    np.testing.assert_array_equal(backend.to_numpy(pooling.forward(backend.asarray(x))), values)
    np.testing.assert_allclose(dx, expected, rtol=1e-12)


@pytest.mark.only("torch")
@pytest.mark.parametrize("settings", POOLINGS)
def test_special_values_are_pooled_as_in_pytorch(settings: tuple[int, ...], backend: Backend) -> None:
    import torch

    generator = torch.Generator().manual_seed(0)
    x = torch.randn((3, 2, 6, 5), generator=generator, dtype=torch.float64)
    kinds = torch.rand(x.shape, generator=generator)
    x[kinds < 0.1], x[kinds > 0.6] = math.nan, -math.inf
    x.requires_grad_()
    pooling = MaxPooling(*settings)
    stride = (pooling.stride_h, pooling.stride_w)
    expected = torch.nn.functional.max_pool2d(x, (pooling.pool_h, pooling.pool_w), stride, pooling.pad)
    dout = torch.rand(expected.shape, generator=generator, dtype=torch.float64)
    expected.backward(dout)
    y = pooling.forward(x.detach(), training=True)
    torch.testing.assert_close(y, expected.detach(), equal_nan=True)
    torch.testing.assert_close(pooling.backward(dout), x.grad)
