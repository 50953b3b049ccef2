"""The functions of cuBLAS that products in a capture need, called by ctypes.

CuPy's own binding refuses while a stream is captured and sets no workspace. A complete one, nvmath-python,
would install hundreds of megabytes that nothing here uses; cuBLAS itself is there, since CuPy needs it.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

from ..errors import first_line
from . import CupyArray
from .driver import cuda_version, cupy_packages

FLOAT16, FLOAT32, FLOAT64 = 2, 0, 1  # cudaDataType: CUDA_R_16F, CUDA_R_32F, CUDA_R_64F
COMPUTE_32F, COMPUTE_32F_FAST_TF32, COMPUTE_64F = 68, 77, 70  # cublasComputeType
DEFAULT_ALGORITHM = -1  # cublasGemmAlgo

_pointer, _int = ctypes.c_void_p, ctypes.c_int
_ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "cublasCreate_v2": (ctypes.POINTER(_pointer),),
    "cublasDestroy_v2": (_pointer,),
    "cublasGetVersion_v2": (_pointer, ctypes.POINTER(_int)),
    "cublasSetStream_v2": (_pointer, _pointer),
    "cublasSetWorkspace_v2": (_pointer, _pointer, ctypes.c_size_t),
    "cublasGemmEx": (
        _pointer, _int, _int, _int, _int, _int,  # the handle, transa, transb, m, n, k
        _pointer, _pointer, _int, _int, _pointer, _int, _int,  # alpha; a and b, their dtypes, lda and ldb
        _pointer, _pointer, _int, _int, _int, _int,  # beta; c, its dtype, ldc; compute type, algorithm
    ),
}  # fmt: skip


class CublasError(RuntimeError):
    """A function of cuBLAS failed."""


class Cublas:
    """A handle of cuBLAS on the current device, for one thread at a time.

    It lives as long as the process, since destroying it would wait for the device and break a capture.
    """

    def __init__(self, cupy: Any) -> None:
        self._library, self._handle = _library(), _pointer()
        self._call("cublasCreate_v2", ctypes.byref(self._handle))
        version = _int()
        self._call("cublasGetVersion_v2", self._handle, ctypes.byref(version))
        found, wanted = version.value // 10000, cupy.cuda.runtime.runtimeGetVersion() // 1000
        if found != wanted:
            self._call("cublasDestroy_v2", self._handle)
            raise _unusable(f"cuBLAS {found} was loaded, but CuPy is built for CUDA {wanted}")

    def use(self, stream: int, workspace: int, size: int) -> None:
        """Compute on this stream from now on, with these bytes of device memory as the workspace."""
        self._call("cublasSetStream_v2", self._handle, stream)
        self._call("cublasSetWorkspace_v2", self._handle, workspace, size)  # setting the stream resets it

    def gemm(
        self,
        shape: tuple[int, ...],
        a: CupyArray,
        b: CupyArray,
        c: CupyArray,
        kind: int,
        compute: int,
    ) -> None:
        """c = a b of matrices stored by columns; `shape` is `transa, transb, m, n, k, lda, ldb, ldc`."""
        transa, transb, m, n, k, lda, ldb, ldc = shape
        scale = ctypes.c_double if compute == COMPUTE_64F else ctypes.c_float
        one, zero = scale(1.0), scale(0.0)  # read from the host during the call: the default pointer mode
        self._call(
            "cublasGemmEx", self._handle, transa, transb, m, n, k, ctypes.byref(one), a.data.ptr, kind, lda,
            b.data.ptr, kind, ldb, ctypes.byref(zero), c.data.ptr, kind, ldc, compute, DEFAULT_ALGORITHM,
        )  # fmt: skip

    def _call(self, name: str, *arguments: Any) -> None:
        status = getattr(self._library, name)(*arguments)
        if status:
            text = self._library.cublasGetStatusString(status).decode()
            raise CublasError(f"{name}: {text} (status {status})")


@cache
def _library() -> ctypes.CDLL:
    """The library that CuPy uses: both ask NVIDIA's loader."""
    try:
        from cuda.pathfinder import load_nvidia_dynamic_lib

        library = ctypes.CDLL(load_nvidia_dynamic_lib("cublas").abs_path)
    except (ImportError, OSError, RuntimeError) as error:  # RuntimeError: it is not found
        raise _unusable(f"cuBLAS does not load ({first_line(error)})") from None
    for name, arguments in _ARGUMENTS.items():
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, _int
    library.cublasGetStatusString.argtypes = (_int,)
    library.cublasGetStatusString.restype = ctypes.c_char_p
    return library


def _unusable(cause: str) -> ImportError:
    return ImportError(f"{cause}: pip install {cupy_packages(cuda_version())}")
