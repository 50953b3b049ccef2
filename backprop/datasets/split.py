"""Which samples of the training data are held back to validate on: the same ones every time."""

from __future__ import annotations

import warnings

import numpy as np

from ..backends import HostArray


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


def split(
    t: HostArray, share: float, rng: np.random.Generator, *, by_class: bool = True
) -> tuple[HostArray, HostArray]:
    """The samples to train on and those that are held back, in rising order; t are their class numbers.

    `by_class` holds back the share of every class, else of all samples alike. Raises `ValueError` where one
    side has no samples, or a class none to train on.

    >>> train, held = split(np.arange(10) % 2, 0.4, np.random.default_rng(0))
    >>> len(train), np.bincount(held % 2).tolist()
    (6, [2, 2])
    """
    n = len(t)
    held = round(n * share)
    if not 0 < held < n:
        raise ValueError(
            f"of {n} training samples a share of {share} is {held}; expected to hold back at least one "
            "and to leave at least one"
        )
    order = rng.permutation(n)
    out = np.sort(held_back(t[order], held, order) if by_class else order[:held])
    return np.setdiff1d(np.arange(n), out), out


def of_seed(seed: int) -> np.random.Generator:
    """The generator that draws what `backprop train --validation` holds back."""
    return np.random.default_rng([seed, 1])


def warn_of_scarce_classes(train: HostArray, held: HostArray) -> None:
    """Warn of the classes that have one sample, or none, to train on or to validate on."""
    counts = ((k, int((train == k).sum()), int((held == k).sum())) for k in np.unique(train).tolist())
    scarce = [f"class {k} has {n} to train on and {m} to validate on" for k, n, m in counts if min(n, m) < 2]
    if scarce:
        more = f", and {len(scarce) - 3} more such classes" if len(scarce) > 3 else ""
        warnings.warn(f"validation: {'; '.join(scarce[:3])}{more}", stacklevel=2)
