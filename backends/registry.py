"""The table of backends: the class of each, the arrays that are its library's, and the devices in use.

A backend's module is imported when it is first asked for, so naming backends costs nothing and
a missing library is an error only for those who want it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from .array import Namespace

if TYPE_CHECKING:
    from .base import Backend


@dataclass(frozen=True)
class _Entry:
    load: Callable[[], type[Backend]]
    libraries: tuple[str, ...]


def _importing(module: str, name: str) -> Callable[[], type[Backend]]:
    """What imports the class of that name from a module of this package."""
    return cache(lambda: getattr(import_module(module, __package__), name))


# To add a backend: its file, and its line here.
_registry: dict[str, _Entry] = {
    "numpy": _Entry(_importing(".numpy.backend", "NumpyBackend"), ("numpy",)),
    "cupy": _Entry(_importing(".cupy.backend", "CupyBackend"), ("cupy",)),
    "torch": _Entry(_importing(".torch.backend", "TorchBackend"), ("torch",)),
    "jax": _Entry(_importing(".jax.backend", "JaxBackend"), ("jax", "jaxlib")),
    "strict": _Entry(_importing(".strict", "StrictBackend"), ("array_api_strict",)),
}
_opened: dict[tuple[str, str | None], Backend] = {}

namespaces: dict[type, Namespace] = {}
"""The namespaces of classes of arrays, where they have been asked for."""


def register_backend(backend: type[Backend]) -> type[Backend]:
    """Make a `Backend` subclass known by its `name` and its `libraries`; usable as a decorator."""
    _registry[backend.name] = _Entry(lambda: backend, backend.libraries)
    for key in [key for key in _opened if key[0] == backend.name]:
        del _opened[key]
    namespaces.clear()
    name_of.cache_clear()
    return backend


def backend_names() -> list[str]:
    """The names of all registered backends."""
    return list(_registry)


def backend_class(name: str) -> type[Backend]:
    """The class of a registered backend."""
    return _registry[name].load()


def open_backend(name: str, device: str | None = None) -> Backend:
    """The registered backend on a device, its own choice by default: the same object every time."""
    key = (name, device)
    if key not in _opened:
        backend = backend_class(name)(device)
        _opened[key] = _opened.setdefault((name, backend.device), backend)
    return _opened[key]


@cache
def name_of(kind: type) -> str | None:
    """The backend whose library has this class of arrays; None if there is none.

    Raises `TypeError` for a class that the backend refuses.
    """
    roots = library_roots(kind)
    for name, entry in _registry.items():
        if not roots.isdisjoint(entry.libraries):
            entry.load().check_kind(kind)
            return name
    return None


@cache
def library_roots(kind: type) -> frozenset[str]:
    """The top-level modules of a class and its bases, as far as they are classes of arrays."""
    return frozenset(
        base.__module__.partition(".")[0]
        for base in kind.__mro__
        if hasattr(base, "shape") and hasattr(base, "dtype")
    )
