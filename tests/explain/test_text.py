"""The explanation in a terminal."""

from __future__ import annotations

import numpy as np
import pytest

from backprop import MeanSquaredError, Network
from backprop.explain import explain, text_of
from backprop.layers import Layer

from .small import NETWORKS, multi_layer, two_layer


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize("name", NETWORKS)
def test_lines_fit(name: str, columns: int) -> None:
    lines = text_of(explain(*NETWORKS[name]()), columns).splitlines()
    assert [line for line in lines if len(line) > columns and len(line.split()) > 1] == []
    assert max(map(len, lines)) <= columns


@pytest.mark.parametrize("name", NETWORKS)
def test_the_numbers_are_those_of_the_page(name: str) -> None:
    found = explain(*NETWORKS[name]())
    text = text_of(found)
    for step in found.steps:
        assert step.title in text
        if step.formula:
            assert all(row.text() in text for row in step.formula.rows())
        for one in step.worked.values():
            assert all(line in text for line in one.lines())
        if step.difference:
            assert repr(step.difference.above).replace("-", "−") in text


def test_narrow_text_says_the_same() -> None:
    found = explain(*multi_layer())
    wide, narrow = (text_of(found, columns).split() for columns in (200, 40))
    assert {word for word in wide if "[" in word} <= set(narrow)


def test_order() -> None:
    text = text_of(explain(*two_layer(), name="sample 0 of it"), 80)
    assert text.startswith("TwoLayerNet explained\nSample 0 of it, labelled 7: the network says ")
    places = [
        text.index(title)
        for title in (
            "Affine1, forward",
            "SoftmaxWithLoss, forward",
            "SoftmaxWithLoss, backward",
            "Affine1, backward",
        )
    ]
    assert places == sorted(places)
    assert "@" in text[: places[0]]  # the digit
    marks = [line.strip() for line in text.splitlines() if line.strip() and set(line.strip()) == {"^"}]
    assert len(marks) == 4
    assert all(len(mark) > 6 for mark in marks)


def test_control_characters_are_shown() -> None:
    found = explain(*two_layer(), name="\x1b[2J")
    assert "\x1b" not in text_of(found)
    assert "\\x1b[2J" in text_of(found)


def test_a_note_is_said_once() -> None:
    text = text_of(explain(*two_layer()))
    assert text.count("Computed with x − m, where m is the largest x of the sample") == 1


def test_a_formula_without_a_gradient() -> None:
    class Half(Layer):
        formula = "y = x / 2"

        def forward(self, x: np.ndarray, *, training: bool = False) -> np.ndarray:
            return x / 2.0

        def backward(self, dout: np.ndarray) -> np.ndarray:
            return dout / 2.0

    network = Network([Half()], MeanSquaredError()).to(dtype="float64")
    text = text_of(explain(network, np.ones((1, 2)), np.zeros((1, 2))))
    assert "y = x / 2" in text
    assert "has no formula" not in text
    assert "The formula of Half does not say what its gradient is." in text
