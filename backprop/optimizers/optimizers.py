"""Optimizers: how the gradient changes the parameters.

`update(params, grads)` takes two mappings with the same keys: a network's `params` and `gradient`,
as in the book, or its `flat_params` and `flat_grads`, where all parameters are one vector.

An optimizer is a rule, a function of single entries: of a parameter p, of what is kept for it (its
slots), of its gradient g, and of the numbers of the step. A backend may fuse it into one kernel.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any, ClassVar

from ..backends import Array, InPlaceDict, backend_of, dtype_name, namespace_of, without_aliases
from ..layers.base import HALF, is_half, no_constructor
from ..networks.parameters import FlatVector, NamedParameters, layer_of

Schedule = Callable[[int], float]
"""The learning rate of the step of this number, the first being 1; see `backprop.schedules`."""


class Optimizer:
    """How the gradient changes the parameters.

    A subclass writes `rule`, with `kept` and `numbers` if it needs them; one that is no function of
    single entries writes `update` instead.

    An optimizer belongs to the first network whose parameters it gets, by `fit` or by `update`: what it
    keeps and its count of steps mean nothing to another one, which is a `ValueError`. A copy
    (`copy.deepcopy`, pickle) belongs to none yet.

    `fit` may record a step and replay it, so what changes from step to step cannot be a Python number
    in `rule` or `update`. An optimizer that has such numbers gives them in `numbers`.

    Parameters
    ----------
    lr : the learning rate, a finite number of at least 0, or a function of the step's number, such as
        those of `backprop.schedules`
    max_norm : gradients whose norm, over all parameters, is larger are scaled down to it; None for never.
        A gradient with a NaN or an infinity becomes NaN everywhere.
    """

    kept: ClassVar[tuple[str, ...]] = ()
    """Names of the arrays kept for every parameter; they begin as zeros."""

    slots: dict[str, Array]
    """What is kept, as `"v.W1"`, or `"v.flat"` for a whole network in `fit`.

    Where the library has views the arrays keep their place: `slots["v.flat"] = 0.0` fills the one there.
    """

    steps: int = 0
    """How many steps it has taken."""

    max_norm: float | None = None

    _network: weakref.ref[Any] | None = None
    """What tells the network it belongs to from all others: a layer of it."""

    _given: tuple[MutableMapping[str, Array], Sequence[Any]] | None = None
    """What is kept and the numbers, in a `step` by an `update` of one's own, which may call this one."""

    def __init__(self, lr: float | Schedule = 0.01, *, max_norm: float | None = None) -> None:
        name = type(self).__name__
        if not callable(lr):
            lr = _finite(name, "learning rate", lr)
        if max_norm is not None and not (math.isfinite(max_norm) and max_norm > 0.0):
            raise ValueError(f"{name}: expected a finite max_norm above 0, got {max_norm}")
        self.lr, self.max_norm = lr, max_norm

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name == "lr":
                raise no_constructor(type(self), "super().__init__(lr)")
            return super().__getattribute__(name)  # which says what is missing

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        return float(self.lr(step)) if callable(self.lr) else self.lr

    def numbers(self, step: int) -> tuple[float, ...]:
        """What `rule` is given, after the arrays, in the step of this number, the first being 1."""
        return (self.rate(step),)

    def dout(self, numbers: Sequence[Array]) -> Any:
        """What `fit` multiplies the loss with before its gradient is taken."""
        return 1.0

    @staticmethod
    def rule(p: Array, *args: Any, **kwargs: Any) -> tuple[Array, ...]:
        """The parameter and what is kept, after the step: changed by `p -= …`, in place, or new arrays."""
        raise NotImplementedError("an optimizer has a rule or an update")

    def prepare(self, params: Mapping[str, Array]) -> None:
        """Make what is kept for these parameters, as far as it is not there."""
        self._bind(params)
        own, new = vars(self).get("slots", {}), {}
        for key, p in params.items():
            if is_half(p.dtype):
                raise TypeError(f"{type(self).__name__}: {HALF}")
            for name in self.kept:
                slot = f"{name}.{key}"
                if slot in own:
                    self._check_slot(key, own[slot], p)
                elif isinstance(params, FlatVector):
                    new[slot] = self._joined(name, params, own)
                else:
                    new[slot] = namespace_of(p).zeros_like(p)
        if new or not isinstance(own, InPlaceDict):
            if isinstance(params, FlatVector):  # those by name are in the vector now
                own = {slot: array for slot, array in own.items() if slot.endswith(".flat")}
            vars(self)["slots"] = _in_place(own, new)

    def _joined(self, name: str, params: FlatVector, own: Mapping[str, Array]) -> Array:
        """What `update` has kept for the parameters of a network by their names, as one vector."""
        parts = {f"{name}.{key}": p for key, p in params.split(params["flat"]).items()}
        others = [slot for slot in own if slot.partition(".")[0] == name and slot not in parts]
        if others:
            raise ValueError(
                f"{type(self).__name__}: this optimizer was used for other parameters, "
                f"{', '.join(others)}; make a new one for every network"
            )
        for slot in parts.keys() & own.keys():
            self._check_slot(slot, own[slot], parts[slot])
        zeros_like = namespace_of(params["flat"]).zeros_like
        return _concatenated(own[slot] if slot in own else zeros_like(p) for slot, p in parts.items())

    def _bind(self, params: Mapping[str, Array]) -> None:
        """Belong to the network of these parameters, if they are one's; raise if it is another one."""
        layer = layer_of(params)
        if layer is None:
            if self._is_flat and "flat" not in params:
                raise ValueError(
                    f"{type(self).__name__}: this optimizer has been used in fit, for a whole network; give "
                    "network.params, or make a new one"
                )
        elif self._network is None:
            self._network = weakref.ref(layer)
        elif self._network() is not layer:
            raise ValueError(
                f"{type(self).__name__}: this optimizer has been used for another network; make a new one "
                "for every network"
            )

    @property
    def _is_flat(self) -> bool:
        """Whether what is kept is that of a whole network, as one vector."""
        return any(f"{name}.flat" in vars(self).get("slots", {}) for name in self.kept)

    def __setattr__(self, name: str, value: Any) -> None:
        slots = vars(self).get("slots")
        if name == "slots" and isinstance(
            slots, InPlaceDict
        ):  # the arrays stay: what is not given begins anew
            slots.update({**dict.fromkeys(slots, 0.0), **value})
        else:
            super().__setattr__(name, value)

    def __getstate__(self) -> dict[str, Any]:
        """For pickle and copies: without the network it belongs to."""
        state = {name: value for name, value in vars(self).items() if name != "_network"}
        return {**state, "slots": dict(self.slots)} if "slots" in state else state

    def _check_slot(self, key: str, have: Array, p: Array) -> None:
        before, now = _kind(have), _kind(p)
        for what, value in before.items():
            if value != now[what]:
                raise ValueError(
                    f"{type(self).__name__}: this optimizer was used for other parameters, with {key} of "
                    f"{what} {value}, not {now[what]}; make a new one for every network"
                )

    def update(self, params: MutableMapping[str, Array], grads: Mapping[str, Array]) -> None:
        """Change every parameter in `params` by its gradient in `grads`: one step."""
        self._check_gradients(params, grads)
        if self._given is not None:
            self._apply(params, grads, *self._given)
            return
        self._check_writable(params)
        self._bind(params)
        if isinstance(params, NamedParameters) and self._is_flat:
            flat = {"flat": _concatenated(params.values())}
            self._update(flat, {"flat": _concatenated(grads[key] for key in params)})
            params.update(_split(flat["flat"], params))
        else:
            self._update(params, grads)

    def _update(self, params: MutableMapping[str, Array], grads: Mapping[str, Array]) -> None:
        self.prepare(params)
        numbers = self.numbers(self.steps + 1)
        self.steps += 1
        self._apply(params, grads, self.slots, numbers)

    def _check_gradients(self, params: Mapping[str, Array], grads: Mapping[str, Array]) -> None:
        """Raise unless every parameter has a gradient like itself."""
        name = type(self).__name__
        for key, p in params.items():
            if key not in grads:
                listed = ", ".join(grads) or "nothing"
                raise ValueError(f"{name}: expected a gradient for {key}, got those for {listed}")
            g = grads[key]
            namespace_of(p), namespace_of(g)  # a TypeError for what is no array
            if type(g) is type(p) and (g.shape, g.dtype, g.device) == (p.shape, p.dtype, p.device):
                continue
            have, wanted = _kind(g), _kind(p)
            for what, value in wanted.items():
                if value != have[what]:
                    raise ValueError(
                        f"{name}: expected a gradient of {what} {value} for {key}, got {have[what]}"
                    )

    def _check_writable(self, params: Mapping[str, Array]) -> None:
        for key, p in params.items():
            if not backend_of(p).is_writable(p):
                raise ValueError(
                    f"{type(self).__name__}: {key} is read-only and cannot be updated; give a copy of it"
                )

    def step(
        self,
        params: MutableMapping[str, Array],
        grads: Mapping[str, Array],
        slots: MutableMapping[str, Array],
        numbers: Sequence[Any],
    ) -> None:
        """`update` for gradients of dout · loss, with what is kept and the numbers of this step."""
        if type(self).update is Optimizer.update:
            self._apply(params, grads, slots, numbers)
            return
        self._given = slots, numbers
        try:
            self.update(params, grads)
        finally:
            del self._given

    def _apply(
        self,
        params: MutableMapping[str, Array],
        grads: Mapping[str, Array],
        slots: MutableMapping[str, Array],
        numbers: Sequence[Any],
    ) -> None:
        if self.max_norm is not None:
            grads = self.clipped({key: grads[key] for key in params})
        for key in params:
            names = [f"{name}.{key}" for name in self.kept]
            arrays = [params[key], *(slots[name] for name in names), grads[key]]
            rule = backend_of(arrays[0]).fuse(self.rule)
            params[key], *kept = without_aliases(arrays, rule(*arrays, *numbers))
            slots.update(zip(names, kept, strict=True))

    def clipped(self, grads: Mapping[str, Array]) -> Mapping[str, Array]:
        """The gradients, all scaled by max_norm / norm if their norm is larger than max_norm.

        Norm and max_norm are taken as multiples of the largest entry, whose squares do not overflow.
        """
        filled = [g for g in grads.values() if 0 not in g.shape]
        if self.max_norm is None or not filled:
            return grads
        xp = namespace_of(filled[0])
        numbers = xp.finfo(filled[0].dtype)
        squares: Any = 0.0
        max_norm = min(max(self.max_norm, float(numbers.smallest_normal)), float(numbers.max))
        unit = reduce(xp.maximum, [xp.max(xp.abs(g)) for g in filled])
        unit = xp.maximum(unit, max_norm)  # smaller entries matter less than rounding, and 0 is none
        for g in filled:
            part = g / unit
            squares = squares + xp.sum(part * part)
        limit = max_norm / unit
        scale = limit / xp.maximum(xp.sqrt(squares), limit)
        return {key: g * scale for key, g in grads.items()}

    def __repr__(self) -> str:
        gathered = ("slots", "steps", "_network")
        settings = [f"{key}={value!r}" for key, value in vars(self).items() if key not in gathered]
        return f"{type(self).__name__}({', '.join(settings)})"


class SGD(Optimizer):
    """Stochastic gradient descent: W ← W − lr · ∂L/∂W.

    In `fit` it is W ← W − ∂(lr · L)/∂W, which saves a pass over all parameters.

    Source: *Deep Learning from Scratch*, section 6.1.2.

    >>> import numpy as np
    >>> params = {"W": np.asarray([1.0, 2.0])}
    >>> SGD(lr=0.5).update(params, {"W": np.asarray([1.0, -1.0])})
    >>> params["W"]
    array([0.5, 2.5])
    """

    @property
    def _rate_is_in_the_loss(self) -> bool:
        return type(self) is SGD and self.max_norm is None

    def dout(self, numbers: Sequence[Array]) -> Any:
        """The learning rate, unless the gradient's norm matters or a subclass has a rule of its own."""
        return numbers[0] if self._rate_is_in_the_loss else super().dout(numbers)

    def step(
        self,
        params: MutableMapping[str, Array],
        grads: Mapping[str, Array],
        slots: MutableMapping[str, Array],
        numbers: Sequence[Any],
    ) -> None:
        """W ← W − grad for every parameter, the gradient being that of lr · loss."""
        if not self._rate_is_in_the_loss:
            super().step(params, grads, slots, numbers)
            return
        for key in params:
            params[key] -= grads[key]

    @staticmethod
    def rule(p: Array, g: Array, lr: Array) -> tuple[Array, ...]:
        """One step, entry by entry."""
        p -= lr * g
        return (p,)


class Momentum(Optimizer):
    """v ← μ v − lr · g; W ← W + v, with g = ∂L/∂W and v = 0 at first.

    Parameters
    ----------
    lr, max_norm : see `Optimizer`
    momentum : μ, from 0 to below 1

    Source: *Deep Learning from Scratch*, section 6.1.4.

    >>> import numpy as np
    >>> params, optimizer = {"W": np.asarray([1.0])}, Momentum(lr=0.5, momentum=0.5)
    >>> for _ in range(2):
    ...     optimizer.update(params, {"W": np.asarray([1.0])})
    >>> params["W"], optimizer.slots["v.W"]
    (array([-0.25]), array([-0.75]))
    """

    kept = ("v",)

    def __init__(
        self, lr: float | Schedule = 0.01, momentum: float = 0.9, *, max_norm: float | None = None
    ) -> None:
        super().__init__(lr, max_norm=max_norm)
        self.momentum = _share(type(self).__name__, "momentum", momentum)

    def numbers(self, step: int) -> tuple[float, ...]:
        """The learning rate and μ."""
        return self.rate(step), self.momentum

    @staticmethod
    def rule(p: Array, v: Array, g: Array, lr: Array, momentum: Array) -> tuple[Array, ...]:
        """One step, entry by entry."""
        v *= momentum
        v -= lr * g
        p += v
        return p, v


class Nesterov(Momentum):
    """Momentum with the gradient of where it leads: v ← μ v − lr · g; W ← W + μ v − lr · g.

    This is the form of Bengio and others, *Advances in optimizing recurrent networks* (2012), which
    the book's code follows but for using v after its change where the formula has it before.

    Parameters
    ----------
    lr, momentum, max_norm : see `Momentum`

    >>> import numpy as np
    >>> params = {"W": np.asarray([1.0])}
    >>> Nesterov(lr=0.5, momentum=0.5).update(params, {"W": np.asarray([1.0])})
    >>> params["W"]
    array([0.25])
    """

    @staticmethod
    def rule(p: Array, v: Array, g: Array, lr: Array, momentum: Array) -> tuple[Array, ...]:
        """One step, entry by entry."""
        step = lr * g
        v *= momentum
        v -= step
        p += momentum * v
        p -= step
        return p, v


class AdaGrad(Optimizer):
    """h ← h + g²; W ← W − lr · g / (√h + ε): a step that shrinks with all the gradients so far.

    Parameters
    ----------
    lr, max_norm : see `Optimizer`
    epsilon : ε, above 0

    Source: *Deep Learning from Scratch*, section 6.1.5.

    >>> import numpy as np
    >>> params = {"W": np.asarray([1.0])}
    >>> AdaGrad(lr=0.5).update(params, {"W": np.asarray([-3.0])})
    >>> params["W"].round(6)
    array([1.5])
    """

    kept = ("h",)

    def __init__(
        self, lr: float | Schedule = 0.01, *, epsilon: float = 1e-7, max_norm: float | None = None
    ) -> None:
        super().__init__(lr, max_norm=max_norm)
        self.epsilon = _positive(type(self).__name__, "epsilon", epsilon)

    def numbers(self, step: int) -> tuple[float, ...]:
        """The learning rate and ε."""
        return self.rate(step), self.epsilon

    @staticmethod
    def rule(p: Array, h: Array, g: Array, lr: Array, epsilon: Array) -> tuple[Array, ...]:
        """One step, entry by entry."""
        h += g * g
        p -= lr * g / (h**0.5 + epsilon)
        return p, h


class RMSprop(Optimizer):
    """h ← ρ h + (1 − ρ) g²; W ← W − lr · g / (√h + ε): AdaGrad that forgets.

    Parameters
    ----------
    lr, max_norm : see `Optimizer`
    decay_rate : ρ, from 0 to below 1
    epsilon : ε, above 0

    Source: *Deep Learning from Scratch*, section 6.1.5 and `common/optimizer.py`.

    >>> import numpy as np
    >>> params = {"W": np.asarray([1.0])}
    >>> RMSprop(lr=0.1).update(params, {"W": np.asarray([-3.0])})
    >>> params["W"].round(6)
    array([2.])
    """

    kept = ("h",)

    def __init__(
        self,
        lr: float | Schedule = 0.01,
        decay_rate: float = 0.99,
        *,
        epsilon: float = 1e-7,
        max_norm: float | None = None,
    ) -> None:
        super().__init__(lr, max_norm=max_norm)
        self.decay_rate = _share("RMSprop", "decay_rate", decay_rate)
        self.epsilon = _positive("RMSprop", "epsilon", epsilon)

    def numbers(self, step: int) -> tuple[float, ...]:
        """The learning rate, ρ, 1 − ρ and ε."""
        return self.rate(step), self.decay_rate, 1.0 - self.decay_rate, self.epsilon

    @staticmethod
    def rule(
        p: Array, h: Array, g: Array, lr: Array, decay: Array, rest: Array, epsilon: Array
    ) -> tuple[Array, ...]:
        """One step, entry by entry."""
        h *= decay
        h += rest * g * g
        p -= lr * g / (h**0.5 + epsilon)
        return p, h


class Adam(Optimizer):
    """m ← β₁ m + (1 − β₁) g; v ← β₂ v + (1 − β₂) g²; W ← W − lrₜ · m / (√v + ε).

    lrₜ = lr · √(1 − β₂ᵗ) / (1 − β₁ᵗ) in step t. ε stands outside the correction of v, as in the
    book and in section 2 of the paper; PyTorch has it inside. What is kept is m / (1 − β₁) and
    v / (1 − β₂), which saves two multiplications an entry.

    Parameters
    ----------
    lr, max_norm : see `Optimizer`
    beta1, beta2 : β₁ and β₂, from 0 to below 1
    epsilon : ε, above 0

    Source: Kingma and Ba, *Adam: a method for stochastic optimization* (2014); *Deep Learning from
    Scratch*, section 6.1.6.

    >>> import numpy as np
    >>> params = {"W": np.asarray([1.0, 1.0])}
    >>> Adam(lr=0.1).update(params, {"W": np.asarray([-3.0, 0.02])})
    >>> params["W"].round(4)
    array([1.1, 0.9])
    """

    kept = ("m", "v")

    def __init__(
        self,
        lr: float | Schedule = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        *,
        epsilon: float = 1e-7,
        max_norm: float | None = None,
    ) -> None:
        super().__init__(lr, max_norm=max_norm)
        name = type(self).__name__
        self.beta1, self.beta2 = _share(name, "beta1", beta1), _share(name, "beta2", beta2)
        self.epsilon = _positive(name, "epsilon", epsilon)

    def numbers(self, step: int) -> tuple[float, ...]:
        """β₁, β₂, and the rate and ε of the step for the m and v that are kept."""
        unit = math.sqrt(1.0 - self.beta2)  # of √v: what is kept is v / (1 − β₂)
        rate = self.rate(step) * math.sqrt(1.0 - self.beta2**step) / (1.0 - self.beta1**step)
        return self.beta1, self.beta2, rate * (1.0 - self.beta1) / unit, self.epsilon / unit

    @staticmethod
    def rule(
        p: Array, m: Array, v: Array, g: Array, beta1: Array, beta2: Array, rate: Array, epsilon: Array
    ) -> tuple[Array, ...]:
        """One step, entry by entry."""
        m *= beta1
        m += g
        v *= beta2
        v += g * g
        p -= rate * (m / (v**0.5 + epsilon))
        return p, m, v


class AdamW(Adam):
    """Adam with the weights drawn towards 0 apart from the gradient: W ← W − lr · λ W before the step.

    ε stands inside the correction of v, as in PyTorch: W ← W − lr · m̂ / (√v̂ + ε).

    Parameters
    ----------
    lr, beta1, beta2, epsilon, max_norm : see `Adam`
    weight_decay : λ, for all parameters, at least 0

    Source: Loshchilov and Hutter, *Decoupled weight decay regularization* (2019).

    >>> import numpy as np
    >>> params = {"W": np.asarray([1.0])}
    >>> AdamW(lr=0.1, weight_decay=0.5).update(params, {"W": np.asarray([-3.0])})
    >>> params["W"].round(4)
    array([1.05])
    """

    def __init__(
        self,
        lr: float | Schedule = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        *,
        weight_decay: float = 0.01,
        epsilon: float = 1e-8,
        max_norm: float | None = None,
    ) -> None:
        super().__init__(lr, beta1, beta2, epsilon=epsilon, max_norm=max_norm)
        self.weight_decay = _finite("AdamW", "weight decay", weight_decay)

    def numbers(self, step: int) -> tuple[float, ...]:
        """Those of Adam, with ε inside the correction, and 1 − lr · λ."""
        *others, epsilon = super().numbers(step)
        corrected = epsilon * math.sqrt(1.0 - self.beta2**step)
        return *others, corrected, 1.0 - self.rate(step) * self.weight_decay

    @staticmethod
    def rule(p: Array, m: Array, v: Array, g: Array, *numbers: Array) -> tuple[Array, ...]:
        """One step, entry by entry."""
        *others, left = numbers
        p *= left
        return Adam.rule(p, m, v, g, *others)


OPTIMIZERS: dict[str, type[Optimizer]] = {
    kind.__name__.lower(): kind for kind in (SGD, Momentum, Nesterov, AdaGrad, RMSprop, Adam, AdamW)
}
"""Every optimizer by its name in lower case."""


def _in_place(own: Mapping[str, Array], new: Mapping[str, Array]) -> dict[str, Array]:
    """Both as one mapping, which keeps the arrays in their place where the library has views.

    Those of a plain mapping are somebody else's: they are copied.
    """
    slots = {**own, **new}
    if not all(backend_of(slot).has_views for slot in slots.values()):
        return slots
    if not isinstance(own, InPlaceDict):
        slots = {key: namespace_of(slot).asarray(slot, copy=True) for key, slot in slots.items()}
    return InPlaceDict(slots)


def _concatenated(arrays: Iterable[Array]) -> Array:
    parts = list(arrays)
    xp = namespace_of(parts[0])
    return xp.concat([xp.reshape(part, (-1,)) for part in parts])


def _split(vector: Array, like: Mapping[str, Array]) -> dict[str, Array]:
    """The inverse: parts of the vector in the shapes of these arrays."""
    parts, start, xp = {}, 0, namespace_of(vector)
    for key, array in like.items():
        stop = start + math.prod(array.shape)
        parts[key] = xp.reshape(vector[start:stop], array.shape)
        start = stop
    return parts


def _kind(array: Array) -> dict[str, Any]:
    backend = backend_of(array)
    return {
        "shape": tuple(array.shape),
        "dtype": dtype_name(array.dtype),
        "device": f"{backend.name} ({backend.device})",
    }


def _finite(name: str, what: str, value: float) -> float:
    if not (math.isfinite(value) and value >= 0.0):
        raise ValueError(f"{name}: expected a finite {what} of at least 0, got {value}")
    return float(value)


def _share(name: str, what: str, value: float) -> float:
    if not 0.0 <= value < 1.0:
        raise ValueError(f"{name}: expected {what} from 0 to below 1, got {value}")
    return float(value)


def _positive(name: str, what: str, value: float) -> float:
    if not (math.isfinite(value) and value > 0.0):
        raise ValueError(f"{name}: expected a finite {what} above 0, got {value}")
    return float(value)
