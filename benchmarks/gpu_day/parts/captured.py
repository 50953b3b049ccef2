"""Captured training against called training: every layer, loss and optimizer in a small network."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from backends import Backend, get_backend
from backprop import (
    SGD,
    Affine,
    Convolution,
    Dropout,
    Flatten,
    Layer,
    Network,
    ReLU,
    Reshape,
    SoftmaxWithLoss,
    Training,
)  # fmt: skip
from backprop.cli.check_subjects import checkable
from backprop.losses import Loss
from backprop.optimizers import OPTIMIZERS

from ..reporting import NotHereError, Report

BATCHES = 12
EPOCHS = 3
CLASSES = 3
RELATIVE, ABSOLUTE = 1e-4, 1e-5
"""What rounding explains after 36 steps in float32."""

Case = tuple[Network, np.ndarray, np.ndarray]


class Paired(Layer):
    """A function of two arrays, both of which are the input."""

    def __init__(self, node: Any) -> None:
        super().__init__()
        self.node = node

    def forward(self, x: Any, *, training: bool = False) -> Any:
        return self.node.forward(x, x, training=training)

    def backward(self, dout: Any) -> Any:
        first, second = self.node.backward(dout)
        return first + second


def run(report: Report, arguments: list[str], quick: bool) -> None:
    backend = get_backend(arguments[0])
    if not backend.can_record:
        raise NotHereError(f"{backend.name} on {backend.device} captures nothing")
    for name, make, optimizer in report.in_time(cases(quick)):
        try:
            difference, why = compared(backend, make, optimizer)
        except Exception as error:  # one layer's failure is not the others'
            difference, why = None, f"{type(error).__name__}: {error}".splitlines()[0]
        result = why or f"captured, largest difference {difference:.1e}"
        report.add(name, result, passed=not why, difference=difference)


def cases(quick: bool) -> Iterator[tuple[str, Callable[[], Case], str]]:
    """Names, and what makes the networks, their data and the name of an optimizer."""
    for name in ("sgd", "adam") if quick else OPTIMIZERS:
        yield OPTIMIZERS[name].__name__, lambda: case_of(checkable()["Tanh"]), name
    subjects = {"ReLU": checkable()["ReLU"]} if quick else checkable()
    for name, kind in subjects.items():
        if name not in ("Broadcast", "MatMul"):  # their results are not a batch of samples
            yield name, lambda kind=kind: case_of(kind), "sgd"  # type: ignore[misc]
    yield "Dropout and two affine layers", lambda: case_of(Dropout, ReLU()), "momentum"


def case_of(kind: type, *more: Layer) -> Case:
    """The class in a network, after a layer whose gradient needs that of its input; data for it."""
    rng = np.random.default_rng(0)
    node, x, *others = kind.case(rng)  # type: ignore[attr-defined]
    if isinstance(node, Loss):
        x = rng.standard_normal((4, 5))
        target, width = others[0], CLASSES
        layers = [_affine(rng, 5, 8), ReLU(), _affine(rng, 8, width)]
        return Network(layers, node), *_repeated(rng, x, target)
    layer = Paired(node) if others else node
    first = [] if x.ndim == 3 else [_nearly_the_input(rng, x.shape[1], x.ndim)]
    y = node.to(get_backend("cpu")).forward(x, *others, training=True)
    flat = [Flatten()] if y.ndim > 2 else [Reshape((1,))] if y.ndim == 1 else []
    width = int(np.prod(y.shape[1:]))
    layers = [*first, layer, *flat, *more, _affine(rng, width, CLASSES)]
    return Network(layers, SoftmaxWithLoss()), *_repeated(rng, x, np.arange(len(x)) % CLASSES)


def compared(backend: Backend, make: Callable[[], Case], optimizer: str) -> tuple[float, str]:
    """The largest difference of any parameter, state or loss, and what is wrong, if anything."""
    captured, warned = trained(backend, make, optimizer, capture=True)
    called, _ = trained(backend, make, optimizer, capture=False)
    if warned:
        return 0.0, f"not captured: {warned}"
    differences = {name: np.abs(captured[name] - value) for name, value in called.items()}
    for name, difference in differences.items():
        if not np.all(difference <= ABSOLUTE + RELATIVE * np.abs(called[name])):
            return float(np.max(difference)), f"{name} differs by {np.max(difference):.1e}"
    return max(float(np.max(difference)) for difference in differences.values()), ""


def trained(
    backend: Backend, make: Callable[[], Case], optimizer: str, capture: bool
) -> tuple[dict[str, np.ndarray], str]:
    """The parameters, the state and the losses after a training; and the warning, if it was not captured."""
    network, x, t = make()
    network = network.to(device=backend, dtype="float32")
    kind = OPTIMIZERS[optimizer]
    options: Any = {"epochs": EPOCHS, "batch_size": len(x) // BATCHES, "rng": 0, "capture": capture}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rate = kind(0.01) if kind is SGD else kind()
        metrics = list(Training(network, x.astype("float32"), t, optimizer=rate, **options))
    arrays = {**network.params, **network.state}
    values = {name: backend.to_numpy(array).copy() for name, array in arrays.items()}
    values["the loss"] = np.asarray([m.loss for m in metrics])
    return values, next((str(w.message) for w in caught if w.category.__name__ == "CaptureWarning"), "")


def _affine(rng: np.random.Generator, rows: int, columns: int) -> Affine:
    return Affine(0.3 * rng.standard_normal((rows, columns)), np.zeros(columns))


def _nearly_the_input(rng: np.random.Generator, channels: int, ndim: int) -> Layer:
    """A layer with parameters whose output is its input at first, so that logarithms stay in their domain."""
    if ndim == 4:
        return Convolution(np.eye(channels)[:, :, None, None], np.zeros(channels))
    return Affine(np.eye(channels), np.zeros(channels))


def _repeated(rng: np.random.Generator, x: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Batches whose samples are those of the case, each a little larger or smaller."""
    x = np.concatenate([x] * BATCHES)
    scale = rng.uniform(0.9, 1.1, (len(x), *[1] * (x.ndim - 1)))
    return x * scale, np.concatenate([t] * BATCHES)
