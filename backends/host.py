"""The host's processor, and the kernels that NumPy uses on it."""

from __future__ import annotations

import platform
from contextlib import suppress
from functools import cache

import numpy as np

from .numpy import blas


@cache
def processor() -> str:
    """The name of the CPU's model."""
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


@cache
def kernels() -> dict[str, str]:
    """Those of the BLAS and those of NumPy itself, without what is not known."""
    simd = np.__config__.CONFIG.get("SIMD Extensions", {})
    found = {"BLAS": blas.description(), "SIMD": " ".join(simd.get("found", ()))}
    return {name: value for name, value in found.items() if value}
