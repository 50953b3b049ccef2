"""`import backends` as another name of `backprop.backends`, so that none of its modules is loaded twice."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

NAME, REAL = "backends", "backprop.backends"


class _Alias(MetaPathFinder, Loader):
    """Find `backends.base` as `backprop.backends.base`."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        ours = name.startswith(f"{NAME}.") and sys.modules.get(NAME) is sys.modules[REAL]
        return ModuleSpec(name, self) if ours else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = import_module(spec.name.replace(NAME, REAL, 1))
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # the import has just replaced it


def give_backprop_backends() -> None:
    """Make the name `backends`, which is being imported, stand for `backprop.backends`."""
    sys.modules[NAME] = import_module(REAL)
    sys.meta_path.insert(0, _Alias())
