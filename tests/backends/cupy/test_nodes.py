"""How many kernels, copies and products a captured step has: a budget, counted on an emulated GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backends import Backend
from backprop import SGD, Adam, MultiLayerNet, SimpleConvNet, Training, TwoLayerNet

Make = Callable[[], Any]
STEPS = 50
"""How many a graph holds; their results are stacked by one kernel each."""

SMALL = {"filter_num": 4, "filter_size": 5, "pad": 0, "stride": 1}

# name: (network, optimizer, samples a step, the nodes of a step)
WORKLOADS: dict[str, tuple[Make, Make, int, int]] = {
    "two layers": (lambda: TwoLayerNet(784, 10, 10, rng=0), lambda: SGD(0.1), 100, 26),
    "three layers": (lambda: MultiLayerNet(784, [10, 10], 10, rng=0), lambda: SGD(0.1), 128, 33),
    "convolution": (lambda: SimpleConvNet(conv_param=SMALL, rng=0), Adam, 20, 40),
    "convolution, unmerged": (
        lambda: SimpleConvNet(conv_param=SMALL, merged=False, rng=0), Adam, 20, 45,
    ),
    "batch normalization": (
        lambda: MultiLayerNet(784, [10] * 5, 10, use_batchnorm=True, rng=0), Adam, 100, 113,
    ),
    "weight decay": (
        lambda: MultiLayerNet(784, [10], 10, weight_decay_lambda=0.1, rng=0), lambda: SGD(0.1), 100, 35,
    ),
    "clipping": (lambda: TwoLayerNet(784, 10, 10, rng=0), lambda: Adam(max_norm=1.0), 100, 32),
    "dropout": (lambda: MultiLayerNet(784, [10], 10, dropout_ratio=0.5, rng=0), Adam, 100, 28),
    "GELU": (lambda: MultiLayerNet(784, [10], 10, activation="gelu", rng=0), Adam, 100, 25),
    "sigmoid": (lambda: MultiLayerNet(784, [10], 10, activation="sigmoid", rng=0), Adam, 100, 25),
}  # fmt: skip


@pytest.mark.only("cupy")
@pytest.mark.parametrize("name", WORKLOADS)
@pytest.mark.filterwarnings("ignore::backprop.diagnosis.LearningWarning")  # the labels are random
def test_a_step_keeps_to_its_budget(name: str, backend: Backend, rng: np.random.Generator) -> None:
    device = pytest.importorskip("cupy_emulator").device
    make, optimizer, batch, budget = WORKLOADS[name]
    shape = (1, 28, 28) if "convolution" in name else (784,)
    x = rng.integers(0, 256, ((STEPS + 1) * batch, *shape)).astype(np.uint8)
    t = rng.integers(0, 10, len(x)).astype(np.uint8)
    network = make().to(device=backend)
    before = len(_graphs(device))
    training = Training(
        network,
        backend.asarray(x),
        backend.asarray(t),
        optimizer=optimizer(),
        epochs=3,
        batch_size=batch,
        rng=0,
    )
    for _ in training:
        pass
    results = 2  # the losses, and the counts of correct samples
    assert max(_graphs(device)[before:]) == STEPS * budget + results


def _graphs(device: Any) -> list[int]:
    """The number of nodes of every graph that has been captured."""
    graphs = [line for line in device.report() if line[0] == "graph"]
    return [int(nodes) for _, _, _, nodes, *_ in sorted(graphs, key=lambda line: int(line[1]))]
