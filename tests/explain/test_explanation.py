"""One batch through a network, with everything that a reader is shown of it."""

from __future__ import annotations

import numpy as np
import pytest

from backends import Backend
from backprop import Affine, Network, ReLU, TwoLayerNet
from backprop.explain import explain, page_of, text_of
from backprop.explain.explanation import MOST_LAYERS
from backprop.explain.steps import PART
from backprop.layers import Layer
from backprop.lookup import UsageError

from .pages import read
from .small import NETWORKS, blocks, images, multi_layer, regression, simple_conv, two_layer


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_forward_and_in_reverse_backward(name: str) -> None:
    network, x, t = NETWORKS[name]()
    found = explain(network, x, t, sample=1)
    names = [node.name for node in found.trace.nodes()]
    backward = [node.name for node in found.trace.nodes(backward=True)]
    assert [step.title for step in found.steps] == [
        *(f"{name}, forward" for name in names),
        *(f"{name}, backward" for name in backward),
    ]
    assert all(step.formula is not None for step in found.steps)


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_worked_out_are_the_network_s_own_numbers(name: str) -> None:
    network, x, t = NETWORKS[name]()
    sample = 1
    for step in explain(network, x, t, sample=sample).steps:
        node = step.node
        for key, one in step.worked.items():
            if key == "L":
                continue
            values = node.arrays[key]
            target = one.steps[-1].target
            assert one.value == pytest.approx(float(values[target.index]), rel=1e-4, abs=1e-6)
            own = values if key.removeprefix(PART) in node.params else values[sample]
            assert abs(float(values[target.index])) == np.abs(own).max()
        if step.is_loss and not step.is_backward:
            assert set(step.worked) == {"L"}
        assert step.is_backward == (step.difference is not None)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_derivative_beside_is_that_of_the_same_entry(name: str) -> None:
    network, x, t = NETWORKS[name]()
    sample = 1
    for step in explain(network, x, t, sample=sample).steps:
        if step.difference:
            key, _, place = step.difference.name.partition("[")
            gradient = step.node.arrays[f"{PART}{key}"]
            if key == "x":
                assert place.startswith("1,")
            assert step.difference.agrees
            assert step.difference.analytic == pytest.approx(
                float(np.abs(gradient if key in step.node.params else gradient[sample]).max())
                * np.sign(step.difference.analytic),
                rel=1e-3,
                abs=1e-6,
            )


def test_losses_of_the_samples_average_to_the_loss() -> None:
    for make in (two_layer, regression):
        network, x, t = make()
        losses = []
        for sample in range(len(x)):
            step = next(s for s in explain(network, x, t, sample=sample).steps if s.is_loss)
            losses.append(step.worked["L"].value)
        assert np.mean(losses) == pytest.approx(float(network.loss(x, t)), rel=1e-6)


def test_gradients_of_weights_include_weight_decay() -> None:
    network, x, t = multi_layer()
    found = explain(network, x, t, layer="Affine1")
    one = found.steps[1].worked[f"{PART}W"]
    assert "λ W[" in one.text()
    assert one.value == pytest.approx(
        float(network.gradient(x, t)["W1"][one.steps[-1].target.index]), rel=1e-5
    )


def test_one_layer() -> None:
    network, x, t = simple_conv()
    for layer in ("Conv1", "conv1", "Conv1 with Relu1 and Pool1"):
        assert [step.title for step in explain(network, x, t, layer=layer).steps] == [
            "Conv1 with Relu1 and Pool1, forward",
            "Conv1 with Relu1 and Pool1, backward",
        ]
    network, x, t = blocks()
    assert len(explain(network, x, t, layer="Residual1.ReLU1").steps) == 2
    assert len(explain(network, x, t, layer="SoftmaxWithLoss").steps) == 2
    message = (
        "unknown layer 'Affine9': expected one of .*Residual1.ReLU1, SoftmaxWithLoss; did you mean Affine"
    )
    with pytest.raises(UsageError, match=message):
        explain(network, x, t, layer="Affine9")


def test_too_many_layers_are_refused() -> None:
    """Each step runs the whole network twice."""

    def layers() -> list[Affine]:
        return [Affine(np.eye(3), np.zeros(3)) for _ in range(MOST_LAYERS - 1)]

    x, t = np.ones((2, 3)), np.asarray([0, 1])
    assert len(explain(Network(layers()), x, t).steps) == 2 * MOST_LAYERS
    network = Network([*layers(), ReLU()])
    with pytest.raises(UsageError, match="101 layers with the loss, .*choose one, such as --layer Affine1"):
        explain(network, x, t)
    assert len(explain(network, x, t, layer="ReLU1").steps) == 2


def test_samples_of_several_axes_count_as_rows() -> None:
    x, t = images()
    steps = explain(TwoLayerNet(784, 5, 10, rng=0), x, t).steps
    for step in (steps[0], steps[-1]):
        (note,) = step.notes
        start = "A sample of x, 1×28×28, counts as a row of 784 numbers, row-major: "
        assert note.startswith(start)
        row, rule = note.removeprefix(start).removesuffix(".").split(" = ")
        assert eval(rule.replace("·", "*")) == int(row)
        i, j = (int(word) for word in rule.split()[::4])
        lines = [line for found in step.worked.values() for line in found.lines()]
        assert any(f"x[0,0,{i},{j}]" in line or f"W[{row}," in line for line in lines)
    assert steps[2].notes == ()
    assert explain(*two_layer()).steps[0].notes == ()


@pytest.mark.parametrize("sample", [-1, 4])
def test_a_sample_outside_the_batch_is_refused(sample: int) -> None:
    with pytest.raises(IndexError, match=f"expected a sample from 0 to 3, got {sample}"):
        explain(*two_layer(), sample=sample)


def test_the_network_is_not_changed() -> None:
    network, x, t = blocks()
    before = {key: np.array(value) for key, value in {**network.params, **network.state}.items()}
    explain(network, x, t)
    for key, value in {**network.params, **network.state}.items():
        np.testing.assert_array_equal(value, before[key])


def test_label_and_probabilities() -> None:
    network, x, t = two_layer()
    found = explain(network, x, t, sample=2)
    assert found.label == t[2]
    y = network.predict(x[2:3])[0].astype(float)
    np.testing.assert_allclose(found.probabilities, np.exp(y) / np.exp(y).sum(), rtol=1e-6)
    assert explain(network, x, np.eye(10, dtype="uint8")[t], sample=2).label == t[2]
    other = explain(*regression())
    assert (other.label, other.probabilities) == (None, None)


def test_float16_is_explained_in_float32() -> None:
    network, x, t = two_layer()
    found = explain(network.to(dtype="float16"), x, t)
    assert found.trace.dtype == "float32"
    assert "float16" in found.remarks[0]


def test_nan_is_shown_and_named() -> None:
    network, x, t = two_layer()
    network.params["b1"][3] = np.nan
    found = explain(network, x, t)
    assert "NaN or infinite: first in b of Affine1" in found.remarks[-1]
    assert "NaN" in found.steps[0].worked["y"].text()


class Square(Layer):
    def forward(self, x: np.ndarray, *, training: bool = False) -> np.ndarray:
        self.saved = x if training else None
        return x * x

    def backward(self, dout: np.ndarray) -> np.ndarray:
        return 2.0 * self.saved * dout


class BookRelu:
    formula = "y = x > 0 ? x : 0"

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, dout: np.ndarray) -> np.ndarray:
        dout[self.mask] = 0
        return dout


def test_layers_of_one_s_own() -> None:
    rng = np.random.default_rng(0)
    first, last = (Affine(rng.standard_normal((3, 3)), np.zeros(3)) for _ in range(2))
    network = Network([first, Square(), BookRelu(), ReLU(), last])
    found = explain(network, rng.standard_normal((4, 3)), rng.integers(0, 3, 4))
    forward = {step.node.name: step for step in found.steps if not step.is_backward}
    backward = {step.node.name: step for step in found.steps if step.is_backward}
    assert forward["Square1"].formula is None
    assert backward["Square1"].difference is not None
    assert backward["Square1"].difference.agrees
    formula = forward["BookRelu1"].formula
    assert formula is not None
    assert formula.text() == "y = x > 0 ? x : 0"
    assert backward["BookRelu1"].formula is None
    assert backward["BookRelu1"].difference is not None
    assert backward["BookRelu1"].difference.agrees


def test_a_sample_of_one(tmp_path: object) -> None:
    network = TwoLayerNet(784, 5, 10, rng=0)
    _, x, t = two_layer()
    assert len(explain(network, x[:1], t[:1]).steps) == 8


def test_every_backend_explains_the_same(backend: Backend) -> None:
    network, x, t = two_layer()
    there = explain(network.to(device=backend), x, t, sample=1)
    here = explain(network, x, t, sample=1)
    for one, other in zip(there.steps, here.steps, strict=True):
        assert one.title == other.title
        for key, found in one.worked.items():
            assert found.value == pytest.approx(other.worked[key].value, rel=1e-4, abs=1e-7)
        if one.difference and other.difference:
            assert one.difference.agrees
            assert one.difference.analytic == pytest.approx(other.difference.analytic, rel=1e-9)
    assert text_of(there).splitlines()[0] == text_of(here).splitlines()[0]
    read(page_of(there))
