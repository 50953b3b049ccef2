"""The tools of the book's `common/util.py`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..backends import HostArray
from .checks import check_shape, doubles, numbers

__all__ = ["col2im", "conv_output_size", "im2col", "np", "shuffle_dataset", "smooth_curve"]

WINDOW = 11


def smooth_curve(x: Any) -> HostArray:
    """A curve of more than 10 points, each the mean of the 11 around it with Kaiser's weights (β = 2).

    Beyond its ends, the curve is mirrored; the last point is repeated, the first is not.
    """
    x = numbers("smooth_curve", x)
    if x.ndim != 1 or len(x) < WINDOW:
        raise ValueError(f"smooth_curve: expected at least {WINDOW} points (N,), got {x.shape}")
    weights = np.kaiser(WINDOW, 2)
    mirrored = np.concatenate([x[WINDOW - 1 : 0 : -1], x, x[:-WINDOW:-1]])
    half = WINDOW // 2
    return np.convolve(weights / weights.sum(), mirrored, mode="valid")[half:-half]


def shuffle_dataset(x: HostArray, t: HostArray) -> tuple[HostArray, HostArray]:
    """x and t in one random order, drawn from `np.random`."""
    if len(x) != len(t):
        raise ValueError(f"shuffle_dataset: expected as many labels as samples, got {len(t)} and {len(x)}")
    order = np.random.permutation(len(x))
    return x[order], t[order]


def conv_output_size(input_size: int, filter_size: int, stride: int = 1, pad: int = 0) -> float:
    """(H + 2 pad − FH) / stride + 1: whole where the kernel's last place ends at the image's edge."""
    return (input_size + 2 * pad - filter_size) / stride + 1


def im2col(input_data: Any, filter_h: int, filter_w: int, stride: int = 1, pad: int = 0) -> HostArray:
    """Images (N, C, H, W) as a matrix with a row for every place of the kernel: (N · OH · OW, C · FH · FW).

    Source: *Deep Learning from Scratch*, section 7.4.3.

    >>> im2col(np.arange(9.0).reshape(1, 1, 3, 3), 2, 2)
    array([[0., 1., 3., 4.],
           [1., 2., 4., 5.],
           [3., 4., 6., 7.],
           [4., 5., 7., 8.]])
    """
    x = doubles("im2col", input_data)
    below, beside = _places("im2col", x.shape, filter_h, filter_w, stride, pad)
    if pad:
        x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = sliding_window_view(x, (filter_h, filter_w), axis=(2, 3))[:, :, ::stride, ::stride]
    entries = windows.transpose(0, 1, 4, 5, 2, 3).copy()  # (N, C, FH, FW, OH, OW): the book's order in memory
    return entries.transpose(0, 4, 5, 1, 2, 3).reshape(len(x) * below * beside, -1)


def col2im(
    col: Any, input_shape: tuple[int, ...], filter_h: int, filter_w: int, stride: int = 1, pad: int = 0
) -> HostArray:
    """Images of `input_shape`, with every entry of a matrix like that of `im2col` added where it came from.

    >>> col2im(np.ones((4, 4)), (1, 1, 3, 3), 2, 2)
    array([[[[1., 2., 1.],
             [2., 4., 2.],
             [1., 2., 1.]]]])
    """
    n, c, h, w = input_shape
    below, beside = _places("col2im", input_shape, filter_h, filter_w, stride, pad)
    col = doubles("col2im", col)
    if col.size:
        check_shape("col2im", "a matrix", col, (n * below * beside, c * filter_h * filter_w))
    col = col.reshape(n, below, beside, c, filter_h, filter_w).transpose(4, 5, 0, 3, 1, 2)
    images = np.zeros((n, c, h + 2 * pad + stride - 1, w + 2 * pad + stride - 1))  # a part of it is returned
    for i in range(filter_h):
        for j in range(filter_w):
            down, across = slice(i, i + stride * below, stride), slice(j, j + stride * beside, stride)
            images[:, :, down, across] += col[i, j]
    return images[:, :, pad : pad + h, pad : pad + w]


def _places(
    name: str, shape: tuple[int, ...], filter_h: int, filter_w: int, stride: int, pad: int
) -> tuple[int, int]:
    """Return how many places the kernel has, down and across; raise unless it fits."""
    if len(shape) != 4:
        raise ValueError(f"{name}: expected images (N, C, H, W), got {tuple(shape)}")
    if stride < 1 or pad < 0 or min(filter_h, filter_w) < 1:
        raise ValueError(
            f"{name}: expected a kernel and a stride of at least 1 and a pad of at least 0, got "
            f"{filter_h}×{filter_w}, {stride} and {pad}"
        )
    _, _, h, w = shape
    if min(h + 2 * pad - filter_h, w + 2 * pad - filter_w) < 0:
        raise ValueError(
            f"{name}: the kernel {filter_h}×{filter_w} is larger than the image {h}×{w} with pad {pad}"
        )
    return (h + 2 * pad - filter_h) // stride + 1, (w + 2 * pad - filter_w) // stride + 1
