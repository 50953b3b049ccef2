"""Every layer, loss, optimizer and network in a captured step: no transfer, no waiting, no fallback.

CuPy's emulator tells what happens between host and device during a capture. Where it is missing, as on a GPU,
the tests still hold that everything is captured and that replays compute what calls do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from backends import Backend, InPlaceDict
from backprop import SGD, Adam, DeepConvNet, MultiLayerNet, Network, SimpleConvNet, Training, TwoLayerNet
from backprop.losses import Loss

from ...cases import CASES
from ...optimizers.cases import MAKERS, trained

pytestmark = pytest.mark.only("cupy")

TRANSFERS = ("copies host to device", "copies device to host", "stream synchronisations",
             "device synchronisations", "event synchronisations")  # fmt: skip


def emulator() -> ModuleType | None:
    """What the emulated device tells; None on a GPU."""
    try:
        from cupy_emulator import device
    except ModuleNotFoundError:
        return None
    return device  # type: ignore[no-any-return]


@contextmanager
def nothing_refused() -> Iterator[None]:
    """Fail if anything but kernels and copies on the device happens while a stream is captured."""
    device = emulator()
    before = dict(device.notes) if device else {}
    yield
    if device:
        told = {key for key, count in device.notes.items() if count > before.get(key, 0)}
        assert not {key for key in told if not key[0].startswith("note: ")}


@contextmanager
def no_transfers() -> Iterator[None]:
    """Fail if anything passes between host and device, or waits for it."""
    device = emulator()
    before = device.counts() if device else {}
    yield
    after = device.counts() if device else {}
    assert [after.get(name, 0) for name in TRANSFERS] == [before.get(name, 0) for name in TRANSFERS]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CASES)
def test_case(name: str, dtype: str, backend: Backend) -> None:
    node, *host = CASES[name](np.random.default_rng(0))
    node = node.to(backend, dtype)
    is_loss = isinstance(node, Loss)
    if is_loss:
        host[1] = node.converted(host[1])
    whole = [is_loss and i == 1 and x.dtype.kind in "biu" for i, x in enumerate(host)]
    inputs = [backend.asarray(x, dtype=None if kept else dtype) for x, kept in zip(host, whole, strict=True)]
    node.state = InPlaceDict({key: backend.asarray(value) for key, value in node.state.items()})
    start = {key: backend.asarray(backend.to_numpy(value).copy()) for key, value in node.state.items()}

    def step(state: Any, *inputs: Any) -> tuple[Any, ...]:
        y = node.forward(*inputs, training=True)
        counted = (node.correct(*inputs),) if is_loss and node.counts_correct else ()
        dx = node.backward(1.0 if is_loss else y)
        dx = dx if isinstance(dx, tuple) else (dx,)
        return (y, *counted, *dx, *(node.grads[key] for key in node.params))

    def results(arrays: Any) -> list[np.ndarray]:
        return [backend.to_numpy(x) for x in (*arrays, *node.state.values())]

    step({}, *inputs)  # what is made only once exists
    node.state.update(start)
    expected = results(step({}, *inputs))
    node.state.update(start)
    with nothing_refused():
        replay = backend.record(step, [node.state], inputs)
    for _ in range(2):
        node.state.update(start)
        with no_transfers():
            arrays = replay(*inputs)
        for found, value in zip(results(arrays), expected, strict=True):
            np.testing.assert_allclose(found, value, rtol=1e-4, atol=1e-5 if dtype == "float32" else 1e-12)


@pytest.mark.parametrize("max_norm", [None, 0.5])
@pytest.mark.parametrize("kind", MAKERS)
def test_optimizer(kind: Any, max_norm: float | None, backend: Backend) -> None:
    with nothing_refused():
        found = trained(MAKERS[kind](max_norm=max_norm), backend, capture=True)
    expected = trained(MAKERS[kind](max_norm=max_norm), backend, capture=False)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


NETWORKS: dict[str, Callable[[Backend], tuple[Network, tuple[int, ...]]]] = {
    "TwoLayerNet": lambda on: (TwoLayerNet(6, 5, 3, device=on, rng=0), (6,)),
    "MultiLayerNet": lambda on: (
        MultiLayerNet(6, [5, 5], 3, "gelu", weight_decay_lambda=0.1, use_batchnorm=True, dropout_ratio=0.3,
                      device=on, rng=0),
        (6,),
    ),
    "SimpleConvNet": lambda on: (
        SimpleConvNet((1, 8, 8), {"filter_num": 3, "filter_size": 3, "pad": 0, "stride": 1}, 5, 3, device=on,
                      rng=0),
        (1, 8, 8),
    ),
    "DeepConvNet": lambda on: (DeepConvNet(output_size=3, device=on, rng=0), (1, 28, 28)),
}  # fmt: skip


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_network(make: Any, backend: Backend) -> None:
    """A `CaptureWarning` would be an error."""

    def history(capture: bool) -> list[float]:
        net, shape = make(backend)
        x, t = rng(0).standard_normal((50, *shape)).astype("float32"), rng(1).integers(0, 3, 50)
        optimizer = Adam(0.001) if len(shape) > 1 else SGD(0.1)
        training = Training(net, x, t, epochs=2, batch_size=8, optimizer=optimizer, rng=0, capture=capture)
        return [metrics.loss for metrics in training]

    rng = np.random.default_rng
    with nothing_refused():
        found = history(True)
    np.testing.assert_allclose(found, history(False), rtol=1e-3)
