"""A function's calls, written down in the words of the array API standard.

The function runs with `TracedArray` arrays in place of the library's own. They have the standard's operators,
and their namespace has the standard's functions: a closed list, `FUNCTIONS`. Each call is carried out on
the library's arrays, as it would be without the tape, and handed to the tape with what it read and what
it gave. Whatever is not on the list ends the recording with its name: a function of the library's own, a
value that is read, a shape that depends on values, another thread.
"""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

from .base import Array, Backend
from .capture import CaptureError


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ELEMENTWISE = _words("""
    abs acos acosh add asin asinh atan atan2 atanh bitwise_and bitwise_invert bitwise_left_shift bitwise_or
    bitwise_right_shift bitwise_xor ceil clip copysign cos cosh divide equal exp expm1 floor floor_divide
    greater greater_equal hypot isfinite isinf isnan less less_equal log log10 log1p log2 logaddexp
    logical_and logical_not logical_or logical_xor maximum minimum multiply negative nextafter not_equal
    positive pow reciprocal remainder round sign signbit sin sinh sqrt square subtract tan tanh trunc where
""")
OF_AXES = _words("""
    all any argmax argmin argsort count_nonzero cumulative_prod cumulative_sum diff matmul matrix_transpose
    max mean min prod sort std sum take take_along_axis tensordot var vecdot
""")
OF_SHAPES = _words("""
    astype broadcast_arrays broadcast_to concat expand_dims flip moveaxis permute_dims reshape roll squeeze
    stack tile tril triu unstack
""")
CREATION = _words("""
    arange asarray empty empty_like eye full full_like linspace ones ones_like zeros zeros_like
""")
FUNCTIONS = ELEMENTWISE | OF_AXES | OF_SHAPES | CREATION
"""What can be written down."""

PLAIN = _words("""
    bool complex128 complex64 float16 float32 float64 int16 int32 int64 int8 uint16 uint32 uint64 uint8
    e inf nan newaxis pi can_cast finfo iinfo isdtype result_type
""")
"""What says nothing of an array's values."""

ARRAYS = dict.fromkeys(("matmul", "tensordot", "vecdot", "take", "take_along_axis"), 2)
"""How many arguments are arrays, where it is not the first alone; of what is elementwise, all may be."""

Operators = dict[str, Callable[..., Any]]

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


@dataclass(frozen=True)
class Call:
    """One call: function(*args, **options), whose result is, or goes into, the array `out`."""

    name: str
    """The standard's name of the function, or the operator's; `"assign"` for x[index] = value."""
    function: Callable[..., Any]
    """What the library was called with: its own function, or the operator."""
    args: tuple[Any, ...]
    """Arrays of the library, `Number`s, and what else was given."""
    options: dict[str, Any]
    out: Array
    """The array that the result is in; for an operator in place, the first of `args`."""
    writes: bool = False
    """Whether `out` was there before the call, which writes into it."""

    @property
    def in_place(self) -> bool:
        """Whether it is an operator that changes the first of `args`."""
        return self.writes and self.function in IN_PLACE.values()


@dataclass(frozen=True)
class Number:
    """A 0-d array for which the library has a number, as NumPy has for 0-d results."""

    array: Array


class Tape:
    """The calls of one run of a function, in order; a library's own says how it keeps and repeats them."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.namespace = TracedNamespace(self)
        self.calls: list[Call] = []
        self.why = ""
        """Why this is no recording; it stays, whatever the function makes of the exception."""
        self.first: CaptureError | None = None
        """The exception that said so, with where it was raised."""
        self._thread: int | None = threading.get_ident()

    def write_down(self, call: Call) -> None:
        """Take a call down that has been, or is to be, carried out."""
        self.calls.append(call)

    def kept(
        self, name: str, function: Any, args: Any, options: Any, result: Any, given: list[TracedArray]
    ) -> Any:
        """The result of a call as traced arrays."""
        raise NotImplementedError(f"{type(self).__name__} keeps no results")

    def close(self) -> None:
        """From here on its arrays can no longer be used."""
        self._thread = None

    def refuse(self, why: str) -> NoReturn:
        """End the recording; the first cause is the one that is told."""
        error = CaptureError(self.why or why)
        if not self.why:
            self.why, self.first = why, error
        raise error

    def call(self, name: str, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Carry out a call of the standard and take it down."""
        given = self.check(args, options)
        if name in FUNCTIONS and name not in ELEMENTWISE:
            self._check_arguments(name, args, options)
        raw, raw_options = self.plain(args), {key: self.plain(value) for key, value in options.items()}
        result = function(*raw, **raw_options)
        return self.kept(name, function, self.written(args), self.written(options), result, given)

    def _check_arguments(self, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        """Refuse shapes, axes and counts that are computed: what is written down holds for one value."""
        arrays = (
            0 if name in CREATION and not name.endswith("like") and name != "asarray" else ARRAYS.get(name, 1)
        )
        if name == "broadcast_arrays":
            arrays = len(args)
        filled = args[1:2] if name in ("full", "full_like") else ()
        others = [x for i, x in enumerate(args) if i >= arrays and not (filled and i == 1)]
        if any(True for _ in _traced([*others, *(v for k, v in options.items() if k != "fill_value")])):
            self.refuse(f"{name} with a shape, an axis or a count that is computed")

    def write_out(self, out: TracedArray, function: Any, *args: Any, **options: Any) -> None:
        """`Backend.write_out(out, function, *args, **options)`, taken down."""
        if not isinstance(function, TracedFunction):
            self.refuse(f"{_name(function)} is not one of the standard's functions that can be recorded")
        self.check((out, *args), options)
        call = Call(
            function.name,
            function.function,
            self.written(args),
            self.written(options),
            out.array,
            writes=True,
        )
        self.carry_out(call, partial(self.backend.write_out, out.array, function.function,
                                     *self.plain(args), **self.plain(options)))  # fmt: skip

    def carry_out(self, call: Call, as_called: Callable[[], Any]) -> None:
        """Write into `call.out`, as `as_called` does, and take it down."""
        as_called()
        self.write_down(call)

    def check(self, args: Any, options: dict[str, Any]) -> list[TracedArray]:
        """The traced arrays in the arguments; raises unless all of them are of this tape, and usable."""
        if self._thread is None:
            raise CaptureError("this array is of a recording that is over: it has no values")
        if threading.get_ident() != self._thread:
            self.refuse("an array is used in another thread")
        given = list(_traced([*args, *options.values()]))
        if any(x.tape is not self for x in given):
            self.refuse("an array is kept from one step to another, outside the state")
        return given

    def plain(self, value: Any) -> Any:
        """What the library is given: its own arrays and numbers in place of traced ones."""
        return _replaced(value, lambda x: x.array[()] if x.number else x.array)

    def written(self, value: Any) -> Any:
        """What is written down: its own arrays, and a `Number` where the library is given one."""
        return _replaced(value, lambda x: Number(x.array) if x.number else x.array)


def _replaced(value: Any, of: Callable[[TracedArray], Any]) -> Any:
    if isinstance(value, TracedArray):
        return of(value)
    if type(value) in (list, tuple):
        return type(value)(_replaced(item, of) for item in value)
    if type(value) is dict:
        return {key: _replaced(item, of) for key, item in value.items()}
    return value


def _traced(values: Iterable[Any]) -> Iterable[TracedArray]:
    for value in values:
        if isinstance(value, TracedArray):
            yield value
        elif type(value) in (list, tuple):
            yield from _traced(value)


def _name(function: Any) -> str:
    return str(getattr(function, "__name__", function))


USE = "use the namespace's function, as in xp = namespace_of(x); xp.sum(x, axis=0)"
"""What to do about a function that is not of the array API."""


class TracedFunction:
    """A function of the standard, of one tape."""

    def __init__(self, tape: Tape, name: str, function: Callable[..., Any]) -> None:
        self.tape, self.name, self.function = tape, name, function

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Carry it out and take it down."""
        return self.tape.call(self.name, self.function, *args, **options)


class TracedNamespace:
    """The namespace of traced arrays."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._tape.backend.xp, name)
        if name in FUNCTIONS:
            found = TracedFunction(self._tape, name, found)
        elif name not in PLAIN:
            self._tape.refuse(f"{name} is not one of the standard's functions that can be recorded")
        setattr(self, name, found)
        return found


class TracedArray:
    """An array of a tape: it stands for its values in every replay, so nobody can read them."""

    __slots__ = ("array", "memory", "number", "tape")
    __hash__ = None  # type: ignore[assignment]  # == is entry by entry

    def __init__(self, tape: Tape, array: Array, memory: Any = None, number: bool = False) -> None:
        self.tape, self.array = tape, array
        self.memory = memory  # what is free for others when the last array in it is gone
        self.number = number  # the library gives a number here, which `x += 1` replaces and does not change

    shape = property(lambda self: self.array.shape)
    dtype = property(lambda self: self.array.dtype)
    ndim = property(lambda self: self.array.ndim)
    size = property(lambda self: self.array.size)
    device = property(lambda self: self.array.device)
    T = property(lambda self: TracedArray(self.tape, self.array.T, self.memory, self.number))
    mT = property(lambda self: TracedArray(self.tape, self.array.mT, self.memory))  # noqa: N815 - the standard's

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        return self.tape.namespace

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, index: Any) -> Any:
        items = index if isinstance(index, tuple) else (index,)
        for item in items:
            if isinstance(item, TracedArray) and not item.ndim:
                self.tape.refuse("x[index] with a number that is computed")
            if _is_mask(item):
                self.tape.refuse("the shape of x[mask] depends on values")
        return self.tape.call("getitem", operator.getitem, self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        self.tape.check((self, value), {})
        items = index if isinstance(index, tuple) else (index,)
        if self.number or not is_basic(items):
            self.tape.refuse("x[index] = value with an array as the index")
        place = self.array[items if Ellipsis in items else (*items, ...)]  # a view also for one entry
        if isinstance(value, TracedArray) and _is_same(value.array, place):
            return  # after x[index] += 1
        call = Call("assign", operator.setitem, (self.tape.written(value),), {}, place, writes=True)
        self.tape.carry_out(call, partial(operator.setitem, place, ..., self.tape.plain(value)))

    def _refuse(self, what: str) -> NoReturn:
        if self.tape._thread is None:
            raise CaptureError("this array is of a recording that is over: it has no values")
        self.tape.refuse(what)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        self._refuse(f"the array method .{name} is not the array API standard's: {USE}")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        # An array of the library's own on the left of an operator comes here.
        if method == "__call__" and not options and ufunc.nout == 1 and _name(ufunc) in FUNCTIONS:
            return self.tape.call(_name(ufunc), ufunc, *inputs)
        return self._refuse_ufunc(ufunc, method, options)

    def _refuse_ufunc(self, ufunc: Any, method: str, options: dict[str, Any]) -> NoReturn:
        kind = "" if method == "__call__" else f".{method}"
        how = f" with {', '.join(options)}" if options else ""
        self._refuse(f"numpy.{_name(ufunc)}{kind}{how} is NumPy's own: {USE}")

    def __array_function__(self, function: Any, *_: Any) -> Any:
        self._refuse(f"numpy.{_name(function)} is NumPy's own: {USE}")

    def _read(self, *_: Any, **__: Any) -> Any:
        self._refuse("a value is read from the device during the step")

    __array__ = __bool__ = __int__ = __float__ = __complex__ = __index__ = __iter__ = _read
    __contains__ = __dlpack__ = __copy__ = __deepcopy__ = __reduce_ex__ = _read
    __str__ = __repr__ = __format__ = __round__ = __trunc__ = __floor__ = __ceil__ = _read
    __divmod__ = __rdivmod__ = _read

    def _class(self) -> Any:
        """The class that the library's own would have, for isinstance."""
        return type(self.array[()] if self.number else self.array)

    __class__ = property(_class)


def _operator(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(self: TracedArray, other: Any) -> Any:
        return self.tape.call(name, function, self, other)

    return apply


def _reflected(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(self: TracedArray, other: Any) -> Any:
        return self.tape.call(name, function, other, self)

    return apply


def _unary(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(self: TracedArray) -> Any:
        return self.tape.call(name, function, self)

    return apply


def _in_place(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(self: TracedArray, other: Any) -> Any:
        tape = self.tape
        if self.number:
            return tape.call(name, OPERATORS[name], self, other)
        tape.check((self, other), {})
        call = Call(f"i{name}", function, (self.array, tape.written(other)), {}, self.array, writes=True)
        tape.carry_out(call, partial(function, self.array, tape.plain(other)))
        return self

    return apply


def _give_operators() -> None:
    for key, function in OPERATORS.items():
        setattr(TracedArray, f"__{key}__", _operator(key, function))
        setattr(TracedArray, f"__r{key}__", _reflected(key, function))
    for key, function in COMPARISONS.items():
        setattr(TracedArray, f"__{key}__", _operator(key, function))
    for key, function in UNARY.items():
        setattr(TracedArray, f"__{key}__", _unary(key, function))
    for key, function in IN_PLACE.items():
        setattr(TracedArray, f"__i{key}__", _in_place(key, function))


_give_operators()


def is_basic(items: tuple[Any, ...]) -> bool:
    """Whether x[items] is a view."""
    return not any(isinstance(item, TracedArray) for item in items) and all(
        (isinstance(item, int) and not isinstance(item, bool)) or isinstance(item, slice | type(None))
        or item is Ellipsis
        for item in items
    )  # fmt: skip


def _is_mask(item: Any) -> bool:
    if isinstance(item, TracedArray):
        return str(item.dtype) == "bool"
    return isinstance(item, bool) or str(getattr(item, "dtype", "")) == "bool" or isinstance(item, list)


def _is_same(x: Array, y: Array) -> bool:
    """Whether the arrays are the same memory, seen in the same way."""
    return bool(x.__array_interface__ == y.__array_interface__)
