"""Arguments of `Training` that are refused before the first step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from backprop import (
    SGD,
    MultiLayerNet,
    Training,
)

from .small import blobs, host_params, net


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"epochs": 1, "batch_size": 251},
            "expected a batch size from 1 to the 250 samples given, got 251",
        ),
        ({"epochs": 1, "hook_steps": 0}, "expected hook_steps to be a whole number of at least 1, got 0"),
        ({"epochs": 1, "hook": print}, "a hook needs hook_steps, the number of steps between its calls"),
        ({"epochs": 1, "hook_steps": 3}, "hook_steps=3 needs a hook, the function to call: give hook="),
        ({"iterations": 0}, "expected iterations to be a whole number of at least 1, got 0"),
        ({"epochs": 1, "batch_size": 0}, "expected batch_size to be a whole number of at least 1, got 0"),
        ({}, "give either epochs or iterations"),
        ({"epochs": 1, "iterations": 1}, "give either epochs or iterations"),
        ({"epochs": 0}, "expected epochs to be a whole number of at least 1, got 0"),
        (
            {"epochs": 1, "sampling": "sorted"},
            "unknown sampling 'sorted': expected one of without-replacement, with",
        ),
    ],
)
def test_wrong_options_before_the_first_step(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Training(net("cpu"), *blobs(), **options)


@pytest.mark.parametrize("lr", [-0.1, math.nan, math.inf])
def test_wrong_learning_rate(lr: float) -> None:
    with pytest.raises(ValueError, match="expected a finite learning rate of at least 0"):
        SGD(lr)


def test_invalid_options() -> None:
    for options, message in [
        ({"epochs": 1.5}, "expected epochs to be a whole number of at least 1, got 1.5"),
        ({"epochs": 1, "batch_size": 10.0}, "expected batch_size to be a whole number"),
        ({"epochs": True}, "expected epochs to be a whole number of at least 1, got True"),
        (
            {"epochs": 1, "progress_steps": 0},
            "expected progress_steps to be a whole number of at least 1, got 0",
        ),
        ({"epochs": 1, "optimizer": 0.1}, r"expected an Optimizer, such as SGD\(0.1\), got 0.1"),
        ({"epochs": 1, "test": (*blobs(), 1)}, r"expected test=\(x_test, t_test\), got a tuple"),
        ({"epochs": 1, "test": blobs()[0]}, r"expected test=\(x_test, t_test\), got an ndarray"),
    ]:
        with pytest.raises((TypeError, ValueError), match=message):
            Training(net("cpu"), *blobs(), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("batch_size", [1, 3, 7, 9])
def test_a_batch_of_one_is_refused_before_the_first_step(batch_size: int) -> None:
    x, t = blobs(64)

    def make() -> MultiLayerNet:
        return MultiLayerNet(4, [6], 3, use_batchnorm=True, rng=0)

    network = make()
    before = host_params(network)
    with pytest.raises(ValueError, match=f"64 samples in batches of {batch_size} leave one alone: BatchNorm"):
        Training(network, x, t, epochs=1, batch_size=batch_size)
    np.testing.assert_array_equal(host_params(network), before)
    assert float(network.state["running_weight1"]) == 0.0
    list(Training(make(), x, t, epochs=1, batch_size=10))
    list(Training(net("cpu"), x, t, epochs=1, batch_size=9))
    if batch_size > 1:
        list(Training(make(), x, t, iterations=2, batch_size=batch_size))
