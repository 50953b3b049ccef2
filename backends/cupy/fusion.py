"""Functions of arrays as one kernel each."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

from ..array import Namespace
from ..standard import ELEMENTWISE, UNTRACED
from .frozen import program_of

PARAMETERS = 4096
"""How many bytes of parameters a kernel may have on every GPU."""


class Fusion:
    """The fused functions, each made once, for all devices."""

    def __init__(self, cupy: Any, xp: Namespace) -> None:
        self._cupy, self._xp, self._fusing = cupy, xp, _fusing(cupy, xp)
        self._made: dict[Any, FusedFunction] = {}

    def __call__(self, function: Callable[..., Any], options: Mapping[str, Any]) -> FusedFunction:
        """A function of (namespace, array, …), with these options, as one of (array, …)."""
        key = function, *options.items()
        if key not in self._made:
            plain = partial(function, self._xp, **options)
            self._made[key] = FusedFunction(self._cupy, plain, partial(function, self._fusing, **options))
        return self._made[key]

    def of_arrays(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function of (array, …); itself where it depends on more than its arguments."""
        program = program_of(function)
        if program is None:
            return function
        if program not in self._made:
            self._made[program] = FusedFunction(self._cupy, function, function)
        return self._made[program]


class FusedFunction:
    """A function as a kernel for each combination of dtypes; where it cannot be one, the function itself.

    Parameters
    ----------
    plain : the function
    fusing : the same with functions that CuPy can fuse
    """

    def __init__(self, cupy: Any, plain: Callable[..., Any], fusing: Callable[..., Any]) -> None:
        self._cupy, self._plain, self._fusing = cupy, plain, fusing
        self._kernels: dict[tuple[Any, ...], Callable[..., Any]] = {}

    def __call__(self, *arguments: Any) -> Any:
        kinds = tuple(map(self._kind, arguments))
        if kinds in self._kernels:
            return self._kernels[kinds](*arguments)
        if None not in kinds:
            try:
                kernel = Kernel(self._cupy, self._fusing)
                results = kernel(*arguments)
            except MemoryError:
                raise
            except Exception:  # whatever the function, or CuPy, makes of the stand-ins for arrays
                pass
            else:
                self._kernels[kinds] = kernel
                return results
        results = self._plain(*arguments)
        self._kernels[kinds] = self._plain
        return results

    def _kind(self, x: Any) -> Any:
        """What a kernel depends on; None for what it does not take, such as NumPy's numbers."""
        if isinstance(x, self._cupy.ndarray):
            return x.dtype.char, x.ndim
        return type(x) if type(x) in (int, float) else None


class Kernel:
    """A function as a kernel, for arguments of the dtypes of the first call.

    Raises if it cannot be one, in that call: before anything is computed.
    """

    def __init__(self, cupy: Any, function: Callable[..., Any]) -> None:
        self._cupy, self._function, self._traced = cupy, function, False
        self._kernel = cupy.fuse(kernel_name=_kernel_name(function))(self._trace)

    def __call__(self, *arguments: Any) -> Any:
        made = self._kernel(*arguments)
        new = iter(made if isinstance(made, tuple) else (made,))
        results = tuple(next(new) if place is None else arguments[place] for place in self._places)
        return results if self._is_tuple else results[0]

    def _trace(self, *arguments: Any) -> Any:
        """Call the function with CuPy's stand-ins; return what is new, without the changed arguments."""
        if self._traced:
            raise NotImplementedError("this takes several kernels")  # which CuPy tries after the one
        self._traced = True
        _refuse_numbers_alone(self._cupy._core._fusion_thread_local.thread_local.history)
        found = self._function(*arguments)
        self._is_tuple = isinstance(found, tuple)
        results = found if self._is_tuple else (found,)
        self._places = [next((i for i, x in enumerate(arguments) if x is y), None) for y in results]
        new = tuple(y for y, place in zip(results, self._places, strict=True) if place is None)
        _check(arguments, new)
        return new if len(new) > 1 else new[0] if new else None


def _refuse_numbers_alone(history: Any) -> None:
    """Raise when numbers meet no array: CuPy would compute with them in float16."""
    call = history.call_ufunc

    def checked(ufunc: Any, *operands: Any, **options: Any) -> Any:
        if all(getattr(x, "ndim", -1) < 0 and not getattr(x, "_is_postmap", False) for x in operands):
            raise NotImplementedError("numbers among themselves")
        return call(ufunc, *operands, **options)

    history.call_ufunc = checked


def _check(arguments: tuple[Any, ...], new: tuple[Any, ...]) -> None:
    """Raise where a kernel would return or change something else than the function."""
    arrays = [x for x in arguments if x.ndim >= 0]
    ndim = max(x.ndim for x in arrays)
    if any(y.ndim < ndim and not y._is_postmap for y in new):
        raise NotImplementedError("a result of another shape")
    if any(x.ndim < ndim and x._var.mutable for x in arrays):
        raise NotImplementedError("every thread would change this array")
    numbers = len(arguments) - len(arrays)
    if (len(arrays) + len(new) + 1) * 16 * (1 + ndim) + 8 * numbers > PARAMETERS:
        raise NotImplementedError("too many parameters")


def _kernel_name(function: Callable[..., Any]) -> str:
    named = function.func if isinstance(function, partial) else function
    return re.sub(r"\W+", "_", getattr(named, "__qualname__", "fused")).strip("_")


def _fusing(cupy: Any, xp: Namespace) -> Namespace:
    """The functions that a kernel may contain. CuPy ignores the dtype of a fused sum."""

    def sum(x: Any, /, *, axis: Any = None) -> Any:
        return cupy.sum(x, axis=axis)

    def max(x: Any, /, *, axis: Any = None) -> Any:
        return cupy.max(x, axis=axis)

    def count_nonzero(x: Any, /, *, axis: Any = None) -> Any:
        return cupy.sum(x != 0, axis=axis)

    names = {"astype"} | ELEMENTWISE | UNTRACED
    found: Any = {name: getattr(xp, name) for name in names if hasattr(xp, name)}
    return SimpleNamespace(**found, sum=sum, max=max, count_nonzero=count_nonzero)  # type: ignore[return-value]
