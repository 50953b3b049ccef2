"""Training and validation samples."""

from __future__ import annotations

import numpy as np
import pytest

from backprop.datasets import stratified_sample


@pytest.mark.parametrize("count", [1, 7, 20, 33])
def test_stratified_sample(count: int) -> None:
    rng = np.random.default_rng(count)
    t = rng.permutation(np.repeat([0, 1, 2], [40, 18, 2]))
    out = stratified_sample(t, count, np.arange(60))
    assert len(set(out.tolist())) == count
    held, sizes = np.bincount(t[out], minlength=3), np.asarray([40, 18, 2])
    assert (held < sizes).all()
    assert (np.abs(held - sizes * count / 60) <= 1.0).all()


def test_too_few_samples() -> None:
    with pytest.raises(
        ValueError, match="9 of 10 samples cannot be held out: each of 2 classes must keep one"
    ):
        stratified_sample(np.arange(10) % 2, 9, np.arange(10))


def test_classes_of_one_sample_keep_it() -> None:
    t = np.r_[np.zeros(95, int), 1:6]
    out = stratified_sample(t, 50, np.arange(100))
    assert len(set(out.tolist())) == 50
    assert (np.bincount(t[out], minlength=6)[1:] == 0).all()
