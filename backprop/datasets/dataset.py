"""A data set: inputs and labels for training and testing, as host arrays."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from ..backends import HostArray, namespace_of
from ..inputs import InputWarning
from ..text import visible


class DatasetError(ValueError):
    """A file that cannot be used as data: its path, what was found, what was expected."""

    def __init__(self, path: Path | str, found: str, expected: str) -> None:
        super().__init__(visible(f"{path}: {found}; expected {expected}"))
        self.path, self.found, self.expected = path, found, expected


@dataclass(frozen=True)
class Dataset:
    """Samples `x` (N, …) and class numbers `t` (N,) for training and testing."""

    name: str
    x_train: HostArray
    t_train: HostArray
    x_test: HostArray
    t_test: HostArray
    transposed: tuple[str, ...] = ()
    """The names of the arrays whose images are stored transposed and were turned upright."""

    @property
    def classes(self) -> int:
        """The number of classes: one more than the largest training label."""
        return int(self.t_train.max()) + 1

    @property
    def sample_size(self) -> int:
        """The number of entries of a sample."""
        return int(np.prod(self.x_train.shape[1:]))


NUMBER_CLASSES = (
    "names, t_train = numpy.unique(t_train, return_inverse=True); t_test = numpy.searchsorted(names, t_test)"
)
"""Code that maps labels of any kind to class numbers from 0 without gaps, the same in both parts."""

MOST_CLASSES_LISTED = 3


def warn_of_absent_classes(data: Dataset, path: Path | str) -> None:
    """Warn of classes without training samples, and say how to fix the labels."""
    present = np.unique(data.t_train)
    absent = np.setdiff1d(np.arange(data.classes), present)
    if not len(absent):
        return
    first = ", ".join(map(str, absent[:MOST_CLASSES_LISTED]))
    more = len(absent) - MOST_CLASSES_LISTED
    listed = f"{'class' if len(absent) == 1 else 'classes'} {first}{f' and {more} more' if more > 0 else ''}"
    unlearnt = int(np.isin(data.t_test, absent).sum())
    if unlearnt:
        cure = f"the test data has {unlearnt:,} of them, which the network cannot get right"
    elif int(present[0]) == len(absent):
        cure = f"to count from 0, subtract {present[0]} from every label: t - {present[0]}"
    else:
        cure = f"to renumber the classes: {NUMBER_CLASSES}"
    warnings.warn(
        f"{visible(str(path))}: classes 0 to {data.classes - 1}, but no training sample of {listed}; {cure}",
        InputWarning,
        stacklevel=4,
    )


def with_channels(x: HostArray, sample: tuple[int, ...] | None) -> HostArray:
    """Reshape images (N, H, W) to (N, 1, H, W) if the network's samples are (C, H, W)."""
    if x.ndim == 3 and len(sample or ()) == 3:
        return cast(HostArray, namespace_of(x).reshape(x, (len(x), 1, *x.shape[1:])))
    return x


def validated_test_set(dataset: Dataset, path: Path | str) -> Dataset:
    """Return a data set that has only test samples, or raise a `DatasetError`."""
    x, t = dataset.x_test, dataset.t_test
    if len(x) != len(t) or len(x) == 0:
        found = f"{len(x)} test samples and {len(t)} labels"
        raise DatasetError(path, found, "as many labels as samples, and at least one")
    if t.min() < 0:
        raise DatasetError(path, f"test label {t.min()}", "class numbers from 0")
    return dataset


def validated(dataset: Dataset, path: Path | str) -> Dataset:
    """Return the data set, or raise a `DatasetError` if its arrays do not fit together."""
    for part, x, t in (
        ("train", dataset.x_train, dataset.t_train),
        ("test", dataset.x_test, dataset.t_test),
    ):
        if len(x) == 0:
            raise DatasetError(path, f"no {part} samples", "at least one")
        if len(x) != len(t):
            raise DatasetError(
                path, f"{len(x)} {part} samples but {len(t)} {part} labels", "as many labels as samples"
            )
        if t.min() < 0:
            raise DatasetError(path, f"{part} label {t.min()}", "class numbers from 0")
    if dataset.x_train.shape[1:] != dataset.x_test.shape[1:]:
        found = f"train samples {dataset.x_train.shape[1:]} but test samples {dataset.x_test.shape[1:]}"
        raise DatasetError(path, found, "samples of one shape")
    if dataset.x_train.dtype != dataset.x_test.dtype:
        found = f"train samples {dataset.x_train.dtype} but test samples {dataset.x_test.dtype}"
        raise DatasetError(path, found, "samples of one dtype")
    if not 2 <= dataset.classes <= len(dataset.t_train):
        found = f"labels 0 to {dataset.classes - 1} for {len(dataset.t_train)} train samples"
        raise DatasetError(path, found, "at least two classes, and at least one sample for each")
    if dataset.t_test.max() >= dataset.classes:
        found = f"test label {dataset.t_test.max()} where the train labels end at {dataset.classes - 1}"
        raise DatasetError(path, found, "only classes of the training data")
    return dataset
