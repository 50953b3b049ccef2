"""`fit` trains and returns its `Training`; a progress line appears in terminals and notebooks."""

from __future__ import annotations

import gc
import inspect
import sys
import warnings
from typing import Any

import numpy as np
import pytest

from backends import Backend
from backprop import SGD, Training, TwoLayerNet, fit
from backprop.training.loop import Progress

RNG = np.random.default_rng(0)


X = RNG.standard_normal((60, 4)).astype("float32")


T = (X[:, 0] > 0.0).astype("int64")


def net(device: Any = "cpu") -> TwoLayerNet:
    return TwoLayerNet(4, 8, 2, weight_init_std=0.5, device=device, rng=0)


def test_fit_trains_without_a_loop(backend: Backend) -> None:
    network, other = net(backend), net(backend)
    training = fit(network, X, T, optimizer=SGD(0.5), epochs=5, batch_size=20, rng=0, test=(X, T))
    metrics = list(Training(other, X, T, optimizer=SGD(0.5), epochs=5, batch_size=20, rng=0, test=(X, T)))
    assert (training.step, training.total, training.stopped) == (15, 15, False)
    assert [m.loss for m in training.history] == [m.loss for m in metrics]
    assert list(training) == []
    for name, value in other.params.items():
        np.testing.assert_array_equal(backend.to_numpy(network.params[name]), backend.to_numpy(value))


def test_fit_passes_its_arguments_on() -> None:
    calls: list[Any] = []
    options: dict[str, Any] = {"iterations": 8, "batch_size": 10, "sampling": "with-replacement", "rng": 1}
    seen = {"progress": calls.append, "progress_steps": 3, "hook": calls.append, "hook_steps": 4}
    training = fit(net(), X, T, capture=False, **options, **seen)
    assert [getattr(call, "step", None) for call in calls if isinstance(call, Progress)] == [3, 6]
    assert sum(call is training for call in calls) == 2
    resumed = fit(net(), X, T, resume=training.checkpoint(), **{**options, "iterations": 12})
    assert resumed.step == 12
    with pytest.raises(ValueError, match="give either epochs or iterations"):
        fit(net(), X, T, batch_size=20)


def test_an_unstarted_training_warns_when_dropped() -> None:
    def drop() -> None:
        Training(net(), X, T, epochs=1, batch_size=20)
        gc.collect()

    with pytest.warns(RuntimeWarning, match="never iterated over, so nothing was trained: call fit"):
        drop()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        next(Training(net(), X, T, epochs=2, batch_size=20))
        Training(net(), X, T, epochs=1, batch_size=20).checkpoint()
        with pytest.raises(ValueError, match="batch size"):
            Training(net(), X, T, epochs=1, batch_size=100)
        gc.collect()


def test_ctrl_c_in_an_interactive_session_returns_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    training = fit(net(), X, T, epochs=5, batch_size=10, hook=lambda training: training.stop(), hook_steps=4)
    assert (training.stopped, training.step) == (True, 4)


def test_the_parameters_of_fit_are_those_of_a_training() -> None:
    ours, its = (dict(inspect.signature(function).parameters) for function in (fit, Training))
    del ours["verbose"], ours["recorder"]
    assert ours == its
