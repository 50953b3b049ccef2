"""Every layer and loss has a formula, and the numbers put in give the layer's own numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import backprop.layers
import backprop.losses
from backprop import Affine, ConvolutionReLUPooling, MaxPooling, ReLU, Residual, SoftmaxWithLoss
from backprop.formulas import Formula, Worked, formula_of, worked, worked_backward
from backprop.formulas.expression import Expression, Partial, Symbol, equation
from backprop.layers import Layer, Max, Node
from backprop.losses import Loss
from backprop.tracing import NodeTrace
from tests.cases import CASES

from .traces import case, traced

PUBLIC = [
    kind
    for room in (backprop.layers, backprop.losses)
    for kind in vars(room).values()
    if isinstance(kind, type) and issubclass(kind, Node) and kind.case.__func__ is not Node.case.__func__
]
TOLERANCE = {"float64": 1e-12, "float32": 2e-6}


@pytest.mark.parametrize("kind", PUBLIC, ids=lambda kind: kind.__name__)
def test_every_class_with_a_case_has_a_formula(kind: type[Node], rng: np.random.Generator) -> None:
    formula = formula_of(kind.case(rng)[0])
    assert formula is not None
    assert formula.backward is not None
    for expression in (formula.forward, formula.backward):
        assert "=" in expression.text()
        assert expression.mathml().startswith("<math>")


def entries(array: np.ndarray) -> list[tuple[int, ...]]:
    return list(np.ndindex(array.shape))


def split(index: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    """The sample, and the entry in it."""
    return (index[0], index[1:]) if index else (0, ())


def close(found: Worked | None, expected: Any, scale: float, dtype: str) -> None:
    assert found is not None
    assert found.value == pytest.approx(float(expected), rel=TOLERANCE[dtype], abs=TOLERANCE[dtype] * scale)


def scale_of(trace: NodeTrace) -> float:
    """The size of the terms that are added up, which rounding is relative to."""
    arrays = (*trace.inputs, trace.dout, trace.output, *trace.params.values(), *trace.grads.values())
    return 10.0 * max(1.0, *(float(np.abs(array).max()) for array in arrays))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", CASES)
def test_every_entry_worked_out_is_the_output(name: str, dtype: str, rng: np.random.Generator) -> None:
    trace = case(name, rng, dtype)
    if isinstance(trace.node, Loss):
        samples = [worked(trace, n) for n in range(len(trace.inputs[0]))]
        mean = np.mean([sample.value for sample in samples if sample is not None])
        assert mean == pytest.approx(float(trace.output), rel=10 * TOLERANCE[dtype])
        return
    for index in entries(trace.output):
        found = worked(trace, *split(index))
        close(found, trace.output[index], scale_of(trace), dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", CASES)
def test_every_gradient_worked_out_is_the_layers(name: str, dtype: str, rng: np.random.Generator) -> None:
    trace = case(name, rng, dtype)
    for key, gradient in zip("xy", trace.dinputs, strict=False):
        if gradient is not None:
            for index in entries(gradient):
                found = worked_backward(trace, *split(index), key)
                close(found, gradient[index], scale_of(trace), dtype)
    if isinstance(trace.node, Residual):
        return
    for key, gradient in trace.grads.items():
        for index in entries(gradient):
            close(worked_backward(trace, 0, index, key), gradient[index], scale_of(trace), dtype)


@pytest.mark.parametrize("name", CASES)
def test_what_is_written_adds_up(name: str, rng: np.random.Generator) -> None:
    """`=` only where the numbers that are written give the result that is written."""
    trace = case(name, rng)
    for found in (worked(trace, 0), worked_backward(trace, 0)):
        assert found is not None
        for step in found.steps:
            *_, last = step.lines()
            written = step.expression.numbers(step.put_in).value(shown=True)
            end = f".{step.come_out - 1}e"
            sign = "=" if format(written, end) == format(step.value, end) else "≈"
            assert f"{sign} " in last


def symbols(expression: Expression) -> Iterator[Symbol]:
    if isinstance(expression, Symbol):
        yield expression
    for part in expression.parts:
        yield from symbols(part)


def probabilities(loss: SoftmaxWithLoss, x: np.ndarray, t: np.ndarray) -> np.ndarray:
    """The target as the loss uses it."""
    q = np.eye(x.shape[1])[t] if t.ndim == 1 else t.astype(np.float64)
    return np.asarray(q * (1.0 - loss.label_smoothing) + loss.label_smoothing / x.shape[1])


GREEK = {"gamma": "γ", "beta": "β"}
EXPLAINED = {"m", "c", "x̂", "z", "F", "g"}
"""Entries that are no traced array: the notes say what they are."""


@pytest.mark.parametrize("name", CASES)
def test_every_index_is_that_of_the_number(name: str, rng: np.random.Generator) -> None:
    """Each symbol is an entry of a traced array, or was worked out before it is used."""
    trace = case(name, rng)
    two = len(trace.inputs) == 2 and not isinstance(trace.node, Loss)
    arrays = dict(zip("xy" if two else "xt", trace.inputs, strict=False))
    arrays |= {GREEK.get(key, key): value for key, value in trace.params.items()}
    arrays.setdefault("y", trace.output)
    if isinstance(trace.node, SoftmaxWithLoss):
        arrays["t"] = probabilities(trace.node, *trace.inputs)
    ways = [worked(trace, 0), worked_backward(trace, 0)]
    ways += [worked_backward(trace, 0, None, key) for key in trace.grads]
    for found in ways:
        known: dict[tuple[type, Any, Any], float] = {}
        for step in () if found is None else found.steps:
            for symbol in symbols(step.expression):
                kind = (type(symbol), symbol.name, symbol.index)
                if kind in known:
                    assert symbol.number == pytest.approx(known[kind], rel=1e-12, abs=1e-12)
                elif isinstance(symbol, Partial) and symbol.name in ("y", "z" if two else "y"):
                    assert symbol.number == trace.dout[symbol.index]
                elif symbol.name in arrays:
                    assert symbol.number == float(arrays[symbol.name][symbol.index])
                elif symbol.index:
                    assert symbol.name in EXPLAINED
            known[type(step.target), step.target.name, step.target.index] = step.value


def test_a_class_without_probability_adds_nothing(rng: np.random.Generator) -> None:
    """Its score may be −∞, as of a class that is masked."""
    x = np.asarray([[0.5, -np.inf, 1.5]])
    with np.errstate(all="ignore"):
        trace = traced(SoftmaxWithLoss(), x, np.asarray([[0.25, 0.0, 0.75]]), rng=rng)
    loss, gradient = worked(trace, 0), worked_backward(trace, 0, (1,))
    assert loss is not None
    assert gradient is not None
    assert loss.value == pytest.approx(float(trace.output))
    assert gradient.value == 0.0
    assert "t[0,1] (" not in loss.text()


def test_the_default_entry_is_the_largest(rng: np.random.Generator) -> None:
    trace = traced(ReLU(), np.asarray([[1.0, -2.0, 3.5, 0.5]]), rng=rng)
    found = worked(trace, 0)
    assert found is not None
    assert found.text() == "y[0,2] = max(x[0,2], 0) = max(3.5, 0) = 3.5"


def test_a_long_sum_is_written_with_its_largest_terms(rng: np.random.Generator) -> None:
    W = np.full((50, 2), 0.001)
    W[[3, 10, 20, 40], 1] = [1.0, -2.0, 3.0, 4.0]
    found = worked(traced(Affine(W, np.asarray([0.0, 0.5])), np.ones((1, 50)), rng=rng), 0, (1,))
    assert found is not None
    assert found.text() == (
        "y[0,1] = x[0,3] W[3,1] + x[0,10] W[10,1] + x[0,20] W[20,1] + x[0,40] W[40,1] + ⋯ + b[1] "
        "= 1·1 + 1·(−2) + 1·3 + 1·4 + [46 more: 0.046] + 0.5 = 6.546"
    )


def test_nan_and_infinity_are_written(rng: np.random.Generator) -> None:
    x = np.asarray([[1.0, np.nan, 2.0], [np.inf, 1.0, 2.0]])
    with np.errstate(all="ignore"):
        trace = traced(Affine(np.ones((3, 2)), np.zeros(2)), x, rng=rng)
    for n, shown in ((0, "NaN"), (1, "∞")):
        found = worked(trace, n)
        assert found is not None
        assert found.text().endswith(f" {shown}")


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_no_number_stops_it(name: str, value: float, rng: np.random.Generator) -> None:
    node, *inputs = CASES[name](rng)
    inputs[0].ravel()[::3] = value
    with np.errstate(all="ignore"):
        trace = traced(node, *inputs, rng=rng)
        for found in (worked(trace, 0), worked_backward(trace, 0)):
            assert found is not None
            assert found.text()
            assert found.mathml()


class Square(Layer):
    formula = "y = x²"

    def forward(self, x: Any, *, training: bool = False) -> Any:
        self.saved = x
        return x * x

    def backward(self, dout: Any) -> Any:
        return 2.0 * self.saved * dout


class Cube(Square):
    formula = equation(Symbol("y"), Symbol("x") ** 3)  # type: ignore[assignment]


class Silent(Layer):
    pass


class Doubled(ReLU):
    def forward(self, x: Any, *, training: bool = False) -> Any:
        return 2.0 * super().forward(x, training=training)


class Renamed(ReLU):
    """The same."""


def text_of(formula: Formula | None) -> str | None:
    return None if formula is None else formula.forward.text()


def test_a_layer_may_carry_its_formula() -> None:
    assert text_of(formula_of(Square())) == "y = x²"
    assert text_of(formula_of(Cube())) == "y = x³"
    assert formula_of(Silent()) is None


def test_markup_in_a_users_formula_is_shown_as_it_is() -> None:
    layer = Silent()
    layer.formula = "x < 0 & <script>"  # type: ignore[attr-defined]
    formula = formula_of(layer)
    assert formula is not None
    assert formula.forward.mathml() == "<math><mtext>x &lt; 0 &amp; &lt;script&gt;</mtext></math>"


def test_a_subclass_has_the_formula_only_if_it_keeps_the_methods() -> None:
    assert text_of(formula_of(Renamed())) == "y = max(x, 0)"
    assert formula_of(Doubled()) is None


def test_what_cannot_be_worked_out_is_none(rng: np.random.Generator) -> None:
    trace = traced(Square(), np.ones((2, 3)), rng=rng)
    assert worked(trace, 0) is None
    assert worked_backward(trace, 0) is None
    assert worked_backward(traced(ReLU(), np.ones((2, 3)), rng=rng), 0, None, "W") is None
    assert worked_backward(case("MeanSquaredError", rng), 0, None, "y") is None


@pytest.mark.parametrize(("sample", "entry", "message"), [
    (2, None, "expected a sample from 0 to 1, got 2"),
    (-1, None, "expected a sample from 0 to 1, got -1"),
    (0, (3,), r"expected an entry of a sample, whose shape is \(3,\), got \(3,\)"),
    (0, (0, 0), r"expected an entry of a sample, whose shape is \(3,\), got \(0, 0\)"),
])  # fmt: skip
def test_an_entry_outside_is_refused(sample: int, entry: Any, message: str, rng: np.random.Generator) -> None:
    trace = traced(ReLU(), np.ones((2, 3)), rng=rng)
    with pytest.raises(ValueError, match=message):
        worked(trace, sample, entry)


def test_numbers_come_from_the_trace_not_from_the_layer(rng: np.random.Generator) -> None:
    layer = Affine(np.ones((2, 2)), np.zeros(2))
    trace = traced(layer, np.ones((1, 2)), rng=rng)
    layer.params["W"] *= 100.0
    found = worked(trace, 0)
    assert found is not None
    assert found.value == 2.0


def test_weight_decay_adds_its_part_to_weights_alone(rng: np.random.Generator) -> None:
    trace = traced(Affine(np.ones((2, 2)), np.zeros(2)), np.ones((1, 2)), rng=rng)
    without, weight, bias = (
        worked_backward(trace, 0, entry, key, decay)
        for entry, key, decay in (((0, 1), "W", 0.0), ((0, 1), "W", 0.5), ((1,), "b", 0.5))
    )
    assert without is not None
    assert weight is not None
    assert bias is not None
    assert weight.value == without.value + 0.5
    assert weight.lines()[0] == "∂L/∂W[0,1] = x[0,0] ∂L/∂y[0,1] + λ W[0,1]"
    assert bias.value == trace.grads["b"][1]


def gradients_agree(trace: NodeTrace) -> None:
    (gradient, *_) = trace.dinputs
    assert gradient is not None
    for index in entries(gradient):
        close(worked_backward(trace, *split(index)), gradient[index], scale_of(trace), "float64")


def test_of_equal_entries_the_first_gets_the_gradient_of_a_window(rng: np.random.Generator) -> None:
    x = np.asarray([[[[1.0, 2.0, 2.0, 2.0], [2.0, 0.0, 2.0, 1.0]]]])
    for pooling in (MaxPooling(2), MaxPooling(2, stride=1)):
        gradients_agree(traced(pooling, x, rng=rng))
    layer = ConvolutionReLUPooling(np.ones((1, 1, 1, 1)), np.zeros(1))
    gradients_agree(traced(layer, x, rng=rng))


def test_equal_entries_share_the_gradient_of_a_maximum(rng: np.random.Generator) -> None:
    gradients_agree(traced(Max(axis=1), np.asarray([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]]), rng=rng))


def test_probabilities_need_not_add_up_to_1(rng: np.random.Generator) -> None:
    t = np.asarray([[0.2, 0.3, 0.4], [0.5, 0.4, 0.2]])
    gradients_agree(traced(SoftmaxWithLoss(), rng.standard_normal((2, 3)), t, rng=rng))


def test_rows_of_several_ones_count_that_of_the_largest_x(rng: np.random.Generator) -> None:
    t = np.asarray([[1, 1, 0], [0, 1, 1]])
    trace = traced(SoftmaxWithLoss(), rng.standard_normal((2, 3)), t, rng=rng)
    losses = [found.value for n in range(2) if (found := worked(trace, n))]
    assert np.mean(losses) == pytest.approx(float(trace.output))
    gradients_agree(trace)
