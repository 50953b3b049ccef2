"""The data of a training: every form, dtype and device."""

from __future__ import annotations

import numpy as np
import pytest

from backends import Backend, get_backend
from backprop import (
    Training,
)

from .small import blobs, host_params, net


def test_bytes_and_floats_train_alike(backend: Backend) -> None:
    rng = np.random.default_rng(0)
    pixels, t = rng.integers(0, 256, (60, 2, 2), dtype=np.uint8), rng.integers(0, 3, 60)
    flat = []
    for x in (pixels, pixels.astype(np.float32) * np.float32(1 / 255)):
        network = net(backend)
        list(Training(network, x, t, epochs=2, batch_size=10, rng=0))
        flat.append(host_params(network))
    np.testing.assert_array_equal(*flat)


def test_one_hot_labels_train_alike(backend: Backend) -> None:
    x, t = blobs(60)
    flat = []
    for labels in (t, np.eye(3)[t]):
        network = net(backend)
        list(Training(network, x, labels, epochs=2, batch_size=10, rng=0))
        flat.append(host_params(network))
    np.testing.assert_allclose(*flat, rtol=1e-6)  # NumPy lays the products out otherwise, and rounds so


def test_device_arrays_are_used_as_they_are(backend: Backend) -> None:
    x, t = (backend.asarray(values) for values in blobs())
    assert next(iter(Training(net(backend), x, t, epochs=1, batch_size=50, rng=0))).step == 5


def test_wrong_data_before_the_first_step(backend: Backend) -> None:
    x, t = blobs()
    with pytest.raises(ValueError, match="expected labels 0 to 2, got 3"):
        Training(net(backend), x, np.where(np.arange(250) == 200, 3, t), epochs=1)
    with pytest.raises(ValueError, match="250 samples but 249 targets"):
        Training(net(backend), x, t[1:], epochs=1)
    with pytest.raises(ValueError, match=r"Affine1: expected input \(N, 4\), got \(1, 3\)"):
        Training(net(backend), x[:, :3], t, epochs=1)
    with pytest.raises(ValueError, match="expected labels 0 to 2, got -1"):
        Training(net(backend), x, t, epochs=1, test=(x, t - 1))


def test_data_that_are_not_arrays_or_on_another_device(backend: Backend) -> None:
    x, t = blobs()
    with pytest.raises(TypeError, match="expected an array .* got list"):
        Training(net(backend), x.tolist(), t, epochs=1)
    with pytest.raises(ValueError, match="expected an array of samples, got a single number"):
        Training(net(backend), x, np.asarray(3), epochs=1)
    if backend.name != "strict":
        elsewhere = get_backend("strict").asarray(x)
        with pytest.raises(TypeError, match=r"the training data is on strict \(device1\); convert it"):
            Training(net(backend), elsewhere, t, epochs=1)
        with pytest.raises(TypeError, match=r"the target is on strict \(device1\); convert it"):
            Training(net(backend), x, get_backend("strict").asarray(t), epochs=1)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "bool one-hot", "float one-hot"])
def test_labels_of_every_dtype(dtype: str, backend: Backend) -> None:
    x, t = blobs(60)
    labels = np.eye(3)[t].astype(dtype.split()[0]) if "one-hot" in dtype else t.astype(dtype)
    (metrics,) = Training(net(backend), x, labels, epochs=1, batch_size=20, rng=0, test=(x, labels))
    (expected,) = Training(net(backend), x, t, epochs=1, batch_size=20, rng=0, test=(x, t))
    assert (metrics.loss, metrics.test_accuracy) == (expected.loss, expected.test_accuracy)


def test_big_endian_data(backend: Backend) -> None:
    x, t = blobs(60)
    (metrics,) = Training(net(backend), x.astype(">f4"), t.astype(">i8"), epochs=1, batch_size=20, rng=0)
    (expected,) = Training(net(backend), x, t, epochs=1, batch_size=20, rng=0)
    assert metrics.loss == expected.loss
