"""Normalization over the batch, or over the features of a sample."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np

from ..backends import Array, Namespace, device_of, fused, namespace_of
from ..dtypes import is_float16, narrowed, widened
from .checks import check_dout, check_float, check_like
from .layer import Layer
from .shared_batch import SharedBatch, UndividedBatch
from .spec import ArraySpec

MORE_SAMPLES = "give more samples, or another batch size: the last batch of an epoch has what is left"
LARGER_SHARDS = (
    "give fewer shards, another batch size, or synchronized=True (--batch-norm synchronized), which takes "
    "the statistics over the whole batch"
)


class _Normalization(Layer):
    """gamma and beta, which both kinds have, and their checks."""

    def __init__(self, gamma: Array, beta: Array, epsilon: float) -> None:
        super().__init__(gamma=gamma, beta=beta)
        namespace_of(gamma), namespace_of(beta)  # a TypeError for what is no array
        if not gamma.ndim or gamma.shape != beta.shape:
            raise ValueError(
                f"{self.name}: expected gamma and beta of one shape (D,), got {tuple(gamma.shape)} and "
                f"{tuple(beta.shape)}"
            )
        if not (math.isfinite(epsilon) and epsilon > 0.0):
            raise ValueError(f"{self.name}: expected a finite epsilon above 0, got {epsilon}")
        check_float(self.name, gamma)
        check_like(self.name, beta, gamma, "beta and gamma")
        self.epsilon = float(epsilon)

    def set_grad(self, key: str, function: Callable[..., Array], *args: Array, **options: Any) -> None:
        """Set the gradient in the dtype of its parameter, also from `widened` arrays."""
        super().set_grad(key, function, *args, **options)
        self.grads[key] = narrowed(self.grads[key], self.params[key].dtype)


class BatchNormalization(_Normalization):
    """y = γ (x − μ) / √(σ² + ε) + β for every feature, or for every channel of images.

    In training μ and σ² are the mean and the variance (the sum over N, not N − 1) over the batch, and
    for images over height and width too; in inference they are `state["running_mean"]` and
    `state["running_var"]`, 0 and 1 before the first batch. Each batch moves these by the share
    c = (1 − momentum) / w, running_mean ← (1 − c) running_mean + c μ, where w = `running_weight` ←
    momentum · w + 1 − momentum, from 0. So c is 1 for the first batch and soon 1 − momentum: averages that
    are right from the start, where the book's, with c = 1 − momentum from 0 on, are too small.

    In a training by shards (`fit(…, shards=S)`) μ and σ² are those of the whole batch. With
    `synchronized=False` each shard is normalized with its own μ_s and σ²_s instead, and processes exchange
    nothing for it in forward and backward; the running statistics then move towards the means over shards,
    μ = Σ_s n_s/n μ_s and σ² = Σ_s n_s/n σ²_s, where n_s of the batch's n samples are in shard s. Without
    shards both are the same.

    With x̂ = (x − μ) / √(σ² + ε), of n numbers a feature:
    dx = γ / √(σ² + ε) · (dout − (Σ dout) / n − x̂ (Σ dout x̂) / n), dγ = Σ dout x̂, dβ = Σ dout.

    Parameters
    ----------
    gamma, beta : (D,) floating-point arrays
    momentum : from 0 to below 1
    epsilon : ε, above 0
    running_mean, running_var : (D,), the statistics to begin with, whose weight is 1; if only one is given,
        the other is 0 or 1
    synchronized : whether shards of a batch share their statistics

    x: (N, D) or (N, D, H, W, …), in training with more than one number per feature, and unless synchronized
    in every shard (else a `ValueError`: everything would be normalized to 0). The book treats every pixel as
    a feature instead. For float16, sums and statistics are float32.

    Source: Ioffe and Szegedy (2015); *Deep Learning from Scratch*, section 6.3; for statistics of each
    shard, Goyal and others, *Accurate, large minibatch SGD* (2017).

    >>> import numpy as np
    >>> norm = BatchNormalization(np.ones(1), np.zeros(1))
    >>> norm.forward(np.asarray([[1.0], [3.0]]), training=True).round(4)
    array([[-1.],
           [ 1.]])
    >>> norm.state["running_mean"].round(4), norm.state["running_var"].round(4)
    (array([2.]), array([1.]))
    """

    def __init__(
        self,
        gamma: Array,
        beta: Array,
        momentum: float = 0.9,
        running_mean: Array | None = None,
        running_var: Array | None = None,
        *,
        epsilon: float = 1e-6,
        synchronized: bool = True,
    ) -> None:
        super().__init__(gamma, beta, epsilon)
        if not isinstance(synchronized, bool):
            raise TypeError(f"{self.name}: expected synchronized as True or False, got {synchronized!r}")
        self.synchronized = synchronized
        if gamma.ndim != 1:
            raise ValueError(f"{self.name}: expected gamma (D,), got {tuple(gamma.shape)}")
        if not 0.0 <= momentum < 1.0:
            raise ValueError(f"{self.name}: expected a momentum from 0 to below 1, got {momentum}")
        self.momentum, xp, wide = float(momentum), namespace_of(gamma), widened(gamma)
        begun = float(running_mean is not None or running_var is not None)
        mean = xp.zeros_like(wide) if running_mean is None else running_mean
        var = xp.ones_like(wide) if running_var is None else running_var
        for what, value in (("running_mean", mean), ("running_var", var)):
            namespace_of(value)  # a TypeError for what is no array
            check_like(self.name, widened(value), wide, f"{what} and gamma")
            if tuple(value.shape) != tuple(gamma.shape):
                raise ValueError(
                    f"{self.name}: expected {what} {tuple(gamma.shape)}, got {tuple(value.shape)}"
                )
            self.state[what] = xp.asarray(widened(value), copy=True)
        self.state["running_weight"] = xp.full((), begun, dtype=wide.dtype, device=device_of(wide))

    def forward(self, x: Array, *, training: bool = False) -> Array:
        gamma, beta, xp = self.params["gamma"], self.params["beta"], namespace_of(x)
        if training:
            (y,) = self.forward_parts([self], [x], UndividedBatch(_samples(x)))
            return y
        shape = self._check_input(x)
        self.saved, dtype = None, x.dtype
        x, gamma, beta = widened(x), widened(gamma), widened(beta)
        mean, var = self.state["running_mean"], self.state["running_var"]
        scale = gamma / xp.sqrt(var + self.epsilon)  # (D,)
        shift = beta - mean * scale
        return narrowed(x * xp.reshape(scale, shape) + xp.reshape(shift, shape), dtype)

    def forward_parts(self, parts: Sequence[Self], xs: Sequence[Array], batch: SharedBatch) -> list[Array]:
        if self.synchronized:
            ys, mean, var = self._normalized(parts, xs, batch)
            self._remember(mean, var)
            return ys
        ys, means, variances = [], [], []
        for part, x in zip(parts, xs, strict=True):
            shard = UndividedBatch(_samples(x))
            (y,), mean, var = self._normalized([part], [x], shard, of_shard=shard.samples < batch.samples)
            share = shard.samples / batch.samples
            ys.append(y)
            means.append(mean * share)
            variances.append(var * share)
        batch.sums_at_the_end(self._remember, means, variances)
        return ys

    def _normalized(
        self, parts: Sequence[Self], xs: Sequence[Array], batch: SharedBatch, of_shard: bool = False
    ) -> tuple[list[Array], Array, Array]:
        """The outputs, and the mean and the variance of all parts together."""
        shapes = [self._check_input(x) for x in xs]
        shape, dtype, axes = shapes[0], xs[0].dtype, self._all_but_features(xs[0])
        gamma, beta, xp = widened(self.params["gamma"]), widened(self.params["beta"]), namespace_of(xs[0])
        n = batch.samples * math.prod(xs[0].shape[2:])
        for part in parts:
            part.saved = None
        if n < 2:
            where, cure = ("", MORE_SAMPLES) if not of_shard else (" in every shard", LARGER_SHARDS)
            raise ValueError(
                f"{self.name}: training needs more than one number a feature{where}, got input "
                f"{tuple(xs[0].shape)}; {cure}"
            )
        wide = [widened(x) for x in xs]
        (total,) = batch.sums([xp.sum(x, axis=axes) for x in wide])
        mean = total / n  # (D,)
        (across,) = _across(shape, mean)
        centred = [x - across for x in wide]
        (squares,) = batch.sums([_sum_of_products(x, x, axis=axes) for x in centred])
        var, inverse = _variance(squares, n, epsilon=self.epsilon)
        factors = _across(shape, gamma, inverse, beta)
        ys = [narrowed(_scaled(x, *factors), dtype) for x in centred]
        for part, x, y in zip(parts, centred, ys, strict=True):
            part.saved = x, inverse, n, shape, ArraySpec.of(y)
        return ys, mean, var

    def backward(self, dout: Array) -> Array:
        (dx,) = self._differentiated([self], [dout], UndividedBatch(self.saved[-1].shape[0]))
        return dx

    def backward_parts(
        self, parts: Sequence[Self], douts: Sequence[Array], batch: SharedBatch, *, needs_dx: bool = True
    ) -> list[Array]:
        if self.synchronized:
            return self._differentiated(parts, douts, batch)
        return [part.backward(dout) for part, dout in zip(parts, douts, strict=True)]

    def _differentiated(
        self, parts: Sequence[Self], douts: Sequence[Array], batch: SharedBatch
    ) -> list[Array]:
        """dx of parts that are normalized together."""
        saved = [part.saved for part in parts]
        _, inverse, n, shape, form = saved[0]
        xp, gamma, axes = form.xp, widened(self.params["gamma"]), self._all_but_features(douts[0])
        wide, products = [], []
        for part, dout, (centred, *_, its_form) in zip(parts, douts, saved, strict=True):
            check_dout(self.name, dout, its_form)
            wide.append(widened(dout))
            products.append(_sum_of_products(wide[-1], centred, axis=axes))  # (D,)
            part.set_grad("gamma", xp.multiply, products[-1], inverse)
            part.set_grad("beta", xp.sum, wide[-1], axis=axes)
        dbeta, product = batch.sums([part.grads["beta"] for part in parts], products)
        across = _across(shape, dbeta, product, inverse, gamma)
        return [
            narrowed(_batch_backward(dout, its[0], *across, n), form.dtype)
            for dout, its in zip(wide, saved, strict=True)
        ]

    def _check_input(self, x: Array) -> tuple[int, ...]:
        """The shape in which a number of every feature broadcasts with x; raises unless x fits."""
        gamma = self.params["gamma"]
        check_like(self.name, x, gamma, "x and gamma")
        if x.ndim < 2 or x.shape[1] != gamma.shape[0]:
            raise ValueError(f"{self.name}: expected input (N, {gamma.shape[0]}, …), got {tuple(x.shape)}")
        return (1, -1) + (1,) * (x.ndim - 2)

    def _remember(self, mean: Array, var: Array) -> None:
        state, momentum = self.state, self.momentum
        state["running_weight"] = _weighed(state["running_weight"], momentum=momentum)
        state["running_mean"], state["running_var"] = _remembered(
            state["running_mean"], state["running_var"], mean, var, state["running_weight"], momentum=momentum
        )

    def state_dtype(self, dtype: Any) -> Any:
        return "float32" if dtype is not None and is_float16(dtype) else dtype

    def __repr__(self) -> str:
        shown = super().__repr__()
        return shown if self.synchronized else f"{shown.removesuffix(')')}, synchronized=False)"

    @staticmethod
    def _all_but_features(x: Array) -> Any:
        return 0 if x.ndim == 2 else (0, *range(2, x.ndim))

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[BatchNormalization, np.ndarray]:
        norm = cls(rng.uniform(0.5, 1.5, 3), rng.standard_normal(3))
        return norm, rng.standard_normal((8, 3))


def _samples(x: Array) -> int:
    return int(x.shape[0]) if x.ndim else 0  # which has no samples: _check_input tells


def _across(shape: tuple[int, ...], *values: Array) -> tuple[Array, ...]:
    """Numbers of every feature, (D,), as they broadcast with arrays of that many axes."""
    return values if len(shape) == 2 else tuple(namespace_of(x).reshape(x, shape) for x in values)


@fused
def _sum_of_products(xp: Namespace, x: Array, y: Array, *, axis: Any) -> Array:
    return xp.sum(x * y, axis=axis)


@fused
def _variance(xp: Namespace, squares: Array, n: int, *, epsilon: float) -> tuple[Array, Array]:
    """σ² and 1 / √(σ² + ε), from the sum of the squares of n numbers."""
    var = squares / n
    return var, 1.0 / xp.sqrt(var + epsilon)


@fused
def _scaled(xp: Namespace, centred: Array, gamma: Array, inverse: Array, beta: Array) -> Array:
    y = centred * (gamma * inverse)
    y += beta
    return y


@fused
def _batch_backward(
    xp: Namespace,
    dout: Array,
    centred: Array,
    dbeta: Array,
    products: Array,
    inverse: Array,
    gamma: Array,
    n: int,
) -> Array:
    dx = dout - dbeta / n
    dx -= centred * (products * inverse * inverse / n)
    dx *= gamma * inverse
    return dx


@fused
def _weighed(xp: Namespace, weight: Array, *, momentum: float) -> Array:
    weight *= momentum
    weight += 1.0 - momentum
    return weight


@fused
def _remembered(
    xp: Namespace,
    running_mean: Array,
    running_var: Array,
    mean: Array,
    var: Array,
    weight: Array,
    *,
    momentum: float,
) -> tuple[Array, Array]:
    new = (1.0 - momentum) / weight  # 1 for the first batch
    running_mean *= 1.0 - new
    running_mean += new * mean
    running_var *= 1.0 - new
    running_var += new * var
    return running_mean, running_var


class LayerNormalization(_Normalization):
    """y = γ (x − μ) / √(σ² + ε) + β with the mean and the variance of each sample by itself.

    They are taken over the last axes, as many as γ has; the same in training and inference. With
    x̂ = (x − μ) / √(σ² + ε) and g = γ · dout: dx = (g − mean g − x̂ mean(g x̂)) / √(σ² + ε), dγ and dβ
    as for `BatchNormalization`, summed over all other axes. For float16, all of it is float32 inside.

    Parameters
    ----------
    gamma, beta : (D,), (C, H, W) or another shape: that of the last axes of x
    epsilon : ε, above 0

    Source: Ba, Kiros and Hinton, *Layer normalization* (2016).

    >>> import numpy as np
    >>> norm = LayerNormalization(np.ones(2), np.zeros(2))
    >>> norm.forward(np.asarray([[1.0, 3.0], [5.0, 5.0]])).round(4)
    array([[-1.,  1.],
           [ 0.,  0.]])
    """

    def __init__(self, gamma: Array, beta: Array, *, epsilon: float = 1e-5) -> None:
        super().__init__(gamma, beta, epsilon)

    def forward(self, x: Array, *, training: bool = False) -> Array:
        gamma, xp = self.params["gamma"], namespace_of(x)
        check_like(self.name, x, gamma, "x and gamma")
        if x.ndim <= gamma.ndim or x.shape[-gamma.ndim :] != gamma.shape:
            expected = ", ".join(["N", "…", *map(str, gamma.shape)])
            raise ValueError(f"{self.name}: expected input ({expected}), got {tuple(x.shape)}")
        axes, dtype, x = tuple(range(-gamma.ndim, 0)), x.dtype, widened(x)
        centred, squares = _centred(x, xp.mean(x, axis=axes, keepdims=True))
        inverse = _inverse(xp.mean(squares, axis=axes, keepdims=True), epsilon=self.epsilon)
        y, normal = _normalized(centred, inverse, widened(gamma), widened(self.params["beta"]))
        y = narrowed(y, dtype)
        self.saved = (normal, inverse, axes, ArraySpec.of(y)) if training else None
        return y

    def backward(self, dout: Array) -> Array:
        normal, inverse, axes, form = self.saved
        check_dout(self.name, dout, form)
        xp, dout, batch = form.xp, widened(dout), tuple(range(dout.ndim - len(axes)))
        self.set_grad("beta", xp.sum, dout, axis=batch)
        self.set_grad("gamma", xp.sum, dout * normal, axis=batch)
        g, products = _products(dout, widened(self.params["gamma"]), normal)
        means = [xp.mean(value, axis=axes, keepdims=True) for value in (g, products)]
        return narrowed(_layer_backward(g, normal, inverse, *means), form.dtype)

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[LayerNormalization, np.ndarray]:
        norm = cls(rng.uniform(0.5, 1.5, 4), rng.standard_normal(4))
        return norm, rng.standard_normal((5, 4))


@fused
def _centred(xp: Namespace, x: Array, mean: Array) -> tuple[Array, Array]:
    centred = x - mean
    return centred, centred * centred


@fused
def _inverse(xp: Namespace, var: Array, *, epsilon: float) -> Array:
    return 1.0 / xp.sqrt(var + epsilon)


@fused
def _normalized(
    xp: Namespace, centred: Array, inverse: Array, gamma: Array, beta: Array
) -> tuple[Array, Array]:
    normal = centred * inverse
    return gamma * normal + beta, normal


@fused
def _products(xp: Namespace, dout: Array, gamma: Array, normal: Array) -> tuple[Array, Array]:
    g = dout * gamma
    return g, g * normal


@fused
def _layer_backward(
    xp: Namespace, g: Array, normal: Array, inverse: Array, mean: Array, mean_of_products: Array
) -> Array:
    g -= mean + normal * mean_of_products
    return g * inverse
