"""Normalization over the batch, or over the features of a sample."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..backends import Array, device_of, namespace_of
from ..dtypes import is_float16, narrowed, widened
from .checks import check_dout, check_float, check_like
from .layer import Layer
from .spec import ArraySpec


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

    With x̂ = (x − μ) / √(σ² + ε), of n numbers a feature:
    dx = γ / √(σ² + ε) · (dout − (Σ dout) / n − x̂ (Σ dout x̂) / n), dγ = Σ dout x̂, dβ = Σ dout.

    Parameters
    ----------
    gamma, beta : (D,) floating-point arrays
    momentum : from 0 to below 1
    epsilon : ε, above 0
    running_mean, running_var : (D,), the statistics to begin with, whose weight is 1; if only one is given,
        the other is 0 or 1

    x: (N, D) or (N, D, H, W, …), in training with more than one number per feature (else a `ValueError`:
    everything would be normalized to 0). The book treats every pixel as a feature instead. For float16,
    sums and statistics are float32.

    Source: Ioffe and Szegedy (2015); *Deep Learning from Scratch*, section 6.3.

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
    ) -> None:
        super().__init__(gamma, beta, epsilon)
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
        check_like(self.name, x, gamma, "x and gamma")
        if x.ndim < 2 or x.shape[1] != gamma.shape[0]:
            raise ValueError(f"{self.name}: expected input (N, {gamma.shape[0]}, …), got {tuple(x.shape)}")
        self.saved, shape = None, (1, -1) + (1,) * (x.ndim - 2)
        dtype, x, gamma, beta = x.dtype, widened(x), widened(gamma), widened(beta)
        if not training:
            mean, var = self.state["running_mean"], self.state["running_var"]
            scale = gamma / xp.sqrt(var + self.epsilon)  # (D,)
            shift = beta - mean * scale
            return narrowed(x * xp.reshape(scale, shape) + xp.reshape(shift, shape), dtype)
        n = math.prod(x.shape) // gamma.shape[0]
        if n < 2:
            raise ValueError(
                f"{self.name}: training needs more than one number a feature, got input {tuple(x.shape)}; "
                "give more samples, or another batch size: the last batch of an epoch has what is left"
            )
        mean = self._sum(x) / n  # (D,)
        centred = x - xp.reshape(mean, shape)
        var = self._sum(centred * centred) / n
        inverse = 1.0 / xp.sqrt(var + self.epsilon)
        self._remember(mean, var)
        y = centred * xp.reshape(gamma * inverse, shape)
        y += xp.reshape(beta, shape)
        y = narrowed(y, dtype)
        self.saved = centred, inverse, n, shape, ArraySpec.of(y)
        return y

    def backward(self, dout: Array) -> Array:
        centred, inverse, n, shape, form = self.saved
        check_dout(self.name, dout, form)
        xp, dout, gamma = form.xp, widened(dout), widened(self.params["gamma"])
        products = self._sum(dout * centred)  # (D,)
        self.set_grad("gamma", xp.multiply, products, inverse)
        self.set_grad("beta", xp.sum, dout, axis=self._all_but_features(dout))
        dx = dout - xp.reshape(self.grads["beta"] / n, shape)
        dx -= centred * xp.reshape(products * inverse * inverse / n, shape)
        dx *= xp.reshape(gamma * inverse, shape)
        return narrowed(dx, form.dtype)

    def _remember(self, mean: Array, var: Array) -> None:
        weight = self.state["running_weight"]
        weight *= self.momentum
        weight += 1.0 - self.momentum
        self.state["running_weight"] = weight
        new = (1.0 - self.momentum) / weight  # 1 for the first batch
        for key, value in (("running_mean", mean), ("running_var", var)):
            self.state[key] *= 1.0 - new
            self.state[key] += new * value

    def state_dtype(self, dtype: Any) -> Any:
        return "float32" if dtype is not None and is_float16(dtype) else dtype

    def _sum(self, x: Array) -> Array:
        return namespace_of(x).sum(x, axis=self._all_but_features(x))  # (D,)

    @staticmethod
    def _all_but_features(x: Array) -> Any:
        return 0 if x.ndim == 2 else (0, *range(2, x.ndim))

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[BatchNormalization, np.ndarray]:
        norm = cls(rng.uniform(0.5, 1.5, 3), rng.standard_normal(3))
        return norm, rng.standard_normal((8, 3))


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
        centred = x - xp.mean(x, axis=axes, keepdims=True)
        inverse = 1.0 / xp.sqrt(xp.mean(centred * centred, axis=axes, keepdims=True) + self.epsilon)
        normal = centred * inverse
        y = narrowed(widened(gamma) * normal + widened(self.params["beta"]), dtype)
        self.saved = (normal, inverse, axes, ArraySpec.of(y)) if training else None
        return y

    def backward(self, dout: Array) -> Array:
        normal, inverse, axes, form = self.saved
        check_dout(self.name, dout, form)
        xp, dout, batch = form.xp, widened(dout), tuple(range(dout.ndim - len(axes)))
        self.set_grad("beta", xp.sum, dout, axis=batch)
        self.set_grad("gamma", xp.sum, dout * normal, axis=batch)
        g = dout * widened(self.params["gamma"])
        g -= xp.mean(g, axis=axes, keepdims=True) + normal * xp.mean(g * normal, axis=axes, keepdims=True)
        return narrowed(g * inverse, form.dtype)

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[LayerNormalization, np.ndarray]:
        norm = cls(rng.uniform(0.5, 1.5, 4), rng.standard_normal(4))
        return norm, rng.standard_normal((5, 4))
