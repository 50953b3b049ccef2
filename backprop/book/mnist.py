"""MNIST as the book's `dataset/mnist.py` loads it; nothing is downloaded."""

from __future__ import annotations

import numpy as np

from ..backends import HostArray
from ..datasets import mnist

__all__ = ["load_mnist"]


def load_mnist(
    normalize: bool = True, flatten: bool = True, one_hot_label: bool = False
) -> tuple[tuple[HostArray, HostArray], tuple[HostArray, HostArray]]:
    """`(x_train, t_train), (x_test, t_test)`, in the book's dtypes.

    Parameters
    ----------
    normalize : float32 images in [0, 1] if true, else uint8 in [0, 255]
    flatten : images (N, 784) if true, else (N, 1, 28, 28)
    one_hot_label : labels (N, 10) in float64 with a single 1 if true, else class numbers (N,) in uint8

    `backprop.datasets.load_mnist` is the same, with int64 labels.

    Source: *Deep Learning from Scratch*, section 3.6.1.

    >>> (x_train, t_train), (x_test, t_test) = load_mnist(flatten=True, normalize=False)
    >>> x_train.shape, x_train.dtype, t_test.shape, t_test.dtype
    ((60000, 784), dtype('uint8'), (10000,), dtype('uint8'))
    """
    data = mnist()

    def images(x: HostArray) -> HostArray:
        x = x.reshape(len(x), -1) if flatten else x.reshape(len(x), 1, 28, 28)
        return x.astype(np.float32) / np.float32(255.0) if normalize else x

    def labels(t: HostArray) -> HostArray:
        return np.eye(10)[t] if one_hot_label else t.astype(np.uint8)

    return (images(data.x_train), labels(data.t_train)), (images(data.x_test), labels(data.t_test))
