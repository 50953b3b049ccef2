"""Losses: the last layer of a network, a function of the network's output x and the target t.

The value is a 0-d array on the device of x, the mean over the batch of N samples, and
`backward(dout)` scales with `dout`: a Python number, or a 0-d array like the value. For float16 what is
inside is float32.
"""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import numpy as np

from .backends import Array, dtype_name, namespace_of
from .dtypes import is_integer, narrowed, widened
from .inputs import as_numbers, kind_of
from .layers.activations import sigmoid
from .layers.checks import check_float, check_like
from .layers.node import Node
from .layers.spec import ArraySpec

__all__ = ["Loss", "MeanSquaredError", "SigmoidWithLoss", "SoftmaxWithLoss"]


class Loss(Node):
    """A scalar function of x and t, differentiable in x."""

    counts_correct: bool = False
    """Whether `correct` has a meaning for this loss, so that accuracy is defined."""

    def forward(self, x: Array, t: Array, *, training: bool = False) -> Array:
        """The loss of the batch: 0-d, with the dtype and device of x."""
        raise NotImplementedError(f"{self.name} has no forward")

    def backward(self, dout: Any = 1.0) -> Array:
        """The gradient ∂(dout · loss)/∂x, with the shape of x."""
        raise NotImplementedError(f"{self.name} has no backward")

    def correct(self, x: Array, t: Array) -> Array:
        """How many samples x puts into their class t: a 0-d integer array on the device."""
        raise TypeError(f"{self.name} does not classify: it has no accuracy")

    def taken(self, t: np.ndarray) -> np.ndarray:
        """Targets on the host in the form that this loss takes, where they say the same in another.

        Objects and texts of numbers become floating-point numbers. Raises `TypeError` for what is no real
        number.
        """
        numbers: np.ndarray = as_numbers(f"{self.name}: t", t)
        return numbers

    def check_targets(self, t: np.ndarray, samples: int, outputs: tuple[int, ...]) -> None:
        """Raise unless the host array `t` is a valid target for an x of shape (samples, *outputs).

        This looks at the values, so it belongs where data comes in; `forward` checks shapes only,
        since looking at values would wait for the device.
        """

    def _check_batch(self, x: Array) -> Any:
        xp = check_float(self.name, x)
        if x.ndim == 0 or 0 in x.shape:
            raise ValueError(f"{self.name}: expected at least one sample, got input {tuple(x.shape)}")
        return xp

    def _check_home(self, x: Array, t: Array) -> None:
        if namespace_of(t) is not namespace_of(x):
            raise TypeError(f"{self.name}: x and t are arrays of two libraries; bring both to one backend")
        if t.device != x.device:
            raise ValueError(
                f"{self.name}: x and t are on two devices, {x.device} and {t.device}; bring both to one"
            )

    def _is_other_number(self, dout: Any, x: Array | ArraySpec) -> bool:
        """Whether dout is a number of NumPy's that does not have x's library and dtype."""
        xp = x.xp if isinstance(x, ArraySpec) else namespace_of(x)
        own = namespace_of(dout) is xp and bool(dout.dtype == x.dtype)
        return not own and isinstance(dout, Real)

    def _scale(self, dout: Any, x: Array | ArraySpec, count: int) -> Any:
        """Dout / count without promoting: a number of another dtype counts as the Python number it holds."""
        if not hasattr(dout, "dtype") or self._is_other_number(dout, x):
            return float(dout) / count
        if dout.shape != ():
            raise ValueError(f"{self.name}: expected a scalar dout, got shape {tuple(dout.shape)}")
        check_like(self.name, dout, x, "dout and input")
        return dout / count


CONVERT = "convert them with astype, or give one-hot rows"
NUMBER = "number the classes: names, t = numpy.unique(t, return_inverse=True)"
CURES = {"U": NUMBER, "S": NUMBER, "O": NUMBER, "T": NUMBER}
"""What to do with labels that are no integers, by their kind of dtype."""


ROUNDED = 1e-3
"""How far from 1 the sum of rounded probabilities may be."""


class SoftmaxWithLoss(Loss):
    """Softmax and cross-entropy: L = −(1/N) Σₙ Σₖ qₙₖ log pₙₖ, p = softmax(x), q the target.

    dx = (p Σₖ q − q) · dout / N. log p is x − logsumexp(x), so that no x overflows and no constant is
    added inside the logarithm.

    x: (N, C) floating point. t: (N,) integer class numbers in [0, C), or (N, C) one-hot, of which q has a
    single 1 in each row; or (N, C) probabilities q, in floating point. `Network` and `fit` refuse other
    values with a `ValueError` when the data comes in. Here a label outside [0, C), or a row of integers
    without a 1, makes the loss infinite; of a row with several, the loss counts the one with the largest
    x, and the gradient all of them.

    Parameters
    ----------
    label_smoothing : ε; the target is then (1 − ε) q + ε / C (Szegedy and others, *Rethinking the
        Inception Architecture*, 2016, section 7)

    Source: *Deep Learning from Scratch*, section 5.6.3 and appendix A.

    >>> import numpy as np
    >>> loss = SoftmaxWithLoss()
    >>> x, t = np.asarray([[0.0, 0.0, 0.0, 0.0]]), np.asarray([2])
    >>> float(loss.forward(x, t, training=True))  # log 4
    1.3862943611198906
    >>> loss.backward()
    array([[ 0.25,  0.25, -0.75,  0.25]])
    """

    counts_correct = True
    label_smoothing: float = 0.0
    """ε, also of a pickle from before there was one."""

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__()
        if not 0.0 <= label_smoothing < 1.0:
            raise ValueError(f"expected label_smoothing from 0 to below 1, got {label_smoothing}")
        self.label_smoothing = float(label_smoothing)

    def forward(self, x: Array, t: Array, *, training: bool = False) -> Array:
        xp = self._check_batch(x)
        hot, wide = self._target(x, t), widened(x)  # (N, C) bool or q, (N, C)
        shifted = wide - xp.max(wide, axis=1, keepdims=True)
        exp = xp.exp(shifted)
        total = xp.sum(exp, axis=1, keepdims=True)  # (N, 1)
        self.saved = (exp, total, hot, ArraySpec.of(x)) if training else None
        if dtype_name(hot.dtype) != "bool":
            finite = xp.where(hot == 0.0, 0.0, shifted)  # 0 · −∞ is NaN
            return narrowed(xp.mean(xp.sum(hot * (xp.log(total) - finite), axis=1)), x.dtype)
        chosen = xp.max(xp.where(hot, shifted, -float("inf")), axis=1)  # (N,)
        return narrowed(xp.mean(xp.log(total[:, 0]) - chosen), x.dtype)

    def backward(self, dout: Any = 1.0) -> Array:
        exp, total, hot, form = self.saved
        p, xp = exp / total, form.xp
        if dtype_name(hot.dtype) == "bool":
            hot = xp.astype(hot, p.dtype)
        else:
            p *= xp.sum(hot, axis=1, keepdims=True)
        return narrowed((p - hot) * self._scale(dout, form, p.shape[0]), form.dtype)

    def _target(self, x: Array, t: Array) -> Array:
        """Where the target is 1, or where it is in between, q."""
        xp, wide = namespace_of(x), widened(x).dtype
        is_soft = t.ndim == 2 and dtype_name(t.dtype).startswith("float")
        if not (is_soft or self.label_smoothing):
            return self._one_hot(x, t)
        self._check_pair(x, t)
        q = xp.astype(t if is_soft else self._one_hot(x, t), wide)
        if self.label_smoothing:
            q = q * (1.0 - self.label_smoothing) + self.label_smoothing / x.shape[1]
        return q

    def correct(self, x: Array, t: Array) -> Array:
        xp = namespace_of(x)
        labels = _signed(t) if t.ndim == 1 else xp.argmax(xp.astype(t, x.dtype), axis=1)
        return xp.count_nonzero(xp.argmax(x, axis=1) == labels)

    def check_targets(self, t: np.ndarray, samples: int, outputs: tuple[int, ...]) -> None:
        if len(outputs) != 1:
            raise ValueError(f"{self.name}: expected input (N, C), got {(samples, *outputs)}")
        (classes,) = outputs
        self._check_shape(t, samples, classes)
        if t.ndim == 1:
            if t.min() < 0 or t.max() >= classes:
                wrong = t[(t < 0) | (t >= classes)][0]
                from_1 = "; count them from 0: t - 1" if (t.min(), t.max()) == (1, classes) else ""
                raise ValueError(f"{self.name}: expected labels 0 to {classes - 1}, got {wrong}{from_1}")
        elif not _is_one_hot(t) and not (t.dtype.kind == "f" and _is_distribution(t)):
            raise ValueError(
                f"{self.name}: expected one-hot rows (a single 1, else 0), or probabilities of sum 1, in "
                f"t {t.shape}"
            )

    def taken(self, t: np.ndarray) -> np.ndarray:
        """Targets on the host as class numbers or bytes, where they say the same in another form.

        A column (N, 1), whole floating-point numbers and booleans become class numbers (N,), and one-hot
        rows become bytes.
        """
        if t.ndim == 2 and t.shape[1] == 1:
            t = t[:, 0]
        if t.ndim != 1 or t.dtype.kind not in CURES:  # names of classes have a cure of their own
            t = super().taken(t)
        if t.ndim == 2:
            return t.astype(np.uint8) if _is_one_hot(t) else t
        is_whole = t.dtype.kind == "f" and bool((np.isfinite(t) & (np.floor(t) == t)).all())
        return t.astype(np.int64) if is_whole or t.dtype.kind == "b" else t

    def _check_shape(self, t: Array, samples: int, classes: int) -> None:
        expected = f"labels ({samples},) or one-hot ({samples}, {classes})"
        if tuple(t.shape) not in ((samples,), (samples, classes)):
            raise ValueError(f"{self.name}: expected {expected}, got {tuple(t.shape)}")
        if t.ndim == 1 and not is_integer(t.dtype):
            on_host = isinstance(t, np.ndarray)
            found = kind_of(t.dtype) if on_host else dtype_name(t.dtype)
            cure = CURES.get(t.dtype.kind if on_host else "", CONVERT)
            raise TypeError(f"{self.name}: expected integer class numbers, got {found}; {cure}")

    def _check_pair(self, x: Array, t: Array) -> None:
        if x.ndim != 2:
            raise ValueError(f"{self.name}: expected input (N, C), got {tuple(x.shape)}")
        self._check_home(x, t)
        self._check_shape(t, *x.shape)

    def _one_hot(self, x: Array, t: Array) -> Array:
        xp = namespace_of(x)
        self._check_pair(x, t)
        if t.ndim == 2:
            return t if dtype_name(t.dtype) == "bool" else _signed(t) == 1
        t = _signed(t)
        return xp.matrix_transpose(self._numbers(xp, x, t)[:, None] == t)

    def _numbers(self, xp: Any, x: Array, t: Array) -> Array:
        """The class numbers 0 to C − 1 on the device of x, in t's dtype where they fit, made once."""
        key = x.shape[1], t.dtype.__class__, dtype_name(t.dtype), str(x.device)
        if key not in self.constants:
            fits = x.shape[1] <= xp.iinfo(t.dtype).max
            dtype = t.dtype if fits else xp.int64
            self.constants[key] = xp.arange(x.shape[1], dtype=dtype, device=x.device)
        return self.constants[key]

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[SoftmaxWithLoss, np.ndarray, np.ndarray]:
        return cls(), rng.standard_normal((4, 3)), rng.integers(0, 3, 4)


def _is_one_hot(t: np.ndarray) -> bool:
    return bool(((t == 0) | (t == 1)).all() and (t.sum(axis=1) == 1).all())


def _is_distribution(t: np.ndarray) -> bool:
    """Whether the rows are probabilities, as far as they are rounded."""
    return bool((t >= 0.0).all() and (np.abs(t.astype(np.float64).sum(axis=1) - 1.0) <= ROUNDED).all())


def _signed(t: Array) -> Array:
    """Unsigned labels of more than 8 bits as int64, since PyTorch computes little with them."""
    if dtype_name(t.dtype) in ("uint16", "uint32", "uint64"):
        return namespace_of(t).astype(t, namespace_of(t).int64)
    return t


class _RealTargetLoss(Loss):
    """A loss whose target has the shape of x."""

    def _pair(self, x: Array, t: Array) -> tuple[Array, Array]:
        """x and t in one dtype, float32 for float16."""
        xp = self._check_batch(x)
        self._check_home(x, t)
        self._check_shape(t, tuple(x.shape))
        x = widened(x)
        return x, t if t.dtype == x.dtype else xp.astype(t, x.dtype)

    def _check_shape(self, t: Array, expected: tuple[int, ...]) -> None:
        if tuple(t.shape) != expected:
            raise ValueError(f"{self.name}: expected t {expected}, got {tuple(t.shape)}")

    def check_targets(self, t: np.ndarray, samples: int, outputs: tuple[int, ...]) -> None:
        self._check_shape(t, (samples, *outputs))
        if not np.isfinite(t).all():
            raise ValueError(f"{self.name}: expected finite t, got {t[~np.isfinite(t)][0]}")


class SigmoidWithLoss(_RealTargetLoss):
    """Sigmoid and binary cross-entropy: L = −(1/N) Σ t log y + (1 − t) log(1 − y), y = sigmoid(x).

    The sum goes over all entries, N is the number of samples. dx = (y − t) · dout / N. Computed as
    max(x, 0) − x t + log(1 + exp(−|x|)), which does not overflow.

    x: (N,) or (N, …) floating point. t: the same shape, values 0 or 1 (or in between; a sample counts
    as correct where x > 0 agrees with t > 1/2 in every entry).

    Source: *Deep Learning from Scratch 2*, section 4.2.4.

    >>> import numpy as np
    >>> loss = SigmoidWithLoss()
    >>> float(loss.forward(np.asarray([0.0]), np.asarray([1]), training=True))  # log 2
    0.6931471805599453
    >>> loss.backward()
    array([-0.5])
    """

    counts_correct = True

    def forward(self, x: Array, t: Array, *, training: bool = False) -> Array:
        (wide, t), xp = self._pair(x, t), namespace_of(x)
        self.saved = (wide, t, ArraySpec.of(x)) if training else None
        entries = xp.maximum(wide, 0.0) - wide * t + xp.log1p(xp.exp(-xp.abs(wide)))
        return narrowed(xp.sum(entries) / x.shape[0], x.dtype)

    def backward(self, dout: Any = 1.0) -> Array:
        x, t, form = self.saved
        return narrowed((sigmoid(x) - t) * self._scale(dout, form, x.shape[0]), form.dtype)

    def correct(self, x: Array, t: Array) -> Array:
        (x, t), xp = self._pair(x, t), namespace_of(x)
        same = (x > 0.0) == (t > 0.5)
        return xp.count_nonzero(xp.all(xp.reshape(same, (x.shape[0], -1)), axis=1))

    def check_targets(self, t: np.ndarray, samples: int, outputs: tuple[int, ...]) -> None:
        super().check_targets(t, samples, outputs)
        if t.min() < 0 or t.max() > 1:
            raise ValueError(f"{self.name}: expected t between 0 and 1, got {t.min()} to {t.max()}")

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[SigmoidWithLoss, np.ndarray, np.ndarray]:
        return cls(), rng.standard_normal((4, 3)), rng.integers(0, 2, (4, 3))


class MeanSquaredError(_RealTargetLoss):
    """L = mean of (x − t)² over all entries; dx = 2 (x − t) · dout / (number of entries).

    x: (N,) or (N, …) floating point. t: the same shape. (The book's `sum_squared_error` of section
    4.2.1 is half the sum instead.)

    >>> import numpy as np
    >>> loss = MeanSquaredError()
    >>> float(loss.forward(np.asarray([1.0, 4.0]), np.asarray([0.0, 2.0]), training=True))
    2.5
    >>> loss.backward()
    array([1., 2.])
    """

    def forward(self, x: Array, t: Array, *, training: bool = False) -> Array:
        wide, t = self._pair(x, t)
        difference = wide - t
        self.saved = (difference, ArraySpec.of(x)) if training else None
        return narrowed(namespace_of(x).mean(difference * difference), x.dtype)

    def backward(self, dout: Any = 1.0) -> Array:
        difference, form = self.saved
        dx = difference * (2.0 * self._scale(dout, form, math.prod(difference.shape)))
        return narrowed(dx, form.dtype)

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[MeanSquaredError, np.ndarray, np.ndarray]:
        return cls(), rng.standard_normal((4, 3)), rng.standard_normal((4, 3))
