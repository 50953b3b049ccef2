"""Losses in the book's style as this package's: `forward(x, t)` and `backward(dout=1)`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backends import Array, namespace_of
from ..dtypes import is_integer
from ..layers.book_style.form import Form, is_book_style
from ..layers.book_style.node import BookNode, owned
from .checks import dout_share
from .loss import Loss
from .softmax_with_loss import SoftmaxWithLoss, is_one_hot


class BookLoss(BookNode, Loss):
    """A loss in the book's style, as a `Loss`. Its gradient is multiplied by dout here, not by the object."""

    _classifies = False

    @property
    def counts_correct(self) -> bool:  # type: ignore[override]  # a loss of ours knows it as a class
        """Whether the last targets that were checked are classes: class numbers or one-hot rows."""
        return self._classifies

    def forward(self, x: Array, t: Array, *, training: bool = False) -> Array:
        xp = namespace_of(x)
        value = self.run_forward(x, xp.astype(t, xp.int64) if is_integer(t.dtype) else t, training=training)
        if value.shape != ():
            raise ValueError(f"{self.name}: expected one number from forward, got shape {tuple(value.shape)}")
        return value

    def backward(self, dout: Any = 1.0) -> Array:
        (x, _), _ = self.saved
        one = [x.xp.ones((), dtype=x.dtype, device=x.device)] if self.form.takes_dout else []
        (dx,) = self.run_backward(*one)
        scaled: Array = dx * dout_share(self.name, dout, x, 1)
        return scaled

    def correct(self, x: Array, t: Array) -> Array:
        return self._classes.correct(x, t) if self._classifies else super().correct(x, t)

    def check_targets(self, t: np.ndarray, samples: int, outputs: tuple[int, ...]) -> None:
        are_labels = t.shape == (samples,) and t.dtype.kind in "iu" and len(outputs) == 1 and outputs[0] > 1
        self._classifies = are_labels or (t.shape == (samples, *outputs) and t.ndim == 2 and is_one_hot(t))
        if self._classifies:
            self._classes.check_targets(t, samples, outputs)

    @property
    def _classes(self) -> SoftmaxWithLoss:
        """What knows of classes, by this loss's name."""
        loss = SoftmaxWithLoss()
        loss.name = self.name
        return loss


def adapted_loss(loss: Any) -> Any:
    """A loss in the book's style as a `Loss`; anything else is returned as it is.

    Such a loss has `forward(x, t)`, which returns a number, and `backward(dout=1)`, which returns dx. If its
    targets are class numbers or one-hot rows, it classifies, so that the accuracy is counted.

    >>> import numpy as np
    >>> class SquaredError:
    ...     def forward(self, x, t):
    ...         self.difference = x - t
    ...         return 0.5 * np.sum(self.difference**2)
    ...     def backward(self, dout=1):
    ...         return dout * self.difference
    >>> loss = adapted_loss(SquaredError())
    >>> float(loss.forward(np.asarray([[1.0, 3.0]]), np.asarray([[0.0, 1.0]]), training=True))
    2.5
    >>> loss.backward()
    array([[1., 2.]])
    """
    if not (is_book_style(loss) and len(Form.of(loss).inputs) == 2):
        return loss
    found = owned(loss) or BookLoss(loss)
    if found.params:
        raise TypeError(f"{found.name}: a loss has no parameters; got {', '.join(found.params)}")
    return found
