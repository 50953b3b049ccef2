"""Where the first NaN or infinity is, and what is left of the network."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

import backprop.training.loop
import backprop.training.step
from backends import Backend
from backprop import (
    SGD,
    Affine,
    DivergenceError,
    Network,
    Training,
    TwoLayerNet,
)
from backprop.inputs import InputWarning
from backprop.training.capture import StepCapture
from backprop.training.fitting import fit

from .small import blobs, host_params, net


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_divergence_names_step_and_layer_and_keeps_the_last_good_network(backend: Backend) -> None:
    x, t = blobs()
    network = net(backend)
    with pytest.raises(
        DivergenceError, match=r"diverged at step \d+: the first NaN or infinity is in the .*Affine"
    ) as caught:
        list(Training(network, x, t, epochs=3, batch_size=40, optimizer=SGD(1e30), rng=0))
    assert np.isfinite(host_params(network)).all()
    reference = net(backend)
    steps = caught.value.step - 1
    assert 1 <= steps < 21
    list(Training(reference, x, t, iterations=steps, batch_size=40, optimizer=SGD(1e30), rng=0))
    np.testing.assert_array_equal(host_params(network), host_params(reference))


def test_nan_in_the_input_is_named(backend: Backend) -> None:
    x, t = blobs()
    x[130, 2] = math.nan
    network = net(backend)
    before = host_params(network)
    with pytest.raises(ValueError, match=r"x: nan in row 130, column 2 \(counted from 0\): expected finite"):
        Training(network, x, t, epochs=1, batch_size=10, rng=0)
    with pytest.raises(ValueError, match=r"the test data's x: nan in row 130, column 2"):
        Training(network, *blobs(), epochs=1, batch_size=10, rng=0, test=(x, t))
    np.testing.assert_array_equal(host_params(network), before)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_nan_in_the_weights_is_named(backend: Backend) -> None:
    network = net(backend)
    network.params["b2"] = network.params["b2"] + math.inf
    with pytest.raises(
        DivergenceError, match="step 1: the first NaN or infinity is in the output of Affine2"
    ):
        list(Training(network, *blobs(), epochs=1, batch_size=10, rng=0))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_divergence_in_the_last_update(backend: Backend) -> None:
    network = net(backend)
    before = host_params(network)
    with pytest.raises(
        DivergenceError, match="step 1: the first NaN or infinity is in the (updated parameters|gradient of)"
    ) as caught:
        list(Training(network, *blobs(), iterations=1, optimizer=SGD(1e300), rng=0))
    assert caught.value.step == 1
    np.testing.assert_array_equal(host_params(network), before)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("callback", ["hook", "progress"])
def test_a_nan_of_a_callback_is_taken_back_and_forgotten(callback: str, backend: Backend) -> None:
    """The network is finite again after the error: going on does not raise it a second time."""
    network = net(backend)

    def spoil(told: Any) -> None:
        if told.step == 25:
            network.flat_params["flat"] = network.flat_params["flat"] * math.nan

    options: dict[str, Any] = {callback: spoil, f"{callback}_steps": 25}
    run = Training(network, *blobs(), epochs=2, batch_size=10, rng=0, **options)
    with pytest.raises(DivergenceError, match="training diverged at step 25"):
        next(run)
    assert [metrics.step for metrics in run] == [25, 50]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("progress", [None, lambda progress: None])
def test_a_diverged_epoch_is_not_run_to_its_end(progress: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 0
    step = backprop.training.step.TrainStep.__call__

    def spy(self: Any, *args: Any) -> Any:
        nonlocal steps
        steps += 1
        return step(self, *args)

    monkeypatch.setattr(backprop.training.step.TrainStep, "__call__", spy)
    monkeypatch.setattr(backprop.training.loop, "CHECK_STEPS", 20)
    with pytest.raises(DivergenceError):
        list(
            Training(
                net("cpu"), *blobs(), epochs=1, batch_size=1, optimizer=SGD(1e30), rng=0, progress=progress,
                capture=False,
            )
        )  # fmt: skip
    assert steps <= 50


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_divergence_in_the_penalty_is_found_before_the_update(backend: Backend) -> None:
    x, t = blobs()
    rng = np.random.default_rng(0)
    W = backend.asarray(rng.standard_normal((4, 3)))
    network = Network([Affine(W, backend.asarray(np.zeros(3)))], weight_decay=1e308)
    before = host_params(network)
    with pytest.raises(DivergenceError, match="step 1: .*the penalty of weight decay; .* before that step's"):
        list(Training(network, x.astype(np.float64), t, iterations=3, optimizer=SGD(1e-300), rng=0))
    np.testing.assert_array_equal(host_params(network), before)


@pytest.mark.filterwarnings("ignore:(overflow|invalid value):RuntimeWarning")
def test_divergence_on_large_inputs_suggests_scaling() -> None:
    x = np.random.default_rng(0).standard_normal((60, 4)).astype("float32") * np.float32(1e6)
    t = (x[:, 0] > 0.0).astype(int)
    network = TwoLayerNet(4, 8, 2, weight_init_std=1.0, rng=0)
    with (
        pytest.warns(InputWarning, match="the inputs are large"),
        pytest.raises(DivergenceError, match=r"scale them, or standardize every column; a smaller learning"),
    ):
        fit(network, x, t, optimizer=SGD(10.0), epochs=40, batch_size=10, rng=0)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_weights_that_were_saved_as_nan_are_named() -> None:
    """Stopped during the evaluation, so that no step of the epoch is left."""
    options: dict[str, Any] = {"epochs": 2, "batch_size": 50, "rng": 0, "test": blobs()}
    training = Training(net("cpu"), *blobs(), **options)
    training.progress = lambda progress: training.stop() if progress.step == 5 else None
    training.progress_steps = 5
    assert list(training) == []
    assert training.stopped
    checkpoint = training.checkpoint()
    checkpoint.arrays["params.b2"][0] = math.nan
    resumed = Training(net("cpu"), *blobs(), **options)
    resumed.restore(checkpoint)
    with pytest.raises(
        DivergenceError,
        match="at step 5: .* in what the training was resumed with; .*; resume from an earlier checkpoint",
    ):
        next(resumed)


def test_a_nan_of_a_replay_alone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    run, calls = StepCapture.run, itertools.count()

    def broken(self: StepCapture, *arguments: Any) -> Any:
        loss, correct = run(self, *arguments)
        return (loss * (math.nan if next(calls) == 4 else 1.0)), correct

    monkeypatch.setattr(StepCapture, "run", broken)
    with pytest.raises(DivergenceError, match="called one by one, .* finite; .*; train with capture=False"):
        list(Training(net("cpu"), *blobs(), epochs=5, batch_size=10, rng=0))
