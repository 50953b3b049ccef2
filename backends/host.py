"""The host's processor and the kernels of NumPy's products on it, as far as they tell."""

from __future__ import annotations

import ctypes
import platform
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np


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
    """Those of the BLAS and those of NumPy itself; what does not tell is not there."""
    simd = np.__config__.CONFIG.get("SIMD Extensions", {})
    texts = (_openblas(name, ctypes.c_char_p) for name in ("get_config", "get_corename"))
    version, core = ((text or b"").decode(errors="replace").split() for text in texts)
    found = {"BLAS": " ".join(version[:2] + core), "SIMD": " ".join(simd.get("found", ()))}
    return {name: value for name, value in found.items() if value}


def blas_threads() -> int | None:
    """How many threads NumPy's products take, which is not always what was asked for."""
    threads: int | None = _openblas("get_num_threads", ctypes.c_int)
    return threads


def _openblas(function: str, kind: Any) -> Any:
    """What a function of the OpenBLAS that NumPy has loaded returns; None where there is none."""
    for name in (f"scipy_openblas_{function}64_", f"openblas_{function}64_", f"openblas_{function}"):
        with suppress(AttributeError):
            found = getattr(_numpy(), name)
            found.restype, found.argtypes = kind, ()
            return found()
    return None


@cache
def _numpy() -> Any:
    """NumPy's compiled part; a name is looked for in the libraries that it has loaded, too."""
    try:
        return ctypes.CDLL(import_module("numpy._core._multiarray_umath").__file__)
    except OSError:
        return None
