"""Convolution, ReLU and max pooling as one layer, with fewer passes over memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..backends import Array, Namespace, fused, namespace_of
from .checks import check_whole
from .convolution import Convolution
from .pooling import MaxPooling
from .spec import ArraySpec
from .windows import Phase, Windows, few_calls


class ConvolutionReLUPooling(Convolution):
    """y = MaxPooling(pool_h, pool_w)(ReLU(Convolution(W, b, stride, pad)(x))), computed at once.

    Adding b and ReLU keep the order of numbers, so they can follow the maximum, where there are fewer
    numbers. The windows of each phase of a block give a matrix product of their own, and the maximum of
    these products is the pooling. Where few calls are faster (`Backend.few_calls`), all windows give one
    product, and the phases are views of it. dout goes to the first of the largest entries
    where it is above 0.

    Where adding b rounds two different numbers to the same one, the three layers choose the first, and
    this one the larger.

    Parameters
    ----------
    W, b, stride, pad : see `Convolution`
    pool_h, pool_w : the height and width of a pooling window, without gaps and overlaps; pool_w is pool_h
        by default. Rows and columns that do not fill a window are ignored.

    Shapes, errors and slabs are those of the layers it stands for.

    Source: *Deep Learning from Scratch*, sections 7.2 to 7.5.

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

    def product(self, windows: Windows, W: Array, col: Array) -> tuple[Array, Any]:
        if not self._has_phases(windows):
            return self._pooled_product(windows, W, col)
        xp, (first, *others) = namespace_of(W), windows.phases
        largest, masks = xp.matmul(W, windows.phase(col, *first)), []  # (FN, n · OH · OW)
        for phase in others:
            product = xp.matmul(W, windows.phase(col, *phase))
            masks.append(product > largest)  # not where equal: the first of the largest stays
            largest = xp.maximum(largest, product)
        largest += self.params["b"][:, None]
        return xp.maximum(largest, 0.0), (masks, largest > 0.0)

    def douts(self, windows: Windows, dout: Array, kept: Any) -> tuple[Array, list[tuple[Phase, Array]]]:
        if not self._has_phases(windows):
            return self._pooled_douts(dout, kept)
        xp, (masks, active), douts = namespace_of(dout), kept, []
        first, *others = windows.phases
        d = rest = xp.reshape(dout, active.shape) * xp.astype(active, dout.dtype)
        for phase, larger in zip(reversed(others), reversed(masks), strict=True):
            douts.append((phase, rest * xp.astype(larger, rest.dtype)))
            rest = rest - douts[-1][1]  # what belongs to an earlier phase
        return d, [(first, rest), *douts]

    def _pooled_product(self, windows: Windows, W: Array, col: Array) -> tuple[Array, Any]:
        """`product` from one product of all windows."""
        xp, images = namespace_of(W), col.shape[-3:]
        product = xp.reshape(xp.matmul(W, windows.phase(col, 0, 0)), (W.shape[0], *images))  # (FN, n, H, W)
        entries = [product[index] for index in self._pooling.entries(product)]
        y, *kept = _pooled(xp.reshape(self.params["b"], (-1, 1, 1, 1)), *entries)
        return y, (ArraySpec.of(product), kept)

    def _pooled_douts(self, dout: Array, kept: Any) -> tuple[Array, list[tuple[Phase, Array]]]:
        product, (active, *masks) = kept
        d, *parts = _parts(dout, active, *masks)
        spread = self._pooling.spread(parts, self._pooling.entries(product), product)
        whole = product.xp.permute_dims(spread, (1, 0, 2, 3))
        d, whole = (product.xp.reshape(x, (product.shape[0], -1)) for x in (d, whole))
        return d, [((0, 0), whole)]

    def size(self, windows: Windows, x: Array) -> tuple[int, int]:
        below, beside = windows.blocks(x)
        return below * windows.rows // self.pool_h, beside * windows.columns // self.pool_w

    def _has_phases(self, windows: Windows) -> bool:
        return (windows.rows, windows.columns) == (self.pool_h, self.pool_w)

    @property
    def _pooling(self) -> MaxPooling:
        return MaxPooling(self.pool_h, self.pool_w)

    def windows(self, x: Array) -> Windows:
        windows = super().windows(x)
        pooled = replace(windows, rows=self.pool_h, columns=self.pool_w)
        if min(pooled.blocks(x)) < 1:
            h, w = windows.blocks(x)
            raise ValueError(
                f"{self.name}: what is pooled, {self.pool_h}×{self.pool_w}, is larger than the {h}×{w} "
                f"that the convolution makes of an image {x.shape[2]}×{x.shape[3]}"
            )
        return windows if few_calls(x) else pooled

    def region(self, x: Array) -> Array:
        """The number of the largest entry of each pooling window, or −1 where ReLU makes it 0."""
        y = Convolution(**self.params, stride=self.stride, pad=self.pad).forward(x)
        return namespace_of(x).where(self._pooling.forward(y) > 0.0, self._pooling.region(y), -1)

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[ConvolutionReLUPooling, np.ndarray]:
        layer = cls(rng.standard_normal((3, 2, 3, 2)), rng.standard_normal(3), pad=1)
        return layer, rng.standard_normal((2, 2, 4, 6))


@fused
def _pooled(xp: Namespace, b: Array, first: Array, *others: Array) -> tuple[Array, ...]:
    """y; whether it is above 0; for each entry but the first whether it is larger than all before it."""
    largest, masks = first, []
    for product in others:
        masks.append(product > largest)  # not where equal: the first of the largest stays
        largest = xp.maximum(largest, product)
    y = xp.maximum(largest + b, 0.0)
    return y, y > 0.0, *masks


@fused
def _parts(xp: Namespace, dout: Array, active: Array, *masks: Array) -> tuple[Array, ...]:
    """The gradient of what `_pooled` adds b to, and the part of each entry in it."""
    parts = []
    d = rest = dout * xp.astype(active, dout.dtype)
    for larger in reversed(masks):
        parts.append(rest * xp.astype(larger, rest.dtype))
        rest = rest - parts[-1]  # what belongs to an earlier phase
    return d, rest, *reversed(parts)
