"""A mapping whose arrays are written into, never replaced, where they can change."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any, NoReturn, Self

from .array import Array
from .assignment import overwritten
from .base import Backend
from .dispatch import backend_of, is_registered, namespace_of


class InPlaceDict(dict[str, Array]):
    """A mapping whose arrays stay in place: setting a key writes the value into the array there.

    A recording reads and writes the arrays that it has seen, and a flat vector is made of views, so others
    must not take their place. A number fills the array; an array is converted to its dtype. Arrays that
    cannot change are replaced by others of the same form. Copied or pickled, it is a plain dict.
    """

    _backend: Backend | None = None  # found once, since the uncaptured step writes each gradient out

    def __setitem__(self, key: str, value: Any) -> None:
        place = self._place(key)
        if value is not place:
            written = overwritten(place, _fitting(key, value, place))
            if written is not place:
                super().__setitem__(key, written)

    def write_out(self, key: str, function: Callable[..., Array], *args: Any, **options: Any) -> None:
        """Write function(*args, **options), of the arrays' namespace, into the array at `key`."""
        place = self._place(key)
        if self._backend is None:
            self._backend = backend_of(place)
        self._backend.write_out(place, function, *args, **options)

    def _place(self, key: str) -> Array:
        if key not in self:
            raise KeyError(f"no array {key!r} here: there are {', '.join(self) or 'none'}")
        return self[key]

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set every given key."""
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def __ior__(self, other: Any) -> Self:  # type: ignore[override,misc]  # dict's is overloaded
        self.update(other)
        return self

    def setdefault(self, key: str, default: Any = None) -> Array:
        """The array at `key`; a new key is refused."""
        return self._place(key)

    def _refuse_to_delete(self, *_: Any) -> NoReturn:
        """Raise `TypeError`: no array is deleted."""
        raise TypeError(
            f"{', '.join(self) or 'these arrays'}: arrays that keep their place cannot be deleted; "
            "set one to 0.0 to begin anew"
        )

    __delitem__ = pop = popitem = clear = _refuse_to_delete

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


def _fitting(key: str, value: Any, place: Array) -> Any:
    """`value` if it can be written into `place`: a number, or an array of its shape, in its dtype."""
    if type(value) is type(place) and value.shape == place.shape and value.dtype == place.dtype:
        return value
    if isinstance(value, Real):
        return value
    if not hasattr(value, "shape"):
        raise TypeError(f"{key}: expected an array or a number, got a {type(value).__name__}")
    if tuple(value.shape) != tuple(place.shape):
        raise ValueError(f"{key}: expected shape {tuple(place.shape)}, got {tuple(value.shape)}")
    if type(value) is not type(place) and is_registered(value):
        ours = backend_of(place)
        if not ours.owns(value):
            its = backend_of(value)
            raise TypeError(f"{key}: expected an array of {ours}, got one of {its}; use asarray(…)")
    return value if value.dtype == place.dtype else namespace_of(place).astype(value, place.dtype)
