"""Dropout's masks."""

from __future__ import annotations

import pickle
from copy import deepcopy
from typing import Any

import numpy as np
import pytest

from backends import Backend, get_backend
from backprop import Dropout
from backprop.layers.dropout import _hash_of_seed, _mixed


def ones(backend: Backend, *shape: int) -> Any:
    return backend.asarray(np.ones(shape), dtype="float32")


def masks(backend: Backend, dropout: Dropout, n: int, *shape: int) -> np.ndarray:
    x = ones(backend, *shape)
    return np.stack([backend.to_numpy(dropout.forward(x, training=True)) for _ in range(n)]) != 0.0


def test_masks_are_the_same_everywhere(backend: Backend) -> None:
    here, there = (masks(b, Dropout(0.3, seed=5), 4, 7, 3) for b in (backend, get_backend("cpu")))
    np.testing.assert_array_equal(here, there)


@pytest.mark.parametrize("ratio", [0.01, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("seed", [0, 1, 2**31 - 1, 2**40])
def test_masks_are_random(ratio: float, seed: int) -> None:
    kept = masks(get_backend("cpu"), Dropout(ratio, seed), 40, 50, 100)  # (draws, rows, columns)
    n, keep = kept.size, 1.0 - ratio
    sd = np.sqrt(ratio * keep)
    assert abs(kept.mean() - keep) < 5 * sd / np.sqrt(n)
    centred = (kept - keep) / sd
    for shifted in (centred[1:] * centred[:-1], centred[2:] * centred[:-2], centred[:, 1:] * centred[:, :-1],
                    centred[..., 1:] * centred[..., :-1], centred[..., 2:] * centred[..., :-2],
                    centred[1:, :, 1:] * centred[:-1, :, :-1]):  # fmt: skip
        assert abs(shifted.mean()) < 5 / np.sqrt(shifted.size)
    for axis in range(3):  # no place, row or column is favoured
        shares = kept.mean(axis=axis)
        assert abs(shares.std() / (sd / np.sqrt(kept.shape[axis])) - 1.0) < 0.2


def test_seeds_give_different_masks() -> None:
    """In no step are they those of another seed, in whichever step that be."""
    seeds = [0, 1, 2, 3, 2**31, 2**31 + 1, 2**32, 2**40, 2**64, 2**100]
    drawn = np.concatenate([masks(get_backend("cpu"), Dropout(0.5, seed), 8, 1000) for seed in seeds])
    for i, mask in enumerate(drawn):
        agreed = (drawn[:i] == mask).mean(axis=1)
        assert np.all(np.abs(agreed - 0.5) < 0.1)


GOLDEN = {
    0: ["111100111011100111111101", "110010110101010001101111"],
    7: ["101001000100101010100011", "011001101101111010000011"],
    2**31 + 5: ["111111100110110011111110", "011000011001100011011011"],
    2**40 + 9: ["101111011111101110110101", "111111111010100110001100"],
    2**100: ["110111001111110111001101", "111001111101100010111011"],
}


def test_masks_stay_what_they_were() -> None:
    """A seed that somebody has saved gives the masks that it gave, so the hash is not to change."""
    for seed, expected in GOLDEN.items():
        kept = masks(get_backend("cpu"), Dropout(0.4, seed), 2, 24).astype(int)
        assert ["".join(map(str, row)) for row in kept] == expected


def test_the_edges_of_a_mask() -> None:
    """An entry is kept whose hash is at least ratio · 2³², and with a ratio of 0 every entry."""
    seed, one = 3, np.ones(5)
    first = [_mixed(_mixed(_mixed(place) ^ _hash_of_seed(seed)) ^ _mixed(1)) for place in range(5)]
    for place, value in enumerate(first):
        assert Dropout(value / 2**32, seed).forward(one, training=True)[place] != 0.0
        assert Dropout((value + 1) / 2**32, seed).forward(one, training=True)[place] == 0.0
    dropout = Dropout(0.0, seed)
    dropout.constants[(9,), type(one.dtype), "float64", "cpu"] = np.full(
        9, _mixed(1)
    )  # the hash of the first draw is 0
    np.testing.assert_array_equal(dropout.forward(np.ones(9), training=True), np.ones(9))


def test_dropout_s_defaults() -> None:
    assert (Dropout().ratio, Dropout().inverted) == (0.5, True)
    seeds = [Dropout().seed for _ in range(50)]
    assert len(set(seeds)) == 50
    assert 2**28 < max(seeds) < 2**31


def test_a_count_takes_up_where_it_was() -> None:
    backend, dropout = get_backend("cpu"), Dropout(0.5, seed=3)
    masks(backend, dropout, 3, 10)
    for other in (deepcopy(dropout), pickle.loads(pickle.dumps(dropout)), dropout.to(backend)):
        assert other.state["drawn"] == 3
        np.testing.assert_array_equal(masks(backend, other, 2, 10), masks(backend, deepcopy(dropout), 2, 10))


def test_dropout_in_training_and_inference(backend: Backend) -> None:
    x = backend.asarray(np.arange(1.0, 2001.0), dtype="float32")
    for ratio, inverted, training_scale, inference_scale in (
        (0.2, True, 1.25, 1.0), (0.2, False, 1.0, 0.8), (0.5, True, 2.0, 1.0), (0.5, False, 1.0, 0.5),
    ):  # fmt: skip
        dropout = Dropout(ratio, seed=1, inverted=inverted)
        y = backend.to_numpy(dropout.forward(x, training=True))
        kept = y != 0.0
        np.testing.assert_allclose(y[kept], np.arange(1.0, 2001.0)[kept] * training_scale, rtol=1e-6)
        dx = backend.to_numpy(dropout.backward(x))
        np.testing.assert_allclose(dx, y)
        y = backend.to_numpy(dropout.forward(x))
        np.testing.assert_allclose(y, np.arange(1.0, 2001.0) * inference_scale, rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Dropout(1.0), "Dropout: expected a ratio from 0 to below 1, got 1.0"),
        (lambda: Dropout(-0.1), "Dropout: expected a ratio from 0 to below 1, got -0.1"),
        (lambda: Dropout(0.5, seed=-1), "Dropout: expected a seed, a whole number from 0, got -1"),
    ],
)  # fmt: skip
def test_wrong_settings(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
