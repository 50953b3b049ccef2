"""Losses in the book's style give what ours give, whatever they make of dout."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import backprop
from backprop import Affine, Network, check_gradients, fit
from backprop.losses.adapter import adapted_loss

from .. import book_layers as book

X = np.random.default_rng(1).standard_normal((60, 4))
LABELS = (X[:, 0] > 0.0).astype("int64") + (X[:, 1] > 0.5)
ONE_HOT = np.eye(3)[LABELS]


def net(loss: Any) -> Network:
    W = 0.5 * np.random.default_rng(0).standard_normal((4, 3))
    return Network([Affine(W, np.zeros(3))], loss)


@pytest.mark.parametrize("t", [LABELS, LABELS.astype("uint8"), ONE_HOT, ONE_HOT.astype("int32")])
@pytest.mark.parametrize(
    "optimizer", [backprop.SGD, backprop.Adam]
)  # SGD's step gives dout the learning rate
@pytest.mark.filterwarnings("ignore::backprop.backends.CaptureWarning")
def test_it_trains_as_ours_does(t: np.ndarray, optimizer: Any) -> None:
    mine, ours = net(book.SoftmaxWithLoss()), net(backprop.SoftmaxWithLoss())
    histories = [
        fit(network, X, t, epochs=5, batch_size=10, rng=0, optimizer=optimizer(0.1)).history
        for network in (mine, ours)
    ]
    np.testing.assert_allclose(mine.params["W1"], ours.params["W1"], rtol=1e-10)
    for found, expected in zip(*histories, strict=True):
        assert found.loss == pytest.approx(expected.loss)
        assert found.accuracy == expected.accuracy
    assert repr(mine).startswith("Network(Affine1 · SoftmaxWithLoss; ")


def test_labels_are_signed_as_the_book_s_are() -> None:
    class Negated(book.SquaredError):
        def forward(self, x: Any, t: Any) -> Any:
            return float(np.sum(-t))

    assert float(net(Negated()).loss(X[:3], np.asarray([1, 2, 0], "uint8"))) == -3.0


def test_the_book_s_name_of_the_last_layer() -> None:
    network = net(None)
    network.lastLayer = book.SoftmaxWithLoss()  # type: ignore[assignment]
    assert network.accuracy(X, LABELS) == net(backprop.SoftmaxWithLoss()).accuracy(X, LABELS)


def test_numbers_have_no_accuracy() -> None:
    network = net(book.SquaredError())
    assert network.evaluate(X, X[:, :3])[1] is None
    with pytest.raises(TypeError, match="SquaredError does not classify"):
        network.accuracy(X, X[:, :3])
    assert network.evaluate(X, ONE_HOT)[1] is not None  # one-hot rows are classes
    assert network.evaluate(X, X[:, :3])[1] is None


def test_labels_out_of_range_are_refused_as_ours_does() -> None:
    with pytest.raises(ValueError, match="SoftmaxWithLoss: expected labels 0 to 2, got 3"):
        net(book.SoftmaxWithLoss()).loss(X, LABELS + 1)


@pytest.mark.parametrize(
    ("loss", "t"),
    [
        (book.SoftmaxWithLoss(), LABELS[:5]),
        (book.SoftmaxWithLoss(), ONE_HOT[:5]),
        (book.SquaredError(), X[:5, :3]),
    ],
)
def test_the_check_takes_it(loss: Any, t: np.ndarray) -> None:
    report = check_gradients(loss, X[:5, :3], t)
    assert report.passed, str(report)
    assert check_gradients(net(loss), X[:5], t).passed


def test_the_check_finds_a_missing_mean() -> None:
    class NoMean(book.SoftmaxWithLoss):
        def backward(self, dout: Any = 1) -> Any:
            return super().backward() * len(self.t)

    assert check_gradients(NoMean(), X[:5, :3], LABELS[:5]).failed
    assert check_gradients(net(NoMean()), X[:5], LABELS[:5]).culprit == "NoMean"


def test_its_second_argument_may_have_any_name() -> None:
    class SquaredError:
        def forward(self, y: Any, answer: Any) -> Any:
            self.difference = y - answer
            return 0.5 * float(np.sum(self.difference**2)) / len(y)

        def backward(self, dout: Any) -> Any:
            return dout * self.difference / len(self.difference)

    targets = X[:5, :3]
    assert net(SquaredError()).loss(X[:5], targets) == net(book.SquaredError()).loss(X[:5], targets)
    assert check_gradients(net(SquaredError()), X[:5], targets).passed


def test_what_is_no_number_is_refused() -> None:
    class PerSample(book.SquaredError):
        def forward(self, x: Any, t: Any) -> Any:
            return np.sum((x - t) ** 2, axis=1)

    with pytest.raises(ValueError, match=r"PerSample: expected one number from forward, got shape \(60,\)"):
        net(PerSample()).loss(X, X[:, :3])


def test_what_cannot_be_a_loss_is_refused() -> None:
    class Weighted(book.SquaredError):
        def __init__(self) -> None:
            super().__init__()
            self.W, self.dW = np.ones(3), None

    with pytest.raises(TypeError, match="Weighted: a loss has no parameters; got W"):
        net(Weighted())
    with pytest.raises(
        TypeError,
        match=r"expected a loss, such as SoftmaxWithLoss.*got a Relu; a loss has forward\(self, x, t\)$",
    ):
        net(book.Relu())
    assert adapted_loss(3) == 3
