"""Matrix products, also while a stream is captured, when CuPy's own raise."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from . import CupyArray
from .cublas import COMPUTE_32F, COMPUTE_32F_FAST_TF32, COMPUTE_64F, FLOAT16, FLOAT32, FLOAT64, Cublas

WORKSPACE = 32 * 2**20  # bytes: what NVIDIA recommends for its newest architectures
KINDS = {"float16": FLOAT16, "float32": FLOAT32, "float64": FLOAT64}


def tf32() -> bool:
    """Whether float32 products may round their factors to TF32: CuPy's own switch, off by default."""
    value = os.environ.get("CUPY_TF32", "0")
    return value.isdecimal() and int(value) > 0


class Products:
    """`matmul` of CuPy's arrays on any device.

    A product on a stream that is captured calls cuBLAS itself, with a handle that no other capture uses and
    a workspace of the capture's own. A product on any other stream, as of another thread, is CuPy's.
    """

    def __init__(self, cupy: Any) -> None:
        self._cupy = cupy
        self._captured: dict[int, Cublas] = {}  # by the address of the stream
        self._idle: defaultdict[int, list[Cublas]] = defaultdict(list)  # by device

    @contextmanager
    def captured_on(self, stream: Any) -> Iterator[Any]:
        """A context in which products on `stream`, of the current device, can be captured.

        It gives the workspace, which must live as long as the graph.
        """
        idle = self._idle[stream.device_id]
        workspace = self._cupy.cuda.alloc(WORKSPACE)
        try:
            blas = idle.pop()
        except IndexError:
            blas = self._new(stream, workspace)
        blas.use(stream.ptr, workspace.ptr, WORKSPACE)
        self._captured[stream.ptr] = blas
        try:
            yield workspace
        finally:
            del self._captured[stream.ptr]
            idle.append(blas)

    def _new(self, stream: Any, workspace: Any) -> Cublas:
        """A handle that has computed a product of each dtype: kernels cannot be loaded during a capture."""
        blas = Cublas(self._cupy)
        blas.use(stream.ptr, workspace.ptr, WORKSPACE)
        for name in KINDS:
            x = self._cupy.ones((8, 8), name)
            _multiply(self._cupy, blas, x, x, None)
        stream.synchronize()
        return blas

    def matmul(self, x1: CupyArray, x2: CupyArray, /) -> CupyArray:
        """The standard's matmul."""
        return self.product(x1, x2)

    def product(self, x1: CupyArray, x2: CupyArray, out: CupyArray | None = None) -> CupyArray:
        """`matmul`, into `out` if it is given."""
        if self._captured:
            blas = self._captured.get(self._cupy.cuda.get_current_stream().ptr)
            if blas is not None:
                return _multiply(self._cupy, blas, x1, x2, out)
        self._check_device(x1)
        self._check_device(x2)
        return self._cupy.matmul(x1, x2, out=out)

    def _check_device(self, x: CupyArray) -> None:
        """Raise unless x is on the current device; CuPy checks this for its own kernels alone."""
        current = self._cupy.cuda.runtime.getDevice()
        if x.data.device_id != current:
            its = x.data.device_id
            raise ValueError(
                f"a product of an array on GPU {its}, while this thread uses GPU {current}: call "
                f"get_backend('gpu:{its}') in this thread, or compute within cupy.cuda.Device({its})"
            )


def _multiply(cupy: Any, blas: Cublas, a: CupyArray, b: CupyArray, out: CupyArray | None) -> CupyArray:
    """The product of two matrices, or of a matrix and a vector, by this handle."""
    if a.ndim == 1 and b.ndim == 2:
        return _multiply(cupy, blas, a[None, :], b, None if out is None else out[None, :])[0]
    if a.ndim == 2 and b.ndim == 1:
        return _multiply(cupy, blas, a, b[:, None], None if out is None else out[:, None])[:, 0]
    name = str(a.dtype)
    if a.ndim != 2 or b.ndim != 2 or name not in KINDS or a.dtype != b.dtype:
        raise NotImplementedError(
            f"a product of {a.shape} {a.dtype} and {b.shape} {b.dtype} while capturing: "
            "expected two floating-point matrices of one dtype"
        )
    a, b = (x if x.flags.f_contiguous else cupy.ascontiguousarray(x) for x in (a, b))
    out = cupy.empty((a.shape[0], b.shape[1]), a.dtype) if out is None else out
    blas.gemm(gemm_shape(a, b, out), b, a, out, KINDS[name], _compute_type(name))
    return out


def _compute_type(name: str) -> int:
    if name == "float64":
        return COMPUTE_64F
    return COMPUTE_32F_FAST_TF32 if name == "float32" and tf32() else COMPUTE_32F


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
