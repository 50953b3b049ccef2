"""The calls of one run of a function, in the words of the array API standard.

The function runs with `TracedArray`s in place of the library's arrays. Each of its calls is carried out on
the library's arrays, as it would be without the tape, and recorded with what it read and what it returned.
A call that no replay could repeat invalidates the tape: a function that is not on the standard's list, a
value that is read, a shape that depends on values, another thread.
"""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn, cast

from .array import Array, Namespace
from .base import Backend
from .communicator import OrderedSum
from .errors import CaptureError
from .standard import IN_PLACE, parameters
from .traced import TracedArray, TracedFunction, TracedNamespace


@dataclass(frozen=True)
class Call:
    """function(*args, **options), whose result is in, or goes into, the array `out`."""

    name: str
    """The standard's name of the function or the operator; `"assign"` for x[index] = value."""
    function: Callable[..., Any]
    """The library's own function, or the operator."""
    args: tuple[Any, ...]
    """Arrays of the library, `Scalar`s, and what else was given."""
    options: dict[str, Any]
    out: Any
    """The array that holds the result; for an operator in place, the first of `args`."""
    writes: bool = False
    """Whether `out` was there before the call, which writes into it."""

    @property
    def in_place(self) -> bool:
        """Whether it is an operator that changes the first of `args`."""
        return self.writes and self.function in IN_PLACE.values()


@dataclass(frozen=True)
class Scalar:
    """A 0-d array that the library is given as a scalar, as NumPy returns scalars for 0-d results."""

    array: Any


class Tape:
    """The recorded calls of a function, in order; a library's subclass keeps the results."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.namespace = cast(Namespace, TracedNamespace(self))
        self.calls: list[Call] = []
        self.error: CaptureError | None = None
        """Why the tape is invalid: the first cause, whatever the function makes of the exception."""
        self._thread: int | None = threading.get_ident()

    def record(self, call: Call) -> None:
        """Add a call that has been, or is to be, carried out."""
        self.calls.append(call)

    def result_of(self, call: Call, given: list[TracedArray]) -> Any:
        """Record a call whose result is `call.out`, and return that result traced."""
        raise NotImplementedError(f"{type(self).__name__} keeps no results")

    def execute(self, call: Call, run: Callable[[], object]) -> None:
        """Write into `call.out`, as `run` does, and record the call."""
        run()
        self.record(call)

    def same_memory(self, x: Array, y: Array) -> bool:
        """Whether two arrays are the same memory, seen in the same way."""
        return x is y

    def close(self) -> None:
        """End the tape with its function: its traced arrays can no longer be used."""
        self._thread = None

    def invalidate(self, why: str) -> NoReturn:
        """Raise `CaptureError`, with the first cause if there has been one."""
        if self.error is None:
            self.error = CaptureError(why)
            raise self.error
        raise CaptureError(str(self.error))

    def call(self, name: str, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Carry out a call of the standard and record it."""
        given = self.check(args, options)
        if any(True for _ in _traced(parameters(name, args, options))):
            self.invalidate(f"{name} with a shape, an axis or a count that is computed")
        result = function(*self.unwrap(args), **self.unwrap(options))
        call = Call(name, function, self.operands(args), self.operands(options), result)
        return self.result_of(call, given)

    def write_out(self, out: TracedArray, function: object, *args: Any, **options: Any) -> None:
        """Carry out and record `Backend.write_out(out, function, *args, **options)`."""
        if not isinstance(function, TracedFunction):
            name = getattr(function, "__name__", function)
            self.invalidate(f"{name} is not one of the standard's functions that can be recorded")
        self.check((out, *args), options)
        name, raw = function.name, function.function
        call = Call(name, raw, self.operands(args), self.operands(options), out.array, writes=True)
        write_out = partial(self.backend.write_out, out.array, raw)
        self.execute(call, partial(write_out, *self.unwrap(args), **self.unwrap(options)))

    def ordered_sum(self, total: OrderedSum, vectors: Sequence[TracedArray], *, part: bool) -> TracedArray:
        """Record `Backend.ordered_sum`, which is not carried out: other processes may not be ready for it."""
        raise NotImplementedError(f"{type(self).__name__} records no sums of several processes")

    def gather(self, total: OrderedSum, vector: TracedArray) -> None:
        """Record `Backend.gather`, which is not carried out."""
        raise NotImplementedError(f"{type(self).__name__} records no sums of several processes")

    def update(self, x: TracedArray, name: str, other: Any) -> TracedArray:
        """Carry out and record an operator in place, such as x += other."""
        self.check((x, other), {})
        function = IN_PLACE[name]
        call = Call(f"i{name}", function, (x.array, self.operands(other)), {}, x.array, writes=True)
        self.execute(call, partial(function, x.array, self.unwrap(other)))
        return x

    def assign(self, place: Array, value: Any) -> None:
        """Carry out and record place[...] = value, for a view of a traced array."""
        if isinstance(value, TracedArray) and self.same_memory(value.array, place):
            return  # after x[index] += 1
        call = Call("assign", operator.setitem, (self.operands(value),), {}, place, writes=True)
        self.execute(call, partial(operator.setitem, place, ..., self.unwrap(value)))

    def check(self, args: Any, options: dict[str, Any]) -> list[TracedArray]:
        """The traced arrays among the arguments; raises unless all are of this tape, and it is open."""
        self.check_open()
        if threading.get_ident() != self._thread:
            self.invalidate("an array is used in another thread")
        given = list(_traced([*args, *options.values()]))
        if any(x.tape is not self for x in given):
            self.invalidate("an array is kept from one step to another, outside the state")
        return given

    def check_open(self) -> None:
        """Raise `CaptureError` if the tape is closed."""
        if self._thread is None:
            raise CaptureError("this array is of a recording that is over: it has no values")

    def unwrap(self, value: Any) -> Any:
        """`value` as the library is given it: its own arrays and scalars in place of traced ones."""
        return _replaced(value, lambda x: x.array[()] if x.is_scalar else x.array)

    def operands(self, value: Any) -> Any:
        """`value` as it is recorded: the library's arrays, and a `Scalar` where it is given a scalar."""
        return _replaced(value, lambda x: Scalar(x.array) if x.is_scalar else x.array)


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
