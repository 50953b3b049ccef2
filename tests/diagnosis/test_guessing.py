"""A network that is no better than guessing is said to be, with the likely causes in order."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest

from backends import Backend
from backprop import (
    SGD,
    Adam,
    Affine,
    MeanSquaredError,
    MultiLayerNet,
    Network,
    SigmoidWithLoss,
    SoftmaxWithLoss,
    Training,
    TwoLayerNet,
    fit,
)
from backprop.diagnosis import LearningWarning, guess, no_better_than_guessing
from backprop.report import diagnose
from backprop.schedules import Cosine

RNG = np.random.default_rng(0)
X = RNG.standard_normal((600, 8)).astype("float32")
T = np.argmax(X[:, :4], axis=1)


def net(std: float = 0.3, classes: int = 4, device: Any = "cpu") -> TwoLayerNet:
    return TwoLayerNet(8, 20, classes, weight_init_std=std, device=device, rng=0)


def said(network: Network, x: Any = X, t: Any = T, **options: Any) -> list[str]:
    settings: dict[str, Any] = {"epochs": 40, "batch_size": 100, "rng": 0, **options}
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        fit(network, x, t, **settings)
    return [str(one.message) for one in found if one.category is LearningWarning]


def causes(network: Network, x: Any = X, t: Any = T, **options: Any) -> list[str]:
    (line,) = said(network, x, t, **options)
    assert "the network is no better than guessing: loss " in line
    return [part.partition(") ")[2] for part in line.partition("in order: ")[2].split("; (")]


@pytest.mark.parametrize(("classes", "t"), [(4, T), (4, np.where(T > 0, 1, 0)), (5, T)])
def test_what_a_guess_reaches(classes: int, t: np.ndarray) -> None:
    network = net(classes=classes)
    shares = np.bincount(t, minlength=classes) / len(t)
    found = guess(network.last_layer, classes, t, network)
    assert found is not None
    entropy = -sum(p * math.log(p) for p in shares if p)
    assert (found.loss, found.accuracy) == pytest.approx((entropy, shares.max()), rel=1e-5)


def test_what_a_guess_reaches_elsewhere() -> None:
    t = RNG.standard_normal((50, 3)) + 2.0
    mean = Network([Affine(np.zeros((8, 3)), np.zeros(3))], MeanSquaredError())
    found = guess(mean.last_layer, 3, t, mean)
    best = min(
        float(mean.last_layer.forward(np.broadcast_to(t.mean(axis=0) + d, t.shape), t))
        for d in (-0.1, 0.0, 0.1)
    )
    assert found is not None
    assert (found.loss, found.accuracy) == (pytest.approx(best), None)
    yes = Network([Affine(np.zeros((8, 1)), np.zeros(1))], SigmoidWithLoss())
    found = guess(yes.last_layer, 1, np.asarray([[1.0], [0.0], [0.0], [0.0]]), yes)
    assert found is not None
    entropy = -0.25 * math.log(0.25) - 0.75 * math.log(0.75)
    assert (found.loss, found.accuracy) == (pytest.approx(entropy), 0.75)


def test_one_that_learns_is_not_spoken_of(backend: Backend) -> None:
    assert said(net(device=backend), optimizer=SGD(0.5)) == []


def test_targets_of_other_inputs(backend: Backend) -> None:
    t = np.random.default_rng(1).permutation(T)
    found = causes(net(device=backend), t=t, optimizer=SGD(0.01))
    assert found == [
        "the training was short, or the learning rate, 0.01, does not suit it",
        "the targets do not belong to these inputs, as where only one of the two was shuffled",
    ]


def test_a_learning_rate_that_is_too_small() -> None:
    first, *_ = causes(net(), optimizer=SGD(1e-9))
    assert "a step changes W1 by " in first
    assert "the learning rate may be too small" in first


def test_the_end_of_a_schedule_is_no_rate_that_is_too_small() -> None:
    t = np.random.default_rng(1).permutation(T)
    found = causes(net(), t=t, optimizer=SGD(Cosine(0.01, 240)))
    assert not any("too small" in cause for cause in found)


def test_a_learning_rate_that_is_too_large() -> None:
    t = np.random.default_rng(1).permutation(T)
    network = MultiLayerNet(8, [20], 4, activation="tanh", rng=0)
    assert any(
        "the learning rate may be too large" in cause for cause in causes(network, t=t, optimizer=Adam(50.0))
    )
    network = net()
    network.params["b1"] = np.full(20, -100.0, "float32")
    assert causes(network, t=t, optimizer=SGD(0.1))[0].startswith("Relu1: 20 of 20 units (100%) are dead")


def test_inputs_out_of_scale() -> None:
    first, *_ = causes(net(std=0.01), X * 1e-4, optimizer=SGD(0.1))
    assert first.startswith("the inputs are small, with a root mean square of ")
    with pytest.warns(UserWarning, match="the inputs are large"):
        Training(net(), X * 1e4, T, epochs=1).started = True
    first, *_ = causes(net(), X * 1e4, optimizer=SGD(1e-12))
    assert first.startswith("the inputs are large, with a root mean square of ")
    uneven = X.copy()
    uneven[:, 7] *= 1e4
    shuffled = np.random.default_rng(1).permutation(T)
    assert any(
        "as large as most: standardize" in c
        for c in causes(net(1e-3), uneven / 1e4, shuffled, optimizer=SGD(1e-3))
    )


def test_inputs_that_are_all_the_same() -> None:
    found = causes(net(), np.ones_like(X), optimizer=SGD(0.1))
    assert found[0] == "the inputs of all samples are the same"
    assert "from Affine1 on, the outputs are the same for every sample" in found


def test_dead_units() -> None:
    network = net()
    network.params["b1"] = np.full(20, -100.0, "float32")
    assert causes(network, optimizer=SGD(0.1))[0].startswith("Relu1: 20 of 20 units (100%) are dead")


def test_where_the_signal_is_lost() -> None:
    network = MultiLayerNet(8, [20] * 6, 4, activation="sigmoid", weight_init_std=0.01, rng=0)
    (line,) = said(network, optimizer=SGD(0.1))
    assert "no gradient to speak of" in line


def test_rare_classes() -> None:
    """The accuracy is that of the most frequent class, though the loss is better than a guess's."""
    t = (X[:, 0] + 3.0 * RNG.standard_normal(600) > 5.5).astype(int)
    assert 0.01 < t.mean() < 0.1
    (line,) = said(net(classes=2), t=t, optimizer=SGD(0.05))
    assert line.startswith("after step 240 the accuracy is no better than guessing: loss ")
    assert "every sample is taken for class 0, which 9" in line


def test_it_waits_while_the_loss_falls() -> None:
    """Far away at first, it is spoken of at the end only, and as short."""
    W = 30.0 * np.random.default_rng(0).standard_normal((8, 4)).astype("float32")
    network = Network([Affine(W, np.zeros(4, "float32"))])
    (line,) = said(network, optimizer=SGD(0.3), epochs=36)
    assert line.startswith("after step 216 ")
    assert line.endswith("in order: (1) the training was short: the loss is still falling")


def test_too_few_steps_to_tell() -> None:
    assert said(net(), optimizer=SGD(1e-9), iterations=99, epochs=None) == []
    assert len(said(net(), optimizer=SGD(1e-9), iterations=100, epochs=None)) == 1


def test_it_is_said_once_and_changes_nothing() -> None:
    t = np.random.default_rng(1).permutation(T)
    one, other = net(), net()
    assert len(said(one, t=t, optimizer=SGD(0.01), epochs=100)) == 1
    training = Training(other, X, t, optimizer=SGD(0.01), epochs=100, batch_size=100, rng=0)
    training.looked_into = True
    list(training)
    assert all(np.array_equal(a, b) for a, b in zip(one.params.values(), other.params.values(), strict=True))


def test_a_loss_of_ones_own_is_not_judged() -> None:
    class Own(SoftmaxWithLoss):
        pass

    class Other(MeanSquaredError):  # noqa: N818
        def __init__(self) -> None:
            super().__init__()

    network = Network([Affine(np.zeros((8, 4), "float32"), np.zeros(4, "float32"))], Own())
    assert no_better_than_guessing(network, X, T) is not None  # as what it derives from
    assert guess(Other(), 4, X[:, :4], network) is not None


def test_a_layer_that_cannot_be_looked_into() -> None:
    class Once(Affine):
        def to(self, *_: Any, **__: Any) -> Any:
            raise RuntimeError("there is one of me")

    network = Network([Once(np.zeros((8, 4), "float32"), np.zeros(4, "float32"))])
    assert "no better than guessing" in str(no_better_than_guessing(network, X, T))


def test_samples_that_come_in_turn_or_by_class() -> None:
    """Any order of the same data is judged alike."""
    x = np.eye(4, 8, dtype="float32")[T] + 0.1 * X
    for order in (
        np.argsort(T, kind="stable"),
        np.argsort(np.argsort(T, kind="stable") % 150, kind="stable"),
    ):
        assert said(net(), x[order], T[order], optimizer=SGD(0.5)) == []
        network = net()
        t = T[order]
        (line,) = said(
            network, np.random.default_rng(5).standard_normal((600, 8)).astype("f"), t, optimizer=SGD(0.01)
        )
        assert "and 1.38" in line or "and 1.37" in line


def test_label_smoothing_is_part_of_a_guess() -> None:
    network = Network(
        [Affine(np.zeros((8, 10), "float32"), np.zeros(10, "float32"))], SoftmaxWithLoss(label_smoothing=0.1)
    )
    found = guess(network.last_layer, 10, T, network)
    assert found is not None
    scores = np.log(0.9 * np.bincount(T, minlength=10) / 600 + 0.01)
    best = float(network.last_layer.forward(np.broadcast_to(scores, (600, 10)).copy(), T))
    assert found.loss == pytest.approx(best, rel=1e-5)
    for _ in range(20):
        other = scores + 0.1 * RNG.standard_normal(10)
        assert best < float(network.last_layer.forward(np.broadcast_to(other, (600, 10)).copy(), T))


def test_looking_never_ends_a_training_nor_draws() -> None:
    class Small(Affine):
        def forward(self, x: Any, *, training: bool = False) -> Any:
            if x.shape[0] > 50:
                raise ValueError("at most 50")
            if training:
                self.drawn = np.random.random()
            return super().forward(x, training=training)

    def run(looked_into: bool) -> tuple[np.ndarray, float]:
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
        training.looked_into = looked_into
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LearningWarning)
            list(training)
        return network.flat_params["flat"].copy(), float(np.random.random())

    looked, untouched = run(False), run(True)
    np.testing.assert_array_equal(looked[0], untouched[0])
    assert looked[1] == untouched[1]


def test_a_plateau_at_the_start_is_waited_out() -> None:
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


def test_one_that_patience_ends_is_looked_at() -> None:
    network = net()
    network.params["b1"] = np.full(20, -100.0, "float32")
    training = Training(
        network, X, T, optimizer=SGD(0.5), epochs=100, batch_size=30, rng=0, validation=0.25, patience=5
    )
    with pytest.warns(LearningWarning, match="no better than guessing"):
        list(training)
    assert training.stopped_early
    assert 100 <= training.step < 200


def test_the_report_says_it_first() -> None:
    network = net()
    network.params["b1"] = np.full(20, -100.0, "float32")
    diagnosis = diagnose(network, X, T, X, T)
    assert diagnosis.guessing is not None
    assert diagnosis.guessing.found.startswith("the network is no better than guessing: loss ")
    assert any("units (100%) are dead" in cause for cause in diagnosis.guessing.causes)
    assert not any("are dead" in sign for sign in diagnosis.warnings)
