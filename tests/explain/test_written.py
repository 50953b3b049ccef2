"""What the page and the text say in words and numbers."""

from __future__ import annotations

import numpy as np
import pytest

from backprop.explain import explain, written
from backprop.explain.difference import Difference

from .small import multi_layer, questions, regression, two_layer


def difference(analytic: float, above: float = 2.0 + 1e-4, below: float = 2.0 - 1e-4) -> Difference:
    return Difference("W[1,2]", 0.5, 1e-4, above, below, analytic)


def test_the_derivative_has_all_digits() -> None:
    d = difference(1.00000002)
    rows = written.derivative(d)
    assert [name for name, _, _ in rows] == [
        "w = W[1,2]", "h", "f(w + h)", "f(w − h)", "f(w + h) − f(w − h)", "divided by 2h", "backpropagation",
    ]  # fmt: skip
    numbers = {name: float(number.replace("−", "-")) for name, number, _ in rows}
    assert numbers["w = W[1,2]"] == d.value
    assert numbers["f(w + h)"] == d.above
    assert numbers["f(w + h) − f(w − h)"] == pytest.approx(d.above - d.below, rel=1e-15)
    assert numbers["divided by 2h"] == pytest.approx(d.numerical, rel=1e-15)
    assert numbers["backpropagation"] == pytest.approx(d.analytic, rel=1e-15)


@pytest.mark.parametrize(("one", "other", "same"), [
    ("-1.2345e-05", "-1.2399e-05", "-1.23"), ("1.5e-05", "1.5e-04", ""), ("1.5", "1.5", "1.5"),
    ("2.0", "-2.0", ""), ("0.5484040", "0.5484041", "0.548404"),
])  # fmt: skip
def test_common_beginning(one: str, other: str, same: str) -> None:
    assert written.common(one, other) == same


def test_equal_digits_are_marked_in_both() -> None:
    *_, numerical, analytic = written.derivative(difference(-1.00000002, 2.0 - 1e-4, 2.0 + 1e-4))
    assert numerical[2] == analytic[2]
    assert analytic[2].startswith("−1.0000000")
    assert analytic[1].startswith(analytic[2])


def test_verdict() -> None:
    assert written.verdict(difference(1.0 + 1e-8)) == "They agree: the relative difference is 1e-08."
    assert "They differ by 0.5, relative to the larger: a ReLU" in written.verdict(difference(2.0))
    assert "nothing to compare" in written.verdict(difference(np.nan))
    assert "as far as f is not rounded" in written.verdict(difference(1e-17, 2.0, 2.0))


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
    assert " + weight decay " in written.batch(explain(decayed, x, t))


def test_classes_are_rows() -> None:
    network, x, t = two_layer()
    found = explain(network, x, t, sample=1)
    rows = written.classes(found)
    assert rows is not None
    assert rows[0] == ("class", "x", "p", "t", "∂L/∂x")
    assert [row[3] for row in rows[1]] == ["1" if k == t[1] else "0" for k in range(10)]
    assert sum(float(row[2]) for row in rows[1]) == pytest.approx(1.0, abs=1e-3)
    gradient = found.trace.loss.dinputs[0]
    assert gradient is not None
    assert [float(row[4]) for row in rows[1]] == pytest.approx(gradient[1].tolist(), rel=0.06)
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
    x = np.zeros((8, 8))
    x[2:4, 3] = 1.0
    assert written.shown_image(x) == ["", "   @", "", ""]
    assert written.shown_image(np.full((4, 4), np.nan)) == ["", ""]
