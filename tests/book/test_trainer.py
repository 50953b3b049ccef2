"""`Trainer`: which batches it draws, what it prints and keeps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backprop.book import Adam, MultiLayerNet, Trainer

X = np.random.default_rng(0).standard_normal((10, 4))
T = np.arange(10) % 3


class Noted:
    """A network that notes what it is given."""

    def __init__(self) -> None:
        self.params = {"W": np.zeros(1)}
        self.batches: list[np.ndarray] = []
        self.evaluated: list[int] = []

    def gradient(self, x: np.ndarray, t: np.ndarray) -> dict[str, np.ndarray]:
        self.batches.append(t)
        return {"W": np.ones(1)}

    def loss(self, x: np.ndarray, t: np.ndarray) -> float:
        return float(self.params["W"][0])

    def accuracy(self, x: np.ndarray, t: np.ndarray) -> float:
        self.evaluated.append(len(x))
        return len(x) / 100.0


def trained(**options: Any) -> tuple[Noted, Trainer]:
    network = Noted()
    trainer = Trainer(network, X, T, X[:6], T[:6], epochs=2, mini_batch_size=5, **options)
    np.random.seed(4)
    trainer.train()
    return network, trainer


def test_batches_are_drawn_from_the_global_seed() -> None:
    network, _ = trained(verbose=False)
    draws = np.random.RandomState(4)
    expected = [T[draws.choice(10, 5)] for _ in range(4)]
    np.testing.assert_array_equal(network.batches, expected)


def test_what_it_prints_and_keeps(capsys: pytest.CaptureFixture[str]) -> None:
    network, trainer = trained(evaluate_sample_num_per_epoch=3)
    assert capsys.readouterr().out.splitlines() == [
        "train loss:-0.01",
        "=== epoch:1, train acc:0.03, test acc:0.03 ===",
        "train loss:-0.02",
        "train loss:-0.03",
        "=== epoch:2, train acc:0.03, test acc:0.03 ===",
        "train loss:-0.04",
        "=============== Final Test Accuracy ===============",
        "test acc:0.06",
    ]
    assert trainer.train_loss_list == [-0.01, -0.02, -0.03, -0.04]
    assert trainer.train_acc_list == trainer.test_acc_list == [0.03, 0.03]
    assert network.evaluated == [3, 3, 3, 3, 6]
    assert (trainer.current_epoch, trainer.current_iter, trainer.max_iter) == (2, 4, 4)


def test_silence(capsys: pytest.CaptureFixture[str]) -> None:
    network, _ = trained(verbose=False)
    assert capsys.readouterr().out == ""
    assert network.evaluated == [10, 6, 10, 6, 6]


def test_optimizers_by_name_in_any_case() -> None:
    network = MultiLayerNet(4, [5], 3)
    trainer = Trainer(network, X, T, X, T, optimizer="Adam", optimizer_param={"lr": 0.1}, verbose=False)
    assert isinstance(trainer.optimizer, Adam)
    assert trainer.optimizer.lr == 0.1
    with pytest.raises(ValueError, match="unknown optimizer 'adem': .* did you mean Adam|adam"):
        Trainer(network, X, T, X, T, optimizer="adem")


def test_a_network_learns() -> None:
    np.random.seed(0)
    network = MultiLayerNet(4, [20], 3)
    momentum = {"optimizer": "momentum", "optimizer_param": {"lr": 0.1}}
    trainer = Trainer(network, X, T, X, T, epochs=200, mini_batch_size=10, verbose=False, **momentum)
    trainer.train()
    assert trainer.train_acc_list[-1] == 1.0
    assert trainer.train_loss_list[-1] < 0.2 < trainer.train_loss_list[0]


def test_samples_without_labels() -> None:
    with pytest.raises(ValueError, match="^Trainer: expected as many labels t_test as samples, got 9 and 10"):
        Trainer(Noted(), X, T, X, T[:9])


def test_an_optimizer_goes_by_its_name() -> None:
    with pytest.raises(
        TypeError, match="^Trainer: expected the name of an optimizer, such as 'SGD', got Adam"
    ):
        Trainer(Noted(), X, T, X, T, optimizer=Adam())  # type: ignore[arg-type]
