"""What every loss refuses, and how dout scales."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends import Backend, get_backend
from backprop import MeanSquaredError, SigmoidWithLoss, SoftmaxWithLoss


@pytest.mark.only("strict")
@pytest.mark.parametrize("loss_class", [SoftmaxWithLoss, SigmoidWithLoss, MeanSquaredError])
def test_targets_on_another_device(loss_class: Any, backend: Backend, rng: np.random.Generator) -> None:
    loss, x, t = loss_class.case(rng)
    with pytest.raises(ValueError, match="x and t are on two devices, .*device1.* and .*device2"):
        loss.forward(backend.asarray(x), get_backend("strict:device2").asarray(t))


@pytest.mark.parametrize("dout", [2, 2.0, np.float64(2.0), np.int64(2), "array"])
def test_scalar_dout_does_not_promote(dout: Any, backend: Backend, rng: np.random.Generator) -> None:
    for loss_class in (SoftmaxWithLoss, SigmoidWithLoss, MeanSquaredError):
        loss, x, t = loss_class.case(rng)
        x = backend.asarray(x, dtype="float32")
        loss.forward(x, backend.asarray(t), training=True)
        given = backend.asarray(2.0, dtype="float32") if isinstance(dout, str) else dout
        once, twice = loss.backward(), loss.backward(given)
        assert twice.dtype == x.dtype
        np.testing.assert_allclose(backend.to_numpy(twice), 2.0 * backend.to_numpy(once), rtol=1e-6)


def test_loss_with_wrong_dout(backend: Backend, rng: np.random.Generator) -> None:
    loss, x, t = MeanSquaredError.case(rng)
    loss.forward(backend.asarray(x), backend.asarray(t), training=True)
    with pytest.raises(ValueError, match=r"expected a scalar dout, got shape \(2,\)"):
        loss.backward(backend.asarray([1.0, 2.0]))
    with pytest.raises(
        TypeError, match="MeanSquaredError: dout and input differ in dtype, float32 and float64"
    ):
        loss.backward(backend.asarray(1.0, dtype="float32"))


@pytest.mark.parametrize("loss_class", [SoftmaxWithLoss, SigmoidWithLoss, MeanSquaredError])
def test_loss_with_two_libraries(loss_class: Any, backend: Backend, rng: np.random.Generator) -> None:
    loss, x, t = loss_class.case(rng)
    other = get_backend("strict" if backend.name == "numpy" else "numpy")
    with pytest.raises(TypeError, match="x and t are arrays of two libraries"):
        loss.forward(backend.asarray(x), other.asarray(t))


@pytest.mark.parametrize("loss", [SoftmaxWithLoss(), SigmoidWithLoss(), MeanSquaredError()])
def test_samples_without_numbers(loss: Any, backend: Backend) -> None:
    with pytest.raises(ValueError, match=r"expected at least one sample, got input \(2, 0\)"):
        loss.forward(backend.asarray(np.zeros((2, 0))), backend.asarray(np.zeros((2, 0))))
