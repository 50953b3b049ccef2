"""Matrix products during a capture, where CuPy's own raise.

They call cuBLAS through nvmath-python's bindings, with a handle and a workspace of their own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from . import CupyArray

WORKSPACE = 32 * 2**20  # bytes: what NVIDIA recommends for its newest architectures
KINDS = {"float16": 2, "float32": 0, "float64": 1}  # cudaDataType: CUDA_R_16F, CUDA_R_32F, CUDA_R_64F


def tf32() -> bool:
    """Whether float32 products may round their factors to TF32: CuPy's own switch, off by default."""
    value = os.environ.get("CUPY_TF32", "0")
    return value.isdecimal() and int(value) > 0


def gemm_shape(a: CupyArray, b: CupyArray, out: CupyArray) -> tuple[int, ...]:
    """`transa, transb, m, n, k, lda, ldb, ldc` of the gemm that computes out = a b.

    cuBLAS stores matrices by columns, so it computes outᵀ = bᵀ aᵀ: the factors change places. A factor may
    be a transposed view, `out` may not.
    """
    (m, k), n = a.shape, b.shape[1]
    if b.shape[0] != k or out.shape != (m, n) or not m * n * k:
        raise ValueError(f"expected a product (m, k) (k, n) that is not empty, got {a.shape} and {b.shape}")
    if not out.flags.c_contiguous:
        raise ValueError("expected an out with its rows one after another")
    (op_b, ld_b), (op_a, ld_a) = _factor(b), _factor(a)
    return op_b, op_a, n, m, k, ld_b, ld_a, n


def _factor(x: CupyArray) -> tuple[int, int]:
    """0 for a matrix in C order, 1 for a transposed view; and the length of a row or column in memory."""
    if x.flags.c_contiguous:
        return 0, x.shape[1]
    if x.flags.f_contiguous:
        return 1, x.shape[0]
    raise ValueError("expected a contiguous matrix or the view of a transposed one")


class Cublas:
    """cuBLAS on one device, for products during a capture."""

    def __init__(self, cupy: Any) -> None:
        from nvmath.bindings import cublas

        self._cupy, self._cublas = cupy, cublas
        self._handle = cublas.create()
        self._workspace = cupy.cuda.alloc(WORKSPACE)
        self._fast = cublas.ComputeType.COMPUTE_32F_FAST_TF32
        self._algorithm = int(cublas.GemmAlgo.DEFAULT)
        self.active = self._loaded = False

    @contextmanager
    def on(self, stream: Any) -> Iterator[None]:
        """A context in which `matmul` computes on `stream`."""
        self._cublas.set_stream(self._handle, stream.ptr)
        self._cublas.set_workspace(
            self._handle, self._workspace.ptr, WORKSPACE
        )  # setting the stream resets it
        self._load_kernels(stream)
        self.active = True
        try:
            yield
        finally:
            self.active = False

    def _load_kernels(self, stream: Any) -> None:
        """Compute a first product of each dtype, since kernels cannot be loaded during a capture."""
        if not self._loaded:
            self._loaded = True
            for name in KINDS:
                self.matmul(*(self._cupy.ones((8, 8), name) for _ in range(2)))
            stream.synchronize()

    def matmul(self, a: CupyArray, b: CupyArray, out: CupyArray | None = None) -> CupyArray:
        """The product of two matrices, or of a matrix and a vector."""
        if a.ndim == 1 and b.ndim == 2:
            return self.matmul(a[None, :], b, None if out is None else out[None, :])[0]
        if a.ndim == 2 and b.ndim == 1:
            return self.matmul(a, b[:, None], None if out is None else out[:, None])[:, 0]
        name = str(a.dtype)
        if a.ndim != 2 or b.ndim != 2 or name not in KINDS or a.dtype != b.dtype:
            raise NotImplementedError(
                f"a product of {a.shape} {a.dtype} and {b.shape} {b.dtype} while capturing: "
                "expected two floating-point matrices of one dtype"
            )
        a, b = (x if x.flags.f_contiguous else self._cupy.ascontiguousarray(x) for x in (a, b))
        out = self._cupy.empty((a.shape[0], b.shape[1]), a.dtype) if out is None else out
        transa, transb, m, n, k, lda, ldb, ldc = gemm_shape(a, b, out)
        kind, scale = KINDS[name], np.float64 if name == "float64" else np.float32
        one, zero = np.ones((), scale), np.zeros((), scale)
        self._cublas.gemm_ex(
            self._handle, transa, transb, m, n, k, one.ctypes.data, b.data.ptr, kind, lda, a.data.ptr, kind,
            ldb, zero.ctypes.data, out.data.ptr, kind, ldc, self._compute_type(name), self._algorithm,
        )  # fmt: skip
        return out

    def _compute_type(self, name: str) -> int:
        types = self._cublas.ComputeType
        if name == "float64":
            return int(types.COMPUTE_64F)
        return int(self._fast if name == "float32" and tf32() else types.COMPUTE_32F)
