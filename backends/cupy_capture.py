"""Steps on a GPU as a CUDA graph: one launch for all their kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from .base import Array
from .capture import Captured, CaptureError, InPlace, Replay, State
from .cublas import Cublas


class CupyCapture(Captured):
    """`Captured` for CuPy: a graph for every shape of the inputs.

    What the function allocates while it is captured comes from a pool of the graph's own, so that
    nothing else is ever put there.
    """

    def __init__(
        self,
        function: Callable[..., tuple[Array, ...]],
        state: Sequence[State],
        watch: Callable[[], Any] | None,
        cupy: Any,
        blas: Callable[[], Cublas],
    ) -> None:
        super().__init__(function, state)
        self.watch = watch or (lambda: None)
        self._cupy, self._blas = cupy, blas

    def record(
        self, key: tuple[Any, ...], inputs: Sequence[Array]
    ) -> tuple[tuple[Array, ...] | None, Replay | None]:
        cuda = self._cupy.cuda
        places, state = [x.copy() for x in inputs], [InPlace(kind) for kind in self.state]
        before = self.watch()
        pool, stream, blas = cuda.MemoryPool(), cuda.Stream(non_blocking=True), self._blas()
        cuda.Device().synchronize()
        with cuda.using_allocator(pool.malloc), stream, blas.on(stream):
            stream.begin_capture()
            try:
                outputs = self.function(*state, *places)
            except BaseException:
                self._abandon(stream)
                raise
            graph = stream.end_capture()
        if self.watch() != before:
            raise CaptureError("an attribute of a layer, the loss or the optimizer changes in the step")

        def replay(*inputs: Array, keep: Any = (pool, state)) -> tuple[Array, ...]:
            for place, x in zip(places, inputs, strict=True):
                place[...] = x
            graph.launch()
            return tuple(output.copy() for output in outputs)

        return None, replay

    def _abandon(self, stream: Any) -> None:
        """End a capture that has failed; nothing of it has run."""
        with suppress(self._cupy.cuda.runtime.CUDARuntimeError):  # the first error is the one to report
            stream.end_capture()
