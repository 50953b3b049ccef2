"""The functions of the book's `common/functions.py`.

>>> from backprop.book import sigmoid, softmax
>>> sigmoid(0), softmax([0.3, 2.9, 4.0]).round(3)
(np.float64(0.5), array([0.018, 0.245, 0.737]))
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backends import HostArray
from .checks import numbers

__all__ = [
    "cross_entropy_error",
    "identity_function",
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

INSIDE_LOG = 1e-7
"""What the book adds inside the logarithm, so that log 0 is not −∞."""

EPSILON = 1e-6
"""Added to the variance by batch normalization."""


def identity_function(x: Any) -> Any:
    """y = x.

    Source: *Deep Learning from Scratch*, section 3.4.3.
    """
    return x


def step_function(x: Any) -> HostArray:
    """y = 1 where x > 0, else 0, as integers.

    Source: *Deep Learning from Scratch*, section 3.2.2.

    >>> step_function([-1.0, 0.0, 2.0])
    array([0, 0, 1])
    """
    return np.array(numbers("step_function", x) > 0, dtype=int)


def sigmoid(x: Any) -> HostArray:
    """y = 1 / (1 + exp(−x)); 0 where exp(−x) overflows.

    Source: *Deep Learning from Scratch*, section 3.2.4.

    >>> sigmoid([-1.0, 1.0, 2.0]).round(3)
    array([0.269, 0.731, 0.881])
    """
    with np.errstate(over="ignore"):
        y: HostArray = 1 / (1 + np.exp(-numbers("sigmoid", x)))
        return y


def sigmoid_grad(x: Any) -> HostArray:
    """dy/dx of `sigmoid`: (1 − y) y."""
    return (1.0 - sigmoid(x)) * sigmoid(x)


def relu(x: Any) -> HostArray:
    """y = max(0, x).

    Source: *Deep Learning from Scratch*, section 3.2.7.
    """
    y: HostArray = np.maximum(0, x)
    return y


def relu_grad(x: Any) -> HostArray:
    """dy/dx of `relu`: 1 where x ≥ 0, else 0. (At x = 0, the layer `Relu` has 0.)"""
    values = numbers("relu_grad", x)
    return np.asarray(values >= 0).astype(values.dtype)


def softmax(x: Any) -> HostArray:
    """y = exp(x) / Σ exp(x) along the last axis, without overflow.

    Source: *Deep Learning from Scratch*, section 3.5.2.
    """
    x = numbers("softmax", x)
    exp = np.exp(x - np.max(x, axis=-1, keepdims=True))
    y: HostArray = exp / np.sum(exp, axis=-1, keepdims=True)
    return y


def sum_squared_error(y: Any, t: Any) -> np.floating[Any]:
    """L = ½ Σ (y − t)².

    Source: *Deep Learning from Scratch*, section 4.2.1.

    >>> float(sum_squared_error([0.1, 0.6, 0.3], [0, 1, 0]))
    0.13
    """
    y, t = numbers("sum_squared_error", y), numbers("sum_squared_error", t)
    if y.shape != t.shape:
        raise ValueError(f"sum_squared_error: expected y and t of one shape, got {y.shape} and {t.shape}")
    loss: np.floating[Any] = 0.5 * np.sum((y - t) ** 2)
    return loss


def cross_entropy_error(y: Any, t: Any) -> np.floating[Any]:
    """L = −(1/N) Σₙₖ tₙₖ log(yₙₖ + 10⁻⁷), where t of a class number is 1 for this class and else 0.

    The constant is the book's; `backprop.SoftmaxWithLoss` has none. It makes the loss of a sample of class k
    smaller by 10⁻⁷ / yₙₖ, which is 10⁻⁶ for a probability of a tenth, and it makes 16.1, not ∞, of one of 0.

    Parameters
    ----------
    y : probabilities (N, C), or (C,) of a single sample
    t : class numbers (N,) or (N, 1); or rows (N, C), which are one-hot or other weights from 0 to 1

    Source: *Deep Learning from Scratch*, sections 4.2.2 to 4.2.4.

    >>> float(cross_entropy_error([0.1, 0.05, 0.6, 0.25], [0, 0, 1, 0]))  # −log 0.6 is 0.5108256…
    0.510825457099338
    """
    y = np.atleast_2d(numbers("cross_entropy_error", y))
    t = target_rows("cross_entropy_error", y, t)
    counts = t != 0
    loss: np.floating[Any] = -np.sum(t[counts] * np.log(y[counts] + INSIDE_LOG)) / len(y)
    return loss


def softmax_loss(X: Any, t: Any) -> np.floating[Any]:
    """`cross_entropy_error` of `softmax`."""
    return cross_entropy_error(softmax(X), t)


def target_rows(name: str, y: HostArray, targets: Any) -> HostArray:
    """Return the targets as rows (N, C) of y's dtype, from class numbers or such rows."""
    t: HostArray = np.asarray(targets)
    if y.ndim != 2 or not y.size:
        raise ValueError(f"{name}: expected probabilities (N, C) of at least one sample, got {y.shape}")
    samples, classes = y.shape
    if t.size == y.size != samples:
        return _weights(name, numbers(name, t).astype(y.dtype).reshape(y.shape))
    if t.shape not in ((samples,), (samples, 1)) and not (samples == 1 and t.ndim == 0):
        raise ValueError(
            f"{name}: expected labels ({samples},) or one-hot ({samples}, {classes}), got {t.shape}"
        )
    if t.dtype.kind not in "iu":
        hint = "; use t.astype(int)" if t.dtype.kind in "fb" else ""
        raise TypeError(f"{name}: expected integer class numbers, got {t.dtype.name}{hint}")
    if t.size and not 0 <= t.min() <= t.max() < classes:
        wrong = t.max() if t.min() >= 0 else t.min()
        raise ValueError(f"{name}: expected labels 0 to {classes - 1}, got {wrong}")
    return np.eye(classes, dtype=y.dtype)[t.reshape(samples)]


def _weights(name: str, t: HostArray) -> HostArray:
    """Return rows of targets, or raise unless they are weights from 0 to 1, in each row one above 0."""
    if not ((t >= 0) & (t <= 1)).all() or not t.any(axis=1).all():
        raise ValueError(
            f"{name}: expected one-hot rows in t {t.shape}, or other weights from 0 to 1, not all 0 in a row"
        )
    return t
