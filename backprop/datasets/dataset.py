"""What a data set is: inputs and labels to train on and to test on, on the host."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..backends import HostArray
from ..inputs import InputWarning
from ..text import visible


class DatasetError(ValueError):
    """A file that cannot be used as data: which file, what was found, what was expected."""

    def __init__(self, path: Path | str, found: str, expected: str) -> None:
        super().__init__(visible(f"{path}: {found}; expected {expected}"))
        self.path, self.found, self.expected = path, found, expected


@dataclass(frozen=True)
class Dataset:
    """Samples `x` (N, …) and class numbers `t` (N,), for training and for testing."""

    name: str
    x_train: HostArray
    t_train: HostArray
    x_test: HostArray
    t_test: HostArray
    turned: tuple[str, ...] = ()
    """Which of the arrays are images that lie transposed in their files and were turned upright."""

    @property
    def classes(self) -> int:
        """The number of classes: one more than the largest label of the training data."""
        return int(self.t_train.max()) + 1

    @property
    def sample_size(self) -> int:
        """The numbers in one sample."""
        return int(np.prod(self.x_train.shape[1:]))


NUMBER_CLASSES = (
    "names, t_train = numpy.unique(t_train, return_inverse=True); t_test = numpy.searchsorted(names, t_test)"
)
"""What makes class numbers from 0, without a gap, of labels of any kind, and the same ones in both parts."""

MOST_CLASSES_LISTED = 3


def warn_of_absent_classes(data: Dataset, path: Path | str) -> None:
    """Warn of the classes up to the largest label that no training sample has, and say how to mend that."""
    present = np.unique(data.t_train)
    absent = np.setdiff1d(np.arange(data.classes), present)
    if not len(absent):
        return
    first = ", ".join(map(str, absent[:MOST_CLASSES_LISTED]))
    more = len(absent) - MOST_CLASSES_LISTED
    listed = f"{'class' if len(absent) == 1 else 'classes'} {first}{f' and {more} more' if more > 0 else ''}"
    unlearnt = int(np.isin(data.t_test, absent).sum())
    if unlearnt:
        cure = f"the test data has {unlearnt:,} of them, which cannot be got right"
    elif int(present[0]) == len(absent):
        cure = f"to count from 0, take {present[0]} from every label: t - {present[0]}"
    else:
        cure = f"to number the classes anew: {NUMBER_CLASSES}"
    warnings.warn(
        f"{visible(str(path))}: classes 0 to {data.classes - 1}, but no training sample of {listed}; {cure}",
        InputWarning,
        stacklevel=4,
    )


def with_channels(x: HostArray, sample: tuple[int, ...] | None) -> HostArray:
    """Images (N, H, W) as (N, 1, H, W) for a network whose samples are (C, H, W); all else as it is."""
    return x[:, None] if x.ndim == 3 and len(sample or ()) == 3 else x


def checked_alone(dataset: Dataset, path: Path | str) -> Dataset:
    """A data set with samples to test on alone, or a `DatasetError`."""
    x, t = dataset.x_test, dataset.t_test
    if len(x) != len(t) or len(x) == 0:
        raise DatasetError(path, f"{len(x)} test samples and {len(t)} labels", "as many, and at least one")
    if t.min() < 0:
        raise DatasetError(path, f"test label {t.min()}", "class numbers from 0")
    return dataset


def checked(dataset: Dataset, path: Path | str) -> Dataset:
    """The data set, or a `DatasetError` where its arrays do not fit together."""
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
        raise DatasetError(path, found, "only classes that the training data has")
    return dataset
