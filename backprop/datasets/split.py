"""Which samples of the training data are held back to validate on: the same ones every time."""

from __future__ import annotations

import numpy as np

from .dataset import HostArray


def held_back(t: HostArray, count: int, samples: HostArray) -> HostArray:
    """`count` of the samples, whose class numbers are t, from every class its share, the first ones of each.

    Every class keeps one sample at least; it is a `ValueError` where that leaves too few to hold back.

    >>> t = np.asarray([0, 0, 0, 0, 1, 1, 2])
    >>> held_back(t, 3, np.arange(7)).tolist()
    [0, 1, 4]
    """
    classes, sizes = np.unique(t, return_counts=True)
    exact = sizes * (count / len(t))
    counts = np.minimum(np.floor(exact).astype(int), sizes - 1)
    order = np.argsort(counts - exact, kind="stable").tolist()
    while counts.sum() < min(count, int((sizes - 1).sum())):
        for i in order:
            counts[i] += counts.sum() < count and counts[i] < sizes[i] - 1
    if counts.sum() < count:
        raise ValueError(
            f"{count} of {len(t)} samples cannot be held back: each of {len(classes)} classes has to keep "
            f"one to be trained on, which leaves {int((sizes - 1).sum())}"
        )
    return np.concatenate([samples[t == k][:n] for k, n in zip(classes, counts, strict=True)])


def split(t: HostArray, share: float, seed: int, *, by_class: bool = True) -> tuple[HostArray, HostArray]:
    """The samples to train on and those that are held back, in rising order; t are their class numbers.

    `by_class` holds back the share of every class, else of all samples alike.

    >>> train, held = split(np.arange(10) % 2, 0.4, seed=0)
    >>> len(train), np.bincount(held % 2).tolist()
    (6, [2, 2])
    """
    n = len(t)
    held = round(n * share)
    if not 0 < held < n:
        raise ValueError(
            f"of {n} training samples this is {held}; expected a share that holds back at least one and "
            "leaves at least one"
        )
    order = np.random.default_rng([seed, 1]).permutation(n)
    out = np.sort(held_back(t[order], held, order) if by_class else order[:held])
    return np.setdiff1d(np.arange(n), out), out
