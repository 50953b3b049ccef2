"""The backend and the namespace of an array, by its type."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

import backends
from backends import Backend, backend_of, get_backend, namespace_of


def test_not_an_array() -> None:
    with pytest.raises(TypeError, match="expected an array .* got list; make one with"):
        namespace_of([1.0])
    with pytest.raises(TypeError, match=r"no backend is registered for arrays of type builtins\.int"):
        backend_of(1)


def test_array_of_an_unregistered_library() -> None:
    class Foreign:
        def __array_namespace__(self) -> str:
            return "its namespace"

    assert namespace_of(Foreign()) == "its namespace"


def test_subclass_of_a_known_array(tmp_path: Any) -> None:
    mapped = np.memmap(tmp_path / "x", dtype="float32", shape=(2,), mode="w+")
    assert namespace_of(mapped) is get_backend("cpu").xp

    class Own(np.ndarray):
        pass

    own = np.ones(2).view(Own)
    assert backend_of(own) is get_backend("cpu")
    assert get_backend("cpu").owns(own)


MASKED = (
    "a MaskedArray is not used as an array: the numbers under its mask would count; leave those samples out"
)


MATRIX = "a matrix is not used as an array: its \\* is a product of matrices; give numpy.asarray"


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_refused_array_classes(backend: Backend) -> None:
    for array, message in (
        (np.ma.array(np.ones((2, 3)), mask=True), MASKED),
        (np.ma.masked, MASKED),
        (np.ones((2, 3)).view(type("Own", (np.ma.MaskedArray,), {})), MASKED),
        (np.matrix(np.ones((2, 3))), MATRIX),
    ):
        for use in (namespace_of, backend_of, backends.is_registered, backend.asarray):
            for _ in range(2):  # nothing is remembered
                with pytest.raises(TypeError, match=message):
                    use(array)


def test_classes_that_inherit_from_a_library_without_being_arrays() -> None:
    class Generator(np.random.Generator):
        pass

    class Container(np.lib.mixins.NDArrayOperatorsMixin):
        shape, dtype = (2,), np.dtype("float32")

    things = [Generator(np.random.PCG64(0)), Container(), np.dtype("float32"), np.add, np.nditer(np.ones(2))]
    if "torch" in sys.modules:
        import torch

        class Module(torch.nn.Module):
            shape, dtype, device = (2,), torch.float32, "cpu"

        things += [Module(), torch.float32, torch.Size([1]), torch.device("cpu")]
    for thing in things:
        assert not backends.is_registered(thing)
        assert not get_backend("cpu").owns(thing)
        with pytest.raises(TypeError, match="expected an array"):
            namespace_of(thing)
        with pytest.raises(TypeError, match="no backend is registered"):
            backend_of(thing)
    with pytest.raises(TypeError, match=r"expected an array \(.*\), got the class ndarray; make one"):
        namespace_of(np.ndarray)
    assert namespace_of(np.float32(1.0)) is get_backend("cpu").xp
