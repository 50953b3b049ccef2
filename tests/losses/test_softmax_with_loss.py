"""Softmax with loss: labels, one-hot rows and probabilities."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from backends import Backend, get_backend
from backprop import SoftmaxWithLoss, Training, TwoLayerNet


def test_softmax_wrong_targets(backend: Backend) -> None:
    loss, x = SoftmaxWithLoss(), backend.asarray(np.zeros((4, 3)))
    for t, message in [
        (np.zeros((4, 2)), r"expected labels \(4,\) or one-hot \(4, 3\), got \(4, 2\)"),
        (np.zeros(3, int), r"expected labels \(4,\) or one-hot \(4, 3\), got \(3,\)"),
        (np.zeros((4, 1), int), r"got \(4, 1\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            loss.forward(x, backend.asarray(t))
    with pytest.raises(TypeError, match="expected integer class numbers, got float64; convert them"):
        loss.forward(x, backend.asarray(np.zeros(4)))
    with pytest.raises(ValueError, match=r"expected input \(N, C\), got \(4,\)"):
        loss.forward(backend.asarray(np.zeros(4)), backend.asarray(np.zeros(4, int)))
    with pytest.raises(ValueError, match=r"expected at least one sample, got input \(0, 3\)"):
        loss.forward(backend.asarray(np.zeros((0, 3))), backend.asarray(np.zeros(0, int)))


def test_one_loss_for_many_kinds_of_targets() -> None:
    """What it has made once for labels fits only those classes, that dtype, that library and device."""
    loss = SoftmaxWithLoss()
    for classes in (3, 5, 300, 3):
        for place in ("cpu", "strict", "strict:device2"):
            for dtype in ("int64", "uint8", "int8"):
                backend = get_backend(place)
                x = backend.asarray(np.zeros((2, classes)))
                value = loss.forward(x, backend.asarray(np.asarray([0, 2]), dtype=dtype), training=True)
                assert float(backend.to_numpy(value)) == pytest.approx(math.log(classes))
                expected = (1.0 / classes - np.eye(classes)[[0, 2]]) / 2.0
                np.testing.assert_allclose(backend.to_numpy(loss.backward()), expected, atol=1e-15)


@pytest.mark.parametrize("t", [[3], [-1], [[0, 0, 0]], [[0, 2, 0]]])
def test_softmax_loss_of_no_class_is_infinite(t: Any, backend: Backend) -> None:
    loss = SoftmaxWithLoss().forward(backend.asarray(np.zeros((1, 3))), backend.asarray(t))
    assert float(backend.to_numpy(loss)) == math.inf


def test_softmax_loss_of_several_classes(backend: Backend) -> None:
    """What the docstring says of it: the loss of the likeliest, the gradient of all."""
    loss = SoftmaxWithLoss()
    value = loss.forward(backend.asarray([[0.0, 1.0, 2.0]]), backend.asarray([[1, 1, 0]]), training=True)
    p = np.exp([0.0, 1.0, 2.0]) / np.exp([0.0, 1.0, 2.0]).sum()
    assert float(backend.to_numpy(value)) == pytest.approx(-math.log(p[1]))
    np.testing.assert_allclose(backend.to_numpy(loss.backward()), [p - [1.0, 1.0, 0.0]])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"])
def test_labels_of_every_integer_dtype(dtype: str, backend: Backend, rng: np.random.Generator) -> None:
    labels, x = np.asarray([2, 0, 1, 2]), rng.standard_normal((4, 3))
    expected_loss = SoftmaxWithLoss()
    expected = float(expected_loss.forward(x, labels, training=True))
    for t in (labels, np.eye(3, dtype=np.int64)[labels]):
        loss, given = SoftmaxWithLoss(), backend.asarray(t.astype(dtype))
        assert float(
            backend.to_numpy(loss.forward(backend.asarray(x), given, training=True))
        ) == pytest.approx(expected, rel=1e-12)
        dx = backend.to_numpy(loss.backward())
        np.testing.assert_allclose(dx, expected_loss.backward(), rtol=1e-12, atol=1e-15)
        correct = backend.to_numpy(loss.correct(backend.asarray(x), given))
        assert int(correct) == int((x.argmax(axis=1) == labels).sum())


@pytest.mark.parametrize("dtype", ["uint16", "uint32", "uint64"])
def test_training_on_unsigned_labels(dtype: str, backend: Backend, rng: np.random.Generator) -> None:
    x, t = rng.standard_normal((20, 4)).astype("float32"), rng.integers(0, 3, 20)
    found = []
    for kind in (dtype, "int64"):
        net = TwoLayerNet(4, 5, 3, weight_init_std=0.5, rng=0, device=backend)
        list(Training(net, x, backend.asarray(t.astype(kind)), epochs=1, batch_size=5, rng=0))
        loss, accuracy = net.evaluate(backend.asarray(x), backend.asarray(t.astype(kind)))
        found.append((loss, accuracy, backend.to_numpy(net.params["W1"]).tolist()))
    assert found[0] == found[1]


@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_labels_too_large_for_any_class(backend: Backend) -> None:
    t = backend.asarray(np.asarray([2**64 - 1, 2**63], np.uint64))
    loss = SoftmaxWithLoss().forward(backend.asarray(np.zeros((2, 3))), t)
    assert float(backend.to_numpy(loss)) == math.inf


def test_probabilities_and_smoothed_labels(backend: Backend) -> None:
    x = np.asarray([[0.0, 1.0, 2.0], [3.0, 0.0, -1.0]])
    log_p = x - np.log(np.exp(x).sum(axis=1, keepdims=True))
    q, labels = np.asarray([[0.2, 0.3, 0.5], [0.0, 1.0, 0.0]]), np.asarray([2, 1])
    for loss, t, soft in (
        (SoftmaxWithLoss(), q, q),
        (SoftmaxWithLoss(0.3), labels, 0.7 * np.eye(3)[labels] + 0.1),
        (SoftmaxWithLoss(0.3), q, 0.7 * q + 0.1),
    ):
        value = loss.forward(backend.asarray(x), backend.asarray(t))
        assert float(backend.to_numpy(value)) == pytest.approx(-(soft * log_p).sum() / 2.0, rel=1e-12)
    sure = backend.asarray([[0.0, -math.inf, 0.0]])
    assert float(SoftmaxWithLoss().forward(sure, backend.asarray([[0.5, 0.0, 0.5]]))) == pytest.approx(
        math.log(2)
    )
    for wrong in (-0.1, 1.0, math.nan):
        with pytest.raises(ValueError, match="label_smoothing from 0 to below 1, got"):
            SoftmaxWithLoss(wrong)


def test_targets_are_one_hot_or_probabilities() -> None:
    loss = SoftmaxWithLoss()
    for t in ([[0.25, 0.75]], [[1.0, 0.0]], [[0.5, 0.5 + 1e-9]]):
        loss.check_targets(np.asarray(t), 1, (2,))
    for t in ([[0.5, 0.75]], [[-0.25, 1.25]], [[0.0, 0.0]]):
        with pytest.raises(ValueError, match=r"^SoftmaxWithLoss: expected one-hot rows .* or probabilities"):
            loss.check_targets(np.asarray(t), 1, (2,))
