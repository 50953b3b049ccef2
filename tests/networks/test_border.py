"""The border of a network: inputs and targets are validated and converted."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from backends import Backend, get_backend
from backprop import Affine, MeanSquaredError, Network, SigmoidWithLoss, SoftmaxWithLoss, TwoLayerNet
from backprop.inputs import PrecisionWarning
from backprop.losses import Loss

from .small import data, net


def test_float64_data_is_converted_and_said_once(backend: Backend) -> None:
    network, (x, t) = net(backend), data(backend, dtype="float64")
    with pytest.warns(
        PrecisionWarning, match="float64 input is converted to the network's float32; give float32, or build"
    ):
        network.loss(x, t)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert network.loss(x, t).dtype == backend.dtype("float32")


def test_float32_into_float64_and_integers_are_silent(backend: Backend) -> None:
    network, (x, t) = net(backend, "float64"), data(backend)
    assert network.loss(x, t).dtype == backend.dtype("float64")
    assert network.predict(backend.asarray([[1, 2, 3, 4]])).dtype == backend.dtype("float64")


def test_bytes_are_divided_by_255(backend: Backend) -> None:
    network = net(backend)
    pixels = np.asarray([[0, 51, 102, 255]], dtype=np.uint8)
    as_bytes = network.predict(backend.asarray(pixels))
    as_floats = network.predict(backend.asarray(pixels.astype(np.float32) * np.float32(1 / 255)))
    np.testing.assert_array_equal(backend.to_numpy(as_bytes), backend.to_numpy(as_floats))


BAD_TARGETS: list[tuple[Any, str]] = [
    ([0, 1, 3], "SoftmaxWithLoss: expected labels 0 to 2, got 3"),
    ([0, -1, 1], "expected labels 0 to 2, got -1"),
    ([0, 1], r"expected labels \(3,\) or one-hot \(3, 3\), got \(2,\)|3 samples but 2 targets"),
    ([1, 3, 2], "expected labels 0 to 2, got 3; count them from 0: t - 1"),
    ([0.0, 1.0, 2.5], "expected integer class numbers, got float64"),
    ([[1, 0], [0, 1], [0, 1]], r"expected labels \(3,\) or one-hot \(3, 3\), got \(3, 2\)"),
    (
        [[1, 0, 0], [0, 0, 0], [0, 1, 0]],
        r"expected one-hot rows \(a single 1, else 0\), or probabilities of sum 1, in t \(3, 3\)",
    ),
    ([[1, 0, 0], [0.5, 0.4, 0], [0, 1, 0]], "expected one-hot rows"),
    ([[1, 0, 0], [1.5, -0.5, 0], [0, 1, 0]], "expected one-hot rows"),
    ([[1, 0, 0], [1, 1, 0], [0, 1, 0]], "expected one-hot rows"),
]


@pytest.mark.parametrize(("t", "message"), BAD_TARGETS)
@pytest.mark.parametrize("method", ["loss", "accuracy", "gradient", "numerical_gradient"])
def test_bad_targets(method: str, t: Any, message: str, backend: Backend) -> None:
    x, _ = data(backend, 3)
    with pytest.raises((ValueError, TypeError), match=message):
        getattr(net(backend), method)(x, backend.asarray(t))


def test_bad_inputs(backend: Backend) -> None:
    network, (x, t) = net(backend), data(backend)
    with pytest.raises(ValueError, match=r"Affine1: expected input \(N, 4\), got \(6, 3\)"):
        network.predict(x[:, 0:3])
    with pytest.raises(
        ValueError, match=r"Affine1: expected input \(N, 4\), got \(4,\); give a single sample"
    ):
        network.predict(x[0, :])
    for method in ("loss", "accuracy", "gradient"):
        with pytest.raises(
            ValueError, match=r"TwoLayerNet: expected at least one sample, got input \(0, 4\)"
        ):
            getattr(network, method)(x[0:0, :], t[0:0])
    with pytest.raises(TypeError, match=r"expected real (input|numbers), got complex64"):
        network.predict(backend.asarray(np.ones((1, 4), dtype="complex64")))
    with pytest.raises(TypeError, match="expected an array .* got list"):
        network.predict([[1.0, 2.0, 3.0, 4.0]])


def test_another_librarys_arrays(backend: Backend) -> None:
    network, (x, t) = net(backend), data(backend)
    other = get_backend("strict" if backend.name == "numpy" else "numpy")
    with pytest.raises(TypeError, match=rf"the network is on {backend.name} .* the input is on {other.name}"):
        network.predict(other.asarray(backend.to_numpy(x)))
    with pytest.raises(TypeError, match=r"the target is on .*; convert it with network\.backend\.asarray"):
        network.loss(x, other.asarray(backend.to_numpy(t)))


@pytest.mark.only("strict")
def test_another_device(backend: Backend) -> None:
    x, _ = data(get_backend("strict:device2"))
    with pytest.raises(TypeError, match=r"on strict \(device1\) but the input is on strict \(device2\)"):
        net(backend).predict(x)


SAME_TARGETS: dict[str, Any] = {
    "a column": [[0], [2], [1]],
    "a column of floats": [[0.0], [2.0], [1.0]],
    "whole floats": [0.0, 2.0, 1.0],
    "one-hot integers": [[1, 0, 0], [0, 0, 1], [0, 1, 0]],
    "one-hot floats": [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]],
    "one-hot booleans": [[True, False, False], [False, False, True], [False, True, False]],
}


@pytest.mark.parametrize("form", SAME_TARGETS)
def test_labels_in_another_form(form: str, backend: Backend) -> None:
    x, _ = data(backend, 3)
    network, t = net(backend), backend.asarray(SAME_TARGETS[form])
    expected = backend.asarray([0, 2, 1])
    assert float(network.loss(x, t)) == pytest.approx(float(network.loss(x, expected)), rel=1e-12)
    assert network.accuracy(x, t) == network.accuracy(x, expected)
    for name, grad in network.gradient(x, expected).items():
        np.testing.assert_array_equal(backend.to_numpy(network.gradient(x, t)[name]), backend.to_numpy(grad))


def test_labels_that_are_no_numbers_are_refused_with_a_cure() -> None:
    network = net(get_backend("cpu"))
    x = np.zeros((3, 4), "float32")
    for t in (np.asarray(["a", "b", "c"]), np.asarray(["a", "b", "c"], dtype=object)):
        with pytest.raises(TypeError, match=r"names, t = numpy\.unique\(t, return_inverse=True\)"):
            network.loss(x, t)


@pytest.mark.parametrize("loss", [MeanSquaredError, SigmoidWithLoss, SoftmaxWithLoss])
@pytest.mark.parametrize(
    ("t", "message"),
    [
        (np.ones((3, 3), complex), "expected real numbers, got complex128; take the real parts"),
        (np.zeros((3, 3), [("a", float)]), r"got a structured array; .*structured_to_unstructured"),
        (np.zeros((3, 3), "datetime64[D]"), r"expected real numbers, got datetime64\[D\]; count from a day"),
        (np.full((3, 3), "no"), r"expected numbers, got .*'no'.* at \[0, 0\]; .*numpy\.unique"),
        (np.full((3, 3), "no", object), r"expected numbers, got 'no' at \[0, 0\]; .*numpy\.unique"),
    ],
    ids=["complex", "records", "dates", "texts", "objects"],
)
def test_targets_that_are_no_real_numbers_are_refused_with_a_cure(
    loss: type[Loss], t: np.ndarray, message: str
) -> None:
    network = Network([Affine(np.zeros((4, 3), "float32"), np.zeros(3, "float32"))], loss())
    with pytest.raises(TypeError, match=f"{loss.__name__}: t: .*{message}"):
        network.loss(np.zeros((3, 4), "float32"), t)


@pytest.mark.parametrize("dtype", [object, "U8"])
def test_targets_that_are_numbers_in_another_form_are_numbers(dtype: Any) -> None:
    t, x = np.eye(3), np.zeros((3, 4), "float32")
    for loss in (MeanSquaredError(), SigmoidWithLoss(), SoftmaxWithLoss()):
        network = Network([Affine(np.zeros((4, 3), "float32"), np.ones(3, "float32"))], loss)
        assert network.loss(x, t.astype(dtype)) == network.loss(x, t)


def test_names_of_classes_are_called_texts() -> None:
    network, x = TwoLayerNet(4, 3, 2, rng=0), np.zeros((2, 4), "float32")
    with pytest.raises(TypeError, match="expected integer class numbers, got texts; number the classes"):
        network.evaluate(x, np.asarray(["bee", "butterfly"]))
    with pytest.raises(ValueError, match="b1: expected floating-point numbers, got texts"):
        network.load_params({**network.params, "b1": np.asarray(["bee", "cat", "dog"])})
