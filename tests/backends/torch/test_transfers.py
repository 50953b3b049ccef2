"""A training step copies nothing between host and device, and never waits for the device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backends import Backend, CaptureError
from backends.registry import _opened
from backprop import Affine, BatchNormalization, Dropout, Network, Optimizer, ReLU
from backprop.losses import Loss
from backprop.training.step import TrainStep

from ...cases import CASES
from ...optimizers.cases import MAKERS

torch = pytest.importorskip("torch")

from backends.torch.backend import TorchBackend  # noqa: E402 - it needs PyTorch
from backends.torch.transfers import NoTransfers  # noqa: E402

pytestmark = pytest.mark.only("torch")


@pytest.fixture
def meta(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Backend:
    """A device whose tensors have no values: reading one raises, and so does one of another device beside it."""
    with monkeypatch.context() as patched:
        patched.setattr(TorchBackend, "verify", lambda self: None)
        made = TorchBackend("meta")
    monkeypatch.setitem(_opened, ("torch", "meta"), made)
    return made


class Case:
    """Forward and backward of a case, on a backend and in a dtype."""

    def __init__(self, name: str, backend: Backend, dtype: str) -> None:
        self.node, *host = CASES[name](np.random.default_rng(0))
        self.node = self.node.to(backend, dtype=dtype)
        self.inputs = [
            backend.asarray(x, dtype=dtype if np.asarray(x).dtype.kind == "f" else None) for x in host
        ]

    def run(self) -> None:
        y = self.node.forward(*self.inputs, training=True)
        self.node.backward() if isinstance(self.node, Loss) else self.node.backward(y)
        if isinstance(self.node, Loss) and self.node.counts_correct:
            self.node.correct(*self.inputs)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", CASES)
def test_a_layer_or_a_loss(name: str, dtype: str, backend: Backend) -> None:
    case = Case(name, backend, dtype)
    case.run()  # what it makes once
    with NoTransfers():
        case.run()


@pytest.mark.parametrize("name", CASES)
def test_a_layer_or_a_loss_on_a_device_without_values(name: str, meta: Backend) -> None:
    case = Case(name, meta, "float32")
    case.run()
    case.run()


def step(backend: Backend, optimizer: Optimizer) -> Callable[[], None]:
    """A step of training for each of two batches, with the count of correct samples."""
    rng = np.random.default_rng(0)
    layers = [
        Affine(rng.standard_normal((4, 5)), np.zeros(5)),
        BatchNormalization(np.ones(5), np.zeros(5)),
        ReLU(),
        Dropout(0.5, seed=1),
        Affine(rng.standard_normal((5, 3)), np.zeros(3)),
    ]
    network = Network(layers).to(device=backend, dtype="float32")
    x, t = rng.standard_normal((20, 4)), rng.integers(0, 3, 20)
    data = {"x": backend.asarray(x, dtype="float32"), "t": backend.asarray(t)}
    train = TrainStep(network, data, optimizer, 10, capture=False)
    rows = backend.asarray(rng.permutation(20).reshape(2, 10))
    scalars = backend.asarray([optimizer.scalars(i) for i in (1, 2)], dtype="float32")
    return lambda: train.scan(train.state(), data, rows, scalars) and None


@pytest.mark.parametrize("max_norm", [None, 0.5])
@pytest.mark.parametrize("kind", MAKERS)
def test_an_optimizer(kind: type[Optimizer], max_norm: float | None, backend: Backend, meta: Backend) -> None:
    for device in (backend, meta):
        run = step(device, MAKERS[kind](max_norm=max_norm))
        run()
        with NoTransfers():
            run()


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        (lambda x: bool(x[0] > 0.0), "a value is read from the device during the step"),
        (lambda x: float(x[0]), "a value is read from the device during the step"),
        (lambda x: x[x > 0.0], r"the shape of x\[mask\] depends on values"),
        (lambda x: x.__setitem__(x > 0.0, x[:1]), r"the shape of x\[mask\] depends on values"),
        (lambda x: torch.nonzero(x), "the shape of nonzero's result depends on values"),
        (lambda x: torch.unique(x), "the shape of _unique2's result depends on values"),
        (lambda x: x + torch.asarray(0.5), "a number is copied to the device during the step"),
        (
            lambda x: torch.maximum(x, torch.asarray([0.5])),
            "a number is copied to the device during the step",
        ),
        (lambda x: x[[0, 1]], "a number is copied to the device during the step"),
        (lambda x: x[0].__setitem__(..., 0.5), "a number is copied to the device during the step"),
        (lambda x: x.to("meta"), "an array is copied between cpu and meta during the step"),
        (lambda x: torch.empty(3, device="meta").copy_(x), "an array is copied between cpu and meta"),
    ],
)
def test_what_is_refused(operation: Callable[[Any], Any], why: str, backend: Backend) -> None:
    x = backend.asarray([1.0, -1.0, 2.0])
    with NoTransfers(), pytest.raises(CaptureError, match=f"^{why}"):
        operation(x)
    operation(x)


def test_what_is_allowed(backend: Backend) -> None:
    x, rows = backend.asarray([1.0, -1.0, 2.0]), backend.asarray([0, 2])
    with NoTransfers():
        x[...] = 0.5
        x[0:1] = 1.0
        x[x > 0.5] = -1.0
        y = x[rows] * 2.0 + backend.xp.where(x > 0.0, x, 0.0)[1]
        y[...] += torch.full((), 0.25)
        y = backend.xp.astype(y, torch.float32)
    assert y.tolist() == [-1.25, 1.75]
