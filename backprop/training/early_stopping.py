"""Early stopping: the best epoch on the validation data, and how long to wait for a better one."""

from __future__ import annotations

from collections.abc import Sequence

from ..saving.history import Metrics


class EarlyStopping:
    """Finds the epoch with the lowest validation loss; ends after `patience` epochs that were no better.

    Parameters
    ----------
    patience : None never stops early
    """

    def __init__(self, patience: int | None = None) -> None:
        self.patience = patience
        self._compared = 0
        self._best: Metrics | None = None

    def best(self, history: Sequence[Metrics]) -> Metrics | None:
        """The first epoch with the lowest validation loss; None without validation.

        Reads only the epochs added since the last call: the history may grow, but not change.

        >>> losses = [0.5, 0.25, 0.25, 0.75]
        >>> history = [Metrics(i, i, 1.0, None, None, None, 0.0, loss) for i, loss in enumerate(losses, 1)]
        >>> EarlyStopping().best(history).epoch, EarlyStopping(patience=2).ends(history)
        (2, True)
        """
        for metrics in history[self._compared :]:
            loss = metrics.validation_loss
            best = None if self._best is None else self._best.validation_loss
            if loss is not None and (best is None or loss < best):
                self._best = metrics
        self._compared = len(history)
        return self._best

    def ends(self, history: Sequence[Metrics]) -> bool:
        """Whether `patience` epochs have passed since the best one."""
        best = self.best(history)
        if self.patience is None or best is None:
            return False
        return history[-1].epoch - best.epoch >= self.patience
