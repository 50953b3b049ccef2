"""A stand-in for `torch.cuda` on the CPU: a graph repeats PyTorch's operations, on the tensors of its capture."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402 - it needs PyTorch
from torch.utils._pytree import tree_leaves  # noqa: E402


class FakeCuda:
    """As much of `torch.cuda` as capturing uses; `log` has what was done."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.log: list[str] = []
        self.streams = [SimpleNamespace(name="default", cuda_stream=0, wait_stream=self._waits("default"))]
        self.capturing: FakeGraph | None = None
        self.handed_out = 0

    def _waits(self, name: str) -> Any:
        return lambda other: self.log.append(f"{name} waits for {other.name}")

    def Stream(self, device: str) -> Any:  # noqa: N802 - PyTorch's name
        """A stream of a pool of 32, in turn."""
        assert device == self.device
        self.handed_out += 1
        return SimpleNamespace(
            name="side", cuda_stream=1 + self.handed_out % 32, wait_stream=self._waits("side")
        )

    def current_stream(self, device: str) -> Any:
        assert device == self.device
        return self.streams[-1]

    @contextmanager
    def stream(self, stream: Any) -> Iterator[None]:
        self.streams.append(stream)
        self.log.append(f"on {stream.name}")
        try:
            yield
        finally:
            self.streams.pop()
            self.log.append(f"on {self.streams[-1].name}")

    def synchronize(self, device: str) -> None:
        assert device == self.device
        assert not self.capturing
        self.log.append("synchronize")

    def empty_cache(self) -> None:
        self.log.append("empty cache")

    def CUDAGraph(self) -> FakeGraph:  # noqa: N802 - PyTorch's name
        return FakeGraph(self)

    def malloc(self) -> None:
        """What breaks a capture: from any thread by default, else from the capture's own."""
        graph = self.capturing
        if graph and (graph.mode == "global" or graph.thread == threading.get_ident()):
            graph.broken = True


class FakeGraph:
    """A graph."""

    def __init__(self, cuda: FakeCuda) -> None:
        self.cuda, self.broken, self.recorder = cuda, False, Recorder()

    def capture_begin(self, capture_error_mode: str = "global") -> None:
        assert self.cuda.streams[-1].name == "side", "the default stream cannot be captured"
        assert not self.cuda.capturing
        self.cuda.log.append("begin")
        self.cuda.capturing, self.mode, self.thread = self, capture_error_mode, threading.get_ident()
        self.recorder.__enter__()

    def capture_end(self) -> None:
        self.cuda.log.append("end")
        self.cuda.capturing = None
        self.recorder.__exit__(None, None, None)
        self.recorder.undo()
        if self.broken:
            raise RuntimeError("CUDA error: operation failed due to a previous error during capture")

    def replay(self) -> None:
        assert not self.broken
        assert not self.cuda.capturing
        self.cuda.log.append("launch")
        self.recorder.replay()


class Recorder(TorchDispatchMode):
    """Keeps every operation with its tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, Any]] = []
        self.before: dict[int, tuple[Any, Any]] = {}  # memory that is written to, and what was in it

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        for x in written(function, args, kwargs):
            memory = x.untyped_storage()
            self.before.setdefault(memory.data_ptr(), (memory, memory.clone()))
        result = function(*args, **kwargs)
        self.calls.append((function, args, kwargs, result))
        return result

    def undo(self) -> None:
        """Leave everything as if nothing had been computed: the capture's own memory with anything in it."""
        for memory, values in self.before.values():
            memory.copy_(values)
        for _, args, kwargs, result in self.calls:
            if not (addresses(result) & addresses((args, kwargs))):
                for x in tensors(result):
                    x.fill_(float("nan") if x.is_floating_point() else 1)

    def replay(self) -> None:
        """Repeat the operations: each writes into the tensors that it has made, views stay views."""
        for function, args, kwargs, result in self.calls:
            if written(function, args, kwargs):
                function(*args, **kwargs)
            elif not (addresses(result) & addresses((args, kwargs))):
                for place, x in zip(tensors(result), tensors(function(*args, **kwargs)), strict=True):
                    place.copy_(x)


def written(function: Any, args: Any, kwargs: Any) -> list[Any]:
    """The tensors that an operation writes into."""
    found = []
    for i, argument in enumerate(function._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            found += tensors(args[i] if i < len(args) else kwargs.get(argument.name))
    return found


def tensors(values: Any) -> list[Any]:
    return [x for x in tree_leaves(values) if isinstance(x, torch.Tensor)]


def addresses(values: Any) -> set[int]:
    return {x.untyped_storage().data_ptr() for x in tensors(values)} - {0}
