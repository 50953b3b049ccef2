"""PyTorch on the CPU, a CUDA GPU or Apple's MPS: the backend, its functions, and its CUDA graphs."""

from typing import Any, TypeAlias

TorchTensor: TypeAlias = Any
"""PyTorch has types, but it need not be installed where this package is checked."""
