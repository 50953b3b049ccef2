"""The gradient check itself: planted faults must not pass."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from backends import Array, Backend, backend_of, get_backend, namespace_of
from backprop import Affine, Network, ReLU, Softmax, SoftmaxWithLoss, Tanh, TwoLayerNet, check_gradients
from backprop.cli.check import checkable
from backprop.layers import Add, Layer, Mul


class WrongSign(Tanh):
    def backward(self, dout: Array) -> Array:
        return -super().backward(dout)


class MissingTranspose(Affine):
    def backward(self, dout: Array) -> Array:
        self.backward_params(dout)
        return namespace_of(dout).matmul(dout, self.params["W"])


class MissingTerm(Softmax):
    def backward(self, dout: Array) -> Array:
        exp, total, _ = self.saved
        return dout * (exp / total)


class IgnoresDout(Tanh):
    def backward(self, dout: Array) -> Array:
        return self.saved * 1.0


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


class NotZeroAtZero(Tanh):
    def backward(self, dout: Array) -> Array:
        return super().backward(dout) + 1e-9


class NotLinear(Tanh):
    def backward(self, dout: Array) -> Array:
        return super().backward(dout) + 1e-8 * dout * dout


class DependsOnLayout(Tanh):
    def forward(self, x: Array, *, training: bool = False) -> Array:
        y = super().forward(x, training=training)
        strides = x.stride() if hasattr(x, "stride") else getattr(getattr(x, "_array", x), "strides", None)
        step = strides[-1] if hasattr(x, "stride") else strides[-1] // 8  # type: ignore[index]
        return y * (1.0 if step == 1 else 1.0 + 0.0) if not training else self._keep(y, step)

    def _keep(self, y: Array, step: int) -> Array:
        self.saved = y if step == 1 else y * 0.5
        return y


class Remembers(Tanh):
    def backward(self, dout: Array) -> Array:
        self.calls = getattr(self, "calls", 0) + 1
        return super().backward(dout) * (1.0 + 1e-9 * self.calls)


class RoundsInSingle(Tanh):
    def backward(self, dout: Array) -> Array:
        dx = super().backward(dout)
        return dx if "64" in str(dx.dtype) else dx * 1.001


class LeavesTheBackend(Tanh):
    def backward(self, dout: Array) -> Any:
        other = get_backend("strict:device2" if backend_of(dout).name != "strict" else "cpu")
        return other.asarray(backend_of(dout).to_numpy(super().backward(dout)))


class ForgetsBias(Affine):
    def backward_params(self, dout: Array) -> None:
        super().backward_params(dout)
        del self.grads["b"]


class ReturnsNothing(Tanh):
    def backward(self, dout: Array) -> Array:
        super().backward(dout)
        return None


class WrongShape(Tanh):
    def backward(self, dout: Array) -> Array:
        return super().backward(dout)[0, :]


class Raises(Tanh):
    def backward(self, dout: Array) -> Array:
        raise ZeroDivisionError("no luck")


class RaisesInSingle(Tanh):
    def forward(self, x: Array, *, training: bool = False) -> Array:
        if "32" in str(x.dtype):
            raise TypeError("too narrow")
        return super().forward(x, training=training)


# Every faulty class, and the beginning of what the report has to say of it. The first ones have a
# wrong gradient; the others break a promise.
FAULTY: dict[Any, str] = {
    WrongSign: "WrongSign.x (3, 4): relative error 2.0e+00",
    MissingTranspose: "MissingTranspose.x (5, 4): relative error",
    MissingTerm: "MissingTerm.x (3, 4): relative error",
    IgnoresDout: "IgnoresDout.x (3, 4): relative error",
    MissingMean: "MissingMean.x (4, 3): relative error 7.5e-01",
    LossIgnoresDout: "LossIgnoresDout.x (4, 3): relative error",
    BiasForgotten: "BiasForgotten.b (3,): relative error 1.0e+00",
    OneEntryWrong: "OneEntryWrong.x (3, 4): relative error",
    Swapped: "Swapped.x (3, 4): relative error",
    HalfOfAdd: "HalfOfAdd.y (3, 4): relative error 5.0e-01",
    Accumulates: "FAILED: Accumulates.W: a second run gives another gradient",
    NotANumber: "NotANumber.x (3, 4): relative error inf",
    WritesIntoDout: "FAILED: backward changes its argument dout|FAILED: arguments: raised ValueError",
    WritesIntoInput: "FAILED: input 0 is changed|FAILED: arguments: raised ValueError",
    AlwaysSingle: "AlwaysSingle.x (3, 4): relative error",
    AlwaysDouble: "FAILED: AlwaysDouble.x: float64 for float32 input",
    KeepsInInference: "FAILED: backward after inference does not raise RuntimeError",
    OtherParamsAlone: "FAILED: OtherParamsAlone.W: backward_params gives another gradient than backward",
    NotZeroAtZero: "FAILED: NotZeroAtZero.x: a gradient that is not zero for a zero dout",
    NotLinear: "FAILED: NotLinear.x: not twice the gradient for twice the dout",
    DependsOnLayout: "FAILED: DependsOnLayout.x: another gradient for a non-contiguous input",
    Remembers: "FAILED: Remembers.x: a second run gives another gradient",
    RoundsInSingle: "FAILED: RoundsInSingle.x: in float32 off by 1.0e-03 relative to float64",
    LeavesTheBackend: "FAILED: LeavesTheBackend.x: left ",
    ForgetsBias: "FAILED: ForgetsBias.b: backward gives no gradient",
    ReturnsNothing: "FAILED: ReturnsNothing.x: backward gives no gradient",
    WrongShape: r"FAILED: WrongShape.x: a gradient of shape (4,), expected (3, 4)",
    Raises: "FAILED: raised ZeroDivisionError: no luck",
    RaisesInSingle: "FAILED: float32: raised TypeError: too narrow",
}


@pytest.mark.parametrize("faulty", FAULTY, ids=lambda kind: kind.__name__)
def test_planted_fault_is_caught(faulty: Any, backend: Backend, rng: np.random.Generator) -> None:
    case = faulty.case(rng)
    if faulty is MissingTranspose:  # only a square W hides it from the shapes
        case = faulty(rng.standard_normal((4, 4)), rng.standard_normal(4)), rng.standard_normal((5, 4))
    report = check_gradients(*case, device=backend)
    assert not report.passed
    failed = [line for line in str(report).splitlines() if "FAILED" in line]
    beginnings = tuple(FAULTY[faulty].split("|"))
    assert any(line.startswith(beginnings) for line in failed), failed


def scaled(gradients: Any, factor: float) -> Any:
    return tuple(g * factor for g in gradients) if isinstance(gradients, tuple) else gradients * factor


SABOTAGE = {
    "wrong sign": lambda node, dout, backward: scaled(backward(dout), -1.0),
    "missing factor": lambda node, dout, backward: scaled(backward(dout), 3.0),
    "dout ignored": lambda node, dout, backward: backward(dout * 0.0 + 1.0),
    "dout squared": lambda node, dout, backward: backward(dout * dout),
}


@pytest.mark.parametrize("how", SABOTAGE)
@pytest.mark.parametrize("kind", checkable().values(), ids=list(checkable()))
def test_every_layer_and_loss_sabotaged(
    kind: Any, how: str, backend: Backend, rng: np.random.Generator
) -> None:
    def backward(self: Any, dout: Any = 1.0) -> Any:
        return SABOTAGE[how](self, dout, super(broken, self).backward)

    broken = type(f"Broken{kind.__name__}", (kind,), {"backward": backward})
    assert not all(entry.passed for entry in check_gradients(*broken.case(rng), device=backend).entries)  # type: ignore[attr-defined]


def test_nothing_compared_is_nothing_passed(rng: np.random.Generator) -> None:
    class NoNumber(Tanh):
        def forward(self, x: Array, *, training: bool = False) -> Array:
            return super().forward(x, training=training) * float("nan")

    report = check_gradients(*NoNumber.case(rng), elements=5)
    assert not report.passed
    assert report.entries[0].error == float("inf")
    assert json.dumps(report.to_dict(), allow_nan=False)
    with pytest.raises(ValueError, match="expected elements of at least 1, got 0"):
        check_gradients(*WrongSign.case(rng), elements=0)


def test_questions_that_make_no_sense(rng: np.random.Generator) -> None:
    x = rng.standard_normal((3, 4))
    with pytest.raises(TypeError, match=r"expected a layer, a loss or a network, got <class .*Tanh'>"):
        check_gradients(Tanh, x)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"Tanh takes x, got 2 input\(s\)"):
        check_gradients(Tanh(), x, x)
    with pytest.raises(TypeError, match=r"TwoLayerNet takes x and t, got 1 input\(s\)"):
        check_gradients(TwoLayerNet(4, 3, 2), x)
    with pytest.raises(ValueError, match="x and y are the inputs' names"):
        check_gradients(Layer(x=x), x)


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
