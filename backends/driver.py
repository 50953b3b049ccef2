"""What the NVIDIA driver on this machine supports; needs nothing but the driver."""

from __future__ import annotations

import ctypes


def cuda_version() -> int | None:
    """The newest CUDA version that the driver supports, as 12080 for 12.8; None without a driver."""
    for library in ("libcuda.so.1", "nvcuda.dll"):
        try:
            driver = ctypes.CDLL(library)
        except OSError:
            continue
        version = ctypes.c_int(0)
        return version.value if driver.cuDriverGetVersion(ctypes.byref(version)) == 0 else None
    return None


def cupy_extra(version: int | None) -> str:
    """The extra of this package with the CuPy build for a driver of that CUDA version."""
    return "cuda13x" if version is None or version >= 13000 else "cuda12x"
