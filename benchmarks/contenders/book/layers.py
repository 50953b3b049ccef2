"""The layers as the book writes them: new arrays everywhere, float64 where nothing else is said."""

from __future__ import annotations

import numpy as np

from ...workloads import BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM, Array


class Affine:
    def __init__(self, W: Array, b: Array) -> None:
        self.params = [W, b]

    def forward(self, x: Array, training: bool) -> Array:
        self.shape, self.x = x.shape, x.reshape(x.shape[0], -1)
        return np.dot(self.x, self.params[0]) + self.params[1]

    def backward(self, dout: Array) -> Array:
        dx = np.dot(dout, self.params[0].T)
        self.grads = [np.dot(self.x.T, dout), np.sum(dout, axis=0)]
        return dx.reshape(*self.shape)


class ReLU:
    params: tuple[Array, ...] = ()

    def forward(self, x: Array, training: bool) -> Array:
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, dout: Array) -> Array:
        dout[self.mask] = 0
        return dout


class BatchNormalization:
    def __init__(self, gamma: Array, beta: Array) -> None:
        self.params = [gamma, beta]
        self.mean, self.var = np.zeros_like(beta), np.zeros_like(beta)

    def forward(self, x: Array, training: bool) -> Array:
        if training:
            mean = x.mean(axis=0)
            self.centred = x - mean
            var = np.mean(self.centred**2, axis=0)
            self.std = np.sqrt(var + BATCH_NORM_EPSILON)
            self.normal = self.centred / self.std
            self.mean = BATCH_NORM_MOMENTUM * self.mean + (1 - BATCH_NORM_MOMENTUM) * mean
            self.var = BATCH_NORM_MOMENTUM * self.var + (1 - BATCH_NORM_MOMENTUM) * var
            normal = self.normal
        else:
            normal = (x - self.mean) / np.sqrt(self.var + BATCH_NORM_EPSILON)
        return self.params[0] * normal + self.params[1]

    def backward(self, dout: Array) -> Array:
        self.grads = [np.sum(self.normal * dout, axis=0), dout.sum(axis=0)]
        dnormal = self.params[0] * dout
        dstd = -np.sum(dnormal * self.centred / (self.std * self.std), axis=0)
        dcentred = dnormal / self.std + self.centred * (dstd / self.std) / len(dout)
        return dcentred - np.sum(dcentred, axis=0) / len(dout)


class Convolution:
    def __init__(self, W: Array, b: Array) -> None:
        self.params = [W, b]

    def forward(self, x: Array, training: bool) -> Array:
        W, b = self.params
        self.shape, (filters, _, k, _) = x.shape, W.shape
        n, _, h, w = x.shape
        self.columns = im2col(x, k, 1)
        out = np.dot(self.columns, W.reshape(filters, -1).T) + b
        return out.reshape(n, h - k + 1, w - k + 1, filters).transpose(0, 3, 1, 2)

    def backward(self, dout: Array) -> Array:
        W = self.params[0]
        dout = dout.transpose(0, 2, 3, 1).reshape(-1, len(W))
        self.grads = [np.dot(self.columns.T, dout).T.reshape(W.shape), np.sum(dout, axis=0)]
        return col2im(np.dot(dout, W.reshape(len(W), -1)), self.shape, W.shape[2], 1)


class Pooling:
    params: tuple[Array, ...] = ()

    def forward(self, x: Array, training: bool) -> Array:
        n, channels, h, w = self.shape = x.shape
        columns = im2col(x, 2, 2).reshape(-1, 4)
        self.places = np.argmax(columns, axis=1)
        return np.max(columns, axis=1).reshape(n, h // 2, w // 2, channels).transpose(0, 3, 1, 2)

    def backward(self, dout: Array) -> Array:
        dout = dout.transpose(0, 2, 3, 1)
        columns = np.zeros((dout.size, 4))
        columns[np.arange(dout.size), self.places] = dout.flatten()
        return col2im(columns.reshape(-1, 4 * self.shape[1]), self.shape, 2, 2)


def im2col(x: Array, k: int, stride: int) -> Array:
    """Every window of x (N, C, H, W) as a row."""
    n, channels, h, w = x.shape
    rows, columns = (h - k) // stride + 1, (w - k) // stride + 1
    windows = np.zeros((n, channels, k, k, rows, columns))
    for i in range(k):
        for j in range(k):
            windows[:, :, i, j] = x[:, :, i : i + stride * rows : stride, j : j + stride * columns : stride]
    return windows.transpose(0, 4, 5, 1, 2, 3).reshape(n * rows * columns, -1)


def col2im(col: Array, shape: tuple[int, ...], k: int, stride: int) -> Array:
    """The rows added up where their windows lie in images of this shape."""
    n, channels, h, w = shape
    rows, columns = (h - k) // stride + 1, (w - k) // stride + 1
    windows = col.reshape(n, rows, columns, channels, k, k).transpose(0, 3, 4, 5, 1, 2)
    x = np.zeros(shape)
    for i in range(k):
        for j in range(k):
            x[:, :, i : i + stride * rows : stride, j : j + stride * columns : stride] += windows[:, :, i, j]
    return x
