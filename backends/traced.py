"""Stand-ins for a library's arrays while a function is recorded: each operation goes to their tape."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from .standard import COMPARISONS, FUNCTIONS, IN_PLACE, OPERATORS, UNARY, UNTRACED

if TYPE_CHECKING:
    from .tape import Tape

CURE = "use the namespace's function, as in xp = namespace_of(x); xp.sum(x, axis=0)"
"""What to do about a function that is not the array API standard's."""


class TracedFunction:
    """A function of the standard, of one tape."""

    def __init__(self, tape: Tape, name: str, function: Callable[..., Any]) -> None:
        self.tape, self.name, self.function = tape, name, function

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Carry out the call and record it."""
        return self.tape.call(self.name, self.function, *args, **options)


class TracedNamespace:
    """The namespace of traced arrays: the standard's functions, of one tape."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    def __getattr__(self, name: str) -> Any:
        found: Any = getattr(self._tape.backend.xp, name)
        if name in FUNCTIONS:
            found = TracedFunction(self._tape, name, found)
        elif name not in UNTRACED:
            self._tape.invalidate(f"{name} is not one of the standard's functions that can be recorded")
        setattr(self, name, found)
        return found


class TracedArray:
    """An array of a tape: it stands for its values in every replay, so nobody can read them."""

    __slots__ = ("array", "is_scalar", "memory", "tape")
    __hash__ = None  # type: ignore[assignment]  # == is entry by entry

    def __init__(self, tape: Tape, array: Any, memory: object = None, is_scalar: bool = False) -> None:
        self.tape, self.array = tape, array
        self.memory = memory  # free for others when the last array in it is gone
        self.is_scalar = is_scalar  # the library has a scalar here, which `x += 1` replaces, not changes

    shape = property(lambda self: self.array.shape)
    dtype = property(lambda self: self.array.dtype)
    ndim = property(lambda self: self.array.ndim)
    size = property(lambda self: self.array.size)
    device = property(lambda self: self.array.device)
    T = property(lambda self: TracedArray(self.tape, self.array.T, self.memory, self.is_scalar))
    mT = property(lambda self: TracedArray(self.tape, self.array.mT, self.memory))  # noqa: N815 - the standard's

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        return self.tape.namespace

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, index: Any) -> Any:
        items = index if isinstance(index, tuple) else (index,)
        for item in items:
            if isinstance(item, TracedArray) and not item.ndim:
                self.tape.invalidate("x[index] with a number that is computed")
            if _is_mask(item):
                self.tape.invalidate("the shape of x[mask] depends on values")
        return self.tape.call("getitem", operator.getitem, self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        self.tape.check((self, value), {})
        items = index if isinstance(index, tuple) else (index,)
        if self.is_scalar or not _is_basic(items):
            self.tape.invalidate("x[index] = value with an array as the index")
        place = self.array[items if Ellipsis in items else (*items, ...)]  # a view also for one entry
        self.tape.assign(place, value)

    def _refuse(self, why: str) -> NoReturn:
        self.tape.check_open()
        self.tape.invalidate(why)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        self._refuse(f"the array method .{name} is not the array API standard's: {CURE}")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        # Called for an operator with one of NumPy's arrays on its left.
        if method == "__call__" and not options and ufunc.nout == 1 and ufunc.__name__ in FUNCTIONS:
            return self.tape.call(ufunc.__name__, ufunc, *inputs)
        kind = "" if method == "__call__" else f".{method}"
        how = f" with {', '.join(options)}" if options else ""
        return self._refuse(f"numpy.{ufunc.__name__}{kind}{how} is NumPy's own: {CURE}")

    def __array_function__(self, function: Any, *_: Any) -> Any:
        self._refuse(f"numpy.{function.__name__} is NumPy's own: {CURE}")

    def _read(self, *_: Any, **__: Any) -> Any:
        self._refuse("a value is read from the device during the step")

    __array__ = __bool__ = __int__ = __float__ = __complex__ = __index__ = __iter__ = _read
    __contains__ = __dlpack__ = __copy__ = __deepcopy__ = __reduce_ex__ = _read
    __str__ = __repr__ = __format__ = __round__ = __trunc__ = __floor__ = __ceil__ = _read
    __divmod__ = __rdivmod__ = _read

    def _class(self) -> Any:
        """The class of what the library would have here, for isinstance."""
        return type(self.array[()] if self.is_scalar else self.array)

    __class__ = property(_class)


def _operator(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, other: self.tape.call(name, function, self, other)


def _reflected(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, other: self.tape.call(name, function, other, self)


def _unary(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self: self.tape.call(name, function, self)


def _in_place(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(self: TracedArray, other: Any) -> Any:
        if self.is_scalar:
            return self.tape.call(name, function, self, other)
        return self.tape.update(self, name, other)

    return apply


def _define_operators() -> None:
    for name, function in OPERATORS.items():
        setattr(TracedArray, f"__{name}__", _operator(name, function))
        setattr(TracedArray, f"__r{name}__", _reflected(name, function))
    for name, function in COMPARISONS.items():
        setattr(TracedArray, f"__{name}__", _operator(name, function))
    for name, function in UNARY.items():
        setattr(TracedArray, f"__{name}__", _unary(name, function))
    for name in IN_PLACE:
        setattr(TracedArray, f"__i{name}__", _in_place(name, OPERATORS[name]))


_define_operators()


def _is_basic(items: tuple[Any, ...]) -> bool:
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
