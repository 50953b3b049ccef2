"""Convolution of images: a matrix product with every place of the kernel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..backends import Array, device_of, namespace_of, set_at
from .checks import check_float, check_like, check_whole
from .layer import Layer
from .windows import Phase, Windows, slabs


class Convolution(Layer):
    """y[n, f, a, b] = Σ x[n, c, a · stride + i − pad, b · stride + j − pad] W[f, c, i, j] + b[f].

    The sum goes over c, i and j, and x is 0 outside the image. With matrices it is y = W im2col(x) + b,
    so dW = dout im2col(x)ᵀ, dx = col2im(Wᵀ dout), and db is the sum of dout over n, a and b.

    Parameters
    ----------
    W : (FN, C, FH, FW) floating-point array
    b : (FN,) array of the same library, dtype and device
    stride : how far the kernel moves, down and across, at least 1
    pad : how many rows and columns of zeros surround the image, at least 0

    `forward` takes x of shape (N, C, H, W) and returns (N, FN, OH, OW), with
    OH = ⌊(H + 2 pad − FH) / stride⌋ + 1. Pixels at the edge that the stride steps over are ignored.
    A wrong shape is a `ValueError`; another dtype or library is a `TypeError`.

    The batch is processed in slabs of as many images as `Backend.slab_bytes` allows: their columns stay
    in the cache, and memory does not grow with the batch. `backward` computes the columns again.

    Source: *Deep Learning from Scratch*, sections 7.2 and 7.4.

    >>> import numpy as np
    >>> convolution = Convolution(np.ones((1, 1, 2, 2)), np.asarray([10.0]))
    >>> convolution.forward(np.asarray([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]]), training=True)
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
                f"{self.name}: expected W (FN, C, FH, FW) and b (FN,), "
                f"got {tuple(W.shape)} and {tuple(b.shape)}"
            )
        check_float(self.name, W)
        check_like(self.name, b, W, "b and W")
        check_whole(self.name, 1, stride=stride)
        check_whole(self.name, 0, pad=pad)
        self.stride, self.pad = int(stride), int(pad)

    def forward(self, x: Array, *, training: bool = False) -> Array:
        xp, windows, W = namespace_of(x), self.windows(x), self.matrix()
        images, size, kept = xp.permute_dims(x, (1, 0, 2, 3)), self.size(windows, x), []  # (C, N, H, W)
        y = xp.empty((x.shape[0], W.shape[0], *size), dtype=x.dtype, device=device_of(x))  # (N, FN, OH, OW)
        for part in self.slabs(windows, images):
            product, keep = self.product(windows, W, windows.im2col(images[:, part, ...]))
            product = xp.reshape(product, (W.shape[0], -1, *size))  # (FN, n, OH, OW)
            y = set_at(y, (part, ...), xp.permute_dims(product, (1, 0, 2, 3)))
            kept.append(keep)
        self.saved = (images, windows, tuple(y.shape), kept) if training else None
        return y

    def backward(self, dout: Array) -> Array:
        xp, (c, n, h, w) = namespace_of(dout), self.saved[0].shape
        return self._backward(dout, xp.empty((n, c, h, w), dtype=dout.dtype, device=device_of(dout)))

    def backward_params(self, dout: Array) -> None:
        self._backward(dout, None)

    def _backward(self, dout: Array, dx: Array | None) -> Any:
        """Set `grads`; return `dx` filled, if there is one."""
        images, windows, shape, kept = self.saved
        if tuple(dout.shape) != shape:
            raise ValueError(f"{self.name}: expected dout {shape}, got {tuple(dout.shape)}")
        check_like(self.name, dout, self.params["W"], "dout and W")
        xp = namespace_of(dout)
        dW: Any = None
        db: Any = None
        for part, keep in zip(self.slabs(windows, images), kept, strict=True):
            d = xp.permute_dims(dout[part, ...], (1, 0, 2, 3))  # (FN, n, OH, OW)
            d, douts = self.douts(windows, d, keep)
            db = _plus(db, xp.sum(d, axis=1))
            col = windows.im2col(images[:, part, ...])
            for phase, d in douts:  # (FN, n · OH · OW)
                dW = _plus(dW, xp.matmul(d, xp.matrix_transpose(windows.phase(col, *phase))))
            if dx is not None:
                W = self.matrix()
                products = ((phase, xp.matmul(xp.matrix_transpose(W), d)) for phase, d in douts)
                found = xp.permute_dims(windows.col2im(products, images[:, part, ...]), (1, 0, 2, 3))
                dx = set_at(dx, (part, ...), found)
        fn, c, height, width = self.params["W"].shape
        self.set_grad("W", xp.permute_dims, xp.reshape(dW, (fn, height, width, c)), (0, 3, 1, 2))
        self.grads["b"] = db
        return dx

    def product(self, windows: Windows, W: Array, col: Array) -> tuple[Array, Any]:
        """The output of a slab, (FN, n · OH · OW), and what `douts` will need."""
        product = namespace_of(W).matmul(W, windows.phase(col, 0, 0))
        product += self.params["b"][:, None]
        return product, None

    def douts(self, windows: Windows, dout: Array, kept: Any) -> tuple[Array, list[tuple[Phase, Array]]]:
        """The gradient of W im2col(x) + b, a matrix, from that of `product`, and its part in every phase."""
        d = namespace_of(dout).reshape(dout, (dout.shape[0], -1))
        return d, [((0, 0), d)]

    def size(self, windows: Windows, x: Array) -> tuple[int, int]:
        """OH and OW."""
        return windows.blocks(x)

    def matrix(self) -> Array:
        """W as a matrix (FN, FH · FW · C), in the order of im2col."""
        xp, W = namespace_of(self.params["W"]), self.params["W"]
        return xp.reshape(xp.permute_dims(W, (0, 2, 3, 1)), (W.shape[0], -1))

    def windows(self, x: Array) -> Windows:
        """The windows of the kernel on x; raises unless it fits."""
        W = self.params["W"]
        check_like(self.name, x, W, "x and W")
        _, c, height, width = W.shape
        if x.ndim != 4 or x.shape[1] != c:
            hint = "; give a single image as x[None, ...]" if tuple(x.shape[:-2]) == (c,) else ""
            raise ValueError(f"{self.name}: expected input (N, {c}, H, W), got {tuple(x.shape)}{hint}")
        windows = Windows(height, width, self.stride, self.pad)
        if min(windows.blocks(x)) < 1:
            raise ValueError(
                f"{self.name}: the kernel {height}×{width} is larger than the image "
                f"{x.shape[2]}×{x.shape[3]} with pad {self.pad}"
            )
        if 0 in x.shape[2:]:
            raise ValueError(f"{self.name}: expected images with pixels, got input {tuple(x.shape)}")
        return windows

    def slabs(self, windows: Windows, images: Array) -> Iterator[slice]:
        """The slabs of the batch."""
        below, beside = windows.blocks(images)
        outputs = 2 * int(self.params["W"].shape[0]) * below * beside
        return slabs(images, windows.numbers_each(images) + outputs)

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[Convolution, np.ndarray]:
        convolution = cls(rng.standard_normal((3, 2, 3, 2)), rng.standard_normal(3), stride=1, pad=1)
        return convolution, rng.standard_normal((2, 2, 4, 5))


def _plus(total: Array | None, part: Array) -> Array:
    return part if total is None else total + part
