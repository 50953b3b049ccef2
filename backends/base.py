"""What a backend gives: an array API namespace and the way in and out of its device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np

# An array of any library that follows the standard; there is no common static type for them yet.
Array: TypeAlias = Any


class UnknownDeviceError(ValueError):
    """A device was asked for by a name that no backend has."""


class BackendUnavailableError(RuntimeError):
    """A backend that was asked for cannot be used: one line with the cause and the cure."""

    def __init__(self, name: str, cause: str, cure: str) -> None:
        super().__init__(f"backend {name!r} cannot be used: {cause}; {cure}")
        self.name, self.cause, self.cure = name, cause, cure


class Replay(Protocol):
    """What `Backend.record` gives."""

    results: tuple[Array, ...] | None
    """What the recorded run has given; None where recording did not compute."""

    def __call__(self, *inputs: Array) -> tuple[Array, ...]:
        """The function's results for these inputs; the state changes in place."""


class Backend:
    """An array library on one device.

    A subclass sets `name`, `libraries` and, in its constructor, `device` and `xp`. The constructor
    proves by a small computation (`verify`) that the device really computes, and raises
    `BackendUnavailableError` where it does not.
    """

    name: ClassVar[str]
    """The name in `get_backend(name)`."""

    libraries: ClassVar[tuple[str, ...]]
    """Top-level modules of the library's array types, by which `backend_of` knows an array."""

    refused: ClassVar[Mapping[str, str]] = {}
    """Classes of arrays of the library, by name, that compute something else, and what to do instead."""

    has_views: ClassVar[bool] = False
    """Whether a slice shares its memory with the array and writing to it changes both."""

    slab_bytes: ClassVar[int] = 64 * 2**20
    """How much a layer that takes its batch in slabs may use for one: a cache's worth where there is one."""

    device: str
    """Where the arrays are, as the library names it: `"cpu"`, `"cuda:0"`."""

    xp: Any
    """The array API namespace that the layers see."""

    why: str = ""
    """Why `get_backend("auto")` chose this backend."""

    def __init__(self, device: str | None = None) -> None:
        raise NotImplementedError("a backend sets device and xp in its constructor")

    @property
    def version(self) -> str:
        """Version of the array library."""
        raise NotImplementedError(f"{type(self).__name__} has no version")

    @property
    def threads(self) -> int | None:
        """How many CPU threads a matrix product may use; None where the CPU does not compute."""
        return None

    def limit_threads(self, multiplications: int) -> AbstractContextManager[None]:
        """While active, matrix products of that many multiplications each use the CPU threads that pay.

        That is one thread for small products; on exit the setting is what it was. A number that the user has
        set in a variable of the environment stays.
        """
        return nullcontext()

    @property
    def machine(self) -> dict[str, Any]:
        """What the last bits of a result depend on besides the program, of JSON's kinds of values.

        Versions, device and threads; a library that knows adds its processor and kernels.
        """
        import numpy as np

        version = "" if type(self).version is Backend.version else f" {self.version}"
        kind = self.device.partition(":")[0]  # whichever of several GPUs
        found = {"backend": f"{self.name}{version}", "device": kind, "NumPy": np.__version__}
        return found if self.threads is None else {**found, "threads": self.threads}

    def asarray(self, values: Any, *, dtype: Any = None) -> Array:
        """An array on this device from host values (a NumPy array, a list, a number).

        `dtype` is a name such as `"float32"` or any library's dtype; by default what NumPy makes of
        the values. An array of this library is moved to this device. The result may share memory
        with `values`.
        """
        if not self._knows(values):
            values = self._from_host(values)
        return self.xp.asarray(values, dtype=self.dtype(dtype), device=self._device)

    def to_numpy(self, array: Array) -> np.ndarray[Any, Any]:
        """The array's values on the host, as a NumPy array: the only way back."""
        raise NotImplementedError(f"{type(self).__name__} has no to_numpy")

    def detached(self, array: Array) -> Array:
        """The same numbers, without what the library keeps besides, as PyTorch for its own gradients."""
        return array

    @staticmethod
    def device_of(array: Array) -> str:
        """The device of an array of this library, spelled like `device`."""
        return str(array.device)

    def owns(self, array: Array) -> bool:
        """Whether `array` is of this library and on this device."""
        return self._knows(array) and self.device_of(array) == self.device

    def dtype(self, dtype: Any) -> Any:
        """This library's dtype of the given name; None stays None."""
        return None if dtype is None else getattr(self.xp, dtype_name(dtype))

    def write_out(self, out: Array, function: Callable[..., Array], *args: Any, **options: Any) -> None:
        """Write function(*args, **options), of this namespace, into the array `out`."""
        out[...] = function(*args, **options)

    def fuse(self, function: Callable[..., tuple[Array, ...]]) -> Callable[..., tuple[Array, ...]]:
        """A function of single entries as one pass over its arrays, where the library can.

        The function returns what becomes of its first arguments: those themselves, changed by `x += …`
        and the like, which saves memory, or new arrays. Its arguments are arrays of one shape, 0-d arrays
        and numbers. It may use operators only, no function of a namespace.
        """
        return function

    def is_writable(self, array: Array) -> bool:
        """Whether `x += …` changes this array, or makes a new one, rather than raise."""
        return True

    can_record: ClassVar[bool] = False
    """Whether `record` works."""

    graph_steps: ClassVar[int] = 1
    """How many steps of training are worth one replay."""

    def record(
        self,
        function: Callable[..., tuple[Array, ...]],
        state: Sequence[Mapping[str, Array]],
        inputs: Sequence[Array],
    ) -> Replay:
        """What replays `function(*state, *inputs)` with other inputs.

        The function takes mappings of arrays that it may change in place, then arrays that it only reads,
        and returns a tuple of arrays. A replay repeats the array operations that it has made, on the same
        arrays of the state, without the Python around them: so they may depend on shapes and dtypes, not
        on values, nor on anything else that changes. It must have run before, so that what it makes once
        is there.

        Raises `CaptureError`, or whatever the function raises, where it does something that cannot be
        repeated. The state is then as the function has left it.
        """
        raise NotImplementedError(f"{type(self).__name__} has no recordings")

    def alike(self, x: Array, y: Array) -> bool:
        """Whether arrays of one shape and dtype are what the same calls give when they are repeated.

        On a CPU that is bit for bit, on a GPU to rounding. NaN is NaN.
        """
        same = (x == y) | ((x != x) & (y != y))
        return bool(self.to_numpy(self.xp.all(same)))

    def alike_updates(self, before: Array, x: Array, y: Array) -> bool:
        """`alike` for two updates of the parameters `before`."""
        return self.alike(x, y)

    @property
    def free_memory(self) -> int | None:
        """Bytes that new arrays can take; None where the library does not say."""
        return None

    def synchronize(self) -> None:
        """Wait until the device has finished all that it was given."""

    def verify(self) -> None:
        """Raise unless a small computation on this device gives the right answer."""
        row = self.asarray([[1.0, 2.0, 3.0]], dtype="float32")
        product = self.to_numpy(self.xp.matmul(row + row, self.xp.matrix_transpose(row)))
        if float(product[0, 0]) != 28.0:
            raise ArithmeticError(f"2 (1 + 4 + 9) gave {product[0, 0]} on {self.device}")

    def _knows(self, values: Any) -> bool:
        """Whether `values` is an array of this library."""
        return not library_roots(values.__class__).isdisjoint(self.libraries)

    @classmethod
    def check_kind(cls, kind: type) -> None:
        """Raise for a class of the library's arrays that computes something else than they do."""
        for base in kind.__mro__:
            if base.__name__ in cls.refused and base.__module__.partition(".")[0] in cls.libraries:
                raise TypeError(f"a {base.__name__} is not used as an array: {cls.refused[base.__name__]}")

    @staticmethod
    def _check_values(values: Any) -> None:
        """Raise for a kind of array that a backend refuses."""
        from .registry import is_registered

        is_registered(values)

    def _from_host(self, values: Any) -> np.ndarray[Any, Any]:
        """Host values in the form that the library's `asarray` takes."""
        import numpy as np

        self._check_values(values)
        host = np.asarray(values)
        return host.astype(host.dtype.newbyteorder("="), copy=False)

    @property
    def _device(self) -> Any:
        """The library's own device object, for `device=` arguments."""
        return self.device

    def __reduce__(self) -> tuple[Any, ...]:
        from .registry import get_backend

        return get_backend, (f"{self.name}:{self.device}",)

    def __repr__(self) -> str:
        return f"<backend {self.name} on {self.device}>"


def put_back(arguments: Sequence[Array], results: Sequence[Array]) -> None:
    """Write what a function of single entries has returned into its first arguments, where it is not yet."""
    if all(a is b for a, b in zip(arguments, results, strict=False)):
        return
    for place, result in zip(arguments, without_aliases(arguments, results), strict=False):
        if result is not place:
            place[...] = result


def without_aliases(arguments: Sequence[Array], results: Sequence[Array]) -> list[Array]:
    """The results, with copies of those that are another argument, whose place another result may take."""
    return [
        result * 1.0 if any(result is x for j, x in enumerate(arguments) if j != i) else result
        for i, result in enumerate(results)
    ]


@cache
def library_roots(kind: type) -> frozenset[str]:
    """The top-level modules of a type and of all that it derives from, as far as they are array types."""
    return frozenset(
        base.__module__.partition(".")[0]
        for base in kind.__mro__
        if hasattr(base, "shape") and hasattr(base, "dtype")
    )


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def dtype_name(dtype: Any) -> str:
    """The standard's name of a dtype, whichever library's object (or string) it is.

    >>> import numpy
    >>> dtype_name(numpy.float32), dtype_name(numpy.dtype("float64")), dtype_name("float32")
    ('float32', 'float64', 'float32')
    """
    name = getattr(dtype, "name", None) or getattr(dtype, "__name__", None) or str(dtype)
    return str(name).rpartition(".")[2]
