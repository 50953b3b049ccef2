"""Split the training data reproducibly into training and validation samples."""

from __future__ import annotations

import warnings

import numpy as np

from ..backends import HostArray


def stratified_sample(t: HostArray, count: int, samples: HostArray) -> HostArray:
    """Take `count` of the samples, from each class in proportion to its size, the first ones of each class.

    t are their class numbers. Each class keeps at least one sample; a `ValueError` if that leaves too few.

    >>> t = np.asarray([0, 0, 0, 0, 1, 1, 2])
    >>> stratified_sample(t, 3, np.arange(7)).tolist()
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
            f"{count} of {len(t)} samples cannot be held out: each of {len(classes)} classes must keep one "
            f"training sample, which leaves {int((sizes - 1).sum())}"
        )
    return np.concatenate([samples[t == k][:n] for k, n in zip(classes, counts, strict=True)])


def split(
    t: HostArray, share: float, rng: np.random.Generator, *, by_class: bool = True
) -> tuple[HostArray, HostArray]:
    """Split sample indices into training and validation indices, both ascending; t are the class numbers.

    With `by_class` the split is stratified. Raises `ValueError` if one side would be empty, or a class
    would have no training sample.

    >>> train, held_out = split(np.arange(10) % 2, 0.4, np.random.default_rng(0))
    >>> len(train), np.bincount(held_out % 2).tolist()
    (6, [2, 2])
    """
    n = len(t)
    count = round(n * share)
    if not 0 < count < n:
        raise ValueError(
            f"a share of {share} of {n} training samples is {count}; expected to hold out at least one "
            "and to leave at least one"
        )
    order = rng.permutation(n)
    held_out = np.sort(stratified_sample(t[order], count, order) if by_class else order[:count])
    return np.setdiff1d(np.arange(n), held_out), held_out


def split_rng(seed: int) -> np.random.Generator:
    """The generator for the split of `backprop train --validation`."""
    return np.random.default_rng([seed, 1])


def warn_of_scarce_classes(train: HostArray, held_out: HostArray) -> None:
    """Warn of classes with fewer than two training or validation samples."""
    counts = ((k, int((train == k).sum()), int((held_out == k).sum())) for k in np.unique(train).tolist())
    scarce = [
        f"class {k} has {n} sample{'s' * (n != 1)} for training and {m} for validation"
        for k, n, m in counts
        if min(n, m) < 2
    ]
    if scarce:
        more = f", and {len(scarce) - 3} more such classes" if len(scarce) > 3 else ""
        warnings.warn(f"validation: {'; '.join(scarce[:3])}{more}", stacklevel=2)
