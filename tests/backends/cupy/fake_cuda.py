"""Stand-ins for CuPy and cuBLAS in the host's memory: streams have names only, and products are NumPy's."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import numpy as np

from backends.cupy import cublas

DTYPES = {0: np.float32, 1: np.float64, 2: np.float16}


class FakeArray(np.ndarray):
    device_id = 0
    data = property(lambda self: SimpleNamespace(ptr=self.ctypes.data, device_id=self.device_id))  # type: ignore[assignment]


def array(values: Any, dtype: Any = None) -> Any:
    return np.asarray(values, dtype).view(FakeArray)


class FakeStream:
    device_id = 0

    def __init__(self, cupy: FakeCupy, ptr: int) -> None:
        self.cupy, self.ptr, self.synchronized, self.before = cupy, ptr, 0, self

    def synchronize(self) -> None:
        self.synchronized += 1

    def __enter__(self) -> None:
        self.before, self.cupy.current.stream = self.cupy.cuda.get_current_stream(), self

    def __exit__(self, *_: Any) -> None:
        self.cupy.current.stream = self.before


class FakeCupy:
    """CuPy as far as products use it; `own` counts the products that it computes itself."""

    def __init__(self, version: int = 12090) -> None:
        self.own, self.allocated, self.device = 0, 0, 0
        self.current = threading.local()
        runtime = SimpleNamespace(runtimeGetVersion=lambda: version, getDevice=lambda: self.device)
        self.cuda = SimpleNamespace(
            runtime=runtime, alloc=self._alloc, get_current_stream=self._stream, using_allocator=nullcontext
        )
        self.legacy = FakeStream(self, 0)

    def _alloc(self, size: int) -> Any:
        self.allocated += 1
        return SimpleNamespace(ptr=4096 * self.allocated)

    def _stream(self) -> FakeStream:
        return getattr(self.current, "stream", self.legacy)

    def matmul(self, x1: Any, x2: Any, out: Any = None) -> Any:
        self.own += 1
        return array(np.matmul(x1, x2, out=out))

    def ones(self, shape: Any, dtype: Any) -> Any:
        return array(np.ones(shape), dtype)

    def empty(self, shape: Any, dtype: Any) -> Any:
        return array(np.full(shape, np.nan), dtype)

    def ascontiguousarray(self, x: Any) -> Any:
        return array(np.ascontiguousarray(x))


class FakeLibrary:
    """cuBLAS: C functions with the declared arguments, which compute in the host's memory."""

    def __init__(self, version: int = 120900, **failing: int) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.version, self.failing, self.handles = version, failing, 0
        for name, arguments in cublas._ARGUMENTS.items():
            function = ctypes.CFUNCTYPE(ctypes.c_int, *arguments)(self._recorded(name))
            setattr(self, name, function)

    def cublasGetStatusString(self, status: int) -> bytes:  # noqa: N802 - NVIDIA's name
        return b"the library was not initialized" if status == 1 else b"an invalid value"

    def _recorded(self, name: str) -> Any:
        def call(*arguments: Any) -> int:
            if name in self.failing:
                return self.failing[name]
            values = [x for x in arguments if not hasattr(x, "contents")]
            self.calls.append((name.removeprefix("cublas").removesuffix("_v2"), *values))
            if name == "cublasCreate_v2":
                self.handles += 1
                arguments[0][0] = self.handles
            elif name == "cublasGetVersion_v2":
                arguments[1][0] = self.version
            elif name == "cublasGemmEx":
                _gemm(*arguments)
            return 0

        return call


def _gemm(
    _: Any, ta: int, tb: int, m: int, n: int, k: int, alpha: int, a: int, a_kind: int, lda: int, b: int, b_kind: int,
    ldb: int, beta: int, c: int, c_kind: int, ldc: int, compute: int, algorithm: int,
) -> None:  # fmt: skip
    def by_columns(address: int, rows: int, columns: int, leading: int, kind: int) -> np.ndarray:
        dtype = np.dtype(DTYPES[kind])
        memory = (ctypes.c_char * (leading * columns * dtype.itemsize)).from_address(address)
        return np.frombuffer(memory, dtype).reshape(columns, leading)[:, :rows].T

    scale = ctypes.c_double if compute == cublas.COMPUTE_64F else ctypes.c_float
    assert scale.from_address(alpha).value == 1.0
    assert scale.from_address(beta).value == 0.0
    first = by_columns(a, *((k, m) if ta else (m, k)), lda, a_kind)
    second = by_columns(b, *((n, k) if tb else (k, n)), ldb, b_kind)
    product = (first.T if ta else first) @ (second.T if tb else second)
    by_columns(c, m, n, ldc, c_kind)[...] = product


@contextmanager
def computing_on(stream: FakeStream, products: Any) -> Iterator[Any]:
    """As a capture does: products on this stream, which is the thread's current one."""
    with stream, products.captured_on(stream) as workspace:
        yield workspace
