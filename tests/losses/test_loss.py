"""What all losses do: the value, accuracy, targets, float16."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from backends import Backend, dtype_name
from backprop import MeanSquaredError, SigmoidWithLoss, SoftmaxWithLoss


def test_extreme_values(backend: Backend) -> None:
    x = backend.asarray([[-1000.0, 0.0, 1000.0]], dtype="float32")
    loss = SoftmaxWithLoss().forward(x, backend.asarray([0]))
    assert float(backend.to_numpy(loss)) == 2000.0
    rows = backend.asarray([[1000.0, 1000.0], [-1000.0, -1000.0]])  # each has its own largest entry
    loss = SoftmaxWithLoss().forward(rows, backend.asarray([0, 1]))
    assert float(backend.to_numpy(loss)) == pytest.approx(math.log(2.0))
    loss = SigmoidWithLoss().forward(x, backend.asarray([[1, 1, 1]]))
    assert float(backend.to_numpy(loss)) == pytest.approx(1000.0 + math.log(2.0))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss_class", [SoftmaxWithLoss, SigmoidWithLoss, MeanSquaredError])
def test_loss_is_0d_of_the_inputs_dtype(
    loss_class: Any, dtype: str, backend: Backend, rng: np.random.Generator
) -> None:
    loss, x, t = loss_class.case(rng)
    value = loss.forward(backend.asarray(x, dtype=dtype), backend.asarray(t))
    assert value.shape == ()
    assert value.dtype == backend.dtype(dtype)


def test_counting_correct_predictions(backend: Backend) -> None:
    x = backend.asarray([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]])
    for t in ([1, 1, 1], [[0, 1], [0, 1], [0, 1]]):
        assert int(SoftmaxWithLoss().correct(x, backend.asarray(t))) == 2
    assert (
        int(SoftmaxWithLoss().correct(x, backend.asarray([[False, True], [True, False], [True, False]]))) == 2
    )
    assert int(SoftmaxWithLoss().correct(x, backend.asarray([[1, 0], [1, 0], [0, 1]]))) == 2
    x = backend.asarray([2.0, -2.0, 3.0])
    assert int(SigmoidWithLoss().correct(x, backend.asarray([1, 0, 0]))) == 2
    assert int(SigmoidWithLoss().correct(x, backend.asarray([True, False, True]))) == 3
    assert int(SigmoidWithLoss().correct(x, backend.asarray([0.9, 0.1, 0.4]))) == 2
    two = backend.asarray([[2.0, -2.0], [2.0, 2.0], [0.5, 0.0]])  # right where both entries are
    for t, right in (([[1, 0], [1, 0], [1, 0]], 2), ([[0.5, 0.5], [0.6, 0.6], [0.6, 0.5]], 2)):
        assert int(SigmoidWithLoss().correct(two, backend.asarray(t))) == right
    with pytest.raises(TypeError, match="MeanSquaredError does not classify"):
        MeanSquaredError().correct(x, x)


@pytest.mark.parametrize(
    ("loss", "outputs", "t", "message"),
    [
        (SigmoidWithLoss(), (), [0.0, -0.5], "SigmoidWithLoss: expected t between 0 and 1, got -0.5 to 0.0"),
        (SigmoidWithLoss(), (), [1.0, 1.5], "SigmoidWithLoss: expected t between 0 and 1, got 1.0 to 1.5"),
        (SigmoidWithLoss(), (2,), [0.0, 1.0], r"SigmoidWithLoss: expected t \(2, 2\), got \(2,\)"),
        (SigmoidWithLoss(), (), [0.0, 1.0], None),
        (SigmoidWithLoss(), (), [0.0, math.nan], "SigmoidWithLoss: expected finite t, got nan"),
        (MeanSquaredError(), (), [0.0, math.nan], "MeanSquaredError: expected finite t, got nan"),
        (MeanSquaredError(), (), [-math.inf, 0.0], "MeanSquaredError: expected finite t, got -inf"),
        (MeanSquaredError(), (2,), [0.0, 1.0], r"MeanSquaredError: expected t \(2, 2\), got \(2,\)"),
        (SoftmaxWithLoss(), (3,), [0, -1], "SoftmaxWithLoss: expected labels 0 to 2, got -1"),
        (SoftmaxWithLoss(), (3,), [3, 2], "SoftmaxWithLoss: expected labels 0 to 2, got 3"),
        (SoftmaxWithLoss(), (3,), [0, 2], None),
        (SoftmaxWithLoss(), (3, 1), [0, 2], r"expected input \(N, C\), got \(2, 3, 1\)"),
        (SoftmaxWithLoss(), (3,), [[0, 1, 0], [0, 0, 0]], r"expected one-hot rows .* in t \(2, 3\)"),
        (SoftmaxWithLoss(), (3,), [[0, 1, 0], [0, 1, 1]], "expected one-hot rows"),
        (SoftmaxWithLoss(), (3,), [[0, 1, 0], [-1, 1, 1]], "expected one-hot rows"),
        (SoftmaxWithLoss(), (3,), [[0, 1, 0], [0, 0.5, 0.4]], "expected one-hot rows"),
        (SoftmaxWithLoss(), (3,), [[0, 1, 0], [1, 0, 0]], None),
    ],
)
def test_targets_are_checked(loss: Any, outputs: tuple[int, ...], t: Any, message: str | None) -> None:
    if message is None:
        loss.check_targets(np.asarray(t), 2, outputs)
        return
    with pytest.raises(ValueError, match=message):
        loss.check_targets(np.asarray(t), 2, outputs)


@pytest.mark.parametrize("loss", [SoftmaxWithLoss(), SigmoidWithLoss(), MeanSquaredError()])
def test_losses_in_float16(loss: Any, backend: Backend, rng: np.random.Generator) -> None:
    """Sums of more than 65,504 inside, none outside; and a dout of that dtype."""
    if not hasattr(backend.xp, "float16"):
        pytest.skip("the standard has no float16")
    x = 200.0 * rng.standard_normal((2000, 30))
    t = (
        rng.integers(0, 30, 2000)
        if loss.counts_correct and isinstance(loss, SoftmaxWithLoss)
        else (x > 0) * 1.0
    )
    half, exact = (backend.asarray(x.astype("float16"), dtype=dtype) for dtype in ("float16", "float64"))
    value = loss.forward(half, backend.asarray(t), training=True)
    dx = loss.backward(backend.asarray(np.float16(8.0)))
    assert dtype_name(value.dtype) == dtype_name(dx.dtype) == "float16"
    expected = float(backend.to_numpy(loss.forward(exact, backend.asarray(t), training=True)))
    assert float(backend.to_numpy(value)) == pytest.approx(min(expected, math.inf), rel=1e-3)
    expected_dx = backend.to_numpy(loss.backward(8.0))
    np.testing.assert_allclose(backend.to_numpy(dx), expected_dx, rtol=2e-3, atol=1e-6)
