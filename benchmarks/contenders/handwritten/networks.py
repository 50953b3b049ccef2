"""The gradients of the three kinds of networks, by hand."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ...workloads import BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM, Array, Weights


class Affines:
    """Affine layers with ReLU between them, from the input x (N, D).

    p and g are the parameters and their gradients, by name; layers are counted from `first`.
    `gradient` returns the loss of the batch in x and leaves the gradient of N · scale · loss in g.
    """

    def __init__(self, p: Weights, g: Weights, x: Array, scale: float, first: int = 1) -> None:
        names = range(first, 1 + sum(name.startswith("W") for name in p))
        self.W, self.b = [p[f"W{i}"] for i in names], [p[f"b{i}"] for i in names]
        self.dW, self.db = [g[f"W{i}"] for i in names], [g[f"b{i}"] for i in names]
        self.n, self.scale, self.last = len(x), np.float32(scale), len(names) - 1
        self.h = [x, *(np.empty((self.n, len(b)), np.float32) for b in self.b[:-1])]
        self.z = np.empty((len(self.b[-1]), self.n), np.float32)  # classes first: sums of long rows
        self.d = [*(np.empty_like(h) for h in self.h), self.z.T]
        self.ones, self.columns = np.ones(self.n, np.float32), np.arange(self.n)

    def gradient(self, t: Array) -> float:
        h, d, last = self.h, self.d, self.last
        for i in range(last):
            self.up(i)
        np.dot(self.W[last].T, h[last].T, self.z)
        self.z += self.b[last][:, None]
        loss = self.softmax_with_loss(t)
        np.dot(self.ones, d[last + 1], self.db[last])
        for i in reversed(range(last + 1)):
            np.dot(h[i].T, d[i + 1], self.dW[i])
            if i:
                np.dot(d[i + 1], self.W[i].T, d[i])
                d[i] *= h[i] > 0
                self.down(i - 1)
        return loss

    def up(self, i: int) -> None:
        """From h[i] to h[i + 1]."""
        y = self.h[i + 1]
        np.dot(self.h[i], self.W[i], y)
        y += self.b[i]
        np.maximum(y, 0, out=y)

    def down(self, i: int) -> None:
        """From the gradient for the input of the ReLU in d[i + 1] to that for the product's result."""
        np.dot(self.ones, self.d[i + 1], self.db[i])

    def softmax_with_loss(self, t: Array) -> float:
        """The loss of the logits z; leaves scale · (softmax − one-hot) in z."""
        z = self.z
        z -= np.maximum.reduce(z, axis=0)
        picked = z[t, self.columns]
        np.exp(z, out=z)
        total = np.add.reduce(z, axis=0)
        z *= self.scale / total
        z[t, self.columns] -= self.scale
        return float(np.add.reduce(np.log(total, out=total) - picked)) / self.n


class Normalized(Affines):
    """Affine, batch normalization, ReLU, …; the bias below a normalization cancels and is left out."""

    def __init__(self, p: Weights, g: Weights, x: Array, scale: float) -> None:
        super().__init__(p, g, x, scale)
        names = range(1, 1 + self.last)
        self.gamma, self.beta = [p[f"gamma{i}"] for i in names], [p[f"beta{i}"] for i in names]
        self.dgamma, self.dbeta = [g[f"gamma{i}"] for i in names], [g[f"beta{i}"] for i in names]
        self.centred = [np.empty_like(h) for h in self.h[1:]]
        self.mean, self.var = self.batch = np.empty((2, self.last, len(self.b[0])), np.float32)
        self.running = np.zeros_like(self.batch)
        self.running[1] = 1.0
        self.inverse = np.empty_like(self.mean)
        self.average = self.ones / np.float32(self.n)

    def gradient(self, t: Array) -> float:
        loss = super().gradient(t)
        self.running *= BATCH_NORM_MOMENTUM
        self.batch *= 1.0 - BATCH_NORM_MOMENTUM
        self.running += self.batch
        return loss

    def up(self, i: int) -> None:
        c, y, inverse = self.centred[i], self.h[i + 1], self.inverse[i]
        np.dot(self.h[i], self.W[i], c)
        c -= np.dot(self.average, c, self.mean[i])
        np.multiply(c, c, out=y)
        np.add(np.dot(self.average, y, self.var[i]), BATCH_NORM_EPSILON, out=inverse)
        np.divide(1.0, np.sqrt(inverse, out=inverse), out=inverse)
        np.multiply(c, self.gamma[i] * inverse, out=y)
        y += self.beta[i]
        np.maximum(y, 0, out=y)

    def down(self, i: int) -> None:
        d, c, inverse = self.d[i + 1], self.centred[i], self.inverse[i]
        y = self.h[i + 1]  # its values have been used
        np.dot(self.ones, d, self.dbeta[i])
        np.dot(self.ones, np.multiply(d, c, out=y), self.dgamma[i])
        self.dgamma[i] *= inverse
        # dx = γ/σ · (d − mean d − c/σ · mean(d · c/σ))
        d -= self.dbeta[i] / self.n
        c *= self.dgamma[i] * inverse / self.n
        d -= c
        d *= self.gamma[i] * inverse


class Convolutional:
    """Convolution, ReLU and 2 × 2 pooling of images (N, 784), then affine layers.

    The samples are the last axis, so that rows are long and every product's operands are views. Pooled
    values are made row by row, from four products, one for each place in the window, and stay in cache.
    Bias and ReLU come after the pooling, with which they commute. Of equal values in a window the first
    one has the gradient.
    """

    def __init__(self, p: Weights, g: Weights, x: Array, scale: float) -> None:
        filters, _, k, _ = p["W1"].shape
        n, side = len(x), 28
        rows = (side - k + 1) // 2
        self.W, self.dW = p["W1"].reshape(filters, -1), g["W1"].reshape(filters, -1)
        self.b, self.db = p["b1"][:, None], g["b1"]
        self.x, self.images = x, np.empty((side, side, n), np.float32)
        row, column, sample = self.images.strides
        # (the window's column, image row, kernel column, pooled column, sample)
        self.shifted = as_strided(
            self.images, (2, side, k, rows, n), (column, row, column, 2 * column, sample)
        )
        columns = self.columns = np.empty(self.shifted.shape, np.float32)
        windows = [(q, r) for q in (0, 1) for r in (0, 1)]  # column, row
        y = np.empty((2, 2, filters, rows * n), np.float32)
        self.y, self.pairs = y, np.empty_like(y[0])
        self.products = [
            [(columns[q, 2 * i + r : 2 * i + r + k].reshape(k * k, -1), y[q, r]) for q, r in windows]
            for i in range(rows)
        ]
        self.left = np.empty((rows, *self.pairs.shape), bool)
        self.upper = np.empty((rows, *self.pairs[0].shape), bool)
        self.pooled = np.empty((filters, rows, rows * n), np.float32)
        self.d, self.part = np.empty_like(self.pooled), np.empty_like(self.dW)
        self.affines = Affines(p, g, self.pooled.reshape(-1, n).T, scale, first=2)

    def gradient(self, t: Array) -> float:
        self.images.reshape(-1, len(self.x))[...] = self.x.T
        self.columns[...] = self.shifted
        for i in range(len(self.products)):
            self.up(i)
        loss = self.affines.gradient(t)
        np.dot(self.affines.W[0], self.affines.d[1].T, self.d.reshape(-1, len(self.x)))
        self.d *= self.pooled > 0
        np.add.reduce(self.d, axis=(1, 2), out=self.db)
        self.dW[...] = 0
        for i in range(len(self.products)):
            self.down(i)
        return loss

    def up(self, i: int) -> None:
        y, pairs, pooled = self.y, self.pairs, self.pooled[:, i]
        for columns, product in self.products[i]:
            np.dot(self.W, columns, product)
        np.maximum(y[0], y[1], out=pairs)
        np.greater_equal(y[0], y[1], out=self.left[i])
        np.maximum(pairs[0], pairs[1], out=pooled)
        np.greater_equal(pairs[0], pairs[1], out=self.upper[i])
        pooled += self.b
        np.maximum(pooled, 0, out=pooled)

    def down(self, i: int) -> None:
        y, pairs, d = self.y, self.pairs, self.d[:, i]
        np.multiply(d, self.upper[i], out=pairs[0])
        np.subtract(d, pairs[0], out=pairs[1])
        np.multiply(pairs, self.left[i], out=y[0])
        np.subtract(pairs, y[0], out=y[1])
        for columns, product in self.products[i]:
            self.dW += np.dot(product, columns.T, self.part)
