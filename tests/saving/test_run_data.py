"""The data of a run, and the samples held out."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from backprop.datasets import Dataset, stratified_sample
from backprop.saving.run_data import hold_out


@pytest.mark.parametrize("by_class", [True, False])
def test_samples_are_held_out_in_place(by_class: bool) -> None:
    """Only the validation data take more memory, not a second copy of all data."""
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((20_000, 50)), rng.integers(0, 5, 20_000)
    whole = Dataset("a", x.copy(), t.copy(), x[:1], t[:1])
    tracemalloc.start()
    left, held_out = hold_out(whole, 0.1, 3, by_class=by_class)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.3 * x.nbytes
    order = np.random.default_rng([3, 1]).permutation(20_000)
    out = np.sort(stratified_sample(t[order], 2000, order) if by_class else order[:2000])
    rest = np.setdiff1d(np.arange(20_000), out)
    for part, rows in (((left.x_train, left.t_train), rest), (held_out, out)):
        np.testing.assert_array_equal(part[0], x[rows])
        np.testing.assert_array_equal(part[1], t[rows])
