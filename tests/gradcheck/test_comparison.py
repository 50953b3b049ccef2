"""A gradient beside differences: kinks, steps, and what cannot be told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends import Array, Backend
from backprop import (
    Affine,
    BatchNormalization,
    Layer,
    LayerNormalization,
    MeanSquaredError,
    Network,
    ReLU,
    Tanh,
    check_gradients,
)
from backprop.gradcheck import GATE
from backprop.gradcheck.check import subject_of
from backprop.gradcheck.comparison import compare
from backprop.gradcheck.variable import Variable

from ..cases import CASES
from .faults import Draws, stack


def test_kinks_are_stepped_around(backend: Backend) -> None:
    """They are counted, and a fault at such an entry is found as at any other."""
    x = np.asarray([[1.0, 1e-6, -2e-7, -1.0]])
    report = check_gradients(ReLU(), x, device=backend)
    assert report.entries[0].kinks == 2
    assert report.passed, f"\n{report}"

    class Wrong(ReLU):
        def backward(self, dout: Array) -> Array:
            return super().backward(dout) * (1.0 + 1e-5)

    assert check_gradients(Wrong(), x[:, 1:3], device=backend).entries[0].verdict == "FAILED"


def test_a_kink_without_a_region_is_stepped_around(backend: Backend) -> None:
    class Quiet(ReLU):
        def region(self, x: Array) -> None:  # type: ignore[override]
            return None

    assert check_gradients(Quiet(), np.asarray([[1.0, 1e-6, -2e-7, -1.0]]), device=backend).passed
    exactly = check_gradients(Quiet(), np.asarray([[1.0, 0.0]]), device=backend)
    assert exactly.entries[0].verdict == "unresolved"


def test_what_differences_cannot_tell(backend: Backend) -> None:
    """Exactly at a kink: neither passed nor failed, with what would tell."""
    report = check_gradients(ReLU(), np.asarray([[1.0, 0.0, -1.0]]), device=backend)
    (entry,) = report.entries
    assert (entry.verdict, entry.kinks, entry.unresolved, entry.compared) == ("unresolved", 1, 1, 3)
    assert "1 of 3 entries unresolved: the function is not smooth there" in str(report)
    assert "try other inputs" in str(report)
    assert not report.passed
    assert not report.failed
    assert report.to_dict()["entries"][0]["passed"] is False

    class Hidden(Layer):
        """An x that stands beside 1e12."""

        def forward(self, x: Array, *, training: bool = False) -> Array:
            self.saved = x if training else None
            return x + 1e12

        def backward(self, dout: Array) -> Array:
            return dout * 1.0

    report = check_gradients(Hidden(), np.asarray([[1.0, -2.0]]), device=backend)
    assert report.entries[0].verdict == "unresolved"
    assert "another scale" in report.entries[0].reason


def test_kinks_are_those_of_training() -> None:
    """A column is centred by its own mean in training, and by that of what was before in inference."""
    affine = Affine(np.asarray([[1.0, -1.0]]), np.zeros(2))
    network = Network([BatchNormalization(np.ones(1), np.zeros(1)), ReLU(), affine])
    x = np.asarray([[4.0], [6.0], [5.0 + 1e-6], [5.0 - 1e-6]])
    report = check_gradients(network, x, np.asarray([0, 1, 1, 0]))
    kinks = {f"{entry.layer}.{entry.parameter}": entry.kinks for entry in report.entries}
    assert report.passed, f"\n{report}"
    assert (kinks["input.x"], kinks["BatchNormalization1.beta"], kinks["Affine1.W"]) == (4, 1, 0)


def test_kinks_inside_a_network(rng: np.random.Generator) -> None:
    W = np.ones((2, 1))
    network = Network(
        [Affine(W, np.asarray([-3.0])), ReLU(), Affine(rng.standard_normal((1, 2)), np.zeros(2))]
    )
    report = check_gradients(network, np.asarray([[1.0, 2.0]]), np.asarray([0]))
    assert (report.entries[0].kinks, report.entries[0].verdict) == (2, "unresolved")
    assert report.culprit is None
    near = check_gradients(network, np.asarray([[1.0, 2.0 + 1e-6]]), np.asarray([0]))
    assert near.entries[0].kinks == 2
    assert near.passed, f"\n{near}"


def test_narrow_bend_in_a_wide_array(backend: Backend) -> None:
    """A row that is constant is steep over 1e-3, where the steps that suit the other row are 1 long."""
    x = np.asarray([[1e5, -2e5, 3e5], [0.0, 0.0, 0.0]])
    report = check_gradients(LayerNormalization(np.ones(3), np.zeros(3)), x, device=backend)
    assert not report.failed, f"\n{report}"


def test_noise_is_no_proof_of_zero(rng: np.random.Generator) -> None:
    """Of an f that is nothing but noise, nothing is passed."""
    report = check_gradients(Draws(), rng.standard_normal((3, 4)))
    assert report.entries[0].verdict != "passed"
    network, x, _ = stack(rng, Draws(), loss=MeanSquaredError())
    report = check_gradients(network, x, rng.standard_normal((5, 2)))
    assert {entry.verdict for entry in report.entries if entry.layer == "Affine1"} != {"passed"}


@pytest.mark.parametrize("factor", [1.0, 1.5])
def test_what_jumps_where_it_is_checked_is_not_told_by_it(factor: float) -> None:
    """The rows of W are looked up by numbers; at whole ones rounding chooses other rows."""

    class Embedding:
        def __init__(self) -> None:
            self.W: Any = np.random.default_rng(0).standard_normal((5, 2))
            self.dW: Any = None

        def forward(self, x: Any) -> Any:
            self.rows = x.astype(int)
            return self.W[self.rows]

        def backward(self, dout: Any) -> Any:
            self.dW = np.zeros_like(self.W)
            np.add.at(self.dW, self.rows, factor * dout)
            return np.zeros(self.rows.shape)

    rows = np.asarray([0.0, 3.0, 1.0, 4.0, 3.0])
    entry = check_gradients(Embedding(), rows).entries[0]
    assert (entry.parameter, entry.verdict) == ("W", "unresolved")
    assert entry.reason.startswith("rounding of the arguments changes the gradient as much")
    between = check_gradients(Embedding(), rows + 0.5).entries[0]
    assert between.verdict == ("passed" if factor == 1.0 else "FAILED")


@pytest.mark.parametrize("name", CASES)
def test_one_entry_wrong_by_a_hundred_thousandth(name: str, backend: Backend) -> None:
    """In the largest entry of every array, and in another one that is not tiny beside it."""
    rng = np.random.default_rng(1)
    node, *inputs = CASES[name](rng)
    subject = subject_of(node, inputs, backend, 0, "float64")
    for slot, gradient in subject.gradients().items():
        values = np.array(backend.to_numpy(gradient), order="C")
        largest = int(np.abs(values).argmax())
        others = np.flatnonzero(np.abs(values) > 0.03 * np.abs(values).max())
        wrong = list({largest, int(rng.choice(others))})
        values.reshape(-1)[wrong] *= 1.0 + 1e-5
        found = compare(Variable(subject, slot), values, rng)
        assert (found.verdict, found.wrong) == ("FAILED", len(wrong)), str(found)
        assert np.ravel_multi_index(found.index, values.shape) in wrong
        assert found.error == pytest.approx(1e-5, rel=0.1)


def test_a_step_of_ones_own(rng: np.random.Generator) -> None:
    """Plain central differences, as the book's; their own error is estimated all the same."""
    x = np.asarray([[0.5, -1.0]])
    report = check_gradients(Tanh(), x, h=1e-2)
    (entry,) = report.entries
    expected = (np.tanh(x + 1e-2) - np.tanh(x - 1e-2)) / 2e-2 / (1.0 - np.tanh(x) ** 2) - 1.0
    assert entry.error == pytest.approx(np.abs(expected).max(), rel=1e-3)
    assert entry.verdict == "unresolved"
    assert check_gradients(Tanh(), x, h=1e-4).passed


def test_the_error_of_a_plain_difference_is_told() -> None:
    """(x³)′ at 1 is 3, the central difference 3 + h²."""
    report = check_gradients(lambda x: (x**3).sum(), lambda x: 3.0 * x**2, np.asarray([1.0]), h=1e-2)
    (entry,) = report.entries
    assert entry.numerical == pytest.approx(3.0 + 1e-4, rel=1e-10)
    assert entry.error == pytest.approx(1e-4 / 3.0001, rel=1e-6)
    assert entry.uncertainty == pytest.approx(1e-4 / 3.0001, rel=1e-3)
    assert (entry.index, entry.compared, entry.kinks, entry.verdict) == ((0,), 1, 0, "unresolved")
    (entry,) = check_gradients(lambda x: (x**3).sum(), lambda x: 3.0 * x**2, np.asarray([1.0])).entries
    assert entry.error < 1e-10  # at the first step the central difference is off by 3e-9


def test_a_gradient_that_is_zero_but_for_rounding_is_off_by_little() -> None:
    x = np.asarray([2.0, -2.0])
    report = check_gradients(lambda x: 8.0 + (0.0 * x).sum(), lambda x: np.full(2, 1e-16), x)
    (entry,) = report.entries
    assert report.passed, f"\n{report}"
    assert entry.error == pytest.approx(1e-16 * 2.0 / 8.0, rel=1e-6)


def test_the_worst_entry_is_told(rng: np.random.Generator) -> None:
    x = rng.uniform(1.0, 2.0, (3, 4))
    wrong = np.ones((3, 4))
    wrong[1, 2], wrong[2, 0] = 1.5, 1.1
    report = check_gradients(lambda x: (x**2).sum(), lambda x: 2.0 * x * wrong, x)
    (entry,) = report.entries
    assert (entry.index, entry.wrong, entry.compared, entry.shape) == ((1, 2), 2, 12, (3, 4))
    assert entry.analytic == pytest.approx(3.0 * x[1, 2])
    assert entry.numerical == pytest.approx(2.0 * x[1, 2])
    assert entry.error == pytest.approx(1 / 3)


def test_the_gate_is_what_a_gradient_may_be_off() -> None:
    x = np.asarray([1.0, 2.0])

    def check_with(**options: float) -> Any:
        return check_gradients(lambda x: (x**2).sum(), lambda x: 2.0 * x * (1.0 + 1e-6), x, **options)

    assert check_with().failed
    assert check_with(gate=9e-7).failed
    assert check_with(gate=1.1e-6).passed
    assert (check_with().gate, check_with(gate=1e-3).gate) == (GATE, 1e-3)


@pytest.mark.parametrize("scale", [1e155, 1e170, 1e200, 1e300])
@pytest.mark.parametrize("wrong", [0.0, 2.0])
def test_differences_that_overflow_pass_nothing(scale: float, wrong: float) -> None:
    x = np.asarray([1.0, -2.0])
    report = check_gradients(lambda x: scale * (x * x).sum(), lambda x: wrong * 2.0 * scale * x, x)
    assert not report.passed
