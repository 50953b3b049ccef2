"""Sum, mean, maximum and repetition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends import Backend
from backprop.layers import Broadcast, Max, Mean, Sum

REDUCTIONS: dict[type, Any] = {Sum: np.sum, Mean: np.mean, Max: np.max}
AXES: list[Any] = [None, 0, 1, -1, (0, 2), (1, -1), (0, 1, 2)]


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("layer", REDUCTIONS)
def test_values_are_those_of_numpy(
    layer: type, keepdims: bool, axis: Any, backend: Backend, rng: np.random.Generator
) -> None:
    x = rng.standard_normal((2, 3, 4))
    node = layer(axis, keepdims)
    y = node.forward(backend.asarray(x), training=True)
    expected = REDUCTIONS[layer](x, axis=axis, keepdims=keepdims)
    np.testing.assert_allclose(backend.to_numpy(y), expected, rtol=1e-12)
    dout = rng.standard_normal(expected.shape)
    dx = backend.to_numpy(node.backward(backend.asarray(dout)))
    assert dx.shape == x.shape
    assert (dx * x).sum() == pytest.approx((dout * expected).sum())  # all three scale with x


def test_equal_largest_entries_share_the_gradient(backend: Backend) -> None:
    layer = Max(axis=1)
    layer.forward(backend.asarray([[1.0, 5.0, 5.0], [2.0, 0.0, 1.0]]), training=True)
    dx = backend.to_numpy(layer.backward(backend.asarray([6.0, 7.0])))
    assert dx.tolist() == [[0.0, 3.0, 3.0], [7.0, 0.0, 0.0]]


@pytest.mark.parametrize("layer", [Sum, Mean])
def test_float16_does_not_overflow_inside(layer: type, backend: Backend) -> None:
    if not hasattr(backend.xp, "float16"):
        pytest.skip("the standard has no float16")
    x = np.asarray([60_000.0, 48_000.0, -60_000.0, -16_000.0], np.float16)
    y = layer().forward(backend.asarray(x))
    assert backend.to_numpy(y).dtype == np.float16
    assert float(y) == (32_000.0 if layer is Sum else 8_000.0)


@pytest.mark.parametrize("layer", REDUCTIONS)
def test_axes_that_do_not_exist(layer: type, backend: Backend) -> None:
    x = backend.asarray(np.ones((2, 3)))
    with pytest.raises(ValueError, match=rf"{layer.__name__}: no axis 2 in an input of shape \(2, 3\)"):
        layer(2).forward(x)
    with pytest.raises(ValueError, match=r"axis \(0, -2\) names one axis of an input \(2, 3\) twice"):
        layer((0, -2)).forward(x)
    for axis in (1.0, "x", True, (0, None), ()):
        with pytest.raises(TypeError, match="expected an axis, a tuple of axes, or None for all"):
            layer(axis)


def test_no_entries(backend: Backend) -> None:
    empty = backend.asarray(np.ones((0, 3)))
    for layer in (Mean(), Max(), Mean(axis=0)):
        with pytest.raises(ValueError, match=r"expected at least one entry, got \(0, 3\)"):
            layer.forward(empty)


@pytest.mark.parametrize(("old", "new"), [((), (2, 3)), ((3,), (2, 3)), ((2, 1), (2, 3)), ((1, 1), (4, 2, 3)), ((2, 3), (2, 3))])  # fmt: skip
def test_repetition(
    old: tuple[int, ...], new: tuple[int, ...], backend: Backend, rng: np.random.Generator
) -> None:
    x, dout = rng.standard_normal(old), rng.standard_normal(new)
    layer = Broadcast(new)
    y = layer.forward(backend.asarray(x), training=True)
    np.testing.assert_array_equal(backend.to_numpy(y), np.broadcast_to(x, new))
    dx = backend.to_numpy(layer.backward(backend.asarray(dout)))
    assert dx.shape == x.shape
    assert (dx * x).sum() == pytest.approx((dout * np.broadcast_to(x, new)).sum())


@pytest.mark.parametrize(("old", "new"), [((2,), (3,)), ((2, 3), (3,)), ((2, 3), (2, 1)), ((3, 1), (2, 3))])
def test_shapes_that_cannot_be_repeated(old: tuple[int, ...], new: tuple[int, ...], backend: Backend) -> None:
    with pytest.raises(ValueError, match="Broadcast: an input .* cannot be repeated to"):
        Broadcast(new).forward(backend.asarray(np.ones(old)))


def test_what_is_no_shape() -> None:
    for shape in ((1.5,), (-1,), ("a",)):
        with pytest.raises(ValueError, match="Broadcast: expected whole numbers as shape"):
            Broadcast(shape)  # type: ignore[arg-type]
