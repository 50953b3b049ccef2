"""Functions of arrays that are recorded once and then replayed without the Python around them.

What the libraries share: a recording for every shape of the inputs, and the way back to calling the
function itself where a recording fails.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any, Self, TypeAlias

from .base import Array, first_line

State: TypeAlias = Mapping[str, Array]
Replay: TypeAlias = Callable[..., tuple[Array, ...]]


class CaptureWarning(UserWarning):
    """A function could not be recorded and is called as it is, which is slower: why."""


class CaptureError(RuntimeError):
    """A function does something that a recording cannot repeat."""


class InPlace(dict[str, Array]):
    """A mapping whose arrays keep their place: setting a key writes the value into the array there.

    A recording reads and writes the arrays that it has seen, so they must not be replaced by others. A
    number fills the array. Pickled and copied, it is a plain dict.
    """

    def __setitem__(self, key: str, value: Any) -> None:
        if key not in self:
            raise KeyError(f"no array {key!r} here: there are {', '.join(self) or 'none'}")
        place = self[key]
        if value is place:
            return
        if not isinstance(value, Real):
            if not hasattr(value, "shape"):
                raise TypeError(f"{key}: expected an array or a number, got a {type(value).__name__}")
            if tuple(value.shape) != tuple(place.shape):
                raise ValueError(f"{key}: expected shape {tuple(place.shape)}, got {tuple(value.shape)}")
        place[...] = value

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set every given key."""
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def __ior__(self, other: Any) -> Self:  # type: ignore[override,misc]  # dict's is overloaded
        self.update(other)
        return self

    def __delitem__(self, key: str) -> None:
        raise TypeError("arrays that keep their place cannot be deleted; set one to 0.0 to begin anew")

    def pop(self, *_: Any) -> Any:
        """Refused, as every deletion."""
        del self[""]

    popitem = clear = pop

    def setdefault(self, key: str, default: Any = None) -> Array:
        """The array there; a new key is refused."""
        if key not in self:
            self[key] = default
        return self[key]

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


class Captured:
    """`function(*state, *inputs)` as a function of the inputs, recorded for every shape of them.

    The first call with new shapes runs the function, so that everything it needs is there; the next
    ones record it. Every call computes: nothing is run for the recording's sake alone.
    """

    def __init__(self, function: Callable[..., tuple[Array, ...]], state: Sequence[State]) -> None:
        self.function, self.state = function, state
        self.why = ""
        self._replays: dict[tuple[Any, ...], Replay | None] = {}

    def __call__(self, *inputs: Array) -> tuple[Array, ...]:
        """The function's result for these inputs, as arrays of its own."""
        key = tuple([(x.shape, x.dtype) for x in inputs])
        replay = self._replays.get(key)
        if replay is not None:
            return replay(*inputs)
        if self.why or key not in self._replays:
            self._replays[key] = None
            return self.function(*self.state, *inputs)
        try:
            result, replay = self.record(key, inputs)
        except Exception as error:  # whatever it was: the function itself decides whether it is an error
            self.give_up(f"{type(error).__name__}: {first_line(error)}")
            return self.function(*self.state, *inputs)
        self._replays[key] = None if self.why else replay
        if result is None:
            assert replay is not None
            return replay(*inputs)
        return result

    def record(
        self, key: tuple[Any, ...], inputs: Sequence[Array]
    ) -> tuple[tuple[Array, ...] | None, Replay | None]:
        """The result for these inputs, and what replays it; one of them may be None.

        After an exception the state is as it was.
        """
        raise NotImplementedError(f"{type(self).__name__} has no record")

    def give_up(self, why: str) -> None:
        """Call the function from now on, and say why, once."""
        self.why = why
        self._replays.clear()
        warnings.warn(f"the step is not captured but called each time, which is slower: {why}",
                      CaptureWarning, stacklevel=4)  # fmt: skip
