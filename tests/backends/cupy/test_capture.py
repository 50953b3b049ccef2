"""A recorded function as a CUDA graph, on a stand-in for CUDA."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from backends.cupy.capture import CupyReplay


class FakeCuda:
    """CuPy's `cuda` module as far as capturing uses it: a graph runs the function again."""

    class CUDARuntimeError(RuntimeError):
        pass

    runtime = property(lambda self: self)

    def __init__(self) -> None:
        self.log: list[str] = []
        self.run: Callable[[], Any] = lambda: None

    def MemoryPool(self) -> Any:  # noqa: N802
        return SimpleNamespace(malloc=None)

    def Stream(self, non_blocking: bool) -> Any:  # noqa: N802
        assert non_blocking
        return self

    def using_allocator(self, _: Any) -> Any:
        return nullcontext()

    def __enter__(self) -> None:
        self.log.append("stream")

    def __exit__(self, *_: Any) -> None:
        self.log.append("default stream")

    def begin_capture(self) -> None:
        self.log.append("begin")

    def end_capture(self) -> Any:
        self.log.append("end")
        if "fail" in self.log:
            raise self.CUDARuntimeError("the capture is broken")
        run = self.run
        return SimpleNamespace(launch=lambda: (self.log.append("launch"), run()))


class FakeDevice:
    """The current device, noted in the log."""

    def __init__(self, cuda: FakeCuda) -> None:
        self.cuda = cuda

    def __enter__(self) -> None:
        self.cuda.log.append("device")

    def __exit__(self, *_: Any) -> None:
        self.cuda.log.append("device before")


def fake_replay(function: Any, state: Any, inputs: Any) -> tuple[CupyReplay, FakeCuda]:
    products: Any = SimpleNamespace(captured_on=lambda stream: nullcontext("a workspace"))
    return CupyReplay(function, [state], inputs, cuda, FakeDevice(cuda), products), cuda


cuda = FakeCuda()


@pytest.fixture(autouse=True)
def _new_cuda() -> None:
    global cuda
    cuda = FakeCuda()


def test_a_graph_is_made_once_and_launched() -> None:
    def function(state: Any, x: Any) -> tuple[Any, ...]:
        cuda.run = lambda: np.multiply(x, 2.0, out=state["out"])
        return (state["out"],)

    replay, _ = fake_replay(function, {"out": np.zeros(3)}, [np.zeros(3)])
    found = [replay(np.full(3, i))[0] for i in range(3)]  # each in an array of its own
    np.testing.assert_array_equal(found, [np.full(3, 2.0 * i) for i in range(3)])
    assert cuda.log == [
        *("device", "stream", "begin", "end", "default stream", "device before"),
        *["device", "launch", "device before"] * 3,
    ]
    assert replay._workspace == "a workspace"  # it lives as long


def test_a_capture_that_breaks_is_ended() -> None:
    def function(state: Any, x: Any) -> tuple[Any, ...]:
        cuda.log.append("fail")
        raise NotImplementedError("no products while capturing")

    with pytest.raises(NotImplementedError, match="no products while capturing"):
        fake_replay(function, {}, [np.ones(2)])
    assert cuda.log == ["device", "stream", "begin", "fail", "end", "default stream", "device before"]


def test_setting_the_state_writes_into_its_arrays() -> None:
    def function(state: Any, x: Any) -> tuple[Any, ...]:
        state["total"] = state["total"] + x
        return (x,)

    state = {"total": np.zeros(2)}
    total = state["total"]
    fake_replay(function, state, [np.ones(2)])
    assert state["total"] is total
