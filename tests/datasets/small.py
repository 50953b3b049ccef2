"""A small data set, as arrays and as IDX files."""

from __future__ import annotations

import struct

import numpy as np

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype("u1").tobytes()


def arrays(n: int = 12, m: int = 6) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (k, 4, 4), dtype=np.uint8) for k in (n, m)]
    labels = [np.arange(k, dtype=np.uint8) % 3 for k in (n, m)]
    return [images[0], labels[0], images[1], labels[1]]


IMAGES, LABELS = NAMES[0], NAMES[1]

GOOD = idx(arrays()[0])


def named_arrays() -> dict[str, np.ndarray]:
    return dict(zip(("x_train", "t_train", "x_test", "t_test"), arrays(), strict=True))
