"""MNIST, from the files in this package; nothing is downloaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..backends import HostArray
from .dataset import Dataset
from .loading import load_dataset

FOLDER = Path(__file__).with_name("mnist")


def mnist() -> Dataset:
    """MNIST as published: 60,000 + 10,000 images (28, 28) of uint8, and integer labels."""
    return load_dataset(FOLDER)


def load_mnist(
    normalize: bool = True, flatten: bool = True, one_hot_label: bool = False
) -> tuple[tuple[HostArray, HostArray], tuple[HostArray, HostArray]]:
    """MNIST as the book loads it: `(x_train, t_train), (x_test, t_test)`.

    Parameters
    ----------
    normalize : float32 images in [0, 1] if true, else uint8 in [0, 255]
    flatten : images (N, 784) if true, else (N, 1, 28, 28)
    one_hot_label : labels (N, 10) with a single 1 if true, else class numbers (N,), both int64

    Source: *Deep Learning from Scratch*, section 3.6.1.

    >>> (x_train, t_train), (x_test, t_test) = load_mnist()
    >>> x_train.shape, x_train.dtype, x_test.shape, t_train[:5]
    ((60000, 784), dtype('float32'), (10000, 784), array([5, 0, 4, 1, 9]))
    """
    data = mnist()

    def images(x: HostArray) -> HostArray:
        x = x.reshape(len(x), 784) if flatten else x.reshape(len(x), 1, 28, 28)
        return x.astype(np.float32) * np.float32(1.0 / 255.0) if normalize else x

    def labels(t: HostArray) -> HostArray:
        return np.eye(10, dtype=np.int64)[t] if one_hot_label else t

    return (images(data.x_train), labels(data.t_train)), (images(data.x_test), labels(data.t_test))


def dataset_at(path: str | Path | None, *, test_only: bool = False) -> Dataset:
    """Load the data set at a path, or MNIST if that is None."""
    return mnist() if path is None else load_dataset(path, test_only=test_only)
