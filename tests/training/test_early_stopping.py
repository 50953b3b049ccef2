"""Early stopping: which epoch is best, and how long it waits for a better one."""

from __future__ import annotations

import pytest

from backprop import Metrics
from backprop.training.early_stopping import EarlyStopping


def history(*losses: float | None) -> list[Metrics]:
    """Epochs with these losses on the validation data."""
    return [Metrics(i, 7 * i, 1.0, None, None, None, 0.0, loss) for i, loss in enumerate(losses, 1)]


def test_the_best_epoch_is_the_first_of_ties() -> None:
    epochs = history(0.5, 0.25, 0.25, 0.75)
    assert EarlyStopping().best(epochs) is epochs[1]
    assert EarlyStopping().best([]) is None


def test_without_validation_no_epoch_is_best() -> None:
    assert EarlyStopping().best(history(None, None)) is None
    assert not EarlyStopping(patience=1).ends(history(None, None, None))
    assert not EarlyStopping(patience=1).ends([])


def test_epochs_without_validation_are_ignored() -> None:
    """As in a run that has had validation data only since it was resumed."""
    epochs = history(None, 0.5, None, 0.75)
    assert EarlyStopping().best(epochs) is epochs[1]


def test_a_growing_history() -> None:
    stopping, losses = EarlyStopping(patience=2), [0.5, 0.6, 0.4, 0.4, 0.5, 0.3]
    best, ends = [], []
    for n in range(1, len(losses) + 1):
        epochs = history(*losses[:n])
        found = stopping.best(epochs)
        best.append(None if found is None else found.epoch)
        ends.append(stopping.ends(epochs))
    assert best == [1, 1, 3, 3, 3, 6]
    assert ends == [False, False, False, False, True, False]


@pytest.mark.parametrize("patience", [1, 2, 3])
def test_patience_counts_the_epochs_since_the_best(patience: int) -> None:
    losses = [0.5, 0.4, *[0.45] * 5]
    ends = [EarlyStopping(patience).ends(history(*losses[:n])) for n in range(1, len(losses) + 1)]
    assert ends.index(True) + 1 == 2 + patience
    assert all(ends[1 + patience :])


def test_without_patience_training_never_stops_early() -> None:
    assert not EarlyStopping().ends(history(0.1, *[1.0] * 1000))
