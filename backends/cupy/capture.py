"""A recorded function on a GPU as a CUDA graph: one launch for all its kernels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from ..array import Array
from ..inplace import InPlaceDict
from . import CupyArray
from .products import Products


class CupyReplay:
    """`function(*state, *inputs)` as a graph on a device.

    What the function allocates during the capture comes from a memory pool of the graph's own, so that
    nothing else ever uses it. Capturing computes nothing, and other threads may capture meanwhile.
    """

    results: tuple[Array, ...] | None = None

    def __init__(
        self,
        function: Callable[..., tuple[Array, ...]],
        state: Sequence[Mapping[str, Array]],
        inputs: Sequence[CupyArray],
        cuda: Any,
        device: Any,
        products: Products,
    ) -> None:
        self._state, self._device = [InPlaceDict(kind) for kind in state], device
        self._pool = cuda.MemoryPool()
        with device:
            self._places = [x.copy() for x in inputs]
            stream = cuda.Stream(non_blocking=True)
            with (
                cuda.using_allocator(self._pool.malloc),
                stream,
                products.captured_on(stream) as self._workspace,
            ):
                stream.begin_capture()
                try:
                    self._outputs: tuple[CupyArray, ...] = function(*self._state, *self._places)
                except BaseException:
                    with suppress(cuda.runtime.CUDARuntimeError):  # the first error is the one to report
                        stream.end_capture()
                    raise
                self._graph = stream.end_capture()

    def __call__(self, *inputs: Array) -> tuple[Array, ...]:
        """The function's results for these inputs, in new arrays; the state changes in place."""
        with self._device:
            for place, x in zip(self._places, inputs, strict=True):
                place[...] = x
            self._graph.launch()
            return tuple(output.copy() for output in self._outputs)
