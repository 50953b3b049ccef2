"""Calls whose results are written into given memory.

`out_variant` gives what NumPy does inside a function, written straight into `out`, so that a replay needs
neither the Python around it nor new memory: the same loop or the same product on the same operands. `copied`
gives the call itself, with its result copied into place; it repeats any call.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from typing import Any, TypeAlias

import numpy as np

from ..array import DType, HostArray
from ..base import Backend
from ..tape import Call, Scalar
from . import namespace as xp
from .bounds import BoundsCheck, BoundsChecks
from .memory import Memory, base_of

Program: TypeAlias = list[Callable[[], object]]
"""Calls without arguments, to be made in order."""

Operand: TypeAlias = HostArray | Scalar | float
"""An argument of an elementwise function."""


class Workspace:
    """What the calls of one step share: memory, and the checks of indices."""

    def __init__(self, inputs: Sequence[HostArray]) -> None:
        self.memory, self.bounds = Memory(), BoundsChecks(inputs)


def copied(backend: Backend, call: Call) -> Callable[[], object]:
    """The call itself, with its result copied into `call.out`."""
    function, args = call.function, call.args
    if call.name == "assign":
        function, args = operator.setitem, (call.out, ..., *args)
    elif call.writes and not call.in_place:
        function, args = partial(backend.write_out, call.out, call.function), args
    elif not call.writes:
        function, args = partial(_copy_result, call.out, call.function), args
    if any(isinstance(x, Scalar) for x in _leaves([*args, *call.options.values()])):
        return partial(_with_scalars, function, args, call.options)
    return partial(function, *args, **call.options)


def _copy_result(out: HostArray, function: Callable[..., Any], *args: Any, **options: Any) -> None:
    out[...] = function(*args, **options)


def _with_scalars(function: Callable[..., Any], args: Sequence[Any], options: dict[str, Any]) -> None:
    function(*map(_scalars, args), **{key: _scalars(value) for key, value in options.items()})


def _scalars(value: Any) -> Any:
    """NumPy's scalar, of the present value, in place of a `Scalar`."""
    if isinstance(value, Scalar):
        return value.array[()]
    return type(value)(map(_scalars, value)) if type(value) in (list, tuple) else value


def arrays_in(values: Iterable[Any]) -> list[HostArray]:
    """The arrays among operands, those in lists and of scalars included."""
    return [x for x in map(_array, _leaves(values)) if isinstance(x, np.ndarray)]


def _leaves(values: Iterable[Any]) -> Iterable[Any]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from _leaves(value)
        else:
            yield value


def _array(x: Any) -> Any:
    """The array of a `Scalar`; anything else unchanged."""
    return x.array if isinstance(x, Scalar) else x


def out_variant(workspace: Workspace, call: Call) -> Program | None:
    """The call, written straight into `call.out`; None if there is no variant for it."""
    if isinstance(call.function, np.ufunc) and not call.options:
        return ufunc(call.out, call.function, call.args)
    if call.function in UFUNCS:
        return ufunc(call.out, UFUNCS[call.function], call.args)
    variant = OUT_VARIANTS.get(call.name if call.writes else call.function)
    try:
        return None if variant is None else variant(workspace, call.out, *call.args, **call.options)
    except (TypeError, AttributeError):  # options, or a `Scalar`, that the variant does not take
        return None


def ufunc(out: HostArray, function: Any, args: Sequence[Any]) -> Program | None:
    """The loop of a ufunc, which must not convert its operands anew each time."""
    try:
        operands = _operands(function, [_array(x) for x in args])
    except (TypeError, OverflowError):  # the call itself raises it
        return None
    if function is np.power:
        return None
    if function is np.matmul:
        return product(out, *operands)
    if function in EXTREMA:
        return [partial(function, *operands, out=out)]
    return [partial(function, *operands, out)]


def _operands(function: Any, args: Sequence[Any]) -> list[Any]:
    """The arguments, with Python's numbers as arrays of the dtype that the ufunc chooses for them."""
    if not any(type(value) in (int, float) for value in args):
        return list(args)
    kinds = [value.dtype if isinstance(value, np.ndarray | np.generic) else type(value) for value in args]
    dtypes = function.resolve_dtypes((*kinds, *(None,) * function.nout))
    return [
        np.asarray(value, dtype) if type(value) in (int, float) else value
        for value, dtype in zip(args, dtypes, strict=False)
    ]


def product(out: HostArray, a: HostArray, b: HostArray) -> Program:
    """A matrix product: np.dot where it makes the same call of BLAS as np.matmul, since it starts sooner."""
    same = (
        a.ndim == b.ndim == out.ndim == 2
        and a.dtype == b.dtype == out.dtype
        and a.dtype in (np.float32, np.float64)
        and min(*a.shape, *b.shape) > 1  # else one of them takes it for a vector
        and base_of(a) is not base_of(b)  # else for a product with its own transpose
        and out.flags.c_contiguous
        and all(x.flags.c_contiguous or x.flags.f_contiguous for x in (a, b))
    )
    return [partial(np.dot, a, b, out) if same else partial(np.matmul, a, b, out)]


def _matmul(_: Workspace, out: HostArray, a: HostArray, b: HostArray) -> Program:
    if xp.is_by_columns(a, b):
        return product(out.T, b.T, a.T)
    return product(out, a, b)


def _reduction(
    function: Any, workspace: Workspace, out: HostArray, x: HostArray, axis: xp.Axis, keepdims: bool
) -> Program:
    if xp.is_of_short_rows(x, axis):
        reduced = out[:, 0] if keepdims else out
        if x.flags.f_contiguous:
            return [partial(function.reduce, x.T, 0, None, reduced, False)]
        columns = workspace.memory.scratch((x.shape[1], x.shape[0]), x.dtype)
        return [partial(np.copyto, columns, x.T), partial(function.reduce, columns, 0, None, reduced, False)]
    return [partial(function.reduce, x, axis, None, out, keepdims)]


def _sum(
    workspace: Workspace, out: HostArray, x: HostArray, *, axis: xp.Axis = None, keepdims: bool = False
) -> Program | None:
    if x.dtype.kind != "f" or x.dtype.itemsize == 2:
        return None
    ones = xp.ones_for_sum(x, axis, keepdims)
    if ones is None:
        return _reduction(np.add, workspace, out, x, axis, keepdims)
    return [partial(np.dot, *((ones, x) if axis == 0 else (x, ones)), out)]


def _max(
    workspace: Workspace, out: HostArray, x: HostArray, *, axis: xp.Axis = None, keepdims: bool = False
) -> Program | None:
    return _reduction(np.maximum, workspace, out, x, axis, keepdims) if x.dtype.kind == "f" else None


def _mean(
    _: Workspace, out: HostArray, x: HostArray, *, axis: xp.Axis = None, keepdims: bool = False
) -> Program | None:
    if not xp.is_mean_of_all(x, axis, keepdims):
        return None
    count = np.asarray(x.size, x.dtype)
    return [partial(np.add.reduce, x, None, None, out, False), partial(np.divide, out, count, out)]


def _maximum(_: Workspace, out: HostArray, x1: Operand, x2: Operand) -> Program | None:
    if isinstance(x1, Scalar) or isinstance(x2, Scalar):
        return ufunc(out, np.maximum, (x1, x2))
    return ufunc(out, np.maximum, (x1, xp.broadcast_number(x1, x2)))


def _clip(
    _: Workspace, out: HostArray, x: HostArray, low: Operand | None = None, high: Operand | None = None
) -> Program | None:
    if low is None or high is None or not xp.is_plain_clip(x, low, high):
        return None
    first, second = ufunc(out, np.maximum, (x, low)), ufunc(out, np.minimum, (out, high))
    return None if first is None or second is None else [*first, *second]


def _where(
    _: Workspace, out: HostArray, condition: HostArray | Scalar, x: Operand, y: Operand
) -> Program | None:
    chosen, other = (
        v if isinstance(v, np.ndarray) else np.asarray(v, out.dtype) for v in map(_array, (x, y))
    )
    if isinstance(condition, Scalar) or {chosen.dtype, other.dtype} != {out.dtype}:
        return None
    return [partial(np.copyto, out, other), partial(np.copyto, out, chosen, where=condition)]


def _astype(
    _: Workspace, out: HostArray, x: HostArray | Scalar, dtype: DType, *, copy: bool = True
) -> Program:
    return [partial(np.copyto, out, _array(x), "unsafe")]


def _argmax(
    _: Workspace, out: HostArray, x: HostArray, *, axis: int | None = None, keepdims: bool = False
) -> Program:
    return [partial(x.argmax, axis, out, keepdims=keepdims)]


def _count_nonzero(_: Workspace, out: HostArray, x: HostArray) -> Program | None:
    return [partial(_write_count, out, x)] if x.dtype == np.bool else None


def _write_count(out: HostArray, x: HostArray) -> None:
    out.fill(np.count_nonzero(x))


def _reshape(_: Workspace, out: HostArray, x: HostArray | Scalar, shape: object) -> Program:
    array = _array(x)
    return [partial(np.copyto, out.reshape(array.shape), array)]  # a view: out is contiguous


def _zeros(_: Workspace, out: HostArray, *__: object, **___: object) -> Program:
    return [partial(out.fill, 0)]


def _take(
    workspace: Workspace, out: HostArray, x: HostArray, indices: HostArray, *, axis: int | None = None
) -> Program:
    check, is_new = workspace.bounds.of(indices, x.size if axis is None else x.shape[axis])
    take = partial(_write_taken, out, x, indices, axis, check)
    return [check, take] if is_new else [take]


def _write_taken(
    out: HostArray, x: HostArray, indices: HostArray, axis: int | None, check: BoundsCheck
) -> None:
    if check.passed:
        x.take(indices, axis, out, "clip")  # the mode that needs no copy of out
    else:
        out[...] = x.take(indices, axis)  # counts from the end, or raises


def _getitem(_: Workspace, out: HostArray, x: HostArray, index: Any) -> Program | None:
    if out.ndim:
        return None
    items = index if isinstance(index, tuple) else (index,)
    return [partial(np.copyto, out, x[(*items, ...)])]


def _power(_: Workspace, out: HostArray, x: Operand, exponent: Operand) -> Program | None:
    if isinstance(x, np.ndarray) and type(exponent) is float and exponent == 0.5 and root_is_power(x.dtype):
        return [partial(np.sqrt, x, out)]
    return None


@cache
def root_is_power(dtype: DType) -> bool:
    """Whether this NumPy computes x ** 0.5 as √x, which is much faster, to the last bit."""
    if dtype.kind != "f":
        return False
    x = np.random.default_rng(0).random(10_000).astype(dtype)
    return bool((x**0.5 == np.sqrt(x)).all())


def _assign(_: Workspace, out: HostArray, value: Any) -> Program:
    if type(value) in (int, float):
        return [partial(out.fill, value)]
    return [partial(np.copyto, out, _array(value), "unsafe")]


def _write_product(_: Workspace, out: HostArray, a: HostArray, b: HostArray) -> Program:
    return product(out, a, b)


def _write_sum(_: Workspace, out: HostArray, x: HostArray, *, axis: xp.Axis = None) -> Program | None:
    if not is_product_with_ones(out, x, axis):
        return None
    return [partial(np.dot, xp.ones(x.shape[0], x.dtype), x, out)]


def _write_transposed(_: Workspace, out: HostArray, x: HostArray, axes: Any) -> Program:
    return [partial(np.copyto, out, np.transpose(x, axes))]


EXTREMA = {np.maximum, np.minimum}  # NumPy wants their `out` by name
UFUNCS: dict[Any, Any] = {
    operator.add: np.add, operator.sub: np.subtract, operator.mul: np.multiply, operator.truediv: np.divide,
    operator.and_: np.bitwise_and, operator.or_: np.bitwise_or, operator.xor: np.bitwise_xor,
    operator.lshift: np.left_shift, operator.rshift: np.right_shift, operator.matmul: np.matmul,
    operator.neg: np.negative, operator.invert: np.invert, operator.abs: np.absolute,
    operator.eq: np.equal, operator.ne: np.not_equal, operator.lt: np.less, operator.le: np.less_equal,
    operator.gt: np.greater, operator.ge: np.greater_equal,
    operator.iadd: np.add, operator.isub: np.subtract, operator.imul: np.multiply,
    operator.itruediv: np.divide, operator.iand: np.bitwise_and, operator.ior: np.bitwise_or,
    operator.ixor: np.bitwise_xor, operator.ilshift: np.left_shift, operator.irshift: np.right_shift,
}  # fmt: skip
"""The ufuncs of NumPy's operators; powers, quotients and remainders treat numbers specially."""

OUT_VARIANTS: dict[Any, Callable[..., Program | None]] = {
    xp.matmul: _matmul, xp.sum: _sum, xp.max: _max, xp.mean: _mean, xp.maximum: _maximum, xp.clip: _clip,
    xp.astype: _astype, xp.take: _take, xp.argmax: _argmax, xp.count_nonzero: _count_nonzero,
    xp.zeros: _zeros, xp.compat.where: _where, xp.compat.reshape: _reshape, operator.pow: _power,
    operator.getitem: _getitem,
    "assign": _assign, "matmul": _write_product, "sum": _write_sum, "permute_dims": _write_transposed,
}  # fmt: skip
"""By the function that is called; for a call that writes into an array that was there before, by its name."""


def is_product_with_ones(out: HostArray, x: HostArray, axis: xp.Axis) -> bool:
    """Whether a sum into `out` is the product of a vector of ones with x."""
    return axis == 0 and x.ndim == 2 and x.dtype == out.dtype


def _matmul_into(out: HostArray, a: HostArray, b: HostArray) -> None:
    np.matmul(a, b, out=out)


def _sum_into(out: HostArray, x: HostArray, *, axis: xp.Axis = None) -> None:
    if is_product_with_ones(out, x, axis):
        np.dot(xp.ones(x.shape[0], x.dtype), x, out)
    else:
        out[...] = xp.sum(x, axis=axis)


DIRECT: dict[Callable[..., Any], Callable[..., None]] = {xp.matmul: _matmul_into, xp.sum: _sum_into}
"""What `Backend.write_out` calls for functions that NumPy can write into an array without a copy."""
