"""Functions of arrays that are recorded once and then replayed without the Python around them.

What the libraries share: how a recording fails, and mappings whose arrays it can rely on.
"""

from __future__ import annotations

from typing import Any

from .base import Array


class CaptureWarning(UserWarning):
    """A function cannot be recorded and is called as it is, which is slower: why."""


class CaptureError(RuntimeError):
    """A function does something that a recording cannot repeat."""


class InPlace(dict[str, Array]):
    """A mapping whose arrays keep their place: setting a key writes the value into the array there.

    A recording reads and writes the arrays that it has seen, so they must not be replaced by others.
    """

    def __setitem__(self, key: str, value: Array) -> None:
        if value is not self[key]:
            self[key][...] = value

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set every given key."""
        for key, value in dict(*args, **kwargs).items():
            self[key] = value
