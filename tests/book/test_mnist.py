"""MNIST as the book loads it."""

from __future__ import annotations

import numpy as np

from backprop.book import load_mnist
from backprop.datasets import mnist


def test_the_book_s_dtypes_and_values() -> None:
    (x, t), (x_test, t_test) = load_mnist(normalize=False)
    data = mnist()
    assert (x.dtype, t.dtype, x.shape, x_test.shape) == ("uint8", "uint8", (60_000, 784), (10_000, 784))
    np.testing.assert_array_equal(x, data.x_train.reshape(-1, 784))
    np.testing.assert_array_equal(t_test, data.t_test)
    assert str(t[0]) == "5"


def test_normalized_images_and_one_hot_labels() -> None:
    (x, t), _ = load_mnist(flatten=False, one_hot_label=True)
    assert (x.dtype, t.dtype, x.shape, t.shape) == ("float32", "float64", (60_000, 1, 28, 28), (60_000, 10))
    np.testing.assert_array_equal(x[:100], mnist().x_train[:100, None].astype("float32") / np.float32(255))
    assert t[0].tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 0, 0]
