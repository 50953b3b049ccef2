"""Layers as a reader of the book writes them: with NumPy's functions, from no class of the package."""

from __future__ import annotations

from typing import Any

import numpy as np


class Affine:
    def __init__(self, W: Any, b: Any) -> None:
        self.W, self.b = W, b
        self.x: Any = None
        self.dW: Any = None
        self.db: Any = None

    def forward(self, x: Any) -> Any:
        self.x = x
        return np.dot(x, self.W) + self.b

    def backward(self, dout: Any) -> Any:
        self.dW = np.dot(self.x.T, dout)
        self.db = dout.sum(axis=0)
        return np.dot(dout, self.W.T)


class Relu:
    """It writes into the dout that it is given, and returns it."""

    def __init__(self) -> None:
        self.mask: Any = None

    def forward(self, x: Any) -> Any:
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, dout: Any) -> Any:
        dout[self.mask] = 0
        return dout


class Sigmoid:
    """It keeps the output that it hands out."""

    def __init__(self) -> None:
        self.out: Any = None

    def forward(self, x: Any) -> Any:
        self.out = 1 / (1 + np.exp(-x))
        return self.out

    def backward(self, dout: Any) -> Any:
        return dout * self.out * (1 - self.out)


class Dropout:
    def __init__(self, dropout_ratio: float = 0.5) -> None:
        self.dropout_ratio = dropout_ratio
        self.mask: Any = None

    def forward(self, x: Any, train_flg: bool = True) -> Any:
        if not train_flg:
            return x * (1.0 - self.dropout_ratio)
        self.mask = np.random.rand(*x.shape) > self.dropout_ratio
        return x * self.mask

    def backward(self, dout: Any) -> Any:
        return dout * self.mask


class OwnGenerator(Dropout):
    """It draws from a generator of its own."""

    def __init__(self, dropout_ratio: float = 0.5) -> None:
        super().__init__(dropout_ratio)
        self.rng = np.random.default_rng(5)

    def forward(self, x: Any, train_flg: bool = True) -> Any:
        if not train_flg:
            return x * (1.0 - self.dropout_ratio)
        self.mask = self.rng.random(x.shape) > self.dropout_ratio
        return x * self.mask


class BatchNormalization:
    """Its running statistics are there from the first call on."""

    def __init__(
        self, gamma: Any, beta: Any, momentum: float = 0.9, mean: Any = None, var: Any = None
    ) -> None:
        self.gamma, self.beta, self.momentum = gamma, beta, momentum
        self.running_mean, self.running_var = mean, var
        self.normal: Any = None
        self.std: Any = None
        self.dgamma: Any = None
        self.dbeta: Any = None

    def forward(self, x: Any, train_flg: bool = True) -> Any:
        if self.running_mean is None:
            self.running_mean = np.zeros(x.shape[1])
            self.running_var = np.zeros(x.shape[1])
        if train_flg:
            mean, var = x.mean(axis=0), x.var(axis=0)
            self._remember(mean, var)
            self.std = np.sqrt(var + 1e-5)
            self.normal = (x - mean) / self.std
            return self.gamma * self.normal + self.beta
        return self.gamma * (x - self.running_mean) / np.sqrt(self.running_var + 1e-5) + self.beta

    def _remember(self, mean: Any, var: Any) -> None:
        self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
        self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var

    def backward(self, dout: Any) -> Any:
        self.dbeta = dout.sum(axis=0)
        self.dgamma = np.sum(dout * self.normal, axis=0)
        dnormal = dout * self.gamma
        centred = dnormal - dnormal.mean(axis=0) - self.normal * np.mean(dnormal * self.normal, axis=0)
        return centred / self.std


class Convolution:
    """With a stride of 1 and no padding; its windows are float64 whatever x is."""

    def __init__(self, W: Any, b: Any) -> None:
        self.W, self.b = W, b
        self.x: Any = None
        self.windows: Any = None
        self.dW: Any = None
        self.db: Any = None

    def forward(self, x: Any) -> Any:
        self.x = x
        height, width = self.W.shape[2:]
        rows, columns = x.shape[2] - height + 1, x.shape[3] - width + 1
        self.windows = np.zeros((*x.shape[:2], height, width, rows, columns))
        for i in range(height):
            for j in range(width):
                self.windows[:, :, i, j] = x[:, :, i : i + rows, j : j + columns]
        out = np.tensordot(self.windows, self.W, ((1, 2, 3), (1, 2, 3)))
        return out.transpose(0, 3, 1, 2) + self.b.reshape(1, -1, 1, 1)

    def backward(self, dout: Any) -> Any:
        self.db = dout.sum(axis=(0, 2, 3))
        self.dW = np.tensordot(dout, self.windows, ((0, 2, 3), (0, 4, 5)))
        dx = np.zeros(self.x.shape)
        for i in range(self.W.shape[2]):
            for j in range(self.W.shape[3]):
                part = np.tensordot(dout, self.W[:, :, i, j], (1, 0)).transpose(0, 3, 1, 2)
                dx[:, :, i : i + dout.shape[2], j : j + dout.shape[3]] += part
        return dx


class Pooling:
    """The largest of every 2 × 2 entries; it saves which one it is."""

    def __init__(self) -> None:
        self.shape: Any = None
        self.arg_max: Any = None

    def forward(self, x: Any) -> Any:
        self.shape = x.shape
        n, c, h, w = x.shape
        blocks = x.reshape(n, c, h // 2, 2, w // 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(-1, 4)
        self.arg_max = np.argmax(blocks, axis=1)
        return np.max(blocks, axis=1).reshape(n, c, h // 2, w // 2)

    def backward(self, dout: Any) -> Any:
        n, c, h, w = self.shape
        blocks = np.zeros((dout.size, 4))
        blocks[np.arange(dout.size), self.arg_max] = dout.flatten()
        return blocks.reshape(n, c, h // 2, w // 2, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(self.shape)


class Flatten:
    """For images between a convolution and an affine layer; what it returns shares the memory of x."""

    def __init__(self) -> None:
        self.shape: Any = None

    def forward(self, x: Any) -> Any:
        self.shape = x.shape
        return x.reshape(x.shape[0], -1)

    def backward(self, dout: Any) -> Any:
        return dout.reshape(self.shape)


class SoftmaxWithLoss:
    """Its backward ignores dout."""

    def __init__(self) -> None:
        self.y: Any = None
        self.t: Any = None

    def forward(self, x: Any, t: Any) -> Any:
        self.t = t
        exp = np.exp(x - np.max(x, axis=1, keepdims=True))
        self.y = exp / np.sum(exp, axis=1, keepdims=True)
        labels = t if t.ndim == 1 else t.argmax(axis=1)
        return -np.mean(np.log(self.y[np.arange(len(labels)), labels]))

    def backward(self, dout: Any = 1) -> Any:
        if self.t.ndim == 2:
            return (self.y - self.t) / len(self.t)
        dx = self.y.copy()
        dx[np.arange(len(self.t)), self.t] -= 1
        return dx / len(self.t)


class SquaredError:
    def __init__(self) -> None:
        self.difference: Any = None

    def forward(self, x: Any, t: Any) -> Any:
        self.difference = x - t
        return 0.5 * float(np.sum(self.difference**2)) / len(x)

    def backward(self, dout: Any) -> Any:
        return dout * self.difference / len(self.difference)


class MulLayer:
    def __init__(self) -> None:
        self.x: Any = None
        self.y: Any = None

    def forward(self, x: Any, y: Any) -> Any:
        self.x, self.y = x, y
        return x * y

    def backward(self, dout: Any) -> Any:
        return dout * self.y, dout * self.x


class AddLayer:
    def forward(self, x: Any, y: Any) -> Any:
        return x + y

    def backward(self, dout: Any) -> Any:
        return dout, dout
