"""Import a package's names on first use, so that importing the package is quick."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def lazy_names(
    package: str, modules: Mapping[str, Sequence[str]], namespace: dict[str, Any]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return a package's `__getattr__`, `__dir__` and `__all__` (PEP 562).

    Parameters
    ----------
    package : the package's `__name__`
    modules : the names that each of its modules exports
    namespace : the package's `globals()`, which caches imported names
    """
    module_of = {name: module for module, names in modules.items() for name in names}

    def get(name: str) -> Any:
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        namespace[name] = getattr(import_module(f".{module_of[name]}", package), name)
        return namespace[name]

    return get, lambda: sorted({*namespace, *module_of}), sorted(module_of)
