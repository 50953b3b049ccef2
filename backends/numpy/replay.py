"""A step on NumPy as a list of calls into memory of its own: no Python between them, nothing allocated.

A tape's call is repeated in one of two forms. The plain one is the call itself, with its result copied
into place: `out[...] = function(*args)`. The quick ones, in `QUICK`, are what NumPy does inside that
function, written straight into `out`; each is the same loop or the same product on the same operands, and
is taken only where it has just given the same bytes. Python's numbers are made arrays of the dtype that
NumPy would make of them, once.
"""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import array_api_compat.numpy
import numpy as np

from ..base import Array, Backend
from ..capture import CaptureError, InPlaceDict
from ..digest import digest
from ..tape import Call, Number, Tape, TracedArray
from . import namespace as numpy_fast

_compat: Any = array_api_compat.numpy

ALIGNMENT = 64  # bytes: a cache line
Calls = list[Callable[[], Any]]


class NumpyReplay:
    """`function(*state, *inputs)`, traced once: called with other inputs, it repeats the recorded calls."""

    def __init__(
        self,
        backend: Backend,
        function: Callable[..., tuple[Array, ...]],
        state: Sequence[Mapping[str, Array]],
        inputs: Sequence[Array],
    ) -> None:
        tape = NumpyTape(backend, inputs)
        stand_ins = [InPlaceDict({key: TracedArray(tape, x) for key, x in kind.items()}) for kind in state]
        try:
            results = function(*stand_ins, *(TracedArray(tape, x) for x in tape.inputs))
            self.outputs = tuple(np.asarray(tape.plain(result)) for result in results)
            self.outputs = tuple(
                result.array if isinstance(result, TracedArray) else output
                for result, output in zip(results, self.outputs, strict=True)
            )
        finally:
            tape.close()
        if tape.why:
            raise CaptureError(tape.why) from tape.first
        self.inputs, self.tape, self._replays = tape.inputs, tape.calls, tape.replays
        self.results: tuple[Array, ...] | None = tuple(output.copy() for output in self.outputs)
        """What the traced run has given."""

    def __call__(self, *inputs: Array) -> tuple[Array, ...]:
        """The function's results for these inputs, as arrays of their own; the state changes in place."""
        for place, x in zip(self.inputs, inputs, strict=True):
            place[...] = x
        for call in self._replays:
            call()
        return tuple([output.copy() for output in self.outputs])


def _warnings() -> tuple[int, int, int]:
    """What tells whether warnings are treated as before."""
    return id(warnings.filters), len(warnings.filters), id(warnings.showwarning)


CHANGED = "an array that is not in the state is written into within the step"


class _Block:
    """Memory of a tape, free for its next arrays when the last one here is gone."""

    def __init__(self, free: dict[int, list[Array]], size: int) -> None:
        self._free = free.setdefault(size, [])
        self.bytes = self._free.pop() if self._free else _aligned(size)

    def __del__(self) -> None:
        self._free.append(self.bytes)


class NumpyTape(Tape):
    """The tape of a function on NumPy's arrays."""

    def __init__(self, backend: Backend, inputs: Sequence[Array]) -> None:
        super().__init__(backend)
        self.inputs = [x.copy() for x in inputs]
        self.replays: Calls = []
        self.bounds_checks: dict[Any, BoundsCheck] = {}
        self._free: dict[int, list[Array]] = {}
        self._constants: dict[int, tuple[Array, bytes]] = {}
        self._errors, self._warnings = np.geterr(), _warnings()
        if "raise" in self._errors.values():
            self.refuse("np.seterr makes floating-point errors exceptions, which a replay cannot catch")

    def check(self, args: Any, options: dict[str, Any]) -> list[TracedArray]:
        if np.geterr() != self._errors:
            self.refuse("np.errstate is set within the step")
        if _warnings() != self._warnings:
            self.refuse("warnings are caught or filtered within the step")
        for constant in _arrays([*args, *options.values()]):
            if not isinstance(constant, TracedArray) and self._has_changed(constant):
                self.refuse(CHANGED)
        return super().check(args, options)

    def _has_changed(self, constant: Array) -> bool:
        """Whether an array that is no part of the step is another than when it was used first."""
        kept = self._constants.get(id(constant))
        if kept is None:
            self._constants[id(constant)] = constant, digest(constant)
            return False
        return kept[1] != digest(constant)

    def close(self) -> None:
        super().close()
        if any(self._has_changed(constant) for constant, _ in list(self._constants.values())):
            self.why = self.why or CHANGED
        self._constants.clear()

    def kept(
        self, name: str, function: Any, args: Any, options: Any, result: Any, given: list[TracedArray]
    ) -> Any:
        if isinstance(result, list | tuple):
            views = [self._view(item, given) for item in result]
            if any(view is None for view in views):
                self.refuse(f"{name} gives several arrays")
            return type(result)(views)
        if not isinstance(result, np.ndarray | np.generic):
            self.refuse(f"{name} gives a {type(result).__name__}, which depends on values")
        if isinstance(result, np.ndarray):
            view = self._view(result, given)
            if view is not None:
                return view
            if any(base_of(result) is base_of(x) for x in _arrays(args)):
                return result  # a view of what is no part of the step
        elif name == "getitem" and self._is_input(given[0]):
            index = args[1] if isinstance(args[1], tuple) else (args[1],)
            return TracedArray(self, given[0].array[(*index, ...)], number=True)  # nothing changes an input
        number, result = isinstance(result, np.generic), np.asarray(result)
        place = self.place_for(name, result)
        call = Call(name, function, args, options, place.array)
        self._repeat(call, result)
        self.write_down(call)
        place.number = number
        return place

    def carry_out(self, call: Call, as_called: Callable[[], Any]) -> None:
        others = call.args[1:] if call.in_place else call.args
        if any(np.may_share_memory(call.out, x) for x in _arrays(others)):
            as_called()
            self.replays.append(plain_form(self.backend, call))
        else:
            before = call.out.copy()
            as_called()
            expected = call.out.copy()
            call.out[...] = before
            self._repeat(call, expected)
        self.write_down(call)

    def _repeat(self, call: Call, expected: Array) -> None:
        """Note what repeats a call, and do it once: it must give the same bytes."""
        if call.function is numpy_fast.empty:
            return
        before = call.out.copy() if call.writes else None
        for calls in (self._quick_form(call), [plain_form(self.backend, call)]):
            if calls is None:
                continue
            for repeated in calls:
                repeated()
            if call.out.tobytes() == expected.tobytes():
                self.replays += calls
                return
            if before is not None:
                call.out[...] = before
        self.refuse(f"{call.name} does not give the same twice")

    def _quick_form(self, call: Call) -> Calls | None:
        if isinstance(call.function, np.ufunc) and not call.options:
            return of_ufunc(call.out, call.function, call.args)
        if call.function in UFUNCS:
            return of_ufunc(call.out, UFUNCS[call.function], call.args)
        quick = QUICK.get(call.name if call.writes else call.function)
        try:
            return None if quick is None else quick(self, call.out, *call.args, **call.options)
        except (TypeError, AttributeError):  # options, or a `Number`, that the quick form does not know
            return None

    def place_for(self, name: str, like: Array) -> TracedArray:
        """Memory of the tape for such an array, laid out alike."""
        low, high = np.lib.array_utils.byte_bounds(like)
        if like.size and (high - low != like.nbytes or min(like.strides, default=0) < 0):
            self.refuse(f"{name} gives an array that is not laid out as one piece")
        block = _Block(self._free, max(like.nbytes, 1))
        return TracedArray(self, np.ndarray(like.shape, like.dtype, block.bytes, strides=like.strides), block)

    def scratch(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """An array for the parts of one call."""
        return self.place_for(
            "", np.empty(shape, dtype)
        ).array  # free again at once: the next call may use it

    def _view(self, result: Any, given: list[TracedArray]) -> TracedArray | None:
        for x in given:
            if result is x.array:
                return x
        for x in given:
            if isinstance(result, np.ndarray) and base_of(result) is base_of(x.array):
                return TracedArray(self, result, x.memory)
        return None

    def _is_input(self, x: TracedArray) -> bool:
        return any(base_of(x.array) is place for place in self.inputs)


def plain_form(backend: Backend, call: Call) -> Callable[[], Any]:
    """What repeats any call: the call itself."""
    function, args = call.function, call.args
    if call.name == "assign":
        function, args = operator.setitem, (call.out, ..., *args)
    elif call.writes and not call.in_place:
        function, args = partial(backend.write_out, call.out, call.function), args
    elif not call.writes:
        function, args = partial(_compute_into, call.out, call.function), args
    if any(isinstance(x, Number) for x in _leaves([*args, *call.options.values()])):
        return partial(_with_numbers, function, args, call.options)
    return partial(function, *args, **call.options)


def _compute_into(out: Array, function: Any, *args: Any, **options: Any) -> None:
    out[...] = function(*args, **options)


def _with_numbers(function: Any, args: Any, options: dict[str, Any]) -> None:
    function(*map(_numbers, args), **{key: _numbers(value) for key, value in options.items()})


def _numbers(value: Any) -> Any:
    """NumPy's number, as it is now, in place of a `Number`."""
    if isinstance(value, Number):
        return value.array[()]
    return type(value)(map(_numbers, value)) if type(value) in (list, tuple) else value


def of_ufunc(out: Array, ufunc: np.ufunc, args: Sequence[Any]) -> Calls | None:
    """The loop of a ufunc, into `out`."""
    operands = [x.array if isinstance(x, Number) else x for x in args]
    try:
        operands = _of_loop(ufunc, operands)
    except (TypeError, OverflowError):  # whatever it is, the call itself says it
        return None
    if ufunc is np.power:
        return None
    if ufunc is np.matmul:
        return product(out, *operands)
    if ufunc in EXTREMA:
        return [partial(ufunc, *operands, out=out)]
    return [partial(ufunc, *operands, out)]


def _of_loop(ufunc: np.ufunc, args: Sequence[Any]) -> list[Any]:
    """The arguments with Python's numbers as arrays of the dtype that the ufunc makes of them."""
    if not any(type(value) in (int, float) for value in args):
        return list(args)
    kinds = [value.dtype if isinstance(value, np.ndarray | np.generic) else type(value) for value in args]
    dtypes = ufunc.resolve_dtypes((*kinds, *(None,) * ufunc.nout))
    return [
        np.asarray(value, dtype) if type(value) in (int, float) else value
        for value, dtype in zip(args, dtypes, strict=False)
    ]


def product(out: Array, a: Array, b: Array) -> Calls:
    """A matrix product: np.dot where it asks BLAS for the same as np.matmul, since it starts sooner."""
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


def _matmul(tape: NumpyTape, out: Array, a: Array, b: Array) -> Calls:
    if numpy_fast.is_by_columns(a, b):
        return product(out.T, b.T, a.T)
    return product(out, a, b)


def _reduction(ufunc: Any, tape: NumpyTape, out: Array, x: Array, axis: Any, keepdims: bool) -> Calls:
    if numpy_fast.is_of_short_rows(x, axis):
        reduced = out[:, 0] if keepdims else out
        if x.flags.f_contiguous:
            return [partial(ufunc.reduce, x.T, 0, None, reduced, False)]
        columns = tape.scratch((x.shape[1], x.shape[0]), x.dtype)
        return [partial(np.copyto, columns, x.T), partial(ufunc.reduce, columns, 0, None, reduced, False)]
    return [partial(ufunc.reduce, x, axis, None, out, keepdims)]


def _sum(tape: NumpyTape, out: Array, x: Array, *, axis: Any = None, keepdims: bool = False) -> Calls | None:
    if x.dtype.kind != "f" or x.dtype.itemsize == 2:
        return None
    ones = numpy_fast.ones_for_sum(x, axis, keepdims)
    if ones is None:
        return _reduction(np.add, tape, out, x, axis, keepdims)
    return [partial(np.dot, *((ones, x) if axis == 0 else (x, ones)), out)]


def _max(tape: NumpyTape, out: Array, x: Array, *, axis: Any = None, keepdims: bool = False) -> Calls | None:
    return _reduction(np.maximum, tape, out, x, axis, keepdims) if x.dtype.kind == "f" else None


def _mean(tape: NumpyTape, out: Array, x: Array, *, axis: Any = None, keepdims: bool = False) -> Calls | None:
    if not numpy_fast.is_mean_of_all(x, axis, keepdims):
        return None
    return [partial(np.add.reduce, x, None, None, out, False),
            partial(np.divide, out, np.asarray(x.size, x.dtype), out)]  # fmt: skip


def _maximum(tape: NumpyTape, out: Array, x1: Array, x2: Any) -> Calls | None:
    if isinstance(x1, Number) or isinstance(x2, Number):
        return of_ufunc(out, np.maximum, (x1, x2))
    return of_ufunc(out, np.maximum, (x1, numpy_fast.spread(x1, x2)))


def _clip(tape: NumpyTape, out: Array, x: Array, low: Any = None, high: Any = None) -> Calls | None:
    if low is None or high is None or not numpy_fast.is_plain_clip(x, low, high):
        return None
    first, second = of_ufunc(out, np.maximum, (x, low)), of_ufunc(out, np.minimum, (out, high))
    return None if first is None or second is None else [*first, *second]


def _where(tape: NumpyTape, out: Array, condition: Array, x: Any, y: Any) -> Calls | None:
    places = [v.array if isinstance(v, Number) else v for v in (x, y)]
    places = [v if isinstance(v, np.ndarray) else np.asarray(v, out.dtype) for v in places]
    if isinstance(condition, Number) or any(v.dtype != out.dtype for v in places):
        return None
    return [partial(np.copyto, out, places[1]), partial(np.copyto, out, places[0], where=condition)]


def _astype(tape: NumpyTape, out: Array, x: Any, dtype: Any, *, copy: bool = True) -> Calls:
    return [partial(np.copyto, out, x.array if isinstance(x, Number) else x, "unsafe")]


def _argmax(tape: NumpyTape, out: Array, x: Array, *, axis: Any = None, keepdims: bool = False) -> Calls:
    return [partial(x.argmax, axis, out, keepdims=keepdims)]


def _count_nonzero(tape: NumpyTape, out: Array, x: Array) -> Calls | None:
    return [partial(_count, out, x)] if x.dtype == np.bool else None


def _count(out: Array, x: Array) -> None:
    out.fill(np.count_nonzero(x))


def _reshape(tape: NumpyTape, out: Array, x: Any, shape: Any) -> Calls:
    x = x.array if isinstance(x, Number) else x
    return [partial(np.copyto, out.reshape(x.shape), x)]  # a view: out is contiguous


def _zeros(tape: NumpyTape, out: Array, *_: Any, **__: Any) -> Calls:
    return [partial(out.fill, 0)]


def _take(tape: NumpyTape, out: Array, x: Array, indices: Array, *, axis: int | None = None) -> Calls:
    length = x.size if axis is None else x.shape[axis]
    look, calls = bounds_check(tape, indices, length)
    return [*calls, partial(_take_into, out, x, indices, axis, look)]


class BoundsCheck:
    """Whether indices are all from 0 to length − 1."""

    def __init__(self, indices: Array, length: int) -> None:
        # Seen as unsigned, a negative index is too large as well.
        self.unsigned, self.length = indices.view(f"u{indices.itemsize}"), length
        self()

    def __call__(self) -> None:
        self.good = np.maximum.reduce(self.unsigned, axis=None, initial=0) < self.length


def bounds_check(tape: NumpyTape, indices: Array, length: int) -> tuple[BoundsCheck, Calls]:
    """A look at indices in every replay; one is enough for an input, which nobody changes."""
    if not any(base_of(indices) is place for place in tape.inputs):
        look = BoundsCheck(indices, length)
        return look, [look]
    key = indices.__array_interface__["data"][0], indices.shape, indices.strides, length
    if key in tape.bounds_checks:
        return tape.bounds_checks[key], []
    look = tape.bounds_checks[key] = BoundsCheck(indices, length)
    return look, [look]


def _take_into(out: Array, x: Array, indices: Array, axis: int | None, look: BoundsCheck) -> None:
    if look.good:
        x.take(indices, axis, out, "clip")  # the mode that needs no copy of out
    else:
        out[...] = x.take(indices, axis)  # counts from the end, or raises


def _getitem(tape: NumpyTape, out: Array, x: Array, index: Any) -> Calls | None:
    if out.ndim:
        return None
    items = index if isinstance(index, tuple) else (index,)
    return [partial(np.copyto, out, x[(*items, ...)])]


def _power(tape: NumpyTape, out: Array, x: Any, exponent: Any) -> Calls | None:
    if isinstance(x, np.ndarray) and type(exponent) is float and exponent == 0.5 and root_is_power(x.dtype):
        return [partial(np.sqrt, x, out)]
    return None


@cache
def root_is_power(dtype: np.dtype[Any]) -> bool:
    """Whether this NumPy takes x ** 0.5 for √x, which is much faster, to the last bit."""
    if dtype.kind != "f":
        return False
    x = np.random.default_rng(0).random(10_000).astype(dtype)
    return bool((x**0.5 == np.sqrt(x)).all())


def _assign(tape: NumpyTape, out: Array, value: Any) -> Calls:
    if type(value) in (int, float):
        return [partial(out.fill, value)]
    return [partial(np.copyto, out, value.array if isinstance(value, Number) else value, "unsafe")]


def _matmul_into(tape: NumpyTape, out: Array, a: Array, b: Array) -> Calls:
    return product(out, a, b)


def _sum_into(tape: NumpyTape, out: Array, x: Array, *, axis: Any = None) -> Calls | None:
    if axis == 0 and x.ndim == 2 and x.dtype == out.dtype:
        return [partial(np.dot, numpy_fast.ones(x.shape[0], x.dtype), x, out)]
    return None


def _permute_into(tape: NumpyTape, out: Array, x: Array, axes: Any) -> Calls:
    return [partial(np.copyto, out, np.transpose(x, axes))]


EXTREMA = {np.maximum, np.minimum}  # NumPy wants their `out` by name
UFUNCS: dict[Any, np.ufunc] = {
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
"""What NumPy's operators are; powers, quotients and remainders have forms of their own for numbers."""

QUICK: dict[Any, Callable[..., Calls | None]] = {
    numpy_fast.matmul: _matmul, numpy_fast.sum: _sum, numpy_fast.max: _max, numpy_fast.mean: _mean,
    numpy_fast.maximum: _maximum, numpy_fast.clip: _clip, numpy_fast.astype: _astype,
    numpy_fast.take: _take, numpy_fast.argmax: _argmax, numpy_fast.count_nonzero: _count_nonzero,
    numpy_fast.zeros: _zeros, _compat.where: _where, _compat.reshape: _reshape, operator.pow: _power,
    operator.getitem: _getitem,
    "assign": _assign, "matmul": _matmul_into, "sum": _sum_into, "permute_dims": _permute_into,
}  # fmt: skip
"""By the function that is called, or for what writes into an array, by its name."""


def _leaves(values: Iterable[Any]) -> Iterable[Any]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from _leaves(value)
        else:
            yield value


def _arrays(values: Iterable[Any]) -> list[Array]:
    found = (x.array if isinstance(x, Number) else x for x in _leaves(values))
    return [x for x in found if isinstance(x, np.ndarray)]


def base_of(array: Array) -> Array:
    """The array whose memory this one is a view of."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _aligned(size: int) -> Array:
    """New memory that begins with a cache line."""
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -int(memory.__array_interface__["data"][0]) % ALIGNMENT
    return memory[start : start + size]
