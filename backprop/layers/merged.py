"""Convolution, ReLU and max pooling in one: what they compute in a row, with fewer passes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from backends import Array, namespace_of

from .convolution import Convolution
from .pooling import MaxPooling
from .windows import Windows, check_whole, slabs


class ConvolutionReLUPooling(Convolution):
    """y = MaxPooling(pool_h, pool_w)(ReLU(Convolution(W, b, stride, pad)(x))), computed at once.

    Adding b and ReLU keep the order of numbers, so they may as well come after the maximum: over a
    fourth of the numbers, when four are pooled. The windows (r, q) of all blocks that are pooled give
    one matrix product each, and their maximum needs no strided reading. Where two numbers become
    equal only by the rounding of adding b, the gradient may go to the second.

    Parameters
    ----------
    W, b, stride, pad : see `Convolution`
    pool_h, pool_w : the height and width of what is pooled, side by side; pool_w is pool_h by default.
        Incomplete blocks at the edge are left out, as in `MaxPooling`.

    Shapes, slabs and errors are those of the layers it stands for.

    Source: *Deep Learning from Scratch*, sections 7.2 to 7.4.

    >>> import numpy as np
    >>> layer = ConvolutionReLUPooling(np.ones((1, 1, 1, 2)), np.asarray([-10.0]), pool_h=1, pool_w=2)
    >>> layer.forward(np.asarray([[[[1.0, 2.0, 9.0, 4.0, 0.0]]]]), training=True)
    array([[[[1., 3.]]]])
    >>> layer.backward(np.asarray([[[[1.0, 2.0]]]]))
    array([[[[0., 1., 3., 2., 0.]]]])
    """

    def __init__(
        self, W: Array, b: Array, stride: int = 1, pad: int = 0, pool_h: int = 2, pool_w: int | None = None
    ) -> None:
        super().__init__(W, b, stride, pad)
        pool_w = pool_h if pool_w is None else pool_w
        check_whole(self.name, 1, pool_h=pool_h, pool_w=pool_w)
        self.pool_h, self.pool_w = int(pool_h), int(pool_w)

    def forward(self, x: Array, *, training: bool = False) -> Array:
        windows = self.windows(x)
        xp, matrix, b = namespace_of(x), self.matrix(), self.params["b"]
        images = xp.permute_dims(x, (1, 0, 2, 3))  # (C, N, H, W)
        shape = (b.shape[0], x.shape[0], *windows.output(x.shape))
        y, larger = xp.empty(shape, dtype=x.dtype, device=x.device), []  # (FN, N, OH, OW)
        for part in slabs(images, self.numbers_each(windows, x)):
            col = windows.im2col(images[:, part, ...])
            first, *others = windows.phases
            largest = xp.matmul(matrix, windows.of_phase(col, *first))  # (FN, n · OH · OW)
            for phase in others:
                product = xp.matmul(matrix, windows.of_phase(col, *phase))
                if training:
                    larger.append(product > largest)  # not where equal: the first of the largest stays
                largest = xp.maximum(largest, product)
            largest += b[:, None]
            y[:, part, ...] = xp.reshape(xp.maximum(largest, 0.0), (shape[0], -1, *shape[2:]))
        self.saved = (images, windows, y, larger) if training else None
        return xp.permute_dims(y, (1, 0, 2, 3))  # (N, FN, OH, OW)

    def _backward(self, dout: Array, dx: Array | None) -> None:
        images, windows, y, larger = self.saved
        self.check_dout_shape(dout, y.shape)
        xp, matrix, masks = namespace_of(images), self.matrix(), iter(larger)
        dout = xp.permute_dims(dout, (1, 0, 2, 3))  # (FN, N, OH, OW)
        dW, db = xp.zeros_like(matrix), xp.zeros_like(self.params["b"])
        for part in slabs(images, self.numbers_each(windows, images)):
            x, active = images[:, part, ...], xp.astype(y[:, part, ...] > 0.0, y.dtype)
            rest = xp.reshape(dout[:, part, ...] * active, (matrix.shape[0], -1))  # (FN, n · OH · OW)
            db += xp.sum(rest, axis=1)
            col = windows.im2col(x)
            dcol = None if dx is None else xp.zeros(col.shape, dtype=col.dtype, device=col.device)
            won = [None, *(next(masks) for _ in windows.phases[1:])]
            for phase in reversed(windows.phases):
                mask = won.pop()
                d = rest if mask is None else rest * xp.astype(mask, rest.dtype)
                rest = rest - d
                dW += xp.matmul(d, xp.matrix_transpose(windows.of_phase(col, *phase)))
                if dx is not None:
                    windows.add_phase(dcol, xp.matmul(xp.matrix_transpose(matrix), d), *phase)
            if dx is not None:
                dx[:, part, ...] = windows.col2im(dcol, x.shape)
        self.set_matrix_grad(dW)
        self.grads["b"] = db

    def windows(self, x: Array) -> Windows:
        windows = replace(super().windows(x), rows=self.pool_h, columns=self.pool_w)
        if min(windows.output(x.shape)) < 1:
            raise ValueError(
                f"{self.name}: a window {self.pool_h}×{self.pool_w} is larger than the convolution's output"
            )
        return windows

    def numbers_each(self, windows: Windows, x: Array) -> int:
        FN, C, _, width = self.params["W"].shape
        blocks = math.prod(windows.output(x.shape))
        return (self.pool_w * windows.reach[0] * int(width * C) + 2 * int(FN)) * blocks

    def region(self, x: Array) -> Array:
        """Which entry of its block is the largest, or −1 where ReLU gives 0."""
        xp = namespace_of(x)
        y = Convolution(**self.params, stride=self.stride, pad=self.pad).forward(x)
        pooling = MaxPooling(self.pool_h, self.pool_w)
        return xp.where(pooling.forward(y) > 0.0, pooling.region(y), -1)

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[ConvolutionReLUPooling, np.ndarray]:
        layer = cls(rng.standard_normal((3, 2, 3, 2)), rng.standard_normal(3), pad=1)
        return layer, rng.standard_normal((2, 2, 4, 6))
