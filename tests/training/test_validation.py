"""`fit(validation=…, patience=…)`: which samples are held out, which epoch is best, and how the network ends up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from backends import Backend
from backprop import Adam, MeanSquaredError, Network, Training, TwoLayerNet, fit
from backprop.datasets.split import split
from backprop.saving.checkpoint import Checkpoint, CheckpointError, ResumeWarning

RNG = np.random.default_rng(0)
X = RNG.standard_normal((120, 6)).astype("float32")
T = np.argmax(X[:, :3] + 1.5 * RNG.standard_normal((120, 3)), axis=1)  # noise: it overfits
HELD = RNG.standard_normal((40, 6)).astype("float32")
T_HELD = np.argmax(HELD[:, :3], axis=1)


def net(device: Any = "cpu") -> TwoLayerNet:
    return TwoLayerNet(6, 30, 3, weight_init_std=0.3, device=device, rng=0)


def trained(network: Network, epochs: int = 12, **options: Any) -> Training:
    settings = {"optimizer": Adam(0.02), "batch_size": 30, "rng": 1, "validation": (HELD, T_HELD)}
    return fit(network, X, T, epochs=epochs, **{**settings, **options})


def params(network: Network) -> list[np.ndarray]:
    return [network.backend.to_numpy(array) for array in network.params.values()]


def same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_the_best_network_is_restored(backend: Backend) -> None:
    network = net(backend)
    training = trained(network)
    losses = [metrics.validation_loss for metrics in training.history]
    best = training.best
    assert best is not None
    assert best.validation_loss == min(losses) < losses[-1]
    x, t = backend.asarray(HELD), backend.asarray(T_HELD)
    loss, accuracy = network.evaluate(x, t)
    assert (loss, accuracy) == pytest.approx((best.validation_loss, best.validation_accuracy), rel=1e-6)
    assert training.history[-1].test_loss is None


def test_test_data_beside_validation_data() -> None:
    training = trained(net(), test=(X[:20], T[:20]))
    assert all(m.test_loss is not None and m.validation_loss is not None for m in training.history)
    alone = trained(net())
    assert [m.validation_loss for m in alone.history] == [m.validation_loss for m in training.history]


def test_patience_ends_the_training() -> None:
    training = trained(net(), epochs=100, patience=3)
    assert training.best is not None
    assert (training.stopped_early, training.stopped) == (True, False)
    assert training.history[-1].epoch == training.best.epoch + 3
    assert list(training) == []
    assert not trained(net(), epochs=2, patience=3).stopped_early


def test_a_share_of_every_class_is_held_out(backend: Backend) -> None:
    network = net(backend)
    training = trained(network, validation=0.25)
    assert training.checkpoint().description["training"]["samples"] == 90
    again = trained(net(backend), validation=0.25)
    assert [m.validation_loss for m in again.history] == [m.validation_loss for m in training.history]
    other = trained(net(backend), validation=0.25, rng=2)
    assert [m.validation_loss for m in other.history] != [m.validation_loss for m in training.history]


def test_split() -> None:
    t = np.repeat([0, 1, 2], [60, 30, 10])
    left, held = split(t, 0.2, np.random.default_rng(0))
    assert np.bincount(t[held]).tolist() == [12, 6, 2]
    assert sorted([*left, *held]) == list(range(100))
    left, held = split(t, 0.2, np.random.default_rng(0), by_class=False)
    assert (len(left), len(held)) == (80, 20)
    with pytest.raises(ValueError, match=r"a share of 0.001 of 100 training samples is 0"):
        split(t, 0.001, np.random.default_rng(0))


def test_a_scarce_class_warns() -> None:
    t = np.where(np.arange(120) < 2, 1, 0)
    with pytest.warns(UserWarning, match=r"class 1 has 1 sample for training and 1 for validation$"):
        fit(TwoLayerNet(6, 3, 2), X, t, epochs=1, batch_size=30, rng=0, validation=0.5)


@pytest.mark.parametrize("one_hot", [False, True])
def test_one_hot_labels_and_numbers_are_split_alike(one_hot: bool) -> None:
    t = np.eye(3, dtype="int64")[T] if one_hot else T
    network = net()
    training = fit(network, X, t, epochs=2, batch_size=30, rng=1, validation=0.25)
    assert training.history[-1].validation_loss == pytest.approx(
        fit(net(), X, T, epochs=2, batch_size=30, rng=1, validation=0.25).history[-1].validation_loss
    )


def test_a_regression_is_split_without_classes() -> None:
    from backprop import Affine

    x = X.astype("float64")
    network = Network([Affine(np.zeros((6, 1)), np.zeros(1))], MeanSquaredError())
    training = fit(network, x, x[:, :1], epochs=3, batch_size=30, rng=0, validation=0.25)
    assert training.history[-1].validation_accuracy is None
    assert training.best == training.history[-1]


@pytest.mark.parametrize("validation", [0.25, (HELD, T_HELD)])
def test_a_resumed_run_is_the_same(backend: Backend, validation: Any) -> None:
    """Also if the best epoch comes before the checkpoint."""
    whole, parts = net(backend), net(backend)
    once = trained(whole, epochs=14, validation=validation)
    first = trained(parts, epochs=11, validation=validation)
    assert first.best is not None
    second = trained(parts, epochs=14, validation=validation, resume=first.checkpoint(), optimizer=Adam(0.02))
    figures = [[replace(m, seconds=0.0) for m in run.history] for run in (once, second)]
    assert figures[0] == figures[1]
    assert once.best is not None
    assert once.best.epoch < 11
    assert same(params(whole), params(parts))
    last, its = once.checkpoint().arrays, second.checkpoint().arrays
    assert last.keys() == its.keys()
    assert all(last[k].tobytes() == its[k].tobytes() for k in last if k not in ("history.seconds",))


def test_an_incomplete_best_epoch_is_completed() -> None:
    """The previous best epoch counts again while the incomplete one is completed."""
    whole = net()
    once = trained(whole, epochs=3)
    parts = net()
    settings = {"optimizer": Adam(0.02), "batch_size": 30, "rng": 1, "validation": (HELD, T_HELD)}
    first = fit(parts, X, T, iterations=10, **settings)  # 2½ epochs
    assert first.best == first.history[-1]
    again = fit(
        parts, X, T, iterations=12, **{**settings, "optimizer": Adam(0.02)}, resume=first.checkpoint()
    )
    assert [m.validation_loss for m in again.history] == [m.validation_loss for m in once.history]
    assert same(params(parts), params(whole))


def test_another_split_is_refused() -> None:
    checkpoint = trained(net(), epochs=2, validation=0.25).checkpoint()
    with pytest.raises(
        CheckpointError,
        match="from a run with other validation data: give the same data, or for a share the same rng",
    ):
        trained(net(), epochs=4, validation=0.25, rng=9, resume=checkpoint)


def test_missing_best_weights_warn() -> None:
    """As in a checkpoint from a plain `Training`, which keeps none."""
    options = {"optimizer": Adam(0.02), "batch_size": 30, "rng": 1, "validation": (HELD, T_HELD)}
    plain = Training(net(), X, T, epochs=11, **options)
    list(plain)
    network = net()
    with pytest.warns(ResumeWarning, match="not from the best epoch, "):
        training = trained(network, epochs=12, resume=plain.checkpoint())
    assert training.best is not None
    assert training.best.epoch < 11
    x, t = network.backend.asarray(HELD), network.backend.asarray(T_HELD)
    assert network.evaluate(x, t)[0] == pytest.approx(training.history[-1].validation_loss)


def test_resuming_starts_from_the_last_step() -> None:
    whole = trained(net(), epochs=30)
    training = trained(net(), epochs=30, patience=2)
    assert training.stopped_early
    training.early_stopping.patience = None
    list(training)
    assert [m.validation_loss for m in training.history] == [m.validation_loss for m in whole.history]


def test_a_history_without_validation_columns() -> None:
    """Its validation metrics are in the test columns."""
    options: dict[str, Any] = {"batch_size": 30, "rng": 1}
    plain = Training(net(), X, T, optimizer=Adam(0.02), epochs=4, **options, test=(HELD, T_HELD))
    list(plain)
    kept = plain.checkpoint()
    kept.description["run"] = {"settings": {"validation": 0.1}}
    arrays = {k: v for k, v in kept.arrays.items() if not k.startswith("history.validation")}
    again = Training(
        net(),
        X,
        T,
        optimizer=Adam(0.02),
        epochs=5,
        **options,
        validation=(HELD, T_HELD),
        resume=Checkpoint(kept.description, arrays),
    )
    list(again)
    assert [m.validation_loss for m in again.history[:4]] == [m.test_loss for m in plain.history]
    assert [m.test_loss for m in again.history] == [None] * 5


def test_test_results_do_not_become_validation_results() -> None:
    options: dict[str, Any] = {"batch_size": 30, "rng": 1}
    plain = Training(net(), X, T, optimizer=Adam(0.02), epochs=4, **options, test=(X, T))
    list(plain)
    training = trained(net(), epochs=6, resume=plain.checkpoint())
    assert [m.validation_loss is None for m in training.history] == [True] * 4 + [False] * 2
    assert [m.test_loss is None for m in training.history] == [False] * 4 + [True] * 2
    assert training.best in training.history[4:]


def test_other_validation_data_are_refused() -> None:
    checkpoint = trained(net(), epochs=2).checkpoint()
    for validation in ((HELD, (T_HELD + 1) % 3), (HELD + np.float32(1), T_HELD), (HELD[:30], T_HELD[:30])):
        with pytest.raises(CheckpointError, match="from a run with other validation data"):
            trained(net(), epochs=4, resume=checkpoint, validation=validation)
    checkpoint = trained(net(), epochs=2, validation=0.25).checkpoint()
    with pytest.raises(CheckpointError, match=r"samples 120 here, 90 there; .* give fit\(…, validation=…\)"):
        trained(net(), epochs=4, resume=checkpoint, validation=None)


def test_an_error_leaves_the_best_network() -> None:
    network = net()

    def hook(training: Training) -> None:
        if training.step == 44:
            raise ZeroDivisionError("in a hook")

    with pytest.raises(ZeroDivisionError) as error:
        trained(network, hook=hook, hook_steps=11)
    assert error.value.__notes__[0].startswith("the network was restored to its best epoch, ")
    undisturbed = net()
    best = trained(undisturbed, iterations=40, epochs=None).best
    assert best is not None
    x, t = network.backend.asarray(HELD), network.backend.asarray(T_HELD)
    assert network.evaluate(x, t)[0] == pytest.approx(best.validation_loss, rel=1e-6)


def test_a_resume_with_nothing_left_to_do_keeps_all_best_weights() -> None:
    first = trained(net(), epochs=None, iterations=10)
    again = trained(net(), epochs=None, iterations=10, resume=first.checkpoint())
    names = [{k for k in run.checkpoint().arrays if k.startswith("best.")} for run in (first, again)]
    assert names[0] == names[1]
    assert len({name.split(".")[1] for name in names[0]}) == 2


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"validation": None, "patience": 3}, ValueError, "give validation=0.1"),
        ({"validation": 1.5}, ValueError, "expected validation as a share above 0.0 and below 1.0, got 1.5"),
        ({"validation": float("nan")}, ValueError, "expected validation as a share"),
        ({"validation": 20}, TypeError, r"expected validation=\(x, t\) or a share such as 0.1, got 20"),
        ({"validation": (X, T, T)}, TypeError, "expected validation="),
        ({"validation": (HELD, T_HELD[:3])}, ValueError, "40 samples but 3 targets"),
        ({"validation": (HELD, T_HELD + 5)}, ValueError, "expected labels"),
        ({"patience": 0}, ValueError, "expected patience to be a whole number of at least 1"),
        ({"validation": 0.9, "batch_size": 50}, ValueError, "from 1 to the 12 samples given"),
    ],
)
def test_invalid_arguments(options: dict[str, Any], error: type[Exception], says: str) -> None:
    network = net()
    before = params(network)
    with pytest.raises(error, match=says):
        trained(network, **options)
    assert same(before, params(network))
