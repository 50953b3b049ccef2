"""The contract of a backend: an array API namespace, and the way in and out of its device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar, Protocol

from .array import Array, DType, HostArray, Namespace, dtype_name
from .communicator import OrderedSum
from .dispatch import namespace_of
from .registry import library_roots, name_of, open_backend

Fused = Callable[..., tuple[Array, ...]]
"""An elementwise function that returns the new values of its first arguments."""


class Replay(Protocol):
    """A recorded function."""

    results: tuple[Array, ...] | None
    """The results of the recorded run; None where recording did not compute."""

    def __call__(self, *inputs: Array) -> tuple[Array, ...]:
        """The function's results for these inputs; the state changes in place."""


class Backend:
    """An array library on one device.

    A subclass sets `name`, `libraries` and, in its constructor, `device` and `xp`. The constructor
    tries a small computation (`verify`) and raises `BackendUnavailableError` if the device does not compute.
    """

    name: ClassVar[str]
    """The name in `get_backend(name)`."""

    libraries: ClassVar[tuple[str, ...]]
    """Top-level modules of the library's arrays, by which `backend_of` recognizes them."""

    refused: ClassVar[Mapping[str, str]] = {}
    """The library's array classes that compute something else, by name, and what to do instead."""

    has_views: ClassVar[bool] = False
    """Whether a slice shares its memory with the array and writing to it changes both."""

    few_calls: ClassVar[bool] = False
    """Whether a layer should make few large calls, rather than many whose arrays stay in a cache."""

    checks_arrays: ClassVar[bool] = False
    """Whether `check_array` refuses some of the library's arrays, which costs time."""

    slab_bytes: ClassVar[int] = 64 * 2**20
    """Bytes that a layer may use for a slab, where it takes its batch in slabs: what fits in a cache."""

    device: str
    """The device of the arrays, as the library names it: `"cpu"`, `"cuda:0"`."""

    xp: Namespace
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
        """How many CPU threads a matrix product may use; None on other devices."""
        return None

    def computing(self, multiplications: int) -> AbstractContextManager[None]:
        """A context in which to compute: on this device, and small matrix products with one CPU thread.

        `multiplications` says how large the products are: large ones keep their threads, and a number that
        the user has set in an environment variable stays.
        """
        return nullcontext()

    @property
    def machine(self) -> dict[str, Any]:
        """What the last bits of a result depend on besides the program, as JSON values.

        That is versions, device and threads, and the processor and kernels where the library knows them.
        """
        import numpy as np

        version = "" if type(self).version is Backend.version else f" {self.version}"
        kind = self.device.partition(":")[0]  # not which of several GPUs
        found = {"backend": f"{self.name}{version}", "device": kind, "NumPy": np.__version__}
        return found if self.threads is None else {**found, "threads": self.threads}

    def asarray(self, values: object, *, dtype: DType = None) -> Array:
        """An array on this device from host values (a NumPy array, a list, a number).

        `dtype` is a name such as `"float32"` or any library's dtype; by default NumPy chooses it. An array
        of this library is moved to this device. The result may share memory with `values`.
        """
        if not self._knows(values):
            values = self._from_host(values)
        return self.xp.asarray(values, dtype=self.dtype(dtype), device=self._device)

    def to_numpy(self, array: Array) -> HostArray:
        """The array's values on the host, as a NumPy array."""
        raise NotImplementedError(f"{type(self).__name__} has no to_numpy")

    def read(self, *arrays: Array) -> list[HostArray]:
        """The values of several arrays on the host, in one transfer where the library can."""
        return [self.to_numpy(array) for array in arrays]

    def detached(self, array: Array) -> Array:
        """The same values, cut off from the library's own differentiation."""
        return array

    @staticmethod
    def device_of(array: Array) -> str:
        """The device of an array of this library, spelled like `device`."""
        return str(array.device)

    def owns(self, array: Array) -> bool:
        """Whether `array` is of this library and on this device."""
        return self._knows(array) and self.device_of(array) == self.device

    def dtype(self, dtype: DType) -> DType:
        """This library's dtype of the given name; None stays None."""
        return None if dtype is None else getattr(self.xp, dtype_name(dtype))

    def write_out(self, out: Array, function: Callable[..., Array], *args: Any, **options: Any) -> None:
        """Write function(*args, **options), with a function of this namespace, into the array `out`."""
        out[...] = function(*args, **options)

    def fuse(self, function: Fused) -> Fused:
        """An elementwise function as one pass over its arrays, where the library can.

        The function returns the new values of its first arguments: those themselves, changed by `x += …`
        and the like, which saves memory, or new arrays. Its arguments are arrays of one shape, 0-d arrays
        and numbers. It uses operators only, no function of a namespace.
        """
        return function

    def strided_view(self, x: Array, shape: tuple[int, ...], axes: Sequence[tuple[int, int]]) -> Array | None:
        """A view of x; `axes` has for each of its axes one of x, and how many entries there one step is.

        None where the library has no such views, or where a copy of one is slower than copies of slices.
        """
        return None

    def is_writable(self, array: Array) -> bool:
        """Whether `x += …` works for this array, in place or not."""
        return True

    can_record: bool = False
    """Whether `record` works."""

    replays_mappings: bool = False
    """Whether a replay takes the state's arrays from their mappings and puts new ones there.

    Else it reads and changes the arrays that were there at the recording.
    """

    fewest_steps: int = 0
    """The length of a training from which recording its step saves more time than it takes."""

    graph_steps: int = 1
    """How many steps of training one replay should hold."""

    @property
    def replays_exactly(self) -> bool:
        """Whether a replay gives the results of a call bit for bit: on a CPU, not on a GPU."""
        return self.device == "cpu"

    def record(
        self,
        function: Callable[..., tuple[Array, ...]],
        state: Sequence[Mapping[str, Array]],
        inputs: Sequence[Array],
    ) -> Replay:
        """Run `function(*state, *inputs)` once and return a replay that repeats it with other inputs.

        The function takes mappings of arrays that it may change in place, then arrays that it only reads,
        and returns a tuple of arrays. A replay repeats the function's array operations, on the same arrays
        of the state, without the Python around them: so they may depend on shapes and dtypes, but not on
        values, nor on anything else that changes. The function must have run before, so that whatever it
        makes only once exists.

        Raises `CaptureError`, or whatever the function raises, if it does something that cannot be
        repeated. The state is then as the function has left it.
        """
        raise NotImplementedError(f"{type(self).__name__} has no recordings")

    records_sums: bool = False
    """Whether `record` takes `ordered_sum` and `gather`."""

    def ordered_sum(self, total: OrderedSum, vectors: Sequence[Array], *, part: bool = False) -> Array:
        """The sum of the vectors of all processes, here by way of the host; `vectors` are this process's.

        It is valid until the next sum by `total`. With `part`, only this process's columns and the common
        ones are, and `gather` must follow.
        """
        for row, vector in zip(total.rows, vectors, strict=True):
            row[...] = self.to_numpy(vector)
        (total.add if part else total)()
        return self.asarray(total.total.copy())

    def gather(self, total: OrderedSum, vector: Array) -> None:
        """Take every other process's columns of a vector from it."""
        host = self.to_numpy(vector).copy()
        total.gather(host)
        vector[...] = self.asarray(host)

    def agree(self, x: Array, y: Array) -> Array:
        """Whether arrays of one shape and dtype can be results of the same calls, made twice: a 0-d boolean.

        They are then equal bit for bit or, where a replay need not be exact, up to rounding. NaN equals NaN.
        """
        return self.xp.all((x == y) | ((x != x) & (y != y)))

    def updates_agree(self, before: Array, x: Array, y: Array) -> Array:
        """`agree` for two updates of the parameters `before`."""
        return self.agree(x, y)

    @property
    def free_memory(self) -> int | None:
        """Bytes left for new arrays; None where the library does not say."""
        return None

    def is_out_of_memory(self, error: BaseException) -> bool:
        """Whether the error says that the device or the host has no memory left."""
        return isinstance(error, MemoryError)

    @property
    def has_float64(self) -> bool:
        """Whether this library has float64 here and now."""
        return True

    def float64(self) -> AbstractContextManager[Any]:
        """A context in which this library has float64 and int64; most have them anyway."""
        return nullcontext()

    def made_now(self) -> AbstractContextManager[Any]:
        """A context in which arrays that do not depend on others have values, also while JAX traces."""
        return nullcontext()

    def scan(
        self,
        step: Callable[[Any], tuple[Array, ...]],
        state: Sequence[MutableMapping[str, Array]],
        count: int,
    ) -> tuple[Array, ...]:
        """Call step(i) for every i below `count`; return its results, 0-d arrays, stacked.

        A step changes the arrays in the mappings of `state`, or replaces them. While a function is traced,
        i may be a 0-d array, and the steps a loop of the recorded program.
        """
        return tuple(stacked(values) for values in zip(*map(step, range(count)), strict=True))

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function of arrays, and of nothing else, compiled where each operation alone is slow."""
        return function

    @classmethod
    def check_array(cls, array: Array) -> None:
        """Raise `TypeError` for an array of the library that its functions would silently convert."""

    def synchronize(self) -> None:
        """Wait until the device has finished its work."""

    def current(self) -> AbstractContextManager[None]:
        """A context in which this device is the one that the library uses in this thread."""
        return nullcontext()

    def make_current(self) -> None:
        """Make this device the one that the library uses in this thread, where it has such a thing."""

    def verify(self) -> None:
        """Raise unless the device gets a small computation right."""
        row = self.asarray([[1.0, 2.0, 3.0]], dtype="float32")
        product = self.to_numpy(self.xp.matmul(row + row, self.xp.matrix_transpose(row)))
        if float(product[0, 0]) != 28.0:
            raise ArithmeticError(f"2 (1 + 4 + 9) gave {product[0, 0]} on {self.device}")

    def _knows(self, values: object) -> bool:
        """Whether `values` is an array of this library."""
        kind: type = values.__class__
        return not library_roots(kind).isdisjoint(self.libraries)

    @classmethod
    def check_kind(cls, kind: type) -> None:
        """Raise `TypeError` for a class of the library's arrays that is in `refused`."""
        for base in kind.__mro__:
            if base.__name__ in cls.refused and base.__module__.partition(".")[0] in cls.libraries:
                raise TypeError(f"a {base.__name__} is not used as an array: {cls.refused[base.__name__]}")

    @staticmethod
    def _check_values(values: object) -> None:
        """Raise `TypeError` for an array of a class that its backend refuses."""
        kind: type = values.__class__
        name_of(kind)

    def _from_host(self, values: object) -> HostArray:
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
        return open_backend, (self.name, self.device)

    def __repr__(self) -> str:
        return f"<backend {self.name} on {self.device}>"


def stacked(values: Sequence[Array]) -> Array:
    """Join 0-d arrays into a vector."""
    xp = namespace_of(values[0])
    return xp.stack(values) if len(values) > 1 else xp.reshape(values[0], (1,))
