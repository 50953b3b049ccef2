"""The MNIST files in the package."""

from __future__ import annotations

import gzip
import hashlib

import numpy as np

from backprop.datasets import load_mnist, mnist
from backprop.datasets.mnist import FOLDER

from .small import NAMES

PUBLISHED_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


def test_packaged_files_are_the_published_ones() -> None:
    sums = dict(reversed(line.split()) for line in (FOLDER / "SHA256SUMS").read_text().splitlines())
    assert set(sums) == {f"{name}.gz" for name in NAMES}
    for name in NAMES:
        packed = (FOLDER / f"{name}.gz").read_bytes()
        assert hashlib.sha256(packed).hexdigest() == sums[f"{name}.gz"]
        assert hashlib.md5(gzip.decompress(packed)).hexdigest() == PUBLISHED_MD5[name]
    assert "Attribution-ShareAlike 3.0" in (FOLDER / "LICENSE").read_text()


def test_mnist() -> None:
    data = mnist()
    assert (data.name, data.classes, data.sample_size) == ("mnist", 10, 784)
    assert data.x_train.shape == (60000, 28, 28)
    assert data.x_train.dtype == np.uint8
    assert np.bincount(data.t_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_load_mnist_as_in_the_book() -> None:
    (x, t), (x_test, _) = load_mnist()
    assert (x.shape, x.dtype, t.shape, t.dtype) == ((60000, 784), np.float32, (60000,), np.int64)
    assert (x.min(), x.max()) == (0.0, 1.0)
    (x, t), (x_test, _) = load_mnist(normalize=False, flatten=False, one_hot_label=True)
    assert (x.shape, x.dtype, t.shape, t.dtype) == ((60000, 1, 28, 28), np.uint8, (60000, 10), np.int64)
    assert x.max() == 255
    assert t.sum(axis=1).tolist() == [1] * 60000
    assert t[0].argmax() == 5
    assert x_test.shape[0] == 10000
