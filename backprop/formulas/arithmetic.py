"""Formulas of the operations of computational graphs."""

from __future__ import annotations

from ..layers import Add, Mul
from .elementwise import of_two
from .formula import Formula


def add(node: Add) -> Formula:
    """z = x + y."""
    return of_two(lambda x, y: x + y, lambda dz, x, y: dz, lambda dz, x, y: dz)


def mul(node: Mul) -> Formula:
    """z = x y."""
    return of_two(lambda x, y: x * y, lambda dz, x, y: dz * y, lambda dz, x, y: dz * x)
