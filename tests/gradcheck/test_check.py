"""The gradient check as a whole: planted faults must not pass."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from backends import Array, Backend, get_backend, namespace_of
from backprop import Affine, Layer, Network, SoftmaxWithLoss, Tanh, TwoLayerNet, check_gradients
from backprop.cli.check_subjects import checkable

from .faults import (
    Accumulates,
    AlwaysDouble,
    AlwaysSingle,
    BiasForgotten,
    DependsOnLayout,
    Draws,
    ExtraGradient,
    ForgetsBias,
    HalfOfAdd,
    IgnoresDout,
    KeepsInInference,
    LeavesTheBackend,
    LossIgnoresDout,
    MissingMean,
    MissingTerm,
    MissingTranspose,
    NeedsNoForward,
    NotANumber,
    NotLinear,
    NotZeroAtZero,
    OneEntryWrong,
    OtherInInference,
    OtherParamsAlone,
    OtherShapeInSingle,
    OtherShapeInTraining,
    Raises,
    RaisesInSingle,
    Remembers,
    ReturnsNothing,
    RoundsInSingle,
    SmallOneRoundsInSingle,
    Swapped,
    WritesIntoDout,
    WritesIntoInput,
    WritesIntoParameter,
    WrongShape,
    WrongSign,
    stack,
)

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
    AlwaysSingle: "FAILED: output of AlwaysSingle: float64 with only the precision of float32",
    AlwaysDouble: "FAILED: AlwaysDouble.x: float64 for float32 input",
    ExtraGradient: "FAILED: gradients for [('ExtraGradient', 'extra'), ('ExtraGradient', 'x')], expected [('E",
    OtherShapeInTraining: "FAILED: output (4,) in training but (1, 4) in inference",
    OtherInInference: "FAILED: inference and training give different outputs",
    NeedsNoForward: "FAILED: backward before forward does not raise RuntimeError",
    WritesIntoParameter: "FAILED: WritesIntoParameter.b is changed",
    KeepsInInference: "FAILED: backward after inference does not raise RuntimeError",
    OtherParamsAlone: "FAILED: OtherParamsAlone.W: backward_params gives another gradient than backward",
    NotZeroAtZero: "FAILED: NotZeroAtZero.x: the gradient is not zero for a zero dout",
    NotLinear: "FAILED: NotLinear.x: not twice the gradient for twice the dout",
    DependsOnLayout: "FAILED: DependsOnLayout.x: another gradient for a non-contiguous input",
    Remembers: "FAILED: Remembers.x: a second run gives another gradient",
    Draws: "FAILED: a second run gives another output",
    RoundsInSingle: "FAILED: RoundsInSingle.x: in float32 off by 1.0e-03 relative to float64",
    OtherShapeInSingle: "FAILED: OtherShapeInSingle.x: shape (4, 3), expected (3, 4)",
    SmallOneRoundsInSingle: "FAILED: SmallOneRoundsInSingle.b: in float32 off by 2.0e-03 relative to float64",
    LeavesTheBackend: "FAILED: LeavesTheBackend.x: left ",
    ForgetsBias: "FAILED: ForgetsBias.b: backward returns no gradient",
    ReturnsNothing: "FAILED: ReturnsNothing.x: backward returns no gradient",
    WrongShape: r"FAILED: WrongShape.x: a gradient of shape (4,), expected (3, 4)",
    Raises: "FAILED: raised ZeroDivisionError: no luck",
    RaisesInSingle: "FAILED: float32: raised TypeError: too narrow",
}


CHANGE = {WritesIntoDout, WritesIntoInput, DependsOnLayout}
"""Faults of arrays that can be changed, and have strides."""


@pytest.mark.parametrize("faulty", FAULTY, ids=lambda kind: kind.__name__)
def test_planted_fault_is_caught(faulty: Any, backend: Backend, rng: np.random.Generator) -> None:
    if faulty in CHANGE and backend.replays_mappings:
        pytest.skip(f"arrays of {backend.name} never change")
    case = faulty.case(rng)
    if faulty is MissingTranspose:  # only a square W hides it from the shapes
        case = faulty(rng.standard_normal((4, 4)), rng.standard_normal(4)), rng.standard_normal((5, 4))
    report = check_gradients(*case, device=backend)
    assert report.failed
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
    assert "a second run gives another output" not in report.problems
    assert json.dumps(report.to_dict(), allow_nan=False)
    with pytest.raises(ValueError, match="expected elements of at least 1, got 0"):
        check_gradients(*WrongSign.case(rng), elements=0)


@pytest.mark.only("numpy")
def test_a_subject_is_checked_where_that_is_asked_for(backend: Backend, rng: np.random.Generator) -> None:
    for case in (stack(rng, Tanh()), Affine.case(rng), SoftmaxWithLoss.case(rng)):
        for device, name, place in ((None, "numpy", "cpu"), ("strict:device2", "strict", "device2")):
            report = check_gradients(*case, device=device)
            assert report.passed, f"\n{report}"
            assert (report.backend, report.device) == (name, place)
    x = get_backend("strict:device2").asarray(rng.standard_normal((3, 4)))
    assert check_gradients(Tanh(), x).device == "device2"
    assert check_gradients(Tanh(), np.ones((3, 4))).device == "cpu"
    affine = Affine(x, get_backend("strict:device2").asarray(np.zeros(4)))
    assert check_gradients(affine, rng.standard_normal((2, 3))).device == "device2"


def test_the_cost(rng: np.random.Generator) -> None:
    """Less than twice the two evaluations of a central difference."""
    report = check_gradients(*stack(rng, Tanh(), Affine(rng.standard_normal((3, 3)), np.zeros(3)), Tanh()))
    compared = sum(entry.compared for entry in report.entries)
    assert report.evaluations <= 3 * compared + 6 * len(report.entries)


def test_some_elements_of_a_large_network(rng: np.random.Generator) -> None:
    network = TwoLayerNet(300, 20, 5, weight_init_std=1.0, rng=rng)
    report = check_gradients(network, rng.standard_normal((3, 300)), rng.integers(0, 5, 3), elements=10)
    assert report.passed, f"\n{report}"
    assert {entry.compared for entry in report.entries} == {10, 5}


def test_subject_is_not_changed(rng: np.random.Generator) -> None:
    affine, x = Affine.case(rng)
    before = affine.params["W"].copy()
    check_gradients(affine, x)
    np.testing.assert_array_equal(affine.params["W"], before)
    assert affine.grads == {}


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


class Masked:
    """Dropout that draws from NumPy's global generator, as the book's does."""

    def forward(self, x: Any, train_flg: bool = True) -> Any:
        self.mask = np.random.rand(*x.shape) > 0.5 if train_flg else np.full(x.shape, True)
        return x * self.mask

    def backward(self, dout: Any) -> Any:
        return dout * self.mask


def test_layers_that_draw_from_one_generator_have_the_same_masks_in_every_run(
    rng: np.random.Generator,
) -> None:
    """Also where only the layers above a parameter run again."""
    affines = [Affine(rng.standard_normal((4, 4)), rng.standard_normal(4)) for _ in range(3)]
    stack = [affines[0], Masked(), affines[1], Masked(), affines[2]]
    network = Network({f"layer{i}": layer for i, layer in enumerate(stack)})
    report = check_gradients(network, rng.standard_normal((6, 4)), rng.integers(0, 4, 6))
    assert report.passed, report
