"""The functions and operators of the array API standard that can be recorded: a closed list."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, TypeAlias


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ELEMENTWISE = _words("""
    abs acos acosh add asin asinh atan atan2 atanh bitwise_and bitwise_invert bitwise_left_shift bitwise_or
    bitwise_right_shift bitwise_xor ceil clip copysign cos cosh divide equal exp expm1 floor floor_divide
    greater greater_equal hypot isfinite isinf isnan less less_equal log log10 log1p log2 logaddexp
    logical_and logical_not logical_or logical_xor maximum minimum multiply negative nextafter not_equal
    positive pow reciprocal remainder round sign signbit sin sinh sqrt square subtract tan tanh trunc where
""")
OVER_AXES = _words("""
    all any argmax argmin argsort count_nonzero cumulative_prod cumulative_sum diff matmul matrix_transpose
    max mean min prod sort std sum take take_along_axis tensordot var vecdot
""")
MANIPULATION = _words("""
    astype broadcast_arrays broadcast_to concat expand_dims flip moveaxis permute_dims reshape roll squeeze
    stack tile tril triu unstack
""")
CREATION = _words("""
    arange asarray empty empty_like eye full full_like linspace ones ones_like zeros zeros_like
""")
FUNCTIONS = ELEMENTWISE | OVER_AXES | MANIPULATION | CREATION
"""The functions that can be recorded."""

UNTRACED = _words("""
    bool complex128 complex64 float16 float32 float64 int16 int32 int64 int8 uint16 uint32 uint64 uint8
    e inf nan newaxis pi can_cast finfo iinfo isdtype result_type
""")
"""Names of a namespace that do not depend on the values of arrays."""

ARRAY_ARGUMENTS = dict.fromkeys(("matmul", "tensordot", "vecdot", "take", "take_along_axis"), 2)
"""How many arguments of a function are arrays, where more than the first are."""

Operators: TypeAlias = dict[str, Callable[..., Any]]

OPERATORS: Operators = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "truediv": operator.truediv,
    "floordiv": operator.floordiv, "mod": operator.mod, "pow": operator.pow, "and": operator.and_,
    "or": operator.or_, "xor": operator.xor, "lshift": operator.lshift, "rshift": operator.rshift,
    "matmul": operator.matmul,
}  # fmt: skip
COMPARISONS: Operators = {name: getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")}
UNARY: Operators = {
    "neg": operator.neg, "pos": operator.pos, "abs": operator.abs, "invert": operator.invert
}  # fmt: skip
IN_PLACE: Operators = {
    name: getattr(operator, f"i{name}") for name in OPERATORS if name != "matmul"
}  # fmt: skip


def parameters(name: str, args: tuple[Any, ...], options: dict[str, Any]) -> list[Any]:
    """The arguments of a function that are shapes, axes and counts: neither arrays nor fill values."""
    if name not in OVER_AXES | MANIPULATION | CREATION:
        return []
    if name == "broadcast_arrays":
        arrays = len(args)
    elif name in CREATION and not name.endswith("like") and name != "asarray":
        arrays = 0
    else:
        arrays = ARRAY_ARGUMENTS.get(name, 1)
    fill_value = 1 if name in ("full", "full_like") else None
    positional = [x for i, x in enumerate(args) if i >= arrays and i != fill_value]
    return [*positional, *(x for key, x in options.items() if key != "fill_value")]
