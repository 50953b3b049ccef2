"""The functions of cuBLAS, called by ctypes."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from backends import Backend
from backends.cupy import cublas
from backends.cupy.cublas import Cublas, CublasError

from .fake_cuda import FakeCupy, FakeLibrary, array


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> FakeLibrary:
    fake = FakeLibrary()
    monkeypatch.setattr(cublas, "_library", lambda: fake)
    return fake


def test_a_handle_computes_on_a_stream_with_a_workspace(library: FakeLibrary) -> None:
    blas = Cublas(FakeCupy())
    blas.use(5, 4096, 2**20)
    a, b, c = array([[1.0, 2.0], [3.0, 4.0]]), array([[5.0, 6.0], [7.0, 8.0]]), array(np.zeros((2, 2)))
    blas.gemm((0, 0, 2, 2, 2, 2, 2, 2), b, a, c, cublas.FLOAT64, cublas.COMPUTE_64F)
    np.testing.assert_array_equal(c, a @ b)
    assert [call[0] for call in library.calls] == [
        "Create",
        "GetVersion",
        "SetStream",
        "SetWorkspace",
        "GemmEx",
    ]
    assert library.calls[2:4] == [("SetStream", 1, 5), ("SetWorkspace", 1, 4096, 2**20)]
    assert library.calls[4][1:7] == (1, 0, 0, 2, 2, 2)


def test_a_status_is_an_error_that_names_the_function(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, status, text in (
        ("cublasCreate_v2", 1, r"cublasCreate_v2: the library was not initialized \(status 1\)"),
        ("cublasSetWorkspace_v2", 7, r"cublasSetWorkspace_v2: an invalid value \(status 7\)"),
    ):
        monkeypatch.setattr(cublas, "_library", lambda failing={name: status}: FakeLibrary(**failing))
        with pytest.raises(CublasError, match=text):
            Cublas(FakeCupy()).use(5, 4096, 1)


def test_a_library_for_another_cuda_is_refused(library: FakeLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    library.version = 130001
    monkeypatch.setattr(cublas, "cuda_version", lambda: 12080)
    message = r"^cuBLAS 13 was loaded, but CuPy is built for CUDA 12: pip install 'cupy-cuda12x\[ctk\]>=14'$"
    with pytest.raises(ImportError, match=message):
        Cublas(FakeCupy(12090))
    assert library.calls[-1] == ("Destroy", 1)
    Cublas(FakeCupy(13000))


def test_a_missing_library_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str) -> Any:
        raise RuntimeError(f'Failure finding "lib{name}.so"\nand where it was looked for')

    finder = SimpleNamespace(load_nvidia_dynamic_lib=load)
    monkeypatch.setitem(sys.modules, "cuda", SimpleNamespace(pathfinder=finder))
    monkeypatch.setitem(sys.modules, "cuda.pathfinder", finder)
    monkeypatch.setattr(cublas, "cuda_version", lambda: 13000)
    cublas._library.cache_clear()
    message = r"""^cuBLAS does not load \(Failure finding "libcublas\.so"\): pip install 'cupy-cuda13x\[ctk\]>=14'$"""
    with pytest.raises(ImportError, match=message):
        Cublas(FakeCupy())
    finder.load_nvidia_dynamic_lib = lambda name: SimpleNamespace(abs_path="/nowhere/libcublas.so.12")
    with pytest.raises(ImportError, match="cuBLAS does not load .*nowhere"):
        Cublas(FakeCupy())
    monkeypatch.setitem(sys.modules, "cuda.pathfinder", None)
    with pytest.raises(ImportError, match="cuBLAS does not load .*pathfinder.*: pip install 'cupy-"):
        Cublas(FakeCupy())


@pytest.mark.only("cupy")
def test_the_library_is_cupys(backend: Backend) -> None:
    import cupy

    assert Cublas(cupy)._handle.value
    with pytest.raises(CublasError, match=r"^cublasSetWorkspace_v2: .+ \(status \d+\)$"):
        Cublas(cupy).use(0, 1, 2**20)  # no multiple of 256
