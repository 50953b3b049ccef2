"""The affine transformation: the fully connected layer."""

from __future__ import annotations

import math

import numpy as np

from ..backends import Array, namespace_of
from .checks import check_float, check_like
from .layer import Layer


class Affine(Layer):
    """y = x W + b.

    With dout = ∂L/∂y: dx = dout Wᵀ, dW = xᵀ dout, db = the sum of dout over the batch.

    Parameters
    ----------
    W : (D, M) floating-point array
    b : (M,) array of the same library, dtype and device

    `forward` takes x of shape (N, D), or (N, …) with D numbers per sample, which it flattens, and
    returns (N, M). A wrong shape is a `ValueError`; another dtype or library is a `TypeError`.

    Source: *Deep Learning from Scratch*, section 5.6.

    >>> import numpy as np
    >>> affine = Affine(np.asarray([[1.0, 2.0], [3.0, 4.0]]), np.asarray([10.0, 20.0]))
    >>> affine.forward(np.asarray([[1.0, 1.0]]), training=True)
    array([[14., 26.]])
    >>> affine.backward(np.asarray([[1.0, 0.0]]))
    array([[1., 3.]])
    >>> affine.grads["W"]
    array([[1., 0.],
           [1., 0.]])
    """

    def __init__(self, W: Array, b: Array) -> None:
        super().__init__(W=W, b=b)
        namespace_of(W), namespace_of(b)  # a TypeError for what is no array
        if W.ndim != 2 or b.shape != (W.shape[1],):
            raise ValueError(
                f"Affine: expected W (D, M) and b (M,), got {tuple(W.shape)} and {tuple(b.shape)}"
            )
        check_float(self.name, W)
        check_like(self.name, b, W, "b and W")

    def forward(self, x: Array, *, training: bool = False) -> Array:
        W, b = self.params["W"], self.params["b"]
        xp = namespace_of(x)
        check_like(self.name, x, W, "x and W")
        x2 = self._flat(x, W.shape[0])  # (N, D)
        self.saved = (x2, x.shape) if training else None
        y = xp.matmul(x2, W)
        y += b
        return y  # (N, M)

    def backward(self, dout: Array) -> Array:
        self.backward_params(dout)
        xp, (_, shape) = namespace_of(dout), self.saved
        dx = xp.matmul(dout, xp.matrix_transpose(self.params["W"]))  # (N, D)
        return dx if dx.shape == shape else xp.reshape(dx, shape)

    def backward_params(self, dout: Array) -> None:
        xp, (x, _) = namespace_of(dout), self.saved
        b = self.params["b"]
        if dout.shape != (x.shape[0], b.shape[0]):
            raise ValueError(
                f"{self.name}: expected dout {(x.shape[0], b.shape[0])}, got {tuple(dout.shape)}"
            )
        check_like(self.name, dout, b, "dout and b")
        self.set_grad("W", xp.matmul, xp.matrix_transpose(x), dout)  # (D, M)
        self.set_grad("b", xp.sum, dout, axis=0)  # (M,)

    def _flat(self, x: Array, width: int) -> Array:
        """x as a matrix with one row per sample."""
        shape = tuple(x.shape)
        if len(shape) == 2 and shape[1] == width:
            return x
        if len(shape) < 2 or math.prod(shape[1:]) != width:
            hint = "; give a single sample as x[None, ...]" if math.prod(shape) == width else ""
            raise ValueError(f"{self.name}: expected input (N, {width}), got {shape}{hint}")
        return namespace_of(x).reshape(x, (shape[0], width))

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[Affine, np.ndarray]:
        affine = cls(rng.standard_normal((4, 3)), rng.standard_normal(3))
        return affine, rng.standard_normal((5, 4))
