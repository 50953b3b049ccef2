"""The order of the samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import backprop.training.loop
import backprop.training.step
from backends import Backend
from backprop import (
    Training,
)

from .small import blobs, net


def step_losses(backend: Backend | str, sampling: Any) -> list[float]:
    """The loss of each of 200 steps, with a ragged last batch every epoch."""
    losses: list[float] = []
    run = Training(
        net(backend, "float64"), *blobs(), iterations=200, batch_size=40, sampling=sampling, rng=1,
        progress=lambda p: losses.append(p.loss), progress_steps=1,
    )  # fmt: skip
    list(run)
    return losses


@pytest.mark.parametrize("sampling", ["without-replacement", "with-replacement"])
def test_same_seed_same_losses_on_every_backend(sampling: Any, backend: Backend) -> None:
    ours = step_losses(backend, sampling)
    assert len(ours) == 200
    np.testing.assert_allclose(ours, step_losses("cpu", sampling), rtol=1e-6)


def test_every_sample_once_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []
    batch = backprop.training.step.TrainStep.batch

    def spy(self: Any, data: Any, chosen: np.ndarray) -> Any:
        x, t = batch(self, data, chosen)
        seen.append(x[:, 0])
        return x, t

    monkeypatch.setattr(backprop.training.step.TrainStep, "batch", spy)
    x, t = blobs(103)
    list(Training(net("cpu"), x, t, epochs=2, batch_size=10, rng=0, capture=False))
    assert [len(part) for part in seen] == [*[10] * 10, 3, *[10] * 10, 3]
    first, second = np.concatenate(seen[:11]), np.concatenate(seen[11:])
    assert sorted(first) == sorted(second) == sorted(x[:, 0])
    assert list(first) != list(second)
    seen.clear()
    list(
        Training(net("cpu"), x, t, epochs=1, batch_size=10, rng=0, sampling="with-replacement", capture=False)
    )
    assert [len(part) for part in seen] == [10] * 11
    assert len(set(np.concatenate(seen))) < 103
