"""The training loop."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from backends import Backend
from backprop import (
    SGD,
    Affine,
    MeanSquaredError,
    Network,
    Optimizer,
    ReLU,
    Training,
)
from backprop.training.loop import Metrics, Progress

from ..optimizers.cases import MAKERS
from .small import blobs, host_params, net


def test_learns_and_counts(backend: Backend) -> None:
    metrics = list(Training(net(backend), *blobs(), epochs=8, batch_size=40, rng=0, test=blobs(100, seed=1)))
    assert [m.epoch for m in metrics] == list(range(1, 9))
    assert [m.step for m in metrics] == list(range(7, 57, 7))
    last = metrics[-1]
    assert isinstance(last, Metrics)
    assert last.loss < metrics[0].loss
    assert last.accuracy is not None
    assert last.test_accuracy is not None
    assert last.accuracy > 0.85
    assert last.test_accuracy > 0.85
    assert last.test_loss == pytest.approx(0.4, abs=0.3)
    assert last.seconds > metrics[0].seconds > 0.0


def test_iterations_end_within_an_epoch(backend: Backend) -> None:
    metrics = list(Training(net(backend), *blobs(), iterations=10, batch_size=40, rng=0))
    assert [(m.epoch, m.step) for m in metrics] == [(1, 7), (2, 10)]
    assert metrics[-1].test_accuracy is None


def test_the_default_optimizer_is_sgd_with_rate_a_tenth(backend: Backend) -> None:
    flat = []
    for options in ({}, {"optimizer": SGD(0.1)}):
        network = net(backend)
        list(Training(network, *blobs(), epochs=1, batch_size=50, rng=0, **options))  # type: ignore[arg-type]
        flat.append(host_params(network))
    np.testing.assert_array_equal(*flat)
    network = net(backend)
    assert [m.step for m in Training(network, *blobs(), epochs=1, rng=0)] == [3]  # of a hundred samples each


@pytest.mark.parametrize("kind", MAKERS)
def test_a_network_without_parameters(kind: type[Optimizer], backend: Backend) -> None:
    network = Network([ReLU()]).to(device=backend)
    training = Training(network, *blobs(), optimizer=kind(max_norm=1.0), epochs=2, batch_size=100)
    assert [metrics.step for metrics in training] == [3, 6]


def test_regression(backend: Backend) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 2))
    t = x @ np.asarray([[2.0], [-1.0]]) + 0.5
    layer = Affine(backend.asarray(np.zeros((2, 1))), backend.asarray(np.zeros(1)))
    *_, last = Training(Network([layer], MeanSquaredError()), x, t, epochs=30, batch_size=20, rng=0)
    assert last.loss < 1e-6
    assert last.accuracy is None
    np.testing.assert_allclose(backend.to_numpy(layer.params["W"]), [[2.0], [-1.0]], atol=1e-3)


def test_progress(backend: Backend) -> None:
    seen: list[Progress] = []
    list(
        Training(
            net(backend), *blobs(), epochs=2, batch_size=40, rng=0, progress=seen.append, progress_steps=3
        )
    )
    assert [p.step for p in seen] == [3, 6, 10, 13]
    assert all(math.isfinite(p.loss) and p.accuracy is not None and 0.0 <= p.accuracy <= 1.0 for p in seen)


def test_a_hook_is_called_every_so_many_steps() -> None:
    seen: list[int] = []

    def run(**options: Any) -> list[int]:
        seen.clear()
        list(Training(net("cpu"), *blobs(), epochs=2, batch_size=40, rng=0, **options))
        return list(seen)

    def hook(training: Any) -> None:
        seen.append(training.step)

    assert run(hook=hook, hook_steps=3) == [3, 6, 9, 12]
    assert run(hook=hook, hook_steps=7) == [7, 14]


def test_custom_optimizer(backend: Backend) -> None:
    class Plain(Optimizer):
        """SGD that leaves the scale alone."""

        def apply(self, params: Any, grads: Any, slots: Any, scalars: Any) -> None:
            for key in params:
                params[key] -= 0.1 * grads[key]

    flat = []
    for optimizer in (Plain(), SGD(0.1)):
        network = net(backend, "float64")
        list(Training(network, *blobs(), epochs=2, batch_size=40, rng=0, optimizer=optimizer))
        flat.append(host_params(network))
    np.testing.assert_allclose(*flat, rtol=1e-10, atol=1e-12)
    with pytest.raises(NotImplementedError, match="an optimizer has a rule or an apply"):
        Optimizer().update({"W": np.ones(1)}, {"W": np.ones(1)})


def test_an_error_leaves_the_optimizer_at_its_step(backend: Backend) -> None:
    def fail(progress: Any) -> None:
        assert optimizer.steps == progress.step
        if progress.step == 6:
            raise RuntimeError("enough")

    optimizer = SGD(0.1)
    options: Any = {"optimizer": optimizer, "progress": fail, "progress_steps": 3, "rng": 0}
    with pytest.raises(RuntimeError, match="enough"):
        list(Training(net(backend), *blobs(), epochs=1, batch_size=10, **options))
    assert optimizer.steps == 6
