"""JAX on the CPU, a GPU or a TPU: arrays that do not change, and functions compiled by XLA."""

from typing import Any, TypeAlias

JaxArray: TypeAlias = Any
"""An array of JAX, or one that stands for it while a function is traced."""
