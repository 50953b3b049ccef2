"""Softmax with cross-entropy: the loss of classification."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backends import Array, Namespace, backend_of, device_of, dtype_name, fused, namespace_of
from ..dtypes import is_bool, is_integer, narrowed, widened
from ..inputs import kind_of, parts
from ..layers.spec import ArraySpec
from .checks import check_batch, check_same_place, dout_share
from .loss import Loss

CONVERT = "convert them with astype, or give one-hot rows"
NUMBER = "number the classes: names, t = numpy.unique(t, return_inverse=True)"
CURES = {"U": NUMBER, "S": NUMBER, "O": NUMBER, "T": NUMBER}
"""What to do with labels that are not integers, by their kind of dtype."""

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
        xp = check_batch(self.name, x)
        hot, wide = self._target(x, t), widened(x)  # (N, C) bool or q, (N, C)
        exp, shifted = _exponentials(wide, xp.max(wide, axis=1, keepdims=True), hot)
        total = xp.sum(exp, axis=1, keepdims=True)  # (N, 1)
        self.saved = (exp, total, hot, ArraySpec.of(x)) if training else None
        if is_bool(hot.dtype):
            losses = _log_and_minus(total[:, 0], xp.max(shifted, axis=1))  # (N,)
        else:
            losses = xp.sum(hot * _log_and_minus(total, shifted), axis=1)
        return narrowed(xp.mean(losses), x.dtype)

    def backward(self, dout: Any = 1.0) -> Array:
        exp, total, hot, form = self.saved
        share = dout_share(self.name, dout, form, form.shape[0])
        if is_bool(hot.dtype):
            dx = _backward(exp, total, hot, share)
        else:
            dx = _backward_of_distribution(exp, total, hot, form.xp.sum(hot, axis=1, keepdims=True), share)
        return narrowed(dx, form.dtype)

    def _target(self, x: Array, t: Array) -> Array:
        """Whether the target is 1, for labels and one-hot rows; q for probabilities."""
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
        return _count_equal(xp.argmax(x, axis=1), labels)

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
        elif not is_one_hot(t) and not (t.dtype.kind == "f" and _is_distribution(t)):
            raise ValueError(
                f"{self.name}: expected one-hot rows (a single 1, else 0), or probabilities of sum 1, in "
                f"t {t.shape}"
            )

    def converted(self, t: np.ndarray) -> np.ndarray:
        """Targets on the host, converted from an equivalent form to class numbers or bytes.

        A column (N, 1), whole floating-point numbers and booleans become class numbers (N,), and one-hot
        rows become bytes.
        """
        if t.ndim == 2 and t.shape[1] == 1:
            t = t[:, 0]
        if t.ndim != 1 or t.dtype.kind not in CURES:  # names of classes have a cure of their own
            t = super().converted(t)
        if t.ndim == 2:
            return t.astype(np.uint8, copy=False) if is_one_hot(t) else t
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
        check_same_place(self.name, x, t)
        self._check_shape(t, *x.shape)

    def _one_hot(self, x: Array, t: Array) -> Array:
        xp = namespace_of(x)
        self._check_pair(x, t)
        if t.ndim == 2:
            return t if is_bool(t.dtype) else _signed(t) == 1
        t = _signed(t)
        return xp.matrix_transpose(self._numbers(xp, x, t)[:, None] == t)

    def _numbers(self, xp: Any, x: Array, t: Array) -> Array:
        """The class numbers 0 to C − 1 on the device of x, in t's dtype where they fit, made once."""
        key = x.shape[1], t.dtype.__class__, dtype_name(t.dtype), str(device_of(x))
        if key not in self.constants:
            fits = x.shape[1] <= xp.iinfo(t.dtype).max
            dtype = t.dtype if fits else xp.int64
            with backend_of(x).made_now():
                self.constants[key] = xp.arange(x.shape[1], dtype=dtype, device=device_of(x))
        return self.constants[key]

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[SoftmaxWithLoss, np.ndarray, np.ndarray]:
        return cls(), rng.standard_normal((4, 3)), rng.integers(0, 3, 4)


@fused
def _exponentials(xp: Namespace, x: Array, largest: Array, target: Array) -> tuple[Array, Array]:
    """exp(x − max); and x − max where the target is not 0, else what has no part in the loss."""
    shifted = x - largest
    if is_bool(target.dtype):
        return xp.exp(shifted), xp.where(target, shifted, -float("inf"))
    return xp.exp(shifted), xp.where(target == 0.0, 0.0, shifted)  # 0 · −∞ is NaN


@fused
def _log_and_minus(xp: Namespace, total: Array, shifted: Array) -> Array:
    return xp.log(total) - shifted


@fused
def _backward(xp: Namespace, exp: Array, total: Array, hot: Array, share: Array) -> Array:
    return (exp / total - xp.astype(hot, exp.dtype)) * share


@fused
def _backward_of_distribution(
    xp: Namespace, exp: Array, total: Array, q: Array, mass: Array, share: Array
) -> Array:
    p = exp / total
    p *= mass
    return (p - q) * share


@fused
def _count_equal(xp: Namespace, x: Array, y: Array) -> Array:
    return xp.count_nonzero(x == y)


def is_one_hot(t: np.ndarray) -> bool:
    """Whether every row has a single 1, and else 0."""
    return all(bool(((p == 0) | (p == 1)).all() and (p.sum(axis=1) == 1).all()) for _, p in parts(t))


def _is_distribution(t: np.ndarray) -> bool:
    """Whether the rows are probabilities, up to rounding."""
    return all(
        bool((p >= 0.0).all() and (np.abs(p.astype(np.float64).sum(axis=1) - 1.0) <= ROUNDED).all())
        for _, p in parts(t)
    )


def _signed(t: Array) -> Array:
    """Unsigned labels of more than 8 bits as int64, since PyTorch computes little with them."""
    if dtype_name(t.dtype) in ("uint16", "uint32", "uint64"):
        return namespace_of(t).astype(t, namespace_of(t).int64)
    return t
