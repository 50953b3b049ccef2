"""Packages whose names are imported when they are first used, so that importing them is quick."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def lazy_names(
    package: str, modules: Mapping[str, Sequence[str]], namespace: dict[str, Any]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a package (PEP 562).

    Parameters
    ----------
    package : its `__name__`
    modules : its modules, with the names that each one gives the package
    namespace : its `globals()`, where a name is put once it is imported
    """
    module_of = {name: module for module, names in modules.items() for name in names}

    def get(name: str) -> Any:
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        namespace[name] = getattr(import_module(f".{module_of[name]}", package), name)
        return namespace[name]

    return get, lambda: sorted({*namespace, *module_of}), sorted(module_of)
