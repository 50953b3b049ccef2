"""The contract of an optimizer: one step as a function of explicit state."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ..backends import Array, InPlaceDict, backend_of, namespace_of, without_aliases
from ..errors import missing_super_init
from ..networks.parameters import FlatVector, NamedParameters, divided_vector, joined_vector
from .checks import check_grads, check_like, check_trainable, check_writable, non_negative, positive
from .clipping import clip_by_norm
from .ownership import owner_of
from .slots import check_layout, flattened, in_place, is_flat

Schedule = Callable[[int], float]
"""The learning rate as a function of the step's number, starting at 1; see `backprop.schedules`."""

STATE = frozenset({"steps", "_slots", "_owner"})
"""The attributes that training sets; all others are settings."""


class Optimizer:
    """How the gradient changes the parameters.

    A subclass writes `rule`, which acts on single entries, so that a backend may fuse it into one kernel;
    if needed, it names its `slot_names` and returns its own `scalars`. A step that does not act on single
    entries overrides `apply` instead. Nobody overrides `update`, which calls `apply`.

    `fit` may record a step and replay it. A Python number in `rule` or `apply` is then fixed; return what
    changes from step to step in `scalars`.

    An optimizer belongs to the first network whose parameters it gets, by `fit` or by `update`. Its slots
    and its step count mean nothing to another network, which is a `ValueError`. A copy (`copy.deepcopy`,
    pickle) does not belong to any network yet.

    Parameters
    ----------
    lr : the learning rate, finite and at least 0, or a function of the step's number, such as those of
        `backprop.schedules`
    max_norm : scale gradients down to this norm, taken over all parameters, if theirs is larger; None for
        no clipping. Gradients that contain NaN or infinity become NaN everywhere.

    >>> import numpy as np
    >>> class Cubed(Optimizer):
    ...     @staticmethod
    ...     def rule(p, g, lr):
    ...         p -= lr * g**3
    ...         return (p,)
    >>> params = {"W": np.asarray([1.0])}
    >>> Cubed(lr=0.5).update(params, {"W": np.asarray([2.0])})
    >>> params["W"]
    array([-3.])
    """

    slot_names: ClassVar[tuple[str, ...]] = ()
    """Names of the arrays kept for every parameter, in the order in which `rule` takes them."""

    steps: int
    """The number of steps taken."""

    def __init__(self, lr: float | Schedule = 0.01, *, max_norm: float | None = None) -> None:
        name = type(self).__name__
        self.lr = lr if callable(lr) else non_negative(name, "learning rate", lr)
        self.max_norm = None if max_norm is None else positive(name, "max_norm", max_norm)
        self.steps = 0
        self._slots: dict[str, Array] = {}
        self._owner: weakref.ref[Any] | None = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.update is not Optimizer.update:
            raise TypeError(
                f"{cls.__name__}: an optimizer does not override update; write rule, or for a step that does "
                "not act on single entries apply(self, params, grads, slots, scalars)"
            )

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name == "lr" or name in STATE:
                raise missing_super_init(type(self), "super().__init__(lr)")
            return super().__getattribute__(name)  # raises the usual error

    def rate(self, step: int) -> float:
        """Return the learning rate of a step."""
        return float(self.lr(step)) if callable(self.lr) else self.lr

    def scalars(self, step: int) -> tuple[float, ...]:
        """Return the numbers that `rule` takes after the arrays in this step, the first being 1."""
        return (self.rate(step),)

    def loss_scale(self, scalars: Sequence[Any]) -> Any:
        """Return the factor of the loss whose gradient `apply` takes."""
        return 1.0

    @staticmethod
    def rule(p: Array, *args: Any, **kwargs: Any) -> tuple[Array, ...]:
        """Return the parameter and its slots after the step, changed in place (`p -= …`) or as new arrays."""
        raise NotImplementedError("an optimizer has a rule or an apply")

    def init(self, params: Mapping[str, Array]) -> dict[str, Array]:
        """Return the slots before the first step: zeros, by name, such as `"v.W1"`."""
        check_trainable(type(self).__name__, params)
        return {
            f"{name}.{key}": namespace_of(p).zeros_like(p)
            for key, p in params.items()
            for name in self.slot_names
        }

    def apply(
        self,
        params: MutableMapping[str, Array],
        grads: Mapping[str, Array],
        slots: MutableMapping[str, Array],
        scalars: Sequence[Any],
    ) -> None:
        """Take one step: change `params` and `slots`.

        Raises `ValueError` for a gradient that is missing or unlike its parameter.

        Parameters
        ----------
        params, slots : the arrays by name; `slots` as `init` returns them
        grads : the gradients of loss_scale(scalars) · loss, by the parameters' names; they are clipped first
        scalars : the numbers of the step, as `scalars` returns them; 0-d arrays in `fit`

        >>> import numpy as np
        >>> from backprop import Momentum
        >>> optimizer, params = Momentum(lr=0.5), {"W": np.asarray([1.0])}
        >>> slots = optimizer.init(params)
        >>> optimizer.apply(params, {"W": np.asarray([1.0])}, slots, optimizer.scalars(step=1))
        >>> params["W"], slots["v.W"]
        (array([0.5]), array([-0.5]))
        """
        check_grads(type(self).__name__, params, grads)
        if self.max_norm is not None:
            grads = self.clipped({key: grads[key] for key in params})
        for key in params:
            names = [f"{name}.{key}" for name in self.slot_names]
            arrays = [params[key], *(slots[name] for name in names), grads[key]]
            rule = backend_of(arrays[0]).fuse(self.rule)
            params[key], *changed = without_aliases(arrays, rule(*arrays, *scalars))
            slots.update(zip(names, changed, strict=True))

    def clipped(self, grads: Mapping[str, Array]) -> Mapping[str, Array]:
        """Return the gradients, scaled by max_norm / norm if their norm is larger than max_norm."""
        return grads if self.max_norm is None else clip_by_norm(grads, self.max_norm)

    def update(self, params: MutableMapping[str, Array], grads: Mapping[str, Array]) -> None:
        """Take one step in a training loop of your own, with the optimizer's slots and step count.

        Parameters
        ----------
        params : a network's `params`, as in the book, its `flat_params`, or any arrays by name
        grads : the gradients of the loss, by the same names

        Raises `ValueError` for a gradient that is missing or unlike its parameter, for a read-only
        parameter, and for the parameters of another network.
        """
        name = type(self).__name__
        check_grads(name, params, grads)
        check_writable(name, params)
        self._bind(params)
        if isinstance(params, NamedParameters) and is_flat(self._slots):
            shapes = [tuple(p.shape) for p in params.values()]
            vector = {"flat": joined_vector(list(params.values()))}
            self._step(vector, {"flat": joined_vector([grads[key] for key in params])})
            params.update(zip(params, divided_vector(shapes, vector["flat"]), strict=True))
        else:
            self._step(params, grads)

    def _step(self, params: MutableMapping[str, Array], grads: Mapping[str, Array]) -> None:
        self.prepare(params)
        scalars = self.scalars(self.steps + 1)
        self.steps += 1
        scale = self.loss_scale(scalars)
        if scale != 1.0:
            grads = {key: scale * grads[key] for key in params}
        self.apply(params, grads, self._slots, scalars)

    @property
    def slots(self) -> dict[str, Array]:
        """The slots of the parameters seen so far: `"v.W1"`, or `"v.flat"` for a whole network in `fit`.

        Where the library has views, the arrays keep their place: `slots["v.flat"] = 0.0` fills the one
        there, and so does assigning a new mapping, with zeros for the slots that it lacks.
        """
        return self._slots

    @slots.setter
    def slots(self, values: Mapping[str, Array]) -> None:
        if isinstance(self._slots, InPlaceDict):
            self._slots.update({**dict.fromkeys(self._slots, 0.0), **values})
        else:
            self._slots = dict(values)

    def prepare(self, params: Mapping[str, Array]) -> None:
        """Make the slots that these parameters lack; existing slots must fit them."""
        name, slots = type(self).__name__, self._slots
        self._bind(params)
        check_trainable(name, params)
        wanted = {f"{slot}.{key}": key for key in params for slot in self.slot_names}
        for slot, key in wanted.items():
            if slot in slots:
                check_like(name, key, slots[slot], params[key])
        lacking = not wanted.keys() <= slots.keys()
        if lacking or not isinstance(slots, InPlaceDict):
            if isinstance(params, FlatVector):
                slots = flattened(name, slots, params, self.init)
            self._slots = in_place(slots, self.init(params) if lacking else {})

    def _bind(self, params: Mapping[str, Array]) -> None:
        """Belong to the network of these parameters; raise if they are another one's."""
        self._owner = owner_of(type(self).__name__, self._owner, params)
        check_layout(type(self).__name__, self._slots, params)

    def __getstate__(self) -> dict[str, Any]:
        """Return the attributes for pickle and copies, which do not belong to a network."""
        return {**vars(self), "_slots": dict(self._slots), "_owner": None}

    def __repr__(self) -> str:
        settings = [f"{name}={value!r}" for name, value in settings_of(self).items()]
        return f"{type(self).__name__}({', '.join(settings)})"


def settings_of(optimizer: Optimizer) -> dict[str, Any]:
    """Return the attributes that are settings: for the optimizers here, the constructor's arguments."""
    return {name: value for name, value in vars(optimizer).items() if name not in STATE}
