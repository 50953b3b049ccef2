"""Functions of arrays that are recorded once and then replayed without the Python around them.

What the libraries share: how a recording fails, and mappings whose arrays it can rely on.
"""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any, Self

from .base import Array, Backend


class CaptureWarning(UserWarning):
    """A function cannot be recorded and is called as it is, which is slower: why."""


class CaptureError(RuntimeError):
    """A function does something that a recording cannot repeat."""


class InPlaceDict(dict[str, Array]):
    """A mapping whose arrays stay where they are: setting a key writes the value into the array there.

    A recording reads and writes the arrays that it has seen, and a layer's are parts of its network's
    vector, so they must not be replaced by others. A number fills the array. Pickled and copied, it is a
    plain dict.
    """

    _backend: Backend | None = None

    def __setitem__(self, key: str, value: Any) -> None:
        place = self._at(key)
        if value is place:
            return
        if not isinstance(value, Real):
            if not hasattr(value, "shape"):
                raise TypeError(f"{key}: expected an array or a number, got a {type(value).__name__}")
            if tuple(value.shape) != tuple(place.shape):
                raise ValueError(f"{key}: expected shape {tuple(place.shape)}, got {tuple(value.shape)}")
            if value.dtype != place.dtype:
                from .registry import namespace_of

                value = namespace_of(place).astype(value, place.dtype)
        place[...] = value

    def write_out(self, key: str, function: Callable[..., Array], *args: Any, **options: Any) -> None:
        """Compute function(*args, **options) into the array at `key`."""
        place = self._at(key)
        if self._backend is None:
            from .registry import backend_of

            self._backend = backend_of(place)
        self._backend.write_out(place, function, *args, **options)

    def _at(self, key: str) -> Array:
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
