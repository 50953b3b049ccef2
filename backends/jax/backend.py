"""JAX on one device, without its autograd."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager
from functools import cache, partial
from typing import Any, cast

import numpy as np

from .. import rounding
from ..array import Array, DType, HostArray, Namespace, dtype_name
from ..base import Backend, Replay
from ..errors import BackendUnavailableError, first_line
from ..processor import processor_name
from .capture import JaxReplay, scan
from .namespace import NO_FLOAT64, SCOPE, WIDE, JaxNamespace

PACKAGES = {"gpu": "jax[cuda13]", "cuda": "jax[cuda13]", "rocm": "jax[rocm7-local]", "tpu": "jax[tpu]"}
"""The package for each platform of JAX that its plain one lacks."""


class JaxBackend(Backend):
    """JAX on one device, by default JAX's own choice; `"gpu:1"` is its second GPU.

    Its global flags stay the user's: float64 and int64 exist within `float64()`, or where the user has set
    jax_enable_x64. Elsewhere float64 is refused, and whole numbers are int32 if they fit, else refused.
    """

    name = "jax"
    libraries = ("jax", "jaxlib")
    checks_arrays = True
    can_record = replays_mappings = True
    graph_steps = 100
    fewest_steps = 500  # a compilation takes about a second, and a called step a millisecond longer

    def __init__(self, device: str | None = None) -> None:
        spec = f"jax:{device}" if device else "jax"
        try:
            import jax
        except ImportError:
            raise BackendUnavailableError(spec, "JAX is not installed", "pip install jax") from None
        self._jax: Any = jax
        self._place = _find(jax, device)
        self.device = _name(self._place)
        self._space = _namespace()
        self.xp = cast(Namespace, self._space)
        self._comparisons = {
            comparison: jax.jit(partial(comparison, self.xp))
            for comparison in (rounding.agree, rounding.updates_agree)
        }
        try:
            with self.made_now():  # the first use may be in a function that JAX traces
                self.verify()
        except Exception as error:  # whatever a broken set-up raises is the cause to report
            cause = f"a small computation failed ({type(error).__name__}: {first_line(error)})"
            raise BackendUnavailableError(spec, cause, "reinstall JAX for this machine") from None

    @property
    def version(self) -> str:
        return str(self._jax.__version__)

    @property
    def machine(self) -> dict[str, Any]:
        if self._place.platform == "cpu":
            return {**super().machine, "CPU": processor_name()}
        return {**super().machine, self._place.platform.upper(): self._place.device_kind}

    @property
    def replays_exactly(self) -> bool:
        return False  # XLA fuses a whole step, and rounds less often

    @property
    def has_float64(self) -> bool:
        return self._space.is_wide

    def float64(self) -> AbstractContextManager[Any]:
        return cast(AbstractContextManager[Any], self._jax.enable_x64(True))

    def made_now(self) -> AbstractContextManager[Any]:
        return cast(AbstractContextManager[Any], self._jax.ensure_compile_time_eval())

    def asarray(self, values: object, *, dtype: DType = None) -> Array:
        if not self._knows(values):  # device_put compiles nothing, but may keep the memory that it is given
            return cast(
                Array, self._jax.device_put(self._narrowed(self._from_host(values), dtype), self._place)
            )
        self._space.check(cast(Any, values).dtype)
        place = None if isinstance(values, self._jax.core.Tracer) else self._place
        return cast(Array, self._space.asarray(values, dtype=self.dtype(dtype), device=place))

    def dtype(self, dtype: DType) -> DType:
        if dtype is not None:
            self._space.check(dtype)
        return super().dtype(dtype)

    def _narrowed(self, host: HostArray, dtype: DType) -> HostArray:
        """A copy of host values in a dtype that JAX has here and now; raises unless they fit."""
        wanted = host.dtype.name if dtype is None else dtype_name(dtype)
        if wanted in WIDE and not self._space.is_wide:
            given = wanted if dtype is None else f"dtype={wanted!r}"
            raise TypeError(f"jax: expected a dtype up to float32, got {given}: {NO_FLOAT64}")
        narrow = self._space.integer(wanted)
        if narrow != wanted and host.dtype.kind in "iu" and host.size:
            limits = np.iinfo(narrow)
            if not limits.min <= int(host.min()) <= int(host.max()) <= limits.max:
                raise TypeError(
                    f"jax: expected whole numbers from {limits.min} to {limits.max}, got {host.min()} to "
                    f"{host.max()}: JAX has {wanted} only {SCOPE}"
                )
        return np.array(host, dtype=getattr(self.xp, narrow, host.dtype), order="C")

    def to_numpy(self, array: Array) -> HostArray:
        return np.asarray(array)

    @classmethod
    def check_array(cls, array: Array) -> None:
        _namespace().check(array.dtype)

    @staticmethod
    def device_of(array: Array) -> str:
        place = getattr(array, "device", None)
        return _name(place if hasattr(place, "platform") else _default_device())

    def owns(self, array: Array) -> bool:
        if not self._knows(array):
            return False
        return isinstance(array, self._jax.core.Tracer) or self.device_of(array) == self.device

    def scan(
        self,
        step: Callable[[Any], tuple[Array, ...]],
        state: Sequence[MutableMapping[str, Array]],
        count: int,
    ) -> tuple[Array, ...]:
        traced = any(isinstance(x, self._jax.core.Tracer) for arrays in state for x in arrays.values())
        return scan(step, state, count, self._jax) if traced else super().scan(step, state, count)

    def record(
        self,
        function: Callable[..., tuple[Array, ...]],
        state: Sequence[Mapping[str, Array]],
        inputs: Sequence[Array],
    ) -> Replay:
        with self._jax.default_device(self._place):
            return JaxReplay(function, state, inputs, self._jax)

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return cast(Callable[..., Any], self._jax.jit(function))

    def agree(self, x: Array, y: Array) -> Array:
        return cast(Array, self._compare(rounding.agree, x, y))

    def updates_agree(self, before: Array, x: Array, y: Array) -> Array:
        return cast(Array, self._compare(rounding.updates_agree, before, x, y))

    def _compare(self, comparison: Callable[..., Any], *arrays: Array) -> Any:
        """A comparison, on the host where the arrays are there: NumPy need not compile it."""
        if self._place.platform == "cpu":
            return comparison(np, *map(np.asarray, arrays))
        return self._comparisons[comparison](*arrays)

    def read(self, *arrays: Array) -> list[HostArray]:
        return [np.asarray(array) for array in self._jax.device_get(arrays)]

    @property
    def free_memory(self) -> int | None:
        found = self._place.memory_stats() or {}
        if "bytes_limit" not in found:
            return None
        return int(found["bytes_limit"] - found.get("bytes_in_use", 0))

    def is_out_of_memory(self, error: BaseException) -> bool:
        exhausted = isinstance(error, self._jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" in str(error)
        return exhausted or super().is_out_of_memory(error)

    def synchronize(self) -> None:
        self._jax.block_until_ready(self._jax.device_put(0.0, self._place) + 0.0)


@cache
def _namespace() -> JaxNamespace:
    """The one namespace of all arrays."""
    import jax

    return JaxNamespace(jax)


def _default_device() -> Any:
    import jax

    config: Any = jax.config
    return config.jax_default_device or jax.devices()[0]


def _name(device: Any) -> str:
    """The name of a device of JAX: `"cpu"`, `"gpu:1"`."""
    own = f"{device.platform}:{device.id}"
    return "cpu" if own == "cpu:0" else own


def _find(jax: Any, name: str | None) -> Any:
    """The device of JAX with this name, such as `"gpu:1"`."""
    if name is None:
        return _default_device()
    platform, _, index = name.partition(":")
    known = ("cpu", *PACKAGES)
    if platform not in known or not (index or "0").isdecimal():
        raise BackendUnavailableError(
            f"jax:{name}", "no such device", "use 'jax:cpu', 'jax:gpu', 'jax:gpu:1', 'jax:tpu', …"
        )
    try:
        devices = jax.devices(platform)
    except RuntimeError as error:
        package = PACKAGES.get(platform, "jax")
        raise BackendUnavailableError(
            f"jax:{name}",
            f"JAX finds no {platform.upper()} ({first_line(error)})",
            f"pip install \"{package}\" on a machine that has one, or use 'jax:cpu'",
        ) from None
    number = int(index or 0)
    if number >= len(devices):
        raise BackendUnavailableError(
            f"jax:{name}",
            f"this machine has {len(devices)} of that kind",
            f"use 'jax:{platform}:0' to 'jax:{platform}:{len(devices) - 1}'",
        )
    return devices[number]
