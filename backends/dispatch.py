"""The backend and the namespace of an array, by its type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .array import Namespace
from .registry import backend_class, name_of, namespaces, open_backend
from .traced import TracedArray

if TYPE_CHECKING:
    from .base import Backend


def is_registered(array: object) -> bool:
    """Whether the library of `array` has a backend; raises `TypeError` for a class that it refuses."""
    kind: type = array.__class__
    return name_of(kind) is not None


def namespace_of(array: object) -> Namespace:
    """The array API namespace of `array`.

    For an array of a registered library it is the backend's `xp`; for any other array that
    follows the standard, its own `__array_namespace__()`.
    """
    try:
        return namespaces[type(array)]
    except KeyError:
        pass
    if isinstance(array, TracedArray):
        return array.tape.namespace
    kind: type = array.__class__
    xp: Namespace
    if name_of(kind) is not None:
        backend = backend_of(array)
        xp = backend.xp
        if backend.checks_arrays:
            return xp
    elif hasattr(array, "__array_namespace__") and not isinstance(array, type):
        xp = array.__array_namespace__()
    else:
        raise TypeError(
            f"expected an array (NumPy, CuPy, PyTorch, …), got {_described(array)}; {_how_to_convert(array)}"
        )
    namespaces[kind] = xp
    return xp


def _how_to_convert(value: object) -> str:
    for method in ("toarray", "to_numpy"):  # of SciPy's sparse arrays; of pandas and its like
        if hasattr(value, method):
            return f"give x.{method}()"
    return "make one with numpy.asarray(…) or backend.asarray(…)"


def _described(value: object) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else str(value.__class__.__name__)


def device_of(array: Any) -> Any:
    """The device of an array, for `device=…`; None in a function that JAX traces, which has its own."""
    return getattr(array, "device", None)


def on_one_device(x: Any, y: Any) -> bool:
    """Whether two arrays are on one device, as far as it is known."""
    ours, its = device_of(x), device_of(y)
    return ours == its or ours is None or its is None


def backend_of(array: Any) -> Backend:
    """The backend whose library and device hold `array`."""
    if isinstance(array, TracedArray):
        return array.tape.backend
    kind: type = array.__class__
    name = name_of(kind)
    if name is None:
        raise TypeError(
            f"no backend is registered for arrays of type {type(array).__module__}."
            f"{type(array).__name__}; see backprop.backends.register_backend"
        )
    found = backend_class(name)
    if found.checks_arrays:
        found.check_array(array)
    return open_backend(name, found.device_of(array))
