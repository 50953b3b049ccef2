"""A recorded function on a GPU as a CUDA graph: one launch for all its kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, ClassVar
from weakref import WeakValueDictionary

from ..array import Array
from ..errors import CaptureError
from ..inplace import InPlaceDict
from . import TorchTensor
from .transfers import NoTransfers

STREAMS = 32
"""PyTorch hands out so many streams in turn."""


class TorchReplay:
    """`function(*state, *inputs)` as a graph.

    The function first runs on the stream that is then captured, so that cuBLAS and its like have made what
    they need for a stream. What the function allocates during the capture comes from a memory pool of the
    graph's own. Capturing computes nothing.

    Parameters
    ----------
    cuda : the module `torch.cuda`
    device : the GPU, as `"cuda:0"`
    """

    results: tuple[Array, ...] | None = None

    _on_stream: ClassVar[WeakValueDictionary[tuple[str, int], TorchReplay]] = WeakValueDictionary()

    def __init__(
        self,
        function: Callable[..., tuple[Array, ...]],
        state: Sequence[Mapping[str, Array]],
        inputs: Sequence[TorchTensor],
        cuda: Any,
        device: str,
    ) -> None:
        self._places, self._state = [x.clone() for x in inputs], [InPlaceDict(kind) for kind in state]
        self._graph, stream = cuda.CUDAGraph(), self._own_stream(cuda, device)
        with _side_stream(cuda, device, stream):
            function(*self._state, *self._places)
            cuda.synchronize(device)
            cuda.empty_cache()  # the graph's pool cannot take from what PyTorch keeps
            self._graph.capture_begin(capture_error_mode="thread_local")  # other threads may do as they like
            try:
                with NoTransfers():
                    self._outputs: tuple[TorchTensor, ...] = function(*self._state, *self._places)
            except BaseException:
                with suppress(RuntimeError):  # the first error is the one to report
                    self._graph.capture_end()
                raise
            self._graph.capture_end()

    def _own_stream(self, cuda: Any, device: str) -> Any:
        """A stream that no other living graph was captured on, since cuBLAS has one workspace for each."""
        for _ in range(STREAMS):
            stream = cuda.Stream(device)
            if self._on_stream.setdefault((device, stream.cuda_stream), self) is self:
                return stream
        raise CaptureError(f"{STREAMS} recordings are in use on {device}")

    def __call__(self, *inputs: Array) -> tuple[Array, ...]:
        """The function's results for these inputs, in new arrays; the state changes in place."""
        for place, x in zip(self._places, inputs, strict=True):
            place[...] = x
        self._graph.replay()
        return tuple(output.clone() for output in self._outputs)


@contextmanager
def _side_stream(cuda: Any, device: str, stream: Any) -> Iterator[None]:
    """A context in which work goes to `stream`, after all work begun before and before all that follows."""
    current = cuda.current_stream(device)
    stream.wait_stream(current)
    try:
        with cuda.stream(stream):
            yield
    finally:
        current.wait_stream(stream)
