"""The merged layer is the three layers that it stands for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from backends import Backend
from backprop import Convolution, ConvolutionReLUPooling, Layer, MaxPooling, ReLU, check_gradients

from .images import filters, run, whole


def three(W: Any, b: Any, stride: int, pad: int, pool_h: int, pool_w: int) -> list[Layer]:
    return [Convolution(W, b, stride, pad), ReLU(), MaxPooling(pool_h, pool_w)]


def run_three(layers: list[Layer], x: np.ndarray, dout: np.ndarray, backend: Backend) -> list[np.ndarray]:
    y = backend.asarray(x)
    for layer in layers:
        y = layer.forward(y, training=True)
    dx = backend.asarray(dout)
    for layer in reversed(layers):
        dx = layer.backward(dx)
    return [backend.to_numpy(value).copy() for value in (y, dx, *layers[0].grads.values())]


@pytest.fixture(autouse=True, params=[False, True], ids=["many calls", "few calls"])
def _calls(request: pytest.FixtureRequest, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways in which the layer computes, on every backend."""
    monkeypatch.setattr(type(backend), "few_calls", request.param)


SETTINGS = [(1, 0, 2, 2), (1, 1, 2, 2), (2, 1, 2, 3), (1, 2, 3, 1), (3, 0, 1, 2), (1, 0, 1, 1), (2, 2, 3, 2)]


@pytest.mark.parametrize("slab_bytes", [1, 2**26])
@pytest.mark.parametrize("setting", SETTINGS)
def test_merged_is_the_three_layers_bit_by_bit_where_sums_are_exact(
    setting: tuple[int, ...], slab_bytes: int, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small whole numbers: many windows have several largest entries, many outputs are 0."""
    monkeypatch.setattr(type(backend), "slab_bytes", slab_bytes)
    W, b = (backend.asarray(whole(*shape)) for shape in ((4, 2, 3, 2), (4,)))
    x = whole(3, 2, 11, 12, most=1)
    merged, layers = ConvolutionReLUPooling(W, b, *setting), three(W, b, *setting)
    dout = whole(*merged.forward(backend.asarray(x)).shape, most=5)
    for ours, theirs in zip(run(merged, x, dout, backend), run_three(layers, x, dout, backend), strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == "float32"
        assert np.any(ours != 0)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-6), ("float64", 1e-14)])
@pytest.mark.parametrize("setting", SETTINGS)
def test_merged_is_the_three_layers(
    setting: tuple[int, ...], dtype: str, tolerance: float, backend: Backend, rng: np.random.Generator
) -> None:
    W, b = filters(backend, 4, 2, 3, 2, dtype=dtype)
    x = rng.standard_normal((3, 2, 11, 12)).astype(dtype)
    merged, layers = ConvolutionReLUPooling(W, b, *setting), three(W, b, *setting)
    dout = rng.standard_normal(merged.forward(backend.asarray(x)).shape).astype(dtype)
    for ours, theirs in zip(run(merged, x, dout, backend), run_three(layers, x, dout, backend), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * np.abs(theirs).max())


def test_gradients(backend: Backend, rng: np.random.Generator) -> None:
    report = check_gradients(*ConvolutionReLUPooling.case(rng), device=backend)
    assert report.passed, f"\n{report}"


def test_ties_and_kinks_are_seen(backend: Backend) -> None:
    report = check_gradients(MaxPooling(2), np.zeros((1, 1, 2, 2)), device=backend)
    assert [entry.kinks for entry in report.entries] == [4]
    one = np.ones((1, 1, 1, 1))
    layer = ConvolutionReLUPooling(one, np.zeros(1), pool_h=1, pool_w=2)
    for x, kinks in [([0.0, -1.0], 1), ([2.0, 2.0], 2), ([-2.0, -2.0], 0), ([1.0, 2.0], 0)]:
        report = check_gradients(layer, np.asarray(x).reshape(1, 1, 1, 2), device=backend)
        assert report.entries[-1].kinks == kinks
        assert report.passed is (kinks == 0)


def test_nothing_to_pool(backend: Backend) -> None:
    layer = ConvolutionReLUPooling(*filters(backend, 2, 1, 3, 3), pool_h=2, pool_w=3)
    x = backend.asarray(np.zeros((5, 1, 4, 4)), dtype="float32")
    with pytest.raises(
        ValueError, match="pooled, 2×3, is larger than the 2×2 that the convolution makes of an image 4×4$"
    ):
        layer.forward(x)


def test_the_regions_of_the_merged_layer(backend: Backend) -> None:
    W, b = backend.asarray([[[[1.0]]]]), backend.asarray([0.0])
    x = np.zeros((1, 1, 6, 6))
    x[0, 0, 1, 1], x[0, 0, 3, 3] = 5.0, -5.0  # with stride 2 from the pad on: these are what is looked at
    x[0, 0, 1, 5] = 2.0
    found = ConvolutionReLUPooling(W, b, stride=2, pad=1).region(backend.asarray(x))
    assert backend.to_numpy(found).tolist() == [[[[3, 3], [-1, -1]]]]


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("special", [math.nan, -math.inf])
def test_special_values_in_merged_layers(special: float, backend: Backend, rng: np.random.Generator) -> None:
    """As in the three layers it stands for."""
    W, b = np.abs(rng.standard_normal((2, 1, 2, 2))) + 0.1, rng.standard_normal(2)
    x = rng.standard_normal((3, 1, 7, 7))
    x[0, 0, 2, 3] = x[1, 0, :4, :4] = special
    merged = ConvolutionReLUPooling(backend.asarray(W), backend.asarray(b))
    apart = [Convolution(backend.asarray(W), backend.asarray(b)), ReLU(), MaxPooling(2)]
    y, z = merged.forward(backend.asarray(x), training=True), backend.asarray(x)
    for layer in apart:
        z = layer.forward(z, training=True)
    np.testing.assert_allclose(backend.to_numpy(y), backend.to_numpy(z), rtol=1e-10, atol=1e-12)
    assert np.isnan(backend.to_numpy(y)).any() == math.isnan(special)
    dout = backend.asarray(rng.uniform(0.5, 1.5, tuple(y.shape)))
    dx, d = merged.backward(dout), dout
    for layer in reversed(apart):
        d = layer.backward(d)
    if special == -math.inf:
        np.testing.assert_allclose(backend.to_numpy(dx), backend.to_numpy(d), rtol=1e-10, atol=1e-12)
