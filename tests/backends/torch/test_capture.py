"""A recorded function as a CUDA graph, on a stand-in for CUDA."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from backends import Backend, CaptureError, CaptureWarning
from backprop import Adam, Affine, MultiLayerNet, Network, ReLU, SimpleConvNet, TwoLayerNet, fit

torch = pytest.importorskip("torch")

from backends.torch.backend import TorchBackend  # noqa: E402 - it needs PyTorch
from backends.torch.capture import STREAMS, TorchReplay  # noqa: E402

from .fake_cuda import FakeCuda  # noqa: E402

pytestmark = pytest.mark.only("torch")

AROUND = ["side waits for default", "on side", "synchronize", "empty cache", "begin"]
AFTER = ["end", "on default", "default waits for side"]


@pytest.fixture
def cuda(backend: Backend) -> FakeCuda:
    return FakeCuda("cuda:0")


def recorded(cuda: FakeCuda, function: Any, state: Any, *inputs: Any) -> TorchReplay:
    return TorchReplay(function, [state], inputs, cuda, "cuda:0")


def added(state: Any, x: Any) -> tuple[Any, ...]:
    """A step with a state that is written into, and one that is set."""
    state["total"] += x
    state["twice"] = 2.0 * state["total"]
    return state["total"] - 1.0, x


def zeros() -> dict[str, Any]:
    return {"total": torch.zeros(3), "twice": torch.zeros(3)}


def test_a_graph_is_made_once_and_launched(cuda: FakeCuda) -> None:
    state = zeros()
    replay = recorded(cuda, added, state, torch.ones(3))
    assert state["total"].tolist() == [1.0] * 3, "the function runs once; capturing computes nothing"
    results = [replay(torch.full((3,), float(i))) for i in (1, 10, 100)]
    assert [[x[0].item() for x in pair] for pair in results] == [[1.0, 1.0], [11.0, 10.0], [111.0, 100.0]]
    assert cuda.log == [*AROUND, *AFTER, *["launch"] * 3]
    assert replay.results is None


def test_the_state_keeps_its_places(cuda: FakeCuda) -> None:
    state = zeros()
    total, twice = state.values()
    replay = recorded(cuda, added, state, torch.ones(3))
    replay(torch.ones(3))
    assert state["total"] is total
    assert state["twice"] is twice
    assert (total.tolist(), twice.tolist()) == ([2.0] * 3, [4.0] * 3)


def test_what_is_given_and_returned_is_the_callers(cuda: FakeCuda) -> None:
    x = torch.ones(3)
    replay = recorded(cuda, added, zeros(), x)
    x[...] = 5.0
    first = replay(torch.full((3,), 2.0))
    replay(torch.full((3,), 3.0))
    assert [y[0].item() for y in first] == [2.0, 2.0]
    assert x.tolist() == [5.0] * 3


def test_a_function_that_fails_ends_the_capture(cuda: FakeCuda) -> None:
    def function(state: Any, x: Any) -> tuple[Any, ...]:
        if cuda.capturing:
            cuda.malloc()  # so that ending it fails, too
            raise ValueError("no products while capturing")
        return (x,)

    with pytest.raises(ValueError, match="^no products while capturing$"):
        recorded(cuda, function, {}, torch.ones(2))
    assert cuda.log == [*AROUND, *AFTER]
    assert recorded(cuda, lambda state, x: (x + 1.0,), {}, torch.ones(2))(torch.ones(2))[0].tolist() == [
        2.0,
        2.0,
    ]


def test_a_function_that_fails_before_the_capture(cuda: FakeCuda) -> None:
    def function(state: Any, x: Any) -> tuple[Any, ...]:
        raise ValueError("no")

    with pytest.raises(ValueError, match="^no$"):
        recorded(cuda, function, {}, torch.ones(2))
    assert cuda.log == ["side waits for default", "on side", "on default", "default waits for side"]


def test_a_capture_that_breaks_is_an_error(cuda: FakeCuda) -> None:
    def function(state: Any, x: Any) -> tuple[Any, ...]:
        cuda.malloc()
        return (x,)

    with pytest.raises(RuntimeError, match="^CUDA error: operation failed"):
        recorded(cuda, function, {}, torch.ones(2))
    assert cuda.log == [*AROUND, *AFTER]


def test_another_thread_computes_during_the_capture(cuda: FakeCuda) -> None:
    seen: list[Any] = []

    def elsewhere() -> None:
        cuda.malloc()
        seen.append(torch.ones(2) + 1.0)

    def function(state: Any, x: Any) -> tuple[Any, ...]:
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        return (x * 3.0,)

    replay = recorded(cuda, function, {}, torch.ones(2))
    assert replay(torch.full((2,), 2.0))[0].tolist() == [6.0, 6.0]
    assert [y.tolist() for y in seen] == [[2.0, 2.0]] * 2


def test_a_value_that_is_read_is_refused_before_cuda_sees_it(cuda: FakeCuda) -> None:
    def function(state: Any, x: Any) -> tuple[Any, ...]:
        return (x if x[0] > 0.0 else -x,)

    with pytest.raises(CaptureError, match="^a value is read from the device during the step$"):
        recorded(cuda, function, {}, torch.ones(2))
    assert cuda.log == [*AROUND, *AFTER]


def test_every_living_graph_has_a_stream_of_its_own(cuda: FakeCuda) -> None:
    first, *others = (recorded(cuda, added, zeros(), torch.ones(3)) for _ in range(2))
    for _ in range(2 * STREAMS):
        recorded(cuda, added, zeros(), torch.ones(3))
    others += [recorded(cuda, added, zeros(), torch.ones(3)) for _ in range(STREAMS - 2)]
    used = [key for key, replay in TorchReplay._on_stream.items() if replay in (first, *others)]
    assert len(set(used)) == STREAMS
    with pytest.raises(CaptureError, match="^32 recordings are in use on cuda:0$"):
        recorded(cuda, added, zeros(), torch.ones(3))
    del others
    gc.collect()
    recorded(cuda, added, zeros(), torch.ones(3))


@pytest.fixture
def gpu(backend: Any, monkeypatch: pytest.MonkeyPatch) -> FakeCuda:
    """The stand-in for CUDA under PyTorch's CPU, where steps are now recorded, four at a time."""
    cuda = FakeCuda("cpu")
    monkeypatch.setattr(backend, "_torch", SimpleNamespace(**{**vars(torch), "cuda": cuda}))
    monkeypatch.setattr(backend, "can_record", True)
    monkeypatch.setattr(backend, "graph_steps", 4)
    return cuda


RNG = np.random.default_rng(0)
X, LABELS = RNG.standard_normal((250, 4)).astype("float32"), RNG.integers(0, 3, 250)
IMAGES = RNG.standard_normal((130, 1, 10, 10)).astype("float32")

NETWORKS: dict[str, Callable[[], Any]] = {
    "two-layer": lambda: TwoLayerNet(4, 5, 3, device="torch", rng=0),
    "mlp": lambda: MultiLayerNet(
        4, [6, 5], 3, use_batchnorm=True, dropout_ratio=0.3, weight_decay_lambda=0.1, device="torch", rng=0
    ),
    "simple-conv": lambda: SimpleConvNet(
        (1, 10, 10), {"filter_num": 3, "filter_size": 3, "pad": 0, "stride": 1}, 8, 3, device="torch", rng=0
    ),
}


def trained(make: Callable[[], Any], capture: bool) -> tuple[dict[str, Any], list[float]]:
    """Parameters and state after four epochs, and the losses."""
    net = make()
    x, t = (IMAGES, LABELS[:130]) if isinstance(net, SimpleConvNet) else (X, LABELS)
    optimizer = Adam(0.01, max_norm=1.0)
    training = fit(net, x, t, optimizer=optimizer, epochs=4, batch_size=20, rng=0, capture=capture)
    arrays = {name: net.backend.to_numpy(x) for name, x in (*net.params.items(), *net.state.items())}
    return arrays, [metrics.loss for metrics in training.history]


def assert_trains_alike(make: Callable[[], Any]) -> None:
    (arrays, losses), (expected, same) = trained(make, True), trained(make, False)
    assert losses == same
    for name, value in expected.items():
        np.testing.assert_array_equal(arrays[name], value, err_msg=name)


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_captured_fit_is_the_called_one(
    name: str, exact: bool, gpu: FakeCuda, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TorchBackend, "replays_exactly", exact)
    assert_trains_alike(NETWORKS[name])
    assert gpu.log.count("launch") > 2 * gpu.log.count("begin") > 0


class Reading(ReLU):
    """A layer that reads a value."""

    def forward(self, x: Any, *, training: bool = False) -> Any:
        return super().forward(x if float(x[0, 0]) > 0.0 else -x, training=training)


def test_a_layer_that_reads_a_value_is_called(gpu: FakeCuda) -> None:
    def make() -> Network:
        rng = np.random.default_rng(0)
        layers = [Affine(rng.standard_normal((4, 3)), np.zeros(3)), Reading()]
        return Network(layers).to(device="torch", dtype="float32")

    with pytest.warns(CaptureWarning, match="a value is read from the device during the step"):
        assert_trains_alike(make)
    assert "launch" not in gpu.log


def test_a_replay_that_is_wrong_is_found(gpu: FakeCuda, monkeypatch: pytest.MonkeyPatch) -> None:
    replay = TorchReplay.__call__
    monkeypatch.setattr(TorchReplay, "__call__", lambda self, *xs: tuple(1.1 * y for y in replay(self, *xs)))
    with pytest.warns(CaptureWarning, match="a replayed step and a called one give different results"):
        assert_trains_alike(NETWORKS["two-layer"])
