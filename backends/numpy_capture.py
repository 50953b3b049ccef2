"""A step of NumPy calls, recorded once and replayed: no Python between them, no memory allocated.

The function runs with `Recorded` arrays in place of NumPy's own. Through NumPy's protocols they see
every call, carry it out, and write it down with the arrays it reads and the one it writes. Nothing
reads their values unseen: after `float(x)`, `np.asarray(x)` or `if x > 0` the run goes on, but what has
been written down is thrown away, with the cause. A recording is kept when a second one, of the next
call, agrees with it in every function, array and number: what changes from call to call without passing
through the arrays is noticed, not frozen.
"""

from __future__ import annotations

import hashlib
import operator
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from .base import Array
from .capture import Captured, InPlace, Replay
from .numpy_fast import namespace

ALIGNMENT = 64  # bytes: a cache line
NOWHERE: tuple[str, None, int] = "", None, 0


class _Now(threading.local):
    """What is recorded in this thread."""

    recording: _Tape | None = None


now = _Now()


class NumpyCapture(Captured):
    """`Captured` for NumPy: two recordings that agree, then replays."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._first: dict[tuple[Any, ...], _Tape] = {}

    def record(
        self, key: tuple[Any, ...], inputs: Sequence[Array]
    ) -> tuple[tuple[Array, ...] | None, Replay | None]:
        tape = _Tape([array for mapping in self.state for array in mapping.values()], inputs)
        state = [
            InPlace({name: Recorded(tape, array) for name, array in kind.items()}) for kind in self.state
        ]
        now.recording = tape
        try:
            outputs = self.function(*state, *(Recorded(tape, x) for x in tape.inputs))
            tape.finish(outputs)
            result = tuple(output.copy() for output in tape.outputs)
        except BaseException:
            tape.undo()
            raise
        finally:
            now.recording = None
        if tape.broken:
            self.give_up(tape.broken)
            return result, None
        first = self._first.pop(key, None)
        if first is None:
            self._first[key] = tape
            return result, None
        if first.log == tape.log:
            return result, tape.replay
        self.give_up(first.difference(tape))
        return result, None


class _Block:
    """Memory of a tape, free for its next arrays when the last one here is gone."""

    def __init__(self, tape: _Tape, size: int) -> None:
        free = tape.free.setdefault(size, [])
        self.bytes, self._free = free.pop() if free else tape.allocate(size), free

    def __del__(self) -> None:
        self._free.append(self.bytes)


class _Tape:
    """The calls of one run of a function, in order.

    When the run is over, its arrays are plain ones to whoever has kept them, but not to another run.
    """

    def __init__(self, state: Sequence[Array], inputs: Sequence[Array]) -> None:
        self.state, self.inputs = list(state), [x.copy() for x in inputs]
        self.outputs: tuple[Array, ...] = ()
        self.broken = ""  # why it cannot be replayed; the run goes on all the same
        self.calls: list[Callable[[], Any]] = []
        self.log: list[tuple[Any, ...]] = []
        self.free: dict[int, list[Array]] = {}
        self._owned: dict[int, tuple[str, Array, int]] = {}  # memory of state, inputs, blocks: name, origin
        self._read: set[int] = set()
        self._looks: dict[Any, _Look] = {}
        self._before: dict[str, tuple[Array, Array]] = {}  # the state, as far as `undo` needs it
        for kind, arrays in (("state", self.state), ("input", self.inputs)):
            for i, array in enumerate(arrays):
                base = _base(array)
                self._owned.setdefault(id(base), (f"{kind} {i}", base, _address(base)))

    def replay(self, *inputs: Array) -> tuple[Array, ...]:
        """The recorded calls on new inputs."""
        for place, x in zip(self.inputs, inputs, strict=True):
            place[...] = x
        for call in self.calls:
            call()
        return tuple([output.copy() for output in self.outputs])

    def unwrap(self, value: Any) -> Any:
        """NumPy's arrays in place of recorded ones, also within lists and tuples."""
        if isinstance(value, Recorded):
            if now.recording not in (None, value.tape):
                now.recording.break_off("an array is kept from one call to the next, outside the state")
            return value.array
        return type(value)(map(self.unwrap, value)) if isinstance(value, list | tuple) else value

    def break_off(self, why: str) -> None:
        """Go on without a recording: the first cause counts."""
        if not self.broken:
            self.broken = why
            for label, base, _ in self._owned.values():  # from here on, changes of the state are not seen
                if label.startswith("state"):
                    self._before.setdefault(label, (base, base.copy()))

    def finish(self, outputs: Any) -> None:
        """Note the arrays that the run has returned."""
        self.outputs = tuple(np.asarray(self.unwrap(output)) for output in outputs)
        self.log.append(("the result", None, *map(self._seen, self.outputs)))

    def call(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Carry out a call, write it down, and return its result as a recorded array."""
        raw, raw_options = self.unwrap(args), {key: self.unwrap(value) for key, value in options.items()}
        result = function(*raw, **raw_options)
        if function in SHAPES or now.recording is None or self.broken:
            return result
        if not isinstance(result, np.ndarray | np.generic | bool | int | float):
            self.break_off(f"{_name(function)} gives a {type(result).__name__}")
            return result
        if isinstance(result, np.ndarray):
            for source in _arrays([*args, *options.values()]):
                array = source.array if isinstance(source, Recorded) else source
                if np.may_share_memory(result, array):
                    return Recorded(self, result, source.block if isinstance(source, Recorded) else None)
        scalar, result = not isinstance(result, np.ndarray), np.asarray(result)
        recorded = self.place_for(result, scalar)
        self._write_down(recorded.array, function, raw, raw_options)()
        if recorded.array.tobytes() != result.tobytes():
            self.break_off(f"{_name(function)} does not give the same into a place of its own")
            recorded.array[...] = result
        return recorded

    def place_for(self, array: Array, scalar: bool = False) -> Recorded:
        """Memory of the tape for such an array."""
        block = _Block(self, max(array.nbytes, 1))
        place = np.ndarray(array.shape, array.dtype, block.bytes, strides=array.strides)
        return Recorded(self, place, block, scalar)

    def call_into(self, out: Any, function: Callable[..., Any], *args: Any, **options: Any) -> None:
        """Carry out a call whose result goes into the array `out`, and write it down."""
        target, raw = self.unwrap(out), self.unwrap(args)
        options = {key: self.unwrap(value) for key, value in options.items()}
        label, base, _ = self._owned.get(id(_base(target)), NOWHERE)
        if base is None:
            self.break_off(f"{_name(function)} writes into an array that is not in the state")
        if now.recording is None or self.broken:
            target[...] = function(*raw, **options)
            return
        reads = any(np.may_share_memory(target, array) for array in _arrays(raw))
        if label.startswith("state") and (reads or id(base) in self._read) and label not in self._before:
            self._before[label] = base, base.copy()  # what is only overwritten, a second run overwrites
        self._write_down(target, function, raw, options)()

    def carry_out(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """A call that cannot be written down, as it changes its arguments."""
        self.break_off(f"{_name(function)} changes its arguments")
        return function(*self.unwrap(args), **{key: self.unwrap(value) for key, value in options.items()})

    def undo(self) -> None:
        """Put the state back to what it was before the run."""
        for base, before in self._before.values():
            base[...] = before

    def allocate(self, size: int) -> Array:
        """New memory, aligned."""
        memory = np.empty(size + ALIGNMENT, np.uint8)
        start = -_address(memory) % ALIGNMENT
        self._owned[id(memory)] = (f"block {len(self._owned)}", memory, _address(memory) + start)
        return memory[start : start + size]

    def difference(self, other: _Tape) -> str:
        """Where the runs went apart."""
        for mine, its in zip(self.log, other.log, strict=False):
            if mine != its:
                return f"{its[0]} is not given the same arrays and numbers in every call"
        return f"it made {len(self.log)} calls to NumPy at first, then {len(other.log)}"

    def _write_down(self, out: Array, function: Any, args: Any, options: dict[str, Any]) -> Callable[[], Any]:
        args = [self._as_it_is(value) for value in args]
        call: Callable[[], Any]
        if function is _take:
            x, indices, axis = args
            look = self._look_at(indices, x.size if axis is None else x.shape[axis])
            call = partial(_take_into, out, x, indices, axis, look)
        else:
            call = _into(out, function, args, options)
        self.calls.append(call)
        self._read.update(id(_base(array)) for array in _arrays([*args, *options.values()]))
        seen = [self._seen(value) for value in (out, *args, *options.values())]
        self.log.append((_name(function), function, *options, *seen))
        return call

    def _as_it_is(self, value: Any) -> Any:
        """A copy of an array that is not the tape's: whoever has it may change it after this call."""
        if isinstance(value, list | tuple):
            return type(value)(map(self._as_it_is, value))
        if not isinstance(value, np.ndarray) or id(_base(value)) in self._owned:
            return value
        return value.copy(order="K")

    def _look_at(self, indices: Array, length: int) -> _Look:
        """A look at the indices of a take in every replay; one look is enough for what nobody changes."""
        key = self._seen(indices), length
        if key in self._looks:
            return self._looks[key]
        look = _Look(indices, length)
        self.calls.append(look)
        if isinstance(key[0][0], str) and key[0][0].startswith("input"):
            self._looks[key] = look
        return look

    def _seen(self, value: Any) -> Any:
        """What identifies a value in every run: the state's arrays by their place, others by content."""
        if isinstance(value, list | tuple):
            return tuple(map(self._seen, value))
        if not isinstance(value, np.ndarray):
            return type(value), repr(value)
        label, base, origin = self._owned.get(id(_base(value)), NOWHERE)
        if base is None:
            return value.shape, value.dtype.str, hashlib.sha256(value.tobytes()).digest()
        return label, _address(value) - origin, value.shape, value.strides, value.dtype.str


class Recorded(NDArrayOperatorsMixin):
    """An array of a tape: it stands for its values in every replay, so nobody can read them."""

    __slots__ = ("array", "block", "scalar", "tape")
    _stands_for = "numpy"

    def __init__(self, tape: _Tape, array: Array, block: _Block | None = None, scalar: bool = False) -> None:
        self.tape, self.array, self.block = tape, array, block
        self.scalar = scalar  # NumPy gives a number here, which `x += 1` replaces and does not change

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **options: Any
    ) -> Any:
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        if method == "at":
            return self.tape.carry_out(function, *inputs, **options)
        if out is None or getattr(out[0], "scalar", False):
            return self.tape.call(function, *inputs, **options)
        self.tape.call_into(out[0], function, *inputs, **options)
        return out[0]

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function is np.copyto and not kwargs:
            return self.tape.call_into(args[0], _assigned, args[1])
        if function is np.dot and len(args) == 3:
            return self.tape.call_into(args[2], np.dot, *args[:2])
        if kwargs.get("out") is not None or kwargs.get("copy") is False:
            return self.tape.carry_out(function, *args, **kwargs)
        return self.tape.call(function, *args, **kwargs)

    def __pow__(self, other: Any) -> Any:
        if type(other) is float and other == 0.5:
            return np.sqrt(self)  # as NumPy does for its own arrays, and much faster
        return super().__pow__(other)

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        return namespace()

    shape = property(lambda self: self.array.shape)
    dtype = property(lambda self: self.array.dtype)
    ndim = property(lambda self: self.array.ndim)
    size = property(lambda self: self.array.size)
    device = property(lambda self: self.array.device)
    flags = property(lambda self: self.array.flags)
    T = property(lambda self: Recorded(self.tape, self.array.T, self.block))
    mT = property(lambda self: Recorded(self.tape, self.array.mT, self.block))  # noqa: N815 - the standard's

    def __getattr__(self, name: str) -> Any:
        why = f"x.{name} is NumPy's own, not the array API standard's; use the namespace's function"
        if name.startswith("_") or not hasattr(self.array, name):
            raise AttributeError(why)
        self.tape.break_off(why)
        return getattr(self.array, name)

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, index: Any) -> Any:
        items = index if isinstance(index, tuple) else (index,)
        if not _is_basic(items):
            if any(_is_mask(item) for item in items):
                self.tape.break_off("the shape of x[mask] depends on values")
            return self.tape.call(_getitem, self, index)
        if Ellipsis not in items and sum(isinstance(item, int) for item in items) == self.ndim:
            return self.tape.call(_number, self, items)
        return self._view(items)

    def _view(self, items: tuple[Any, ...]) -> Recorded:
        view = self.array[items if Ellipsis in items else (*items, ...)]  # a view also for one element
        return Recorded(self.tape, view, self.block)

    def __setitem__(self, index: Any, value: Any) -> None:
        items = index if isinstance(index, tuple) else (index,)
        if not _is_basic(items):
            self.tape.carry_out(_setitem, self, index, value)
            return
        place = self._view(items)
        if not (isinstance(value, Recorded) and _is_same(value.array, place.array)):  # as after x[index] += 1
            self.tape.call_into(place, _assigned, value)

    def astype(self, dtype: Any, copy: bool = True) -> Any:
        if dtype == self.dtype and not copy:
            return self
        return self.tape.call(_astype, self, np.dtype(dtype))

    def copy(self) -> Any:
        return self.tape.call(_copy, self)

    def take(self, indices: Any, axis: int | None = None) -> Any:
        return self.tape.call(_take, self, indices, axis)

    def argmax(self, axis: int | None = None, keepdims: bool = False) -> Any:
        return self.tape.call(_argmax, self, axis, keepdims)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self.read(), dtype, copy=copy)

    def read(self) -> Array:
        """The values; a run that has read them is not replayed."""
        if now.recording is not None:
            self.tape.break_off("a value is read from the device during the step")
        return self.array.copy()

    def __bool__(self) -> bool:
        return bool(self.read())

    def __int__(self) -> int:
        return int(self.read())

    def __float__(self) -> float:
        return float(self.read())

    def __index__(self) -> int:
        return operator.index(self.read())

    def __iter__(self) -> Iterator[Any]:
        return iter(self.read())


def empty(shape: Any, *, dtype: Any = None, device: Any = None) -> Array:
    """The standard's empty; while a step is recorded, memory of its tape."""
    place = np.empty(shape, dtype)
    return place if now.recording is None else now.recording.place_for(place)


def zeros(shape: Any, *, dtype: Any = None, device: Any = None) -> Array:
    """The standard's zeros, likewise."""
    if now.recording is None:
        return np.zeros(shape, dtype)
    place = empty(shape, dtype=dtype)
    place[...] = 0
    return place


def _assigned(value: Any) -> Any:
    return value


def _getitem(x: Array, index: Any) -> Array:
    return x[index]


def _setitem(x: Array, index: Any, value: Any) -> None:
    x[index] = value


def _number(x: Array, items: Any) -> Any:
    return x[items]


def _is_basic(items: tuple[Any, ...]) -> bool:
    """Whether x[items] is a view."""
    return all(
        (isinstance(item, int) and not isinstance(item, bool)) or isinstance(item, slice | type(None))
        or item is Ellipsis
        for item in items
    )  # fmt: skip


def _is_mask(item: Any) -> bool:
    return isinstance(item, bool) or str(getattr(item, "dtype", "")) == "bool"


def _astype(x: Array, dtype: Any) -> Array:
    return x.astype(dtype)


def _copy(x: Array) -> Array:
    return x.copy()


def _take(x: Array, indices: Array, axis: int | None) -> Array:
    return x.take(indices, axis)


def _argmax(x: Array, axis: int | None, keepdims: bool) -> Array:
    return x.argmax(axis, keepdims=keepdims)


def _assign_into(out: Array, value: Any) -> None:
    np.copyto(out, value, "unsafe")  # with short rows, much quicker than a ufunc


def _reshape_into(out: Array, x: Array, shape: Any) -> None:
    np.copyto(out.reshape(x.shape), x)  # a view: out is contiguous


def _astype_into(out: Array, x: Array, dtype: Any) -> None:
    np.copyto(out, x, "unsafe")


def _where_into(out: Array, condition: Array, x: Any, y: Any) -> None:
    np.copyto(out, y)
    np.copyto(out, x, where=condition)


class _Look:
    """Whether indices are all from 0 to length − 1."""

    def __init__(self, indices: Array, length: int) -> None:
        # Seen as unsigned, a negative index is too large as well.
        self.unsigned, self.length = indices.view(f"u{indices.itemsize}"), length
        self()

    def __call__(self) -> None:
        self.good = np.maximum.reduce(self.unsigned, axis=None, initial=0) < self.length


def _take_into(out: Array, x: Array, indices: Array, axis: int | None, look: _Look) -> None:
    if look.good:
        x.take(indices, axis, out, "clip")  # the mode that needs no copy of out
    else:
        out[...] = x.take(indices, axis)  # counts from the end, or raises


def _argmax_into(out: Array, x: Array, axis: int | None, keepdims: bool) -> None:
    x.argmax(axis, out, keepdims=keepdims)


def _count_nonzero_into(out: Array, x: Array) -> None:
    out.fill(np.count_nonzero(x))


def _any_into(out: Array, function: Any, args: Any, options: Any) -> None:
    out[...] = function(*args, **options)


EXTREMA = {np.maximum, np.minimum}  # NumPy wants their `out` by name
SHAPES = {np.shape, np.ndim, np.size, np.result_type, np.iscomplexobj, np.isrealobj}
INTO: dict[Any, Callable[..., None]] = {
    _assigned: _assign_into,
    _copy: np.copyto,
    _astype: _astype_into,
    np.reshape: _reshape_into,
    np.where: _where_into,
    _argmax: _argmax_into,
    np.count_nonzero: _count_nonzero_into,
}


def _into(out: Array, function: Any, args: Any, options: dict[str, Any]) -> Callable[[], Any]:
    """function(*args, **options) into `out`, as a call without arguments, in the form that starts soonest."""
    if function in (np.matmul, np.dot) and not options and _is_plain_product(out, *args):
        return partial(np.dot, *args, out)
    if isinstance(function, np.ufunc) and not options:
        args = _of_loop(function, args)
        return partial(function, *args, out=out) if function in EXTREMA else partial(function, *args, out)
    if _is_plain_reduce(function, args, options):
        axis, dtype, keepdims = (options.get(key) for key in ("axis", "dtype", "keepdims"))
        return partial(function, *args, axis, dtype, out, bool(keepdims))
    if function is _assigned and type(args[0]) in (int, float):
        return partial(out.fill, *args)
    if function is np.where:
        args = [args[0], *(v if isinstance(v, np.ndarray) else np.asarray(v, out.dtype) for v in args[1:])]
    if function in INTO and not options:
        return partial(INTO[function], out, *args)
    return partial(_any_into, out, function, args, options)


def _of_loop(ufunc: np.ufunc, args: Sequence[Any]) -> Sequence[Any]:
    """The arguments with Python's numbers as arrays of the dtype that the ufunc makes of them."""
    if not any(type(value) in (int, float) for value in args):
        return args
    kinds = [value.dtype if isinstance(value, np.ndarray) else type(value) for value in args]
    dtypes = ufunc.resolve_dtypes((*kinds, *(None,) * ufunc.nout))
    return [
        np.asarray(value, dtype) if type(value) in (int, float) else value
        for value, dtype in zip(args, dtypes, strict=False)
    ]


def _is_plain_reduce(function: Any, args: Any, options: dict[str, Any]) -> bool:
    """Whether the call can be given the arguments of ufunc.reduce in their order."""
    own = isinstance(getattr(function, "__self__", None), np.ufunc) and function.__name__ == "reduce"
    return own and len(args) == 1 and "axis" in options and options.keys() <= {"axis", "dtype", "keepdims"}


def _is_plain_product(out: Array, a: Array, b: Array) -> bool:
    """Whether np.dot, which starts sooner than np.matmul, can write into `out`."""
    return bool(
        ((b.ndim == 2 and a.ndim in (1, 2)) or (a.ndim, b.ndim) == (2, 1))
        and a.dtype == b.dtype == out.dtype
        and out.flags.c_contiguous
    )


def _arrays(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from _arrays(value)
        elif isinstance(value, np.ndarray | Recorded):
            yield value


def _is_same(x: Array, y: Array) -> bool:
    """Whether the arrays are the same memory, seen in the same way."""
    return bool(x.__array_interface__ == y.__array_interface__)


def _address(array: Array) -> int:
    """Where the array's memory begins; `ctypes.data` takes ten times as long to say so."""
    return int(array.__array_interface__["data"][0])


def _base(array: Array) -> Array:
    """The array whose memory this one is a view of."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _name(function: Any) -> str:
    return str(getattr(function, "__name__", function))
