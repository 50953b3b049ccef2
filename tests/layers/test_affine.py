"""The affine layer: shapes, and errors."""

from __future__ import annotations

import re

import numpy as np
import pytest

from backends import Backend, get_backend
from backprop import Affine


def affine(backend: Backend, dtype: str = "float32") -> Affine:
    return Affine(backend.asarray(np.ones((4, 3)), dtype=dtype), backend.asarray(np.zeros(3), dtype=dtype))


@pytest.mark.parametrize("shape", [(5, 3), (4,), (2, 3), (0, 3), (5, 2, 3)])
def test_affine_wrong_width(shape: tuple[int, ...], backend: Backend) -> None:
    x = backend.asarray(np.zeros(shape), dtype="float32")
    with pytest.raises(ValueError, match=r"Affine: expected input \(N, 4\), got \("):
        affine(backend).forward(x)


def test_affine_single_sample_hint(backend: Backend) -> None:
    with pytest.raises(ValueError, match=r"got \(4,\); give a single sample as x\[None, \.\.\.\]"):
        affine(backend).forward(backend.asarray(np.zeros(4), dtype="float32"))


@pytest.mark.parametrize("shape", [(3,), (5, 3), (1, 3), (2, 3, 1)])
def test_affine_no_hint_where_the_size_is_wrong(shape: tuple[int, ...], backend: Backend) -> None:
    with pytest.raises(ValueError, match=r"expected input \(N, 4\), got \([0-9, ]+\)$"):
        affine(backend).forward(backend.asarray(np.zeros(shape), dtype="float32"))


@pytest.mark.parametrize("shape", [(5, 4, 1), (5, 1, 4), (5, 2, 2), (5, 1, 4, 1)])
def test_affine_flattens_any_shape_of_the_right_size(shape: tuple[int, ...], backend: Backend) -> None:
    x = np.arange(20.0).reshape(5, 4)
    y = affine(backend).forward(backend.asarray(x.reshape(shape), dtype="float32"))
    np.testing.assert_array_equal(backend.to_numpy(y), x.sum(axis=1, keepdims=True) * np.ones((1, 3)))


def test_affine_flattens_and_restores_the_shape(backend: Backend) -> None:
    layer = affine(backend)
    y = layer.forward(backend.asarray(np.ones((2, 2, 2)), dtype="float32"), training=True)
    assert tuple(y.shape) == (2, 3)
    assert tuple(layer.backward(y).shape) == (2, 2, 2)


def test_affine_wrong_parameters(backend: Backend) -> None:
    W, b = backend.asarray(np.ones((4, 3))), backend.asarray(np.ones(4))
    with pytest.raises(ValueError, match=r"expected W \(D, M\) and b \(M,\), got \(4, 3\) and \(4,\)"):
        Affine(W, b)
    with pytest.raises(TypeError, match="b and W differ in dtype, float32 and float64"):
        Affine(W, backend.asarray(np.ones(3), dtype="float32"))
    with pytest.raises(TypeError, match="expected floating-point input, got int64"):
        Affine(backend.asarray([[1]]), backend.asarray([1]))


def test_affine_wrong_dtype(backend: Backend) -> None:
    with pytest.raises(
        TypeError, match="Affine: x and W differ in dtype, float64 and float32; convert one of them"
    ):
        affine(backend).forward(backend.asarray(np.zeros((5, 4))))


def test_affine_two_libraries(backend: Backend) -> None:
    other = get_backend("strict" if backend.name == "numpy" else "numpy")
    kinds = {
        "numpy": "numpy.ndarray",
        "strict": "array_api_strict.Array",
        "torch": "torch.Tensor",
        "cupy": "cupy.ndarray",
        "jax": "jaxlib.ArrayImpl",
    }
    two = re.escape(f"{kinds[other.name]} and {kinds[backend.name]}")
    with pytest.raises(
        TypeError, match=f"x and W are arrays of two libraries, {two}; bring both to one backend"
    ):
        affine(backend).forward(other.asarray(np.zeros((5, 4)), dtype="float32"))


@pytest.mark.only("strict")
def test_two_devices(backend: Backend) -> None:
    elsewhere = get_backend("strict:device2").asarray(np.zeros((5, 4)), dtype="float32")
    with pytest.raises(ValueError, match="x and W are on two devices, .*device2.* and .*device1"):
        affine(backend).forward(elsewhere)


def test_parameters_that_are_no_arrays() -> None:
    with pytest.raises(TypeError, match="expected an array .* got list"):
        Affine([[1.0]], [0.0])


def test_affine_wrong_dout(backend: Backend) -> None:
    layer = affine(backend)
    layer.forward(backend.asarray(np.ones((5, 4)), dtype="float32"), training=True)
    with pytest.raises(ValueError, match=r"Affine: expected dout \(5, 3\), got \(5, 4\)"):
        layer.backward(backend.asarray(np.ones((5, 4)), dtype="float32"))
    with pytest.raises(TypeError, match="Affine: dout and b differ in dtype, float64 and float32"):
        layer.backward(backend.asarray(np.ones((5, 3))))
