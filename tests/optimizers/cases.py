"""What the tests of optimizers share: every optimizer, gradients to follow, a network to train."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from backends import Backend, get_backend
from backprop import (
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    Affine,
    Momentum,
    Nesterov,
    Network,
    Optimizer,
    ReLU,
    RMSprop,
    Training,
)

STEPS = 100

Arrays = dict[str, np.ndarray]


MAKERS: dict[type[Optimizer], Callable[..., Optimizer]] = {
    SGD: lambda **o: SGD(0.1, **o),
    Momentum: lambda **o: Momentum(0.1, 0.8, **o),
    Nesterov: lambda **o: Nesterov(0.1, 0.8, **o),
    AdaGrad: lambda **o: AdaGrad(0.1, **o),
    RMSprop: lambda **o: RMSprop(0.01, 0.9, **o),
    Adam: lambda **o: Adam(0.01, 0.8, 0.99, **o),
    AdamW: lambda **o: AdamW(0.01, 0.8, 0.99, weight_decay=0.3, **o),
}


DEFAULTS: dict[type[Optimizer], dict[str, Any]] = {
    SGD: {"lr": 0.01},
    Momentum: {"lr": 0.01, "momentum": 0.9},
    Nesterov: {"lr": 0.01, "momentum": 0.9},
    AdaGrad: {"lr": 0.01, "epsilon": 1e-7},
    RMSprop: {"lr": 0.01, "decay_rate": 0.99, "epsilon": 1e-7},
    Adam: {"lr": 0.001, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-7},
    AdamW: {"lr": 0.001, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.01},
}


def gradients(seed: int = 0) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    return [{"W": rng.standard_normal((4, 3)), "b": rng.standard_normal(3)} for _ in range(STEPS)]


def start() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {"W": rng.standard_normal((4, 3)), "b": rng.standard_normal(3)}


def assert_follows(
    optimizer: Optimizer, step: Callable[[int, str, np.ndarray, np.ndarray], None], backend: Backend
) -> None:
    """`step(t, name, p, g)` changes one parameter in place, in float64."""
    expected = start()
    for t, grads in enumerate(gradients(), 1):
        for key, g in grads.items():
            step(t, key, expected[key], g)
    found = followed(optimizer, backend)
    for key, value in expected.items():
        np.testing.assert_allclose(found[key], value, rtol=1e-10, atol=1e-12)


def assert_matches_pytorch(optimizer: Optimizer, make: Callable[[Any], Any], backend: Backend) -> None:
    """To 1e-10 in float64."""
    import torch

    params = {key: torch.tensor(value, requires_grad=True) for key, value in start().items()}
    theirs = make(params.values())
    for grads in gradients():
        for key, p in params.items():
            p.grad = torch.tensor(grads[key])
        theirs.step()
    found = followed(optimizer, backend)
    for key, p in params.items():
        np.testing.assert_allclose(found[key], p.detach().numpy(), rtol=1e-10, atol=1e-12)


def followed(optimizer: Optimizer, backend: Backend) -> Arrays:
    """The parameters after all gradients."""
    params = {key: backend.asarray(value.copy()) for key, value in start().items()}
    for grads in gradients():
        optimizer.update(params, {key: backend.asarray(value) for key, value in grads.items()})
    return {key: backend.to_numpy(value) for key, value in params.items()}


def first_step(optimizer: Optimizer) -> float:
    """Where a step from 2.0 by the gradient 0.5 leads."""
    params = {"W": np.asarray([2.0])}
    optimizer.update(params, {"W": np.asarray([0.5])})
    return float(params["W"][0])


def network(backend: Backend | str = "cpu") -> Network:
    backend, rng = get_backend(backend), np.random.default_rng(1)
    first = Affine(rng.standard_normal((4, 8)), np.zeros(8))
    second = Affine(rng.standard_normal((8, 3)), np.zeros(3))
    return Network([first, ReLU(), second]).to(device=backend)


def trained(
    optimizer: Optimizer, backend: Backend | str, capture: bool, epochs: tuple[int, ...] = (4,)
) -> Any:
    rng, net = np.random.default_rng(0), network(backend)
    x, t = rng.standard_normal((90, 4)), rng.integers(0, 3, 90)
    for i, n in enumerate(epochs):
        list(Training(net, x, t, optimizer=optimizer, epochs=n, batch_size=20, rng=i, capture=capture))
    return net.backend.to_numpy(net.flat_params["flat"])


def data(net: Network, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    return net.backend.asarray(rng.standard_normal((30, 4))), net.backend.asarray(rng.integers(0, 3, 30))


def by_hand(optimizer: Optimizer, net: Network, steps: int) -> None:
    for i in range(steps):
        optimizer.update(net.params, net.gradient(*data(net, i)))


def in_fit(optimizer: Optimizer, net: Network, capture: bool = True) -> None:
    list(Training(net, *data(net), optimizer=optimizer, epochs=2, batch_size=10, rng=0, capture=capture))
