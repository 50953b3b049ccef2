"""Running statistics that a layer makes at its first call."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backprop.layers.book_style.attributes import Attributes
from backprop.layers.book_style.form import Form
from backprop.layers.book_style.statistics import make_statistics

from ...book_layers import BatchNormalization


def made(layer: Any) -> bool:
    return make_statistics(layer, Attributes.of(layer, "Own"), Form.of(layer))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_they_are_what_the_first_call_would_make(dtype: str) -> None:
    layer = BatchNormalization(np.ones(4, dtype), np.zeros(4, dtype))
    assert made(layer)
    fresh = BatchNormalization(np.ones(4, dtype), np.zeros(4, dtype))
    fresh.forward(np.full((3, 4), 5.0, dtype), train_flg=False)
    for key in ("running_mean", "running_var"):
        expected = getattr(fresh, key)
        assert getattr(layer, key).dtype == expected.dtype
        np.testing.assert_array_equal(getattr(layer, key), expected)
    assert layer.normal is None  # only a copy was called
    assert not made(layer)


class Noisy(BatchNormalization):
    def forward(self, x: Any, train_flg: bool = True) -> Any:
        return super().forward(x, train_flg) * np.random.rand()


def test_making_them_draws_nothing() -> None:
    np.random.seed(0)
    assert made(Noisy(np.ones(4), np.zeros(4)))
    drawn = np.random.rand()
    np.random.seed(0)
    assert drawn == np.random.rand()


class FromTheData(BatchNormalization):
    """It begins with the statistics of its first batch, which nobody knows in advance."""

    def forward(self, x: Any, train_flg: bool = True) -> Any:
        if self.running_mean is None:
            self.running_mean, self.running_var = x.mean(axis=0), x.var(axis=0)
        return super().forward(x, train_flg)


class OfImages(BatchNormalization):
    """It takes images only."""

    def forward(self, x: Any, train_flg: bool = True) -> Any:
        n, c, h, w = x.shape
        return super().forward(x.reshape(n, c * h * w), train_flg).reshape(n, c, h, w)


@pytest.mark.parametrize("kind", [FromTheData, OfImages])
def test_what_cannot_be_known_is_left(kind: Any) -> None:
    layer = kind(np.ones(4), np.zeros(4))
    assert not made(layer)
    assert layer.running_mean is None
    assert "running_mean" in Attributes.of(layer, "Own").unsaved
