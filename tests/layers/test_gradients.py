"""Every layer, loss and network, on every backend: central differences, and PyTorch's autograd."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import backprop.layers
import backprop.losses
from backends import Backend
from backprop import (
    Affine,
    AveragePooling,
    Convolution,
    Identity,
    MaxPooling,
    MultiLayerNet,
    Network,
    ReLU,
    Sigmoid,
    Tanh,
    TwoLayerNet,
    check_gradients,
)  # fmt: skip
from backprop.losses import Loss, MeanSquaredError, SigmoidWithLoss, SoftmaxWithLoss

from ..cases import CASES

ABSTRACT = {"Layer", "Loss", "Node"}


def public_classes() -> set[str]:
    modules = (backprop.layers, backprop.losses)
    return {getattr(module, name).__name__ for module in modules for name in module.__all__} - ABSTRACT


def test_every_class_has_a_case() -> None:
    assert {name.partition(",")[0] for name in CASES} == public_classes()


@pytest.mark.parametrize("name", CASES)
def test_case(name: str, backend: Backend) -> None:
    node, *inputs = CASES[name](np.random.default_rng(0))
    report = check_gradients(node, *inputs, device=backend)
    assert report.backend == backend.name
    assert {entry.parameter for entry in report.entries} >= {*node.params, "x"}
    assert report.passed, f"\n{report}"


@pytest.mark.parametrize("name", CASES)
def test_inference_keeps_nothing(name: str, backend: Backend) -> None:
    """After it, `backward` is refused under the node's own name, before anything is computed."""
    node, *host = CASES[name](np.random.default_rng(0))
    node, inputs = node.to(backend), [backend.asarray(value) for value in host]
    y = node.forward(*inputs, training=True)
    node.backward(y)
    assert node.forward(*inputs).shape == y.shape
    with pytest.raises(RuntimeError, match=rf"^{node.name}: backward needs {node.name}\.forward"):
        node.backward(y)


ACTIVATIONS = {"ReLU": ReLU, "Sigmoid": Sigmoid, "Tanh": Tanh, "Identity": Identity}
LOSSES = {
    "SoftmaxWithLoss": (SoftmaxWithLoss, lambda rng: rng.integers(0, 3, 6)),
    "SigmoidWithLoss": (SigmoidWithLoss, lambda rng: rng.integers(0, 2, (6, 3))),
    "MeanSquaredError": (MeanSquaredError, lambda rng: rng.standard_normal((6, 3))),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_network(activation: str, loss: str, backend: Backend, rng: np.random.Generator) -> None:
    loss_class, target = LOSSES[loss]
    first = Affine(rng.standard_normal((4, 5)), 3.0 * rng.choice([-1.0, 1.0], 5))
    second = Affine(rng.standard_normal((5, 3)), rng.standard_normal(3))
    network = Network([first, ACTIVATIONS[activation](), second], loss_class()).to(device=backend)
    report = check_gradients(network, 0.3 * rng.standard_normal((6, 4)), target(rng))
    assert report.passed, f"\n{report}"
    ours = [entry for entry in report.entries if entry.parameter != "x"]
    assert [entry.shape for entry in ours] == [(4, 5), (5,), (5, 3), (3,)]
    between = [(entry.layer, entry.shape) for entry in report.entries if entry.parameter == "x"]
    assert between == [
        (f"{activation}1", (6, 5)), ("Affine2", (6, 5)), (loss, (6, 3)), ("input", (6, 4))
    ]  # fmt: skip


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_stacks_of_every_depth(depth: int, backend: Backend, rng: np.random.Generator) -> None:
    """A fault that one layer makes and the next one undoes shows in a stack of another depth."""
    stack = [Affine(rng.standard_normal((3, 3)), rng.standard_normal(3)) for _ in range(depth)]
    network = Network(stack).to(device=backend)
    report = check_gradients(network, rng.standard_normal((4, 3)), rng.integers(0, 3, 4))
    assert report.passed, f"\n{report}"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_two_layer_net_by_its_own_methods(dtype: str, backend: Backend, rng: np.random.Generator) -> None:
    network = TwoLayerNet(6, 5, 3, weight_init_std=1.0, dtype=dtype, device=backend, rng=rng)
    x, t = backend.asarray(rng.standard_normal((4, 6)), dtype=dtype), backend.asarray(rng.integers(0, 3, 4))
    before = {name: backend.to_numpy(value).copy() for name, value in network.params.items()}
    numerical, analytic = network.numerical_gradient(x, t), network.gradient(x, t)
    assert list(numerical) == list(analytic) == ["W1", "b1", "W2", "b2"]
    for name in numerical:
        assert numerical[name].dtype == backend.dtype("float64")
        assert analytic[name].dtype == backend.dtype(dtype)
        deviation = np.abs(backend.to_numpy(numerical[name]) - backend.to_numpy(analytic[name])).max()
        assert deviation < (1e-8 if dtype == "float64" else 1e-6)
        np.testing.assert_array_equal(backend.to_numpy(network.params[name]), before[name])


@pytest.mark.parametrize("order", ["gng", "ngn", "gngngn", "nngg"])
def test_dropout_in_either_order(order: str, backend: Backend, rng: np.random.Generator) -> None:
    """`gradient` and the `numerical_gradient` before or after it see the same masks, here and after a step."""
    network = MultiLayerNet(
        4, [12], 3, "tanh", "xavier", use_batchnorm=True, dropout_ratio=0.5, dtype="float64", device=backend,
        rng=0,
    )  # fmt: skip
    x, t = backend.asarray(rng.standard_normal((6, 4))), backend.asarray(rng.integers(0, 3, 6))
    for step in range(2):
        calls = [network.gradient if call == "g" else network.numerical_gradient for call in order]
        found = [{name: backend.to_numpy(g).copy() for name, g in call(x, t).items()} for call in calls]
        pairs = zip(order, order[1:], found, found[1:], strict=False)
        for one, other, first, second in pairs:
            if {one, other} == {"g", "n"}:
                for name, values in first.items():
                    np.testing.assert_allclose(second[name], values, atol=1e-5, err_msg=f"{name} {step}")
        network.forward(x, training=True)


def test_numerical_gradient_leaves_a_step_of_training_alone(rng: np.random.Generator) -> None:
    """It goes back to the masks of the last `gradient` only where nothing has been drawn since."""
    network = MultiLayerNet(4, [5], 3, "tanh", dropout_ratio=0.5, dtype="float64", rng=0)
    x, t = rng.standard_normal((6, 4)), rng.integers(0, 3, 6)
    network.gradient(x, t)
    network.forward(x, training=True)
    network.numerical_gradient(x, t)
    assert [int(value) for value in network.state.values()] == [2]


def torch_forward(node: Any, inputs: list[Any]) -> Any:
    """The same function, as PyTorch writes it."""
    import torch
    from torch.nn import functional

    name, x = node.name, inputs[0]
    if name == "Affine":
        return functional.linear(x.flatten(1), node.params["W"].T, node.params["b"])
    if isinstance(node, Convolution):
        y = functional.conv2d(x, node.params["W"], node.params["b"], node.stride, node.pad)
        if name == "Convolution":
            return y
        return functional.max_pool2d(functional.relu(y), (node.pool_h, node.pool_w))
    if isinstance(node, MaxPooling | AveragePooling):
        pool = functional.max_pool2d if name == "MaxPooling" else functional.avg_pool2d
        return pool(x, (node.pool_h, node.pool_w), (node.stride_h, node.stride_w), node.pad)
    if name == "SoftmaxWithLoss":
        t = inputs[1]
        t = t.long() if t.ndim == 1 else t.to(x.dtype)
        return functional.cross_entropy(x, t, label_smoothing=node.label_smoothing)
    if name == "SigmoidWithLoss":
        t = inputs[1].to(x.dtype)
        return functional.binary_cross_entropy_with_logits(x, t, reduction="sum") / len(x)
    if name == "MeanSquaredError":
        return functional.mse_loss(x, inputs[1].to(x.dtype))
    if name == "BatchNormalization":
        return functional.batch_norm(
            x, None, None, node.params["gamma"], node.params["beta"], training=True, eps=node.epsilon
        )
    if name == "LayerNormalization":
        gamma, beta = node.params["gamma"], node.params["beta"]
        return functional.layer_norm(x, gamma.shape, gamma, beta, eps=node.epsilon)
    if name == "Dropout":
        return x * node.saved
    if name == "Residual":
        y = x
        for key, layer in node.layers.items():
            layer.params = {own: node.params[f"{key}.{own}"] for own in layer.params}
            layer.name = type(layer).__name__
            y = torch_forward(layer, [y])
        return x + y
    if name in ("Max", "Mean", "Sum"):
        reduce = {"Max": torch.amax, "Mean": torch.mean, "Sum": torch.sum}[name]
        axes = tuple(range(x.ndim)) if node.axis is None else node.axis
        return reduce(x, axes, node.keepdims)
    return {
        "Add": lambda: x + inputs[1],
        "Broadcast": lambda: x.expand(node.shape),
        "Cos": lambda: x.cos(),
        "Div": lambda: x / inputs[1],
        "Exp": lambda: x.exp(),
        "Flatten": lambda: x.flatten(1),
        "GELU": lambda: functional.gelu(x, approximate="tanh"),
        "LeakyReLU": lambda: functional.leaky_relu(x, node.slope),
        "Reshape": lambda: x.reshape(len(x), *node.shape),
        "Softmax": lambda: x.softmax(-1),
        "Identity": lambda: torch.nn.Identity()(x),
        "Log": lambda: x.log(),
        "MatMul": lambda: torch.matmul(x, inputs[1]),
        "Mul": lambda: x * inputs[1],
        "Neg": lambda: -x,
        "Pow": lambda: torch.pow(x, inputs[1]),
        "Power": lambda: torch.pow(x, node.exponent),
        "ReLU": lambda: functional.relu(x),
        "Sigmoid": lambda: functional.sigmoid(x),
        "Sin": lambda: x.sin(),
        "Sqrt": lambda: x.sqrt(),
        "Sub": lambda: x - inputs[1],
        "Tanh": lambda: functional.tanh(x),
    }[name]()


@pytest.mark.only("torch")
@pytest.mark.parametrize("name", CASES)
def test_against_autograd(name: str, backend: Backend) -> None:
    import torch

    node, *host = CASES[name](np.random.default_rng(1))
    node = node.to(backend, "float64")
    inputs = [backend.asarray(value) for value in host]
    y = node.forward(*inputs, training=True)
    dout = torch.rand(y.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 0.5
    dx = node.backward(dout)
    ours = [*(dx if isinstance(dx, tuple) else (dx,)), *(node.grads[key] for key in node.params)]

    leaves = [value.clone().requires_grad_() for value in inputs[: 1 if isinstance(node, Loss) else 2]]
    node.params = {key: value.clone().requires_grad_() for key, value in node.params.items()}
    expected = torch_forward(node, leaves + inputs[len(leaves) :])
    (expected * dout).sum().backward()
    theirs = [value.grad for value in (*leaves, *node.params.values())]

    torch.testing.assert_close(y, expected.detach(), rtol=1e-10, atol=1e-10)
    assert len(ours) == len(theirs)
    for our, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our, their, rtol=1e-10, atol=1e-10)
