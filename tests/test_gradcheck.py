"""The gradient check itself: planted faults must not pass."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from backends import Array, Backend, namespace_of
from backprop import Affine, Network, ReLU, Sigmoid, SoftmaxWithLoss, Tanh, TwoLayerNet, check_gradients
from backprop.layers import Add, Layer, Mul


class WrongSign(Tanh):
    def backward(self, dout: Array) -> Array:
        return -super().backward(dout)


class MissingTranspose(Affine):
    def backward(self, dout: Array) -> Array:
        self.backward_params(dout)
        return namespace_of(dout).matmul(dout, self.params["W"])


class MissingTerm(Sigmoid):
    def backward(self, dout: Array) -> Array:
        return dout * self.saved


class IgnoresDout(Tanh):
    def backward(self, dout: Array) -> Array:
        return 1.0 - self.saved * self.saved


class MissingMean(SoftmaxWithLoss):
    def backward(self, dout: Any = 1.0) -> Array:
        return super().backward(dout) * 4.0


class LossIgnoresDout(SoftmaxWithLoss):
    def backward(self, dout: Any = 1.0) -> Array:
        return super().backward(1.0)


class BiasForgotten(Affine):
    def backward_params(self, dout: Array) -> None:
        super().backward_params(dout)
        self.grads["b"] = self.grads["b"] * 0.0


class OneEntryWrong(Tanh):
    def backward(self, dout: Array) -> Array:
        dx = super().backward(dout)
        dx[0, 0] *= 1.0 + 1e-5
        return dx


class Swapped(Mul):
    def backward(self, dout: Array) -> tuple[Array, Array]:
        return super().backward(dout)[::-1]


class HalfOfAdd(Add):
    def backward(self, dout: Array) -> tuple[Array, Array]:
        return dout, 0.5 * dout


class WritesIntoDout(ReLU):
    def backward(self, dout: Array) -> Array:
        dout[...] = super().backward(dout)
        return dout


class WritesIntoInput(ReLU):
    def forward(self, x: Array, *, training: bool = False) -> Array:
        x[...] = super().forward(x, training=training)
        return x


class AlwaysSingle(Tanh):
    def forward(self, x: Array, *, training: bool = False) -> Array:
        xp = namespace_of(x)
        return xp.astype(xp.astype(super().forward(x, training=training), xp.float32), x.dtype)


class AlwaysDouble(Tanh):
    def backward(self, dout: Array) -> Array:
        xp = namespace_of(dout)
        return xp.astype(super().backward(dout), xp.float64)


class KeepsInInference(Tanh):
    def forward(self, x: Array, *, training: bool = False) -> Array:
        return super().forward(x, training=True)


class Accumulates(Affine):
    def backward_params(self, dout: Array) -> None:
        before = self.grads.get("W")
        super().backward_params(dout)
        if before is not None:
            self.grads["W"] = self.grads["W"] + before


class OtherParamsAlone(Affine):
    def backward(self, dout: Array) -> Array:
        dx = super().backward(dout)
        super().backward_params(dout)
        return dx

    def backward_params(self, dout: Array) -> None:
        super().backward_params(dout)
        self.grads["W"] = 2.0 * self.grads["W"]


class NotANumber(Tanh):
    def backward(self, dout: Array) -> Array:
        return super().backward(dout) * float("nan")


FAULTY = [
    WrongSign, MissingTranspose, MissingTerm, IgnoresDout, MissingMean, LossIgnoresDout, BiasForgotten,
    OneEntryWrong, Swapped, HalfOfAdd, WritesIntoDout, WritesIntoInput, AlwaysSingle, AlwaysDouble,
    KeepsInInference, Accumulates, OtherParamsAlone, NotANumber,
]  # fmt: skip


@pytest.mark.parametrize("faulty", FAULTY)
def test_planted_fault_is_caught(faulty: Any, backend: Backend, rng: np.random.Generator) -> None:
    case = faulty.case(rng)
    if faulty is MissingTranspose:  # only a square W hides it from the shapes
        case = faulty(rng.standard_normal((4, 4)), rng.standard_normal(4)), rng.standard_normal((5, 4))
    assert not check_gradients(*case, device=backend).passed


def test_fault_in_a_network_is_caught(backend: Backend, rng: np.random.Generator) -> None:
    layers = [
        Affine(rng.standard_normal((4, 3)), np.zeros(3)),
        WrongSign(),
        Affine(rng.standard_normal((3, 2)), np.zeros(2)),
    ]
    report = check_gradients(
        Network(layers), rng.standard_normal((5, 4)), rng.integers(0, 2, 5), device=backend
    )
    verdicts = {f"{entry.layer}.{entry.parameter}": entry.passed for entry in report.entries}
    assert verdicts == {
        "Affine1.W": False, "Affine1.b": False, "Affine2.W": True, "Affine2.b": True, "input.x": False
    }  # fmt: skip


def test_fault_in_a_networks_own_backward_is_caught(rng: np.random.Generator) -> None:
    class WrongBottom(Network):
        def backward_params(self, dout: Any = 1.0) -> None:
            super().backward_params(-dout)

    layers = [Affine(rng.standard_normal((4, 3)), np.zeros(3))]
    report = check_gradients(WrongBottom(layers), rng.standard_normal((5, 4)), rng.integers(0, 3, 5))
    assert all(entry.passed for entry in report.entries)
    assert any("backward_params" in problem for problem in report.problems)
    assert not report.passed


def test_kinks_are_reported_and_fail(backend: Backend) -> None:
    report = check_gradients(ReLU(), np.asarray([[1.0, 5e-5, -1.0]]), device=backend)
    assert report.entries[0].kinks == 1
    assert not report.passed


def test_kinks_inside_a_network(rng: np.random.Generator) -> None:
    W = np.ones((2, 1))
    network = Network(
        [Affine(W, np.asarray([-3.0])), ReLU(), Affine(rng.standard_normal((1, 2)), np.zeros(2))]
    )
    report = check_gradients(network, np.asarray([[1.0, 2.0]]), np.asarray([0]))
    assert report.entries[0].kinks == 2
    assert not report.passed


def test_some_elements_of_a_large_network(rng: np.random.Generator) -> None:
    network = TwoLayerNet(300, 20, 5, weight_init_std=1.0, rng=rng)
    report = check_gradients(network, rng.standard_normal((3, 300)), rng.integers(0, 5, 3), elements=10)
    assert report.passed, f"\n{report}"


def test_subject_is_not_changed(rng: np.random.Generator) -> None:
    affine, x = Affine.case(rng)
    before = affine.params["W"].copy()
    check_gradients(affine, x)
    np.testing.assert_array_equal(affine.params["W"], before)
    assert affine.grads == {}


def test_report_is_data(rng: np.random.Generator) -> None:
    report = check_gradients(*Affine.case(rng))
    data = json.loads(json.dumps(report.to_dict()))
    assert data["passed"] is True
    assert data["entries"][0]["parameter"] == "W"
    assert "Affine.W (4, 3): relative error" in str(report)


def test_users_layer_with_a_parameter_of_its_own(backend: Backend) -> None:
    class Scale(Layer):
        def forward(self, x: Array, *, training: bool = False) -> Array:
            self.saved = x if training else None
            return x * self.params["a"]

        def backward(self, dout: Array) -> Array:
            self.grads["a"] = namespace_of(dout).sum(dout * self.saved, axis=0)
            return dout * self.params["a"]

    report = check_gradients(
        Scale(a=np.asarray([2.0, 3.0])), np.asarray([[1.0, -2.0], [0.5, 4.0]]), device=backend
    )
    assert report.passed, f"\n{report}"


def test_class_without_case() -> None:
    with pytest.raises(NotImplementedError, match=r"Layer has no case to check: add a classmethod case"):
        Layer.case(np.random.default_rng(0))
