"""Which backends exist, which one an array belongs to, and which can be used here.

A backend's module is imported when it is first asked for, so naming backends costs nothing and
a missing library is an error only for those who want it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from .base import Array, Backend, BackendUnavailableError, UnknownDeviceError, library_roots
from .tape import TracedArray


@dataclass(frozen=True)
class _Entry:
    load: Callable[[], type[Backend]]
    libraries: tuple[str, ...]


def _module(name: str, class_name: str) -> Callable[[], type[Backend]]:
    return lambda: getattr(importlib.import_module(f".{name}", __package__), class_name)


# To add a backend: its file, and its line here.
_registry: dict[str, _Entry] = {
    "numpy": _Entry(_module("numpy.backend", "NumpyBackend"), ("numpy",)),
    "cupy": _Entry(_module("cupy.backend", "CupyBackend"), ("cupy",)),
    "torch": _Entry(_module("torch", "TorchBackend"), ("torch",)),
    "strict": _Entry(_module("strict", "StrictBackend"), ("array_api_strict",)),
}
_aliases = {"cpu": "numpy", "gpu": "cupy"}
_opened: dict[tuple[str, str | None], Backend] = {}
_namespaces: dict[type, Any] = {}


@dataclass(frozen=True)
class BackendStatus:
    """A line of `available_backends()`: what the backend is, or why it cannot be used."""

    name: str
    usable: bool
    device: str = ""
    version: str = ""
    cause: str = ""
    cure: str = ""


def register_backend(backend: type[Backend]) -> type[Backend]:
    """Make a `Backend` subclass known by its `name` and its `libraries`; usable as a decorator."""
    _registry[backend.name] = _Entry(lambda: backend, backend.libraries)
    for key in [key for key in _opened if key[0] == backend.name]:
        del _opened[key]
    _namespaces.clear()
    _name_of.cache_clear()
    return backend


def backend_names() -> list[str]:
    """The names of all registered backends."""
    return list(_registry)


def is_registered(array: Array) -> bool:
    """Whether the library of `array` has a backend; raises for a class that the backend refuses."""
    return isinstance(array, TracedArray) or _name_of(array.__class__) is not None


def get_backend(spec: str | Backend = "cpu") -> Backend:
    """The backend for `spec`.

    `"cpu"` is NumPy, `"gpu"` is CuPy, `"gpu:1"` its second device; `"torch"`, `"torch:cuda"` and
    every other registered name work alike. `"auto"` takes a usable GPU, else the CPU, and says
    why in the result's `why`. A backend that was asked for by name and cannot be used is a
    `BackendUnavailableError`: nothing falls back silently. A name that nobody registered is a
    `ValueError`.
    """
    if isinstance(spec, Backend):
        return spec
    if not isinstance(spec, str):
        raise TypeError(f"expected a device name such as 'cpu' or 'gpu', got {spec!r}")
    if spec == "auto":
        return _automatic()
    name, _, device = spec.partition(":")
    name = _aliases.get(name, name)
    if name not in _registry:
        known = ", ".join(["auto", *_aliases, *_registry])
        raise UnknownDeviceError(f"unknown device {spec!r}: expected one of {known}, or NAME:DEVICE")
    key = (name, device or None)
    if key not in _opened:
        backend = _registry[name].load()(device or None)
        _opened[key] = _opened.setdefault((name, backend.device), backend)
    return _opened[key]


def _automatic() -> Backend:
    try:
        backend = get_backend("gpu")
        backend.why = "a GPU is usable"
    except BackendUnavailableError as error:
        backend = get_backend("cpu")
        backend.why = f"no GPU: {error.cause}"
    return backend


def available_backends() -> list[BackendStatus]:
    """Every registered backend on its default device: usable, or the cause and the cure."""
    return [_status(name) for name in _registry]


def _status(name: str) -> BackendStatus:
    try:
        backend = get_backend(name)
    except BackendUnavailableError as error:
        return BackendStatus(name, False, cause=error.cause, cure=error.cure)
    return BackendStatus(name, True, backend.device, backend.version)


def namespace_of(array: Array) -> Any:
    """The array API namespace of `array`, by its type.

    For an array of a registered library it is the backend's `xp`; for any other array that
    follows the standard, its own `__array_namespace__()`.
    """
    try:
        return _namespaces[type(array)]
    except KeyError:
        pass
    if isinstance(array, TracedArray):
        return array.tape.namespace
    kind = array.__class__
    if _name_of(kind) is not None:
        xp = backend_of(array).xp
    elif hasattr(array, "__array_namespace__") and not isinstance(array, type):
        xp = array.__array_namespace__()
    else:
        raise TypeError(
            f"expected an array (NumPy, CuPy, PyTorch, …), got {_described(array)}; {_as_array(array)}"
        )
    _namespaces[kind] = xp
    return xp


def _as_array(value: Any) -> str:
    """How to make an array of it."""
    for method in ("toarray", "to_numpy"):  # of SciPy's sparse arrays; of pandas and its like
        if hasattr(value, method):
            return f"give x.{method}()"
    return "make one with numpy.asarray(…) or backend.asarray(…)"


def _described(value: Any) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else str(value.__class__.__name__)


def backend_of(array: Array) -> Backend:
    """The backend whose library and device hold `array`."""
    if isinstance(array, TracedArray):
        return array.tape.backend
    name = _name_of(array.__class__)
    if name is None:
        raise TypeError(
            f"no backend is registered for arrays of type {type(array).__module__}."
            f"{type(array).__name__}; see backprop.backends.register_backend"
        )
    return get_backend(f"{name}:{_registry[name].load().device_of(array)}")


@cache
def _name_of(kind: type) -> str | None:
    roots = library_roots(kind)
    for name, entry in _registry.items():
        if not roots.isdisjoint(entry.libraries):
            entry.load().check_kind(kind)
            return name
    return None
