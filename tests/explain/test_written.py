"""What the page and the text say in words and numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from backprop import Affine, BatchNormalization, Dropout, Network, ReLU
from backprop.explain import explain, written
from backprop.explain.difference import Difference
from backprop.graphs.labels import label_of
from backprop.text import digits
from backprop.tracing.details import details

from ..tables import number
from .small import multi_layer, questions, regression, two_layer


def difference(analytic: float, above: float = 2.0 + 1e-4, below: float = 2.0 - 1e-4) -> Difference:
    return Difference("W[1,2]", 0.5, 1e-4, above, below, analytic)


def test_the_derivative_has_all_digits() -> None:
    d = Difference("W[1,2]", 0.5, 1e-4, 0.5315782746815739, 0.531578313727529, -1.952297746823817e-4)
    assert [number for _, number, _ in written.derivative(d)] == [
        "0.5",
        "1e−4",
        "0.5315782746815739",
        "0.5315783137275290",
        "−0.0000000390459551",
        "−1.952297755e−4",
        "−1.952297746823817e−4",
    ]
    assert written.derivative(d)[-1][2] == "−1.9522977"
    rows = written.derivative(d)
    assert [name for name, _, _ in rows] == [
        "w = W[1,2]", "h", "f(w + h)", "f(w − h)", "f(w + h) − f(w − h)", "divided by 2h", "backpropagation",
    ]  # fmt: skip
    numbers = {name: number(text) for name, text, _ in rows}
    assert numbers["w = W[1,2]"] == d.value
    assert numbers["f(w + h)"] == d.above
    assert numbers["f(w + h) − f(w − h)"] == pytest.approx(d.above - d.below, rel=1e-10)
    assert numbers["divided by 2h"] == pytest.approx(d.numerical, rel=1e-15)
    assert numbers["backpropagation"] == pytest.approx(d.analytic, rel=1e-15)


@pytest.mark.parametrize(("above", "below", "expected"), [
    (1e-30, 3e-30, ["1e−30", "3e−30", "−2e−30", "−1e−26"]),
    (2e30, 1e30, ["2e30", "1e30", "1e30", "5e33"]),
    (math.inf, math.inf, ["∞", "∞", "NaN", "NaN"]),
    (math.inf, 1.0, ["∞", "1", "∞", "∞"]),
    (2.0, 2.0, ["2.0", "2.0", "0.0", "0"]),
])  # fmt: skip
def test_numbers_of_all_sizes(above: float, below: float, expected: list[str]) -> None:
    rows = written.derivative(Difference("w", 0.5, 1e-4, above, below, 0.0))
    assert [text for _, text, _ in rows[2:6]] == expected
    assert bool(rows[-1][2]) == (above == below == 2.0)  # 0 and 0; nothing is marked in NaN


@pytest.mark.parametrize(("one", "other", "same"), [
    ("-1.2345e-05", "-1.2399e-05", "-1.23"), ("1.5e-05", "1.5e-04", ""), ("1.5", "1.5", "1.5"),
    ("2.0", "-2.0", ""), ("0.5484040", "0.5484041", "0.548404"),
])  # fmt: skip
def test_common_beginning(one: str, other: str, same: str) -> None:
    assert written.common(one, other) == same


def test_equal_digits_are_marked_in_both() -> None:
    *_, numerical, analytic = written.derivative(difference(-1.00000002, 2.0 - 1e-4, 2.0 + 1e-4))
    assert numerical[2] == analytic[2]
    assert analytic[2] == "−1"
    *_, numerical, analytic = written.derivative(difference(1.23456789, 1.1 + 1.234567e-4, 1.1 - 1.234567e-4))
    assert numerical[2] == analytic[2]
    assert analytic[2].startswith("1.23456")
    assert analytic[1].startswith(analytic[2])


def test_verdict() -> None:
    assert written.verdict(difference(1.0 + 1e-8)) == "They agree: the relative difference is 1e−8."
    assert "They differ by 0.5, relative to the larger: a ReLU" in written.verdict(difference(2.0))
    assert "nothing to compare" in written.verdict(difference(np.nan))
    assert "up to the rounding of f" in written.verdict(difference(1e-17, 2.0, 2.0))


def test_lead_and_batch() -> None:
    network, x, t = two_layer()
    found = explain(network, x, t, sample=1, name="sample 1 of it")
    p = found.probabilities
    assert p is not None
    assert written.lead(found) == (
        f"Sample 1 of it, labelled {t[1]}: the network says {p.argmax()} with {p.max():.1%}."
    )
    assert written.batch(found) == f"A batch of 4 samples: loss {float(network.loss(x, t)):.4g}."
    assert written.lead(explain(*regression())) == "Sample 0."
    decayed, x, t = multi_layer()
    penalty = 0.05 * sum(float((W**2).sum()) for W in (decayed.params[f"W{i}"] for i in (1, 2, 3)))
    assert written.batch(explain(decayed, x, t)).endswith(f" + weight decay {penalty:.4g}.")


def test_the_lead_says_what_the_network_predicts() -> None:
    """The batch of the steps drops units and has statistics of its own."""
    rng = np.random.default_rng(0)
    layers = [
        Affine(rng.standard_normal((3, 8)), np.zeros(8)),
        BatchNormalization(np.ones(8), np.zeros(8)),
        ReLU(),
        Dropout(0.5, seed=1),
        Affine(rng.standard_normal((8, 4)), np.zeros(4)),
    ]
    network, x = Network(layers), rng.standard_normal((6, 3))
    for sample in range(6):
        found = explain(network, x, np.arange(6) % 4, sample=sample)
        y = network.predict(x)[sample]
        p = np.exp(y) / np.exp(y).sum()
        assert written.lead(found).endswith(f"the network says {p.argmax()} with {p.max():.1%}.")
        assert "The batch runs as in training" in found.remarks[0]
        rows = written.classes(found)
        assert rows is not None
        y = found.trace.loss.inputs[0][sample]
        p = np.exp(y) / np.exp(y).sum()
        assert [number(row[2]) for row in rows[1]] == pytest.approx(p.tolist(), rel=0.06)
    assert explain(*two_layer()).remarks == ()


def test_what_a_sample_and_the_batch_have_in_common() -> None:
    steps = {step.title: step for step in explain(*two_layer()).steps}
    words = written.way_back(steps["SoftmaxWithLoss, backward"])
    assert words.endswith("L is the mean over 4 samples: the gradients of each have a factor 1/4.")
    network, x, t = two_layer()
    alone = {step.title: step for step in explain(network, x[:1], t[:1]).steps}
    assert "mean" not in written.way_back(alone["SoftmaxWithLoss, backward"])
    assert written.function(explain(*two_layer())) == "f is the loss of the batch"
    assert written.function(explain(*multi_layer())) == "f is the loss of the batch + weight decay"


def test_classes_are_rows() -> None:
    network, x, t = two_layer()
    found = explain(network, x, t, sample=1)
    rows = written.classes(found)
    assert rows is not None
    assert rows[0] == ("class", "x", "p", "t", "∂L/∂x")
    assert [number(row[1]) for row in rows[1]] == pytest.approx(network.predict(x)[1].tolist(), rel=0.06)
    assert [row[3] for row in rows[1]] == ["1" if k == t[1] else "0" for k in range(10)]
    assert sum(number(row[2]) for row in rows[1]) == pytest.approx(1.0, abs=1e-3)
    gradient = found.trace.loss.dinputs[0]
    assert gradient is not None
    assert [number(row[4]) for row in rows[1]] == pytest.approx(gradient[1].tolist(), rel=0.06)
    assert written.classes(explain(*questions())) is None


def test_statistics_of_arrays() -> None:
    row = written.statistics("x", np.asarray([[1.0, 3.0], [0.0, 0.0]]))
    assert row == ("x", "2×2", "1 ± 1.225", "0", "3", "50%", "3.162")
    assert written.statistics("L", np.asarray(2.5))[1:3] == ("a number", "2.5")
    assert written.statistics("x", np.asarray([np.nan, 1.0]))[2] == "1 not finite"


def test_labels_have_no_statistics() -> None:
    names = [[row[0] for row in written.arrays(step)] for step in explain(*two_layer()).steps]
    assert ["x", "L"] in names
    assert ["x", "t", "L"] in [[row[0] for row in written.arrays(s)] for s in explain(*regression()).steps]


def test_a_picture_in_characters() -> None:
    x = np.zeros((1, 8, 8))
    x[0, 2:4, 3] = 1.0
    assert written.shown_image(x) == ["", "   @", "", ""]
    assert written.shown_image(np.full((1, 4, 4), np.nan)) == ["", ""]


def test_a_picture_in_colour_is_shown_in_grey() -> None:
    x = np.zeros((3, 4, 4))
    x[2, :, 1] = 1.0  # blue alone
    assert written.shown_image(x) == [" @", " @"]


def test_a_number_is_written_alike_everywhere() -> None:
    network, x, t = two_layer()
    found = explain(network, x, t)
    W = network.params["W1"]
    mean = digits(float(W.mean(dtype="float64")))
    label = label_of(W)
    assert label is not None
    assert label.text().startswith(f"784×50: {mean} ± ")
    shown = details(found.trace, found.trace["Affine1"], None, None)
    assert f"W      784×50      {mean} ± " in shown
    rows = {row[0]: row for row in written.arrays(found.steps[0])}
    assert rows["W"][1] == "784×50"
    assert rows["W"][2].startswith(f"{mean} ± ")
