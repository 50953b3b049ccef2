"""One precision of float32 products for all contenders of a run.

On Ampere and later the libraries disagree by default: JAX's products and PyTorch's convolutions round their
factors to TF32, PyTorch's products and CuPy's do not. On the CPU everything is float32.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

PRECISIONS = ("float32", "tf32")
CHOSEN = "BENCHMARK_PRECISION"
"""The variable that tells a contender's process; unset on the CPU."""


def environment(precision: str, inherited: Mapping[str, str]) -> dict[str, str]:
    """The variables of a process on a GPU: `inherited`, changed so that CuPy and JAX use this precision.

    For float32, NVIDIA's own switch also forbids TF32 in cuBLAS and cuDNN, whoever calls them.
    """
    kept = {name: value for name, value in inherited.items() if name != "NVIDIA_TF32_OVERRIDE"}
    if precision == "tf32":
        return kept | {CHOSEN: precision, "CUPY_TF32": "1", "JAX_DEFAULT_MATMUL_PRECISION": "tensorfloat32"}
    return kept | {CHOSEN: precision, "CUPY_TF32": "0", "JAX_DEFAULT_MATMUL_PRECISION": "float32",
                   "NVIDIA_TF32_OVERRIDE": "0"}  # fmt: skip


def set_torch(torch: Any) -> None:
    """Set PyTorch's products and convolutions to this process's precision; leave them alone on the CPU."""
    precision = os.environ.get(CHOSEN)
    if precision is not None:
        torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
        torch.backends.cudnn.allow_tf32 = precision == "tf32"
