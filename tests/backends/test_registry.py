"""The table of backends."""

from __future__ import annotations

import numpy as np

import backends
from backends import backend_of, get_backend
from backends.registry import _registry, library_roots, name_of


def test_a_backend_from_outside() -> None:
    class Own(get_backend("cpu").__class__):  # type: ignore[misc]
        name, libraries = "own", ("own_arrays",)
        has_views = False

    class OwnArray:
        __module__ = "own_arrays"
        shape, dtype = (), "float32"

    class Foreign(OwnArray):
        def __array_namespace__(self) -> str:
            return "its namespace"

    assert backends.namespace_of(Foreign()) == "its namespace"
    assert not backends.is_registered(Foreign())
    try:
        backends.register_backend(Own)
        assert backends.is_registered(Foreign())
        assert backends.namespace_of(Foreign()) is get_backend("own").xp
        assert isinstance(get_backend("own"), Own)
        assert backend_of(OwnArray()) is get_backend("own")
        first = get_backend("own")
        backends.register_backend(type("Other", (Own,), {}))
        assert get_backend("own") is not first
        assert backends.backend_names()[-1] == "own"
    finally:
        del _registry["own"]
        name_of.cache_clear()


def test_a_class_s_libraries_are_those_of_its_bases_that_are_arrays() -> None:
    class Own(np.ndarray):
        pass

    Own.__module__ = "own.arrays"
    assert library_roots(Own) == {"own", "numpy"}
    assert library_roots(int) == frozenset()
