"""One step of training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import backprop.training.loop
import backprop.training.step
from backends import Backend
from backprop import (
    SGD,
    Training,
)

from .small import blobs, net


def test_a_step_computes_the_expected_update(backend: Backend) -> None:
    x, t = blobs(40)
    network, reference = net(backend, "float64"), net("cpu", "float64")
    (metrics,) = Training(network, x, t, iterations=1, batch_size=40, rng=0)
    assert metrics.loss == pytest.approx(float(reference.loss(x, t)), rel=1e-6)
    assert metrics.accuracy == reference.accuracy(x, t)
    for name, grad in reference.gradient(x, t).items():
        expected = reference.params[name] - 0.1 * grad
        np.testing.assert_allclose(
            network.backend.to_numpy(network.params[name]), expected, rtol=1e-5, atol=1e-8
        )


def test_float32_stays_float32(backend: Backend) -> None:
    network = net(backend)
    list(Training(network, *blobs(), epochs=1, batch_size=50, optimizer=SGD(np.float64(0.1)), rng=0))
    assert all(value.dtype == backend.dtype("float32") for value in network.params.values())


@pytest.mark.only("strict")
def test_a_step_does_not_wait_for_the_device(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    run = backprop.training.step.TrainStep(
        net(backend), dict(zip("xt", map(backend.asarray, blobs()), strict=True)), SGD(0.1), 10, False
    )

    def refuse(*_: Any) -> None:
        raise AssertionError("a step read a value from the device")

    for name in ("__float__", "__bool__", "__int__", "__index__", "__complex__", "to_device"):
        monkeypatch.setattr(type(run.data["x"]), name, refuse)
    numbers = backend.asarray([[0.1]], dtype="float32")
    run.capture.call(backend.asarray(np.arange(250))[None, :], numbers)
