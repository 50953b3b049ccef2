"""The layers of the book's `common/layers.py`, which compute in float64.

Every layer has the book's attributes, and its `formula` for traces. `W`, `b`, `gamma` and `beta` are the
arrays that were given, not copies: `params["W1"] -= step` changes the layer. `backward` does not change dout,
as the book's `Relu` does.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np

from .. import layers
from ..backends import HostArray
from ..layers.checks import check_whole
from .carried import Carried
from .checks import check_shape, doubles, kept, numbers
from .functions import (
    EPSILON,
    cross_entropy_error,
    identity_function,
    relu,
    relu_grad,
    sigmoid,
    sigmoid_grad,
    softmax,
    softmax_loss,
    step_function,
    sum_squared_error,
    target_rows,
)
from .util import col2im, im2col

__all__ = [
    "Affine",
    "BatchNormalization",
    "Convolution",
    "Dropout",
    "Pooling",
    "Relu",
    "Sigmoid",
    "SoftmaxWithLoss",
    "col2im",
    "cross_entropy_error",
    "identity_function",
    "im2col",
    "np",
    "relu",
    "relu_grad",
    "sigmoid",
    "sigmoid_grad",
    "softmax",
    "softmax_loss",
    "step_function",
    "sum_squared_error",
]

Kept: TypeAlias = "HostArray | None"
"""What is None before the first `forward` or `backward`."""


class Relu:
    """y = max(x, 0); dx = dout where x > 0, else 0.

    Source: *Deep Learning from Scratch*, section 5.5.1.
    """

    formula = Carried("relu")

    def __init__(self) -> None:
        self.mask: Kept = None
        """True where x ≤ 0."""

    def forward(self, x: Any) -> HostArray:
        x = doubles("Relu", x)
        self.mask = np.asarray(x <= 0)
        return np.where(self.mask, 0.0, x)

    def backward(self, dout: Any) -> HostArray:
        mask = kept("Relu", self.mask)
        return np.where(mask, 0.0, check_shape("Relu", "dout", doubles("Relu", dout), mask.shape))


class Sigmoid:
    """y = 1 / (1 + exp(−x)); dx = dout (1 − y) y.

    Source: *Deep Learning from Scratch*, section 5.5.2.
    """

    formula = Carried("sigmoid")

    def __init__(self) -> None:
        self.out: Kept = None

    def forward(self, x: Any) -> HostArray:
        self.out = out = sigmoid(doubles("Sigmoid", x))
        return out

    def backward(self, dout: Any) -> HostArray:
        out = kept("Sigmoid", self.out)
        dout = check_shape("Sigmoid", "dout", doubles("Sigmoid", dout), out.shape)
        dx: HostArray = dout * (1.0 - out) * out
        return dx


class Affine:
    """y = x W + b; dx = dout Wᵀ, dW = xᵀ dout, db = the sum of dout over the batch.

    x: (N, D), or (N, …) with D numbers for a sample. `backprop.Affine` computes the same; its sums, which
    are faster, differ from the book's in their last bits.

    Source: *Deep Learning from Scratch*, section 5.6.

    >>> W = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> affine = Affine(W, np.array([10.0, 20.0]))
    >>> affine.forward([[1.0, 1.0]])
    array([[14., 26.]])
    >>> affine.backward([[1.0, 0.0]]), affine.dW
    (array([[1., 3.]]), array([[1., 0.],
                               [1., 0.]]))
    >>> affine.W is W
    True
    """

    formula = Carried("affine")

    def __init__(self, W: Any, b: Any) -> None:
        self.W, self.b = numbers("Affine", W), numbers("Affine", b)
        if self.W.ndim != 2 or self.b.shape not in ((), self.W.shape[1:]):
            raise ValueError(f"Affine: expected W (D, M) and b (M,), got {self.W.shape} and {self.b.shape}")
        self.x: Kept = None
        self.original_x_shape: tuple[int, ...] | None = None
        self.dW: Kept = None
        self.db: Kept = None

    def forward(self, x: Any) -> HostArray:
        x = doubles("Affine", x)
        if x.ndim < 2 or math.prod(x.shape[1:]) != len(self.W):
            hint = "; give a single sample as x[None, ...]" if x.size == len(self.W) else ""
            raise ValueError(f"Affine: expected x (N, {len(self.W)}), got {x.shape}{hint}")
        self.original_x_shape = x.shape
        self.x = x.reshape(len(x), len(self.W))
        y: HostArray = np.dot(self.x, self.W) + self.b
        return y

    def backward(self, dout: Any) -> HostArray:
        x = kept("Affine", self.x)
        dout = check_shape("Affine", "dout", doubles("Affine", dout), (len(x), self.W.shape[1]))
        self.dW = np.dot(x.T, dout)
        self.db = np.sum(dout, axis=0)
        dx: HostArray = np.dot(dout, self.W.T)
        return dx.reshape(kept("Affine", self.original_x_shape))


class SoftmaxWithLoss:
    """`softmax` and `cross_entropy_error`, with its 10⁻⁷ inside the logarithm; dx = (y Σ t − t) · dout / N.

    Σ t, the sum of a row, is 1 for class numbers and one-hot rows. dx is the gradient of the loss without the
    constant, as in the book: the two differ by up to 10⁻⁷ / N. (The book ignores dout.)
    `backprop.SoftmaxWithLoss` has no constant.

    x: (N, C), or (C,) of a single sample; t: class numbers (N,), or rows of weights, one-hot or other.

    Source: *Deep Learning from Scratch*, section 5.6.3.

    >>> loss = SoftmaxWithLoss()
    >>> loss.forward([[0.0, 0.0]], [1])  # log 2 is 0.693147180…
    np.float64(0.6931469805599654)
    >>> loss.backward()
    array([[ 0.5, -0.5]])
    """

    formula = Carried("cross_entropy")

    def __init__(self) -> None:
        self.loss: Any = None
        self.y: Kept = None
        """The probabilities."""
        self.t: Any = None

    def forward(self, x: Any, t: Any) -> Any:
        self.t = np.asarray(t)
        self.y = softmax(doubles("SoftmaxWithLoss", x))
        self.loss = cross_entropy_error(self.y, self.t)
        return self.loss

    def backward(self, dout: float = 1) -> HostArray:
        shape = kept("SoftmaxWithLoss", self.y, ", t").shape
        y = np.atleast_2d(kept("SoftmaxWithLoss", self.y, ", t"))
        t = target_rows("SoftmaxWithLoss", y, self.t)
        dx = (y * t.sum(axis=1, keepdims=True) - t) / len(y)
        return np.asarray(dout * dx.reshape(shape))


class Dropout:
    """y = x · mask in training, y = x (1 − ratio) in inference; dx = dout · mask.

    The mask is 0 with probability `dropout_ratio`, drawn from `np.random`. `backprop.Dropout` divides by
    1 − ratio in training instead, and its masks have their own seed.

    Source: *Deep Learning from Scratch*, section 6.4.3.
    """

    formula = Carried("dropout")

    def __init__(self, dropout_ratio: float = 0.5) -> None:
        if not 0.0 <= dropout_ratio < 1.0:
            raise ValueError(f"Dropout: expected dropout_ratio from 0 to below 1, got {dropout_ratio}")
        self.dropout_ratio = dropout_ratio
        self.mask: Kept = None
        """True where x is kept."""

    def forward(self, x: Any, train_flg: bool = True) -> HostArray:
        x = doubles("Dropout", x)
        if not train_flg:
            self.mask = None
            return np.asarray(x * (1.0 - self.dropout_ratio))
        self.mask = np.asarray(np.random.rand(*x.shape) > self.dropout_ratio)
        return np.asarray(x * self.mask)

    def backward(self, dout: Any) -> HostArray:
        mask = kept("Dropout", self.mask, ", train_flg=True")
        return check_shape("Dropout", "dout", doubles("Dropout", dout), mask.shape) * mask


class BatchNormalization:
    """y = γ (x − μ) / √(σ² + 10⁻⁶) + β, for every entry of a sample by itself.

    In training μ and σ² are the mean and the variance over the batch (divided by N), which may be of a
    single sample; in inference they are running_mean and running_var. Each batch moves these by
    running ← momentum · running + (1 − momentum) · batch, from 0. `backprop.BatchNormalization` has one μ
    for a channel of images, and averages that are right from the first batch on.

    x: (N, D), or (N, C, H, W) with gamma and beta of C · H · W numbers.

    Source: *Deep Learning from Scratch*, section 6.3.

    >>> norm = BatchNormalization(np.ones(1), np.zeros(1))
    >>> norm.forward([[1.0], [3.0]]).round(4)
    array([[-1.],
           [ 1.]])
    >>> norm.running_mean.round(4), norm.running_var.round(4)
    (array([0.2]), array([0.1]))
    """

    formula = Carried("batch_normalization")

    def __init__(
        self,
        gamma: Any,
        beta: Any,
        momentum: float = 0.9,
        running_mean: Kept = None,
        running_var: Kept = None,
    ) -> None:
        self.gamma, self.beta = numbers("BatchNormalization", gamma), numbers("BatchNormalization", beta)
        if self.gamma.shape != self.beta.shape:
            raise ValueError(
                f"BatchNormalization: expected gamma and beta of one shape, got {self.gamma.shape} and "
                f"{self.beta.shape}"
            )
        self.momentum = momentum
        for what, value in (("running_mean", running_mean), ("running_var", running_var)):
            if value is not None:
                shape = (self.gamma.size,)
                check_shape("BatchNormalization", what, doubles("BatchNormalization", value), shape)
        self.running_mean, self.running_var = running_mean, running_var
        self.input_shape: tuple[int, ...] | None = None
        self.batch_size: int | None = None
        self.xc: Kept = None
        """x − μ."""
        self.xn: Kept = None
        """(x − μ) / std."""
        self.std: Kept = None
        """√(σ² + 10⁻⁶)."""
        self.dgamma: Kept = None
        self.dbeta: Kept = None

    def forward(self, x: Any, train_flg: bool = True) -> HostArray:
        x = self._flat("x", doubles("BatchNormalization", x))
        if self.running_mean is None:
            self.running_mean = np.zeros(x.shape[1])
        if self.running_var is None:
            self.running_var = np.zeros(x.shape[1])
        if train_flg:
            xn = self._normalized(x, self.running_mean, self.running_var)
        else:
            self.xn = None
            xn = (x - self.running_mean) / np.sqrt(self.running_var + EPSILON)
        return np.asarray(self.gamma * xn + self.beta).reshape(kept("BatchNormalization", self.input_shape))

    def _normalized(self, x: HostArray, running_mean: HostArray, running_var: HostArray) -> HostArray:
        """Return x̂ of a batch (N, D), which moves the running statistics."""
        mean = x.mean(axis=0)
        self.batch_size, self.xc = len(x), x - mean
        var = np.mean(self.xc**2, axis=0)
        self.std = np.sqrt(var + EPSILON)
        self.xn = np.asarray(self.xc / self.std)
        self.running_mean = self.momentum * running_mean + (1 - self.momentum) * mean
        self.running_var = self.momentum * running_var + (1 - self.momentum) * var
        return self.xn

    def backward(self, dout: Any) -> HostArray:
        xn = kept("BatchNormalization", self.xn, ", train_flg=True")
        xc, std = kept("BatchNormalization", self.xc), kept("BatchNormalization", self.std)
        shape, n = kept("BatchNormalization", self.input_shape), len(xn)
        dout = check_shape("BatchNormalization", "dout", doubles("BatchNormalization", dout), shape)
        dout = dout.reshape(xn.shape)
        self.dbeta = dout.sum(axis=0)
        self.dgamma = np.sum(xn * dout, axis=0)
        dxn = self.gamma * dout
        dvar = -0.5 * np.sum(dxn * xc / (std * std), axis=0) / std
        dxc = dxn / std + 2.0 / n * xc * dvar
        return np.asarray(dxc - np.sum(dxc, axis=0) / n).reshape(shape)

    def _flat(self, what: str, x: HostArray) -> HostArray:
        """Return x as (N, D)."""
        size = self.gamma.size
        if x.ndim < 2 or math.prod(x.shape[1:]) != size or not len(x):
            raise ValueError(f"BatchNormalization: expected {what} (N, {size}), got {x.shape}")
        self.input_shape = x.shape
        return x.reshape(len(x), size)


class Convolution:
    """y[n, f, a, b] = Σ x[n, c, a · stride + i − pad, b · stride + j − pad] W[f, c, i, j] + b[f].

    With matrices: y = im2col(x) Wᵀ + b, dW = doutᵀ im2col(x), dx = col2im(dout W). `backprop.Convolution`
    computes the same in slabs, in less memory; its sums differ from the book's in their last bits.

    W: (FN, C, FH, FW); b: (FN,) or a number; x: (N, C, H, W).

    Source: *Deep Learning from Scratch*, section 7.4.3.
    """

    formula = Carried("convolution")

    def __init__(self, W: Any, b: Any, stride: int = 1, pad: int = 0) -> None:
        self.W, self.b = numbers("Convolution", W), numbers("Convolution", b)
        if self.W.ndim != 4 or self.b.shape not in ((), self.W.shape[:1]):
            raise ValueError(
                f"Convolution: expected W (FN, C, FH, FW) and b (FN,), got {self.W.shape} and {self.b.shape}"
            )
        check_whole("Convolution", 1, stride=stride)
        check_whole("Convolution", 0, pad=pad)
        self.stride, self.pad = stride, pad
        self.x: Kept = None
        self.col: Kept = None
        self.col_W: Kept = None
        self.dW: Kept = None
        self.db: Kept = None

    def forward(self, x: Any) -> HostArray:
        x = doubles("Convolution", x)
        filters, channels, height, width = self.W.shape
        if x.ndim != 4 or x.shape[1] != channels:
            hint = "; give a single image as x[None, ...]" if x.shape[:-2] == (channels,) else ""
            raise ValueError(f"Convolution: expected x (N, {channels}, H, W), got {x.shape}{hint}")
        self.x, self.col = x, im2col(x, height, width, self.stride, self.pad)
        out_h = (x.shape[2] + 2 * self.pad - height) // self.stride + 1
        self.col_W = self.W.reshape(filters, -1).T
        y = np.dot(self.col, self.col_W) + self.b
        return np.asarray(y.reshape(len(x), out_h, -1, filters).transpose(0, 3, 1, 2))

    def backward(self, dout: Any) -> HostArray:
        x, col, col_W = (kept("Convolution", value) for value in (self.x, self.col, self.col_W))
        filters, _, height, width = self.W.shape
        dout = doubles("Convolution", dout)
        if dout.ndim != 4 or dout.shape[:2] != (len(x), filters) or dout.size != len(col) * filters:
            raise ValueError(f"Convolution: expected dout like forward's y, got {dout.shape}")
        dout = np.ascontiguousarray(dout.transpose(0, 2, 3, 1)).reshape(-1, filters)
        self.db = np.sum(dout, axis=0)
        self.dW = np.dot(col.T, dout).T.reshape(self.W.shape)
        return col2im(np.dot(dout, col_W.T), x.shape, height, width, self.stride, self.pad)


class Pooling:
    """y = the largest entry of every window; dx = dout at the first of the largest: `backprop.MaxPooling`.

    The stride is 1 by default, as in the book's repository. `pad` counts as −∞.

    Source: *Deep Learning from Scratch*, section 7.4.4.
    """

    formula = Carried("max_pooling")

    def __init__(self, pool_h: int, pool_w: int, stride: int = 1, pad: int = 0) -> None:
        self.pool_h, self.pool_w, self.stride, self.pad = pool_h, pool_w, stride, pad
        self.x: Kept = None
        self._layer = self._pooling()

    def forward(self, x: Any) -> HostArray:
        self.x, self._layer = doubles("Pooling", x), self._pooling()
        return np.asarray(self._layer.forward(self.x, training=True))

    def backward(self, dout: Any) -> HostArray:
        kept("Pooling", self.x)
        return np.asarray(self._layer.backward(doubles("Pooling", dout)))

    @property
    def arg_max(self) -> Kept:
        """The place of the largest entry in every window, (N · OH · OW · C,); None before `forward`."""
        if self.x is None:
            return None
        return np.asarray(self._layer.region(self.x)).transpose(0, 2, 3, 1).ravel()

    def _pooling(self) -> layers.MaxPooling:
        pooling = layers.MaxPooling(self.pool_h, self.pool_w, self.stride, self.pad)
        pooling.name = type(self).__name__
        return pooling
