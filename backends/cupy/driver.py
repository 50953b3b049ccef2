"""The CUDA version of the NVIDIA driver, and the CuPy packages for it."""

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
    """The extra of this package that installs CuPy for a driver of that CUDA version."""
    return "cuda13x" if version is None or version >= 13000 else "cuda12x"


def cupy_packages(version: int | None) -> str:
    """The requirement of that extra, quoted for pip.

    >>> cupy_packages(12080)
    "'cupy-cuda12x[ctk]>=14'"
    """
    return f"'cupy-{cupy_extra(version)}[ctk]>=14'"
