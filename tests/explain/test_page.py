"""The page of an explanation: valid, self-contained, and with the network's own numbers."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from backprop import Affine, Network
from backprop.explain import explain, page_of, pictures, written
from backprop.layers import Layer
from backprop.text import digits

from .pages import read
from .small import NETWORKS, regression, simple_conv, two_layer


@pytest.mark.parametrize("name", NETWORKS)
def test_steps_follow_each_other(name: str) -> None:
    found = explain(*NETWORKS[name]())
    page = read(page_of(found))
    count = 2 + len(found.steps)
    assert list(page.texts) == [f"step-{i}" for i in range(1, count + 1)]
    for i in range(1, count + 1):
        expected = {"prev": {f"#step-{i - 1}"}, "next": {f"#step-{i + 1}"}}
        if i == 1:
            del expected["prev"]
        if i == count:
            del expected["next"]
        assert page.relations[f"step-{i}"] == expected
        assert page.links.count(f"#step-{i}") >= 1
    for i, step in enumerate(found.steps, 3):
        assert page.texts[f"step-{i}"].strip().startswith(step.title)


@pytest.mark.parametrize("name", NETWORKS)
def test_numbers_are_those_of_the_network(name: str) -> None:
    found = explain(*NETWORKS[name]())
    page = read(page_of(found))
    for i, step in enumerate(found.steps, 3):
        text = page.texts[f"step-{i}"]
        for one in step.worked.values():
            assert spaceless(digits(one.value)) in spaceless(text)
        if step.difference:
            for _, number, _ in written.derivative(step.difference):
                assert number in text
            for number in (step.difference.above, step.difference.below):
                assert repr(number) in text
            assert "They agree" in text
    assert digits(float(found.trace.loss.output))[:5] in page.texts["step-1"]


def spaceless(text: str) -> str:
    """Powers of ten are written in another way."""
    return re.sub(r"\s|·10|e", "", text)


def test_formulas_are_mathml() -> None:
    page = page_of(explain(*two_layer())).decode()
    found = [ElementTree.fromstring(math) for math in re.findall(r"<math.*?</math>", page)]
    assert len(found) == 8 + 4 + 8  # formulas, entries forward, and x, W, b backward
    assert "".join(found[0].itertext()).replace("\u2062", "") == "y=xW+b"
    known = {"math", "mrow", "mi", "mn", "mo", "mtext", "mfrac", "msub", "msup", "munder", "msqrt", "mspace",
             "mtable", "mtr", "mtd"}  # fmt: skip
    assert {element.tag for math in found for element in math.iter()} <= known


def test_words_in_formulas_stand_apart() -> None:
    page = page_of(explain(*two_layer(), layer="Relu1")).decode()
    words = re.findall("<mtext>(.*?)</mtext>", page)
    assert set(words) == {"\xa0if\xa0", "else\xa0"}  # browsers do not draw plain spaces at the ends


def test_pictures() -> None:
    network, x, t = two_layer()
    page = read(page_of(explain(network, x, t)))
    assert page.images.count("step-2") == len(x)
    assert page.images.count("step-3") == 1 + 1 + 32  # the digit, the output, the first 32 weights
    assert page.images.count("step-10") == 1 + 1 + 32 + 1
    network, x, t = simple_conv()
    page = read(page_of(explain(network, x, t)))
    assert page.images.count("step-3") == 1 + 30 + 30  # the digit, feature maps, filters


def test_pictures_are_those_of_the_sample() -> None:
    network, x, t = two_layer()
    found = explain(network, x, t, sample=2)
    page = page_of(found).decode()
    for step in found.steps:
        assert pictures.of_step(step, 2, (784,)) in page


def test_without_pictures() -> None:
    page = read(page_of(explain(*regression())))
    assert "step-2" not in page.images  # samples of three numbers


def test_boxes_of_the_graph_lead_to_their_steps() -> None:
    page = page_of(explain(*two_layer())).decode()
    svg = page[page.index("<svg") : page.index("</svg>")]
    links = re.findall(r'<a href="(#step-\d+)">\n<g class="node (?:layer|loss)">\n<title>(\w+)', svg)
    assert links == [
        ("#step-3", "Affine1"),
        ("#step-4", "Relu1"),
        ("#step-5", "Affine2"),
        ("#step-6", "SoftmaxWithLoss"),
    ]


def test_one_layer_alone() -> None:
    page = read(page_of(explain(*two_layer(), layer="Relu1")))
    assert len(page.texts) == 4
    assert page.texts["step-4"].strip().startswith("Relu1, backward")


ATTACK = "<script>alert(1)</script>\x1b&"


class Nameless(Layer):
    def forward(self, x: np.ndarray, *, training: bool = False) -> np.ndarray:
        return x.copy()

    def backward(self, dout: np.ndarray) -> np.ndarray:
        return dout.copy()


def test_names_are_escaped() -> None:
    rng = np.random.default_rng(0)
    layers = {ATTACK: Affine(rng.standard_normal((3, 3)), np.zeros(3)), "own" + ATTACK: Nameless()}
    network, x, t = Network(layers), rng.standard_normal((4, 3)), np.asarray([0, 1, 2, 1])
    found = page_of(explain(network, x, t, name=ATTACK))
    assert ATTACK.encode() not in found
    assert b"\x1b" not in found
    page = read(found)
    assert "Nameless has no formula" in page.texts["step-4"]
    assert page.texts["step-3"].strip().startswith("<script>alert(1)</script>\\x1b&, forward")


def test_nan_and_infinity_are_shown() -> None:
    network, x, t = two_layer()
    network.params["W1"][:, 3] = np.nan
    network.params["b1"][4] = np.inf
    found = explain(network, x, t)
    page = read(page_of(found))
    assert "NaN or infinite: first in W of Affine1" in page.texts["step-1"]
    assert "NaN" in page.texts["step-3"]
    assert "nothing to compare" in page.texts["step-10"]


def test_a_graph_that_cannot_be_drawn_says_why() -> None:
    found = explain(*two_layer())
    layers = dict(found.trace.layers)
    layers["Relu1"] = replace(
        layers["Relu1"], inputs=(np.zeros((4, 50), "f"),)
    )  # as of a network that is no stack
    page = read(page_of(replace(found, trace=replace(found.trace, layers=layers))))
    assert "does not get what" in page.texts["step-1"]
