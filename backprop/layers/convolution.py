"""Convolution of images: one matrix product over all places of the kernel."""

from __future__ import annotations

import math

import numpy as np

from backends import Array, namespace_of

from .base import Layer
from .windows import Windows, check_whole, slabs


class Convolution(Layer):
    """y[n, f, a, b] = Σ x[n, c, a·stride + i − pad, b·stride + j − pad] W[f, c, i, j] + b[f].

    The sum goes over c, i and j; x outside the image is 0. As matrices, y = W im2col(x) + b, so with
    dout = ∂L/∂y: dW = dout im2col(x)ᵀ, dx = col2im(Wᵀ dout), db = the sum of dout over n, a and b.

    Parameters
    ----------
    W : (FN, C, FH, FW) floating-point array
    b : (FN,) array of the same library, dtype and device
    stride : by how much the kernel moves, at least 1
    pad : how many rows and columns of zeros are put around the image, at least 0

    `forward` takes x of shape (N, C, H, W) and returns (N, FN, OH, OW), where
    OH = ⌊(H + 2 pad − FH) / stride⌋ + 1: where the stride does not reach the edge, the pixels there
    have no influence. The batch is taken in slabs (`Backend.slab_bytes`), so that the columns stay in
    the cache and their memory does not grow with the batch. In memory the channels of the output
    come first. A wrong shape is a `ValueError`; another dtype or library is a `TypeError`.

    Source: *Deep Learning from Scratch*, sections 7.2 and 7.4.

    >>> import numpy as np
    >>> convolution = Convolution(np.ones((1, 1, 2, 2)), np.asarray([10.0]))
    >>> image = np.asarray([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]])
    >>> convolution.forward(image, training=True)
    array([[[[22., 26.]]]])
    >>> convolution.backward(np.asarray([[[[1.0, 1.0]]]]))
    array([[[[1., 2., 1.],
             [1., 2., 1.]]]])
    >>> convolution.grads["W"]
    array([[[[ 3.,  5.],
             [ 9., 11.]]]])
    """

    def __init__(self, W: Array, b: Array, stride: int = 1, pad: int = 0) -> None:
        super().__init__(W=W, b=b)
        namespace_of(W), namespace_of(b)  # a TypeError for what is no array
        if W.ndim != 4 or 0 in W.shape or b.shape != (W.shape[0],):
            raise ValueError(
                f"{self.name}: expected W (FN, C, FH, FW) and b (FN,), got {tuple(W.shape)} "
                f"and {tuple(b.shape)}"
            )
        self.check_float(W)
        self.check_like(b, W, "b and W")
        check_whole(self.name, 1, stride=stride)
        check_whole(self.name, 0, pad=pad)
        self.stride, self.pad = int(stride), int(pad)

    def forward(self, x: Array, *, training: bool = False) -> Array:
        windows = self.windows(x)
        xp, matrix, b = namespace_of(x), self.matrix(), self.params["b"]
        images = xp.permute_dims(x, (1, 0, 2, 3))  # (C, N, H, W)
        shape = (b.shape[0], x.shape[0], *windows.output(x.shape))
        y = xp.empty(shape, dtype=x.dtype, device=x.device)  # (FN, N, OH, OW)
        for part in slabs(images, self.numbers_each(windows, x)):
            product = xp.matmul(matrix, windows.of_phase(windows.im2col(images[:, part, ...]), 0, 0))
            product += b[:, None]  # (FN, n · OH · OW)
            y[:, part, ...] = xp.reshape(product, (shape[0], -1, *shape[2:]))
        self.saved = (images, windows, shape) if training else None
        return xp.permute_dims(y, (1, 0, 2, 3))  # (N, FN, OH, OW)

    def backward(self, dout: Array) -> Array:
        images = self.saved[0]
        xp = namespace_of(images)
        dx = xp.empty(images.shape, dtype=images.dtype, device=images.device)
        self._backward(dout, dx)
        return xp.permute_dims(dx, (1, 0, 2, 3))

    def backward_params(self, dout: Array) -> None:
        self._backward(dout, None)

    def _backward(self, dout: Array, dx: Array | None) -> None:
        """Set `grads`, and fill `dx`, (C, N, H, W), if there is one."""
        images, windows, shape = self.saved
        xp, matrix = namespace_of(images), self.matrix()
        self.check_dout_shape(dout, shape)
        dout = xp.permute_dims(dout, (1, 0, 2, 3))  # (FN, N, OH, OW)
        dW, db = xp.zeros_like(matrix), xp.zeros_like(self.params["b"])
        for part in slabs(images, self.numbers_each(windows, images)):
            x = images[:, part, ...]
            col, d = windows.im2col(x), xp.reshape(dout[:, part, ...], (shape[0], -1))  # (FN, n · OH · OW)
            dW += xp.matmul(d, xp.matrix_transpose(windows.of_phase(col, 0, 0)))
            db += xp.sum(d, axis=1)
            if dx is not None:
                dcol = xp.reshape(xp.matmul(xp.matrix_transpose(matrix), d), col.shape)
                dx[:, part, ...] = windows.col2im(dcol, x.shape)
        self.set_matrix_grad(dW)
        self.grads["b"] = db

    def windows(self, x: Array) -> Windows:
        """Where the kernel stands on images x; raises unless it can."""
        W = self.params["W"]
        self.check_like(x, W, "x and W")
        _, c, height, width = W.shape
        if x.ndim != 4 or x.shape[1] != c:
            raise ValueError(f"{self.name}: expected input (N, {c}, H, W), got {tuple(x.shape)}")
        windows = Windows(height, width, self.stride, self.pad)
        if min(windows.output(x.shape)) < 1:
            raise ValueError(
                f"{self.name}: a kernel {height}×{width} is larger than the images "
                f"{x.shape[2]}×{x.shape[3]} with pad {self.pad}"
            )
        return windows

    def numbers_each(self, windows: Windows, x: Array) -> int:
        """How many numbers a sample has in a slab: its columns and its output."""
        FN, *rows = self.params["W"].shape
        return (math.prod(map(int, rows)) + int(FN)) * math.prod(windows.output(x.shape))

    def matrix(self) -> Array:
        """W as a matrix (FN, FH · FW · C), as the columns of im2col go."""
        xp, W = namespace_of(self.params["W"]), self.params["W"]
        return xp.reshape(xp.permute_dims(W, (0, 2, 3, 1)), (W.shape[0], -1))

    def set_matrix_grad(self, dW: Array) -> None:
        """Set the gradient of W from that of `matrix()`."""
        xp, (fn, c, height, width) = namespace_of(dW), self.params["W"].shape
        self.set_grad("W", xp.permute_dims, xp.reshape(dW, (fn, height, width, c)), (0, 3, 1, 2))

    def check_dout_shape(self, dout: Array, shape: tuple[int, ...]) -> None:
        """Raise unless `dout` fits an output that is (FN, N, OH, OW) in memory."""
        fn, n, *size = shape
        if tuple(dout.shape) != (n, fn, *size):
            raise ValueError(f"{self.name}: expected dout {(n, fn, *size)}, got {tuple(dout.shape)}")
        self.check_like(dout, self.params["W"], "dout and W")

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[Convolution, np.ndarray]:
        convolution = cls(rng.standard_normal((3, 2, 3, 2)), rng.standard_normal(3), stride=1, pad=1)
        return convolution, rng.standard_normal((2, 2, 4, 5))
