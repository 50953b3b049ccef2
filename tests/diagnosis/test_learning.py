"""Networks that are no better than guessing are found, and no others."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from backends import Backend
from backprop import SGD, Affine, MeanSquaredError, MultiLayerNet, Network, SoftmaxWithLoss, Training
from backprop.diagnosis import LearningWarning, constant_baseline, find_learning_problem

from .training import RNG, T, X, learning_warnings, net


def test_no_warning_for_a_network_that_learns(backend: Backend) -> None:
    assert learning_warnings(net(device=backend), optimizer=SGD(0.5)) == []


def test_rare_classes() -> None:
    """The network predicts the most frequent class only, though its loss beats guessing."""
    t = (X[:, 0] + 3.0 * RNG.standard_normal(600) > 5.5).astype(int)
    assert 0.01 < t.mean() < 0.1
    (line,) = learning_warnings(net(classes=2), t=t, optimizer=SGD(0.05))
    assert line.startswith("after step 240 the accuracy is no better than guessing: loss ")
    assert "it predicts class 0 for every sample, the label of 9" in line


def test_no_warning_while_the_loss_falls() -> None:
    """A loss that starts far away causes a warning at the end only, about a short training."""
    W = 30.0 * np.random.default_rng(0).standard_normal((8, 4)).astype("float32")
    network = Network([Affine(W, np.zeros(4, "float32"))])
    (line,) = learning_warnings(network, optimizer=SGD(0.3), epochs=36)
    assert line.startswith("after step 216 ")
    assert line.endswith("in order: (1) the training was short: the loss is still falling")


def test_too_few_steps_to_tell() -> None:
    assert learning_warnings(net(), optimizer=SGD(1e-9), iterations=99, epochs=None) == []
    assert len(learning_warnings(net(), optimizer=SGD(1e-9), iterations=100, epochs=None)) == 1


def test_warns_once_and_changes_nothing() -> None:
    t = np.random.default_rng(1).permutation(T)
    one, other = net(), net()
    assert len(learning_warnings(one, t=t, optimizer=SGD(0.01), epochs=100)) == 1
    training = Training(other, X, t, optimizer=SGD(0.01), epochs=100, batch_size=100, rng=0)
    training.learning_checked = True
    list(training)
    assert all(np.array_equal(a, b) for a, b in zip(one.params.values(), other.params.values(), strict=True))


def test_custom_losses() -> None:
    class Own(SoftmaxWithLoss):
        pass

    class Other(MeanSquaredError):  # noqa: N818
        def __init__(self) -> None:
            super().__init__()

    network = Network([Affine(np.zeros((8, 4), "float32"), np.zeros(4, "float32"))], Own())
    assert find_learning_problem(network, X, T) is not None  # like its base class
    assert constant_baseline(Other(), 4, X[:, :4], network) is not None


def test_layer_that_cannot_be_copied() -> None:
    class Once(Affine):
        def to(self, *_: Any, **__: Any) -> Any:
            raise RuntimeError("cannot be copied")

    network = Network([Once(np.zeros((8, 4), "float32"), np.zeros(4, "float32"))])
    assert "no better than guessing" in str(find_learning_problem(network, X, T))


def test_order_of_samples_does_not_matter() -> None:
    """Any order of the same data gives the same verdict."""
    x = np.eye(4, 8, dtype="float32")[T] + 0.1 * X
    for order in (
        np.argsort(T, kind="stable"),
        np.argsort(np.argsort(T, kind="stable") % 150, kind="stable"),
    ):
        assert learning_warnings(net(), x[order], T[order], optimizer=SGD(0.5)) == []
        network = net()
        t = T[order]
        (line,) = learning_warnings(
            network, np.random.default_rng(5).standard_normal((600, 8)).astype("f"), t, optimizer=SGD(0.01)
        )
        assert "and 1.38" in line or "and 1.37" in line


def test_never_ends_a_training_nor_draws_random_numbers() -> None:
    class Small(Affine):
        def forward(self, x: Any, *, training: bool = False) -> Any:
            if x.shape[0] > 50:
                raise ValueError("at most 50")
            if training:
                self.drawn = np.random.random()
            return super().forward(x, training=training)

    def run(learning_checked: bool) -> tuple[np.ndarray, float]:
        np.random.seed(0)
        network = Network([Small(np.zeros((8, 4), "float32"), np.zeros(4, "float32"))])
        training = Training(
            network,
            X,
            np.random.default_rng(1).permutation(T),
            epochs=20,
            batch_size=50,
            rng=0,
            capture=False,
        )
        training.learning_checked = learning_checked
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LearningWarning)
            list(training)
        return network.flat_params["flat"].copy(), float(np.random.random())

    looked, untouched = run(False), run(True)
    np.testing.assert_array_equal(looked[0], untouched[0])
    assert looked[1] == untouched[1]


def test_no_warning_for_a_plateau_at_the_start() -> None:
    """XOR with sigmoid units stays at a guess for hundreds of steps, then learns."""
    x = np.asarray([[0, 0], [0, 1], [1, 0], [1, 1]] * 25, "float32")
    t = (x[:, 0] != x[:, 1]).astype(int)
    network = MultiLayerNet(2, [4], 2, activation="sigmoid", weight_init_std=0.5, rng=0)
    training = Training(network, x, t, optimizer=SGD(0.1), epochs=600, batch_size=4, rng=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", LearningWarning)
        metrics = list(training)
    assert metrics[8].loss > 0.68  # after 225 steps
    assert metrics[-1].accuracy == 1.0


def test_early_stopping_warns() -> None:
    network = net()
    network.params["b1"] = np.full(20, -100.0, "float32")
    training = Training(
        network, X, T, optimizer=SGD(0.5), epochs=100, batch_size=30, rng=0, validation=0.25, patience=5
    )
    with pytest.warns(LearningWarning, match="no better than guessing"):
        list(training)
    assert training.stopped_early
    assert 100 <= training.step < 200
