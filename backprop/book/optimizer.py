"""The optimizers of the book's `common/optimizer.py`: one step on dicts of arrays or numbers.

Arrays change in place. What an optimizer remembers for every parameter is a dict, `v`, `h` or `m`, which is
None before the first step. The steps are those of `backprop.optimizers` where the book's are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from numbers import Real
from typing import Any, ClassVar

import numpy as np

from .. import optimizers
from ..backends import HostArray

__all__ = ["SGD", "AdaGrad", "Adam", "Momentum", "Nesterov", "RMSprop", "np"]

EPSILON = 1e-7
"""Added to a square root in a denominator."""

Slots = dict[str, Any]


class _Optimizer:
    """`update`, for which a subclass has the rule of one parameter, its slots and its numbers."""

    slot_names: ClassVar[tuple[str, ...]] = ()
    """The dicts of what is remembered for every parameter, in the order in which `rule` takes them."""

    rule: ClassVar[Callable[..., tuple[Any, ...]]]
    """Return the parameter and its slots after a step, given them, the gradient and `scalars`."""

    def __init__(self, lr: float) -> None:
        self.lr = lr
        for slot in self.slot_names:
            setattr(self, slot, None)

    def scalars(self) -> tuple[float, ...]:
        """Return the numbers that `rule` takes."""
        return (self.lr,)

    def update(self, params: MutableMapping[str, Any], grads: Mapping[str, Any]) -> None:
        """Take one step: change the values of `params`, given the gradients by the same names."""
        self._check(params, grads)
        for slot in self.slot_names:
            if getattr(self, slot) is None:
                setattr(self, slot, {key: _zeros_like(p) for key, p in params.items()})
        for key in params:
            slots = [getattr(self, slot) for slot in self.slot_names]
            before = [params[key], *(slot[key] for slot in slots), grads[key]]
            params[key], *values = self.rule(*before, *self.scalars())
            for slot, value in zip(slots, values, strict=True):
                slot[key] = value

    def _check(self, params: Any, grads: Any) -> None:
        """Raise unless every parameter can change, so that all do or none."""
        name = type(self).__name__
        for what, given in (("params", params), ("grads", grads)):
            if not isinstance(given, Mapping):
                hint = "; give network.params" if hasattr(given, "params") else ""
                raise TypeError(f"{name}: expected {what} as a dict, got {type(given).__name__}{hint}")
        for key, p in params.items():
            if key not in grads:
                raise ValueError(
                    f"{name}: expected a gradient for {key}, got those for {', '.join(grads) or 'nothing'}"
                )
            _check_parameter(name, key, p)
            if np.shape(p) != np.shape(grads[key]):
                raise ValueError(
                    f"{name}: expected a gradient {np.shape(p)} for {key}, got {np.shape(grads[key])}"
                )
            for slot in self.slot_names:
                known = getattr(self, slot)
                if known is not None and (key not in known or np.shape(known[key]) != np.shape(p)):
                    raise ValueError(
                        f"{name}: this optimizer was used for other parameters than {key} {np.shape(p)}; "
                        "make a new one"
                    )


class SGD(_Optimizer):
    """W ← W − lr · g.

    Source: *Deep Learning from Scratch*, section 6.1.2.

    >>> params = {"x": 1.0, "W": np.ones(2)}
    >>> SGD(lr=0.5).update(params, {"x": 1.0, "W": np.array([1.0, -1.0])})
    >>> params
    {'x': 0.5, 'W': array([0.5, 1.5])}
    """

    rule = staticmethod(optimizers.SGD.rule)

    def __init__(self, lr: float = 0.01) -> None:
        super().__init__(lr)


class Momentum(_Optimizer):
    """v ← μ v − lr · g; W ← W + v.

    Source: *Deep Learning from Scratch*, section 6.1.4.
    """

    slot_names = ("v",)
    v: Slots | None
    rule = staticmethod(optimizers.Momentum.rule)

    def __init__(self, lr: float = 0.01, momentum: float = 0.9) -> None:
        super().__init__(lr)
        self.momentum = momentum

    def scalars(self) -> tuple[float, ...]:
        return self.lr, self.momentum


class Nesterov(Momentum):
    """W ← W + μ² v − (1 + μ) lr · g; v ← μ v − lr · g.

    `backprop.Nesterov` is the same up to rounding: it takes the new v in place of the old.

    Source: Bengio and others (2012).
    """

    @staticmethod
    def rule(p: Any, v: Any, g: Any, lr: Any, momentum: Any) -> tuple[Any, ...]:
        """Return W and v after the step."""
        p += momentum * momentum * v
        p -= (1 + momentum) * lr * g
        v *= momentum
        v -= lr * g
        return p, v


class AdaGrad(_Optimizer):
    """h ← h + g²; W ← W − lr · g / (√h + 10⁻⁷).

    Source: *Deep Learning from Scratch*, section 6.1.5.
    """

    slot_names = ("h",)
    h: Slots | None
    rule = staticmethod(optimizers.AdaGrad.rule)

    def __init__(self, lr: float = 0.01) -> None:
        super().__init__(lr)

    def scalars(self) -> tuple[float, ...]:
        return self.lr, EPSILON


class RMSprop(_Optimizer):
    """h ← ρ h + (1 − ρ) g²; W ← W − lr · g / (√h + 10⁻⁷).

    Source: *Deep Learning from Scratch*, section 6.1.5.
    """

    slot_names = ("h",)
    h: Slots | None
    rule = staticmethod(optimizers.RMSprop.rule)

    def __init__(self, lr: float = 0.01, decay_rate: float = 0.99) -> None:
        super().__init__(lr)
        self.decay_rate = decay_rate

    def scalars(self) -> tuple[float, ...]:
        return self.lr, self.decay_rate, 1 - self.decay_rate, EPSILON


class Adam(_Optimizer):
    """m ← m + (1 − β₁) (g − m); v ← v + (1 − β₂) (g² − v); W ← W − lrₜ · m / (√v + 10⁻⁷).

    lrₜ = lr √(1 − β₂ᵗ) / (1 − β₁ᵗ) in step t = `iter`. `backprop.Adam` is the same up to rounding: it keeps
    m / (1 − β₁) and v / (1 − β₂).

    Source: *Deep Learning from Scratch*, section 6.1.6.
    """

    slot_names = ("m", "v")
    m: Slots | None
    v: Slots | None

    def __init__(self, lr: float = 0.001, beta1: float = 0.9, beta2: float = 0.999) -> None:
        super().__init__(lr)
        self.beta1, self.beta2, self.iter = beta1, beta2, 0

    def scalars(self) -> tuple[float, ...]:
        rate = self.lr * np.sqrt(1.0 - self.beta2**self.iter) / (1.0 - self.beta1**self.iter)
        return self.beta1, self.beta2, rate

    def update(self, params: MutableMapping[str, Any], grads: Mapping[str, Any]) -> None:
        """Take one step: change the values of `params`, given the gradients by the same names."""
        self._check(params, grads)
        self.iter += 1
        super().update(params, grads)

    @staticmethod
    def rule(p: Any, m: Any, v: Any, g: Any, beta1: Any, beta2: Any, rate: Any) -> tuple[Any, ...]:
        """Return W, m and v after the step."""
        m += (1 - beta1) * (g - m)
        v += (1 - beta2) * (g**2 - v)
        p -= rate * m / (np.sqrt(v) + EPSILON)
        return p, m, v


def _check_parameter(name: str, key: str, p: Any) -> None:
    """Raise unless a parameter is a number, or an array that can change."""
    if not isinstance(p, np.ndarray | Real):
        raise TypeError(f"{name}: expected {key} as a number or an array, got {type(p).__name__}")
    if isinstance(p, np.ndarray) and p.dtype.kind != "f":
        raise TypeError(f"{name}: expected {key} in floating point, got {p.dtype.name}")
    if isinstance(p, np.ndarray) and not p.flags.writeable:
        raise ValueError(f"{name}: {key} is read-only and cannot be changed; give {key}.copy()")


def _zeros_like(p: Any) -> HostArray:
    """Return zeros for an array or a number, of which whole ones count as float64."""
    return np.zeros(np.shape(p), p.dtype if isinstance(p, np.ndarray) else np.float64)
