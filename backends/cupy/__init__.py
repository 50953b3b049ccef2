"""CuPy on an NVIDIA GPU: the backend, its fused kernels, its CUDA graphs, and cuBLAS within them."""

from typing import Any, TypeAlias

CupyArray: TypeAlias = Any
"""CuPy has no type stubs."""
