"""What a training shows in a notebook."""

from __future__ import annotations

from typing import Any

import pytest

from backprop import SGD, MeanSquaredError, Network, Training, fit
from backprop.layers import Affine
from backprop.report import figures

from ..tables import Tables
from .small import blobs, net

X, T = blobs(120)


def trained(epochs: int = 3, **options: Any) -> Training:
    return fit(net("cpu"), X, T, epochs=epochs, batch_size=30, rng=0, verbose=False, **options)


def test_the_history_and_its_curves() -> None:
    pytest.importorskip("matplotlib")
    training = trained(test=(X[:20], T[:20]), validation=0.2)
    page = training._repr_html_()
    tables = Tables(page)
    (table,) = tables.tables
    assert table[0] == ["epoch", "step", *("loss", "validation loss", "test loss"),
                        *("accuracy", "validation accuracy", "test accuracy")]  # fmt: skip
    for row, metrics in zip(table[1:], training.history, strict=True):
        assert row[:3] == [str(metrics.epoch), str(metrics.step), f"{metrics.loss:.4f}"]
    assert tables.tags.count("svg") == 2
    assert "TwoLayerNet: 12 of 12 steps, SGD(lr=0.1, max_norm=None), " in page
    assert f"best epoch {training.best.epoch}" in page  # type: ignore[union-attr]


def test_numbers_that_nobody_asked_for_have_no_column() -> None:
    (table,) = Tables(trained()._repr_html_()).tables
    assert table[0] == ["epoch", "step", "loss", "accuracy"]
    network = Network([Affine(X[:4].copy(), X[0].copy())], MeanSquaredError())
    training = fit(network, X, X, epochs=2, batch_size=30, rng=0, verbose=False, optimizer=SGD(0.01))
    page = Tables(training._repr_html_())
    assert page.tables[0][0] == ["epoch", "step", "loss"]


def test_of_many_epochs_the_last_are_shown_and_all_on_request() -> None:
    training = trained(15)
    last, every = Tables(training._repr_html_()).tables
    assert [row[0] for row in last[1:]] == [str(epoch) for epoch in range(6, 16)]
    assert [row[0] for row in every[1:]] == [str(epoch) for epoch in range(1, 16)]
    assert "all 15 epochs" in training._repr_html_()


def test_before_the_first_epoch_and_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    training = Training(net("cpu"), X, T, epochs=3, batch_size=30, rng=0)
    tables = Tables(training._repr_html_())
    assert (tables.tables, "svg" in tables.tags) == ([], False)
    assert "0 of 12 steps" in training._repr_html_()
    assert repr(training) == "Training(TwoLayerNet: 0 of 12 steps)"
    list(training)
    monkeypatch.setattr(figures, "available", lambda: False)
    tables = Tables(training._repr_html_())
    assert (len(tables.tables), "svg" in tables.tags) == (1, False)


def test_a_training_that_stopped_early_says_so() -> None:
    training = fit(net("cpu"), X, T, epochs=200, batch_size=30, rng=0, validation=0.2, patience=1, optimizer=SGD(2.0),
                   verbose=False)  # fmt: skip
    assert training.stopped_early
    assert "stopped early" in training._repr_html_()
