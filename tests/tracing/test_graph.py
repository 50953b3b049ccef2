"""The graph of a trace: its numbers are those of the check."""

from __future__ import annotations

import numpy as np
import pytest

from backends import Backend, get_backend
from backprop import Affine, MeanSquaredError, MultiLayerNet, Network, ReLU, Residual, Tanh
from backprop.gradcheck.check import subject_of
from backprop.gradcheck.comparison import compare
from backprop.gradcheck.differences import EPSILON
from backprop.gradcheck.network_subject import NetworkSubject
from backprop.gradcheck.report import FAILED, PASSED
from backprop.gradcheck.rounding import rounding_changes
from backprop.gradcheck.variable import Variable
from backprop.graphs import Graph
from backprop.networks.parameters import named_parameters

from .random_networks import random_network
from .traces import convolutions, residual, two_layers

SEEDS = range(100)


def edges_by_source(graph: Graph) -> dict[str, np.ndarray]:
    """The gradient on the edges from x and from every parameter: `{"x": …, "Affine1.W": …}`.

    From x, two edges lead to a block and past it; their gradients add.
    """
    found: dict[str, np.ndarray] = {}
    for edge in graph.edges:
        name, _, layer = edge.source.partition(" of ")
        if edge.source == "x" or (layer and name != "sum"):
            own = f"{layer}.{name}" if layer else name
            assert edge.backward is not None
            found[own] = found[own] + edge.backward if own in found else edge.backward
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_the_gradients_on_the_edges_are_the_checks_entry_by_entry(backend: Backend, seed: int) -> None:
    network, x, t = random_network(backend, seed)
    host = [np.array(backend.to_numpy(array)) for array in (x, t)]
    subject = subject_of(network, host, backend, 0, "float64")
    assert isinstance(subject, NetworkSubject)
    edges = edges_by_source(network.trace(x, t).graph())

    found = network.gradient(x, t)
    names = {name: f"{layer.name}.{key}" for name, (layer, key) in named_parameters(network.layers).items()}
    assert set(edges) == {"x", *names.values()}
    for name, own in names.items():
        assert backend.agree(backend.asarray(edges[own]), found[name]), name

    analytic, rounding = subject.gradients(), rounding_changes(subject, EPSILON)
    verdicts = set()
    for slot in subject.slots:
        own = "x" if slot[0] == "input" else ".".join(slot)
        assert backend.agree(backend.asarray(edges[own]), analytic[slot]), own
        rng = np.random.default_rng(0)
        entry = compare(Variable(subject, slot), edges[own], rng, rounding=rounding[slot])
        assert entry.verdict != FAILED, str(entry)
        assert entry.compared == edges[own].size
        verdicts.add(entry.verdict)
    assert PASSED in verdicts


def shape_of(graph: Graph) -> list[str]:
    labels = {node.id: node.label for node in graph.nodes}
    return [f"{labels[edge.source]} → {labels[edge.target]}" for edge in graph.edges]


def test_a_stack() -> None:
    trace = two_layers()
    graph = trace.graph()
    assert shape_of(graph) == [
        "x → Affine1", "W → Affine1", "b → Affine1", "Affine1 → Relu1",
        "Relu1 → Affine2", "W → Affine2", "b → Affine2",
        "Affine2 → SoftmaxWithLoss", "t → SoftmaxWithLoss", "SoftmaxWithLoss → L",
    ]  # fmt: skip
    details = {node.label: node.detail for node in graph.nodes}
    assert details["Affine1"] == "y = x W + b"
    edges = dict(zip(shape_of(graph), graph.edges, strict=True))
    assert edges["Affine1 → Relu1"].forward is trace["Affine1"].output or np.array_equal(
        edges["Affine1 → Relu1"].forward, trace["Affine1"].output
    )
    np.testing.assert_array_equal(edges["Affine1 → Relu1"].backward, trace["Affine1"].dout)
    np.testing.assert_array_equal(edges["W → Affine2"].forward, trace["Affine2"].params["W"])
    assert edges["t → SoftmaxWithLoss"].backward is None
    assert (edges["SoftmaxWithLoss → L"].forward, edges["SoftmaxWithLoss → L"].backward) == (trace.value, 1.0)


def test_a_block_is_two_ways_that_meet() -> None:
    trace = residual()
    graph = trace.graph()
    edges = dict(zip(shape_of(graph), graph.edges, strict=True))
    past, through = edges["Affine1 → +"], edges["Affine1 → Residual1.Affine1"]
    np.testing.assert_array_equal(past.forward, trace["Affine1"].output)
    np.testing.assert_array_equal(past.backward, trace["Residual1"].dout)
    np.testing.assert_allclose(past.backward + through.backward, trace["Affine1"].dout)
    np.testing.assert_allclose(
        edges["Residual1.Affine2 → +"].forward + past.forward, edges["+ → Affine2"].forward
    )


def test_weight_decay_is_a_term_of_the_loss() -> None:
    trace = residual(0.3)
    edges = dict(zip(shape_of(trace.graph()), trace.graph().edges, strict=True))
    loss, penalty, value = (edges[name].forward for name in ("SoftmaxWithLoss → +", "λ/2 Σ W² → +", "+ → L"))
    squares = sum(
        float((W**2).sum())
        for node in trace.layers.values()
        for key, W in node.params.items()
        if key[-1] == "W"
    )
    np.testing.assert_allclose(penalty, 0.15 * squares)
    np.testing.assert_allclose(loss + penalty, value)
    assert value == trace.value
    named = {name: edge.name for name, edge in edges.items()}
    assert named["W → Affine1"] == named["W → Residual1.Affine1"] == "gradient with λ W"
    assert named["b → Affine1"] == ""
    assert {edge.name for edge in residual().graph().edges} == {""}


def test_the_names_of_merged_layers_are_drawn_whole() -> None:
    assert ">Conv2 with Relu2 and Pool1<" in convolutions().graph().to_svg()


def test_the_graph_of_a_sample() -> None:
    trace = two_layers()
    edges = dict(zip(shape_of(trace.graph(1)), trace.graph(1).edges, strict=True))
    assert trace.graph(1).title == "TwoLayerNet, sample 1 of 3"
    np.testing.assert_array_equal(edges["x → Affine1"].forward, trace.x[1])
    np.testing.assert_array_equal(edges["x → Affine1"].backward, trace["Affine1"].dinputs[0][1])
    np.testing.assert_array_equal(edges["W → Affine1"].backward, trace["Affine1"].grads["W"])
    assert edges["t → SoftmaxWithLoss"].forward == 0
    with pytest.raises(IndexError, match="expected a sample from 0 to 2, got 3"):
        trace.graph(3)


def levels(graph: Graph | None) -> list[list[str]]:
    """The labels of the nodes of a graph and of its collapsed ones."""
    found = []
    while graph is not None:
        found.append([node.label for node in graph.nodes])
        graph = graph.collapsed
    return found


@pytest.mark.parametrize("merged", [True, False])
def test_collapsed_graphs(merged: bool) -> None:
    trace = convolutions(merged=merged)
    full, groups, repetitions, whole = levels(trace.graph())
    top, end = ["Affine1", "Relu7", "Dropout1", "Affine2"], ["SoftmaxWithLoss", "t", "L"]
    assert len(full) == len(trace.layers) + 2 * 8 + 4
    last = ["Conv2", "Conv4", "Conv6"] if merged else ["Pool1", "Pool2", "Pool3"]
    first = ["Conv1", "Conv3", "Conv5"]
    assert groups == ["x", *(f"{a} … {b}" for a, b in zip(first, last, strict=True)), *top, *end]
    assert repetitions == ["x", f"Conv1 … {last[-1]}", *top, *end]
    assert whole == ["x", "Conv1 … Affine2", *end]
    collapsed = trace.graph().collapsed
    assert collapsed is not None
    detail = collapsed.nodes[1].detail
    assert detail == "Conv1, Relu1, Conv2, Relu2, Pool1"
    folded = collapsed.collapsed
    assert folded is not None
    kinds = "Convolution · ReLU · " + (
        "ConvolutionReLUPooling" if merged else "Convolution · ReLU · MaxPooling"
    )
    assert folded.nodes[1].detail == f"3 × ({kinds})"


def test_what_goes_between_folded_layers() -> None:
    trace = convolutions()
    collapsed = trace.graph().collapsed
    assert collapsed is not None
    edges = dict(zip(shape_of(collapsed), collapsed.edges, strict=True))
    edge = edges["Conv1 … Conv2 → Conv3 … Conv4"]
    np.testing.assert_array_equal(edge.forward, trace["Conv2"].output)
    np.testing.assert_array_equal(edge.backward, trace["Conv2"].dout)


def test_a_block_is_one_node_of_the_collapsed_graph() -> None:
    collapsed = levels(residual().graph())[1]
    assert collapsed == ["x", "Affine1", "Residual1", "Affine2", "SoftmaxWithLoss", "t", "L"]


def test_collapsed_graphs_become_smaller() -> None:
    rng = np.random.default_rng(0)
    stacks = ([ReLU()], [ReLU(), ReLU()], [Affine(rng.standard_normal((2, 2)), np.zeros(2)), ReLU()] * 1)
    for stack in stacks:
        network = Network([layer.to(get_backend("cpu")) for layer in stack], MeanSquaredError()).to(
            dtype="float64"
        )
        sizes = [len(nodes) for nodes in levels(network.trace(np.ones((1, 2)), np.ones((1, 2))).graph())]
        assert sizes == sorted(set(sizes), reverse=True)


def test_a_network_of_many_layers_is_drawn_collapsed() -> None:
    network = Network([Tanh() for _ in range(400)], MeanSquaredError()).to(dtype="float64")
    svg = network.trace(np.ones((1, 2)), np.ones((1, 2))).graph().to_svg()
    assert "Tanh2 … Tanh399" in svg
    assert "398 × Tanh" in svg


@pytest.mark.parametrize("hidden", [5, 15, 16, 20, 40, 99, 400])
def test_a_drawing_of_any_depth_can_be_read(hidden: int) -> None:
    network = MultiLayerNet(4, [4] * hidden, 2, weight_init_std="he", rng=0)
    graph = network.trace(np.ones((2, 4), "float32"), np.asarray([0, 1])).graph()
    svg = graph.to_svg()
    height = float(svg.partition('height="')[2].partition('"')[0])
    assert height < 6500
    assert ("too large to draw in full" in svg) is (hidden > 16)
    if hidden >= 40:
        shown = ["Affine1, Relu1", f"Affine2 … Relu{hidden - 1}", f"Affine{hidden}, Relu{hidden}"]
        assert [name in svg for name in shown] == [True] * 3
        assert f"{hidden - 2} × (Affine · ReLU)" in svg


@pytest.mark.parametrize("merged", [True, False])
def test_the_network_of_chapter_8_is_drawn_in_full(merged: bool) -> None:
    assert "too large" not in convolutions(merged=merged).graph().to_svg()


def test_a_group_says_once_what_it_has() -> None:
    names = [f"a layer of a long name, {i}" for i in range(4)]
    network = Network({name: (ReLU, Tanh)[i % 2]() for i, name in enumerate(names)}, MeanSquaredError())
    trace = network.to(dtype="float64").trace(np.ones((1, 2)), np.ones((1, 2)))
    collapsed = trace.graph().collapsed
    assert collapsed is not None
    assert (collapsed.nodes[1].label, collapsed.nodes[1].detail) == (
        f"{names[0]} … {names[1]}",
        "ReLU · Tanh",
    )
    collapsed = (
        MultiLayerNet(4, [4] * 3, 2, rng=0).trace(np.ones((2, 4), "f4"), np.asarray([0, 1])).graph().collapsed
    )
    assert collapsed is not None
    assert (collapsed.nodes[1].label, collapsed.nodes[1].detail) == ("Affine1, Relu1", "")


def test_a_layer_whose_name_is_that_of_another_node() -> None:
    network = Network({"x": ReLU(), "L": ReLU(), "loss": ReLU()}, MeanSquaredError()).to(dtype="float64")
    graph = network.trace(np.ones((1, 2)), np.ones((1, 2))).graph()
    assert shape_of(graph)[:4] == ["x → x", "x → L", "L → loss", "loss → MeanSquaredError"]


def test_a_block_with_a_forward_of_its_own_is_a_node() -> None:
    class Doubled(Residual):
        def forward(self, x: np.ndarray, *, training: bool = False) -> np.ndarray:
            return 2.0 * super().forward(x, training=training)

        def backward(self, dout: np.ndarray) -> np.ndarray:
            return super().backward(2.0 * dout)

    network = Network([Doubled([Affine(np.eye(2), np.ones(2))])], MeanSquaredError())
    trace = network.trace(np.ones((1, 2)), np.ones((1, 2)))
    assert [node.label for node in trace.graph().nodes][:3] == ["x", "Doubled1", "Affine1.W"]
    assert trace["Doubled1.Affine1"].output.tolist() == [[2.0, 2.0]]


def test_a_network_that_is_no_stack_has_no_graph() -> None:
    class Own(Network):
        def forward(self, x: np.ndarray, *, training: bool = False) -> np.ndarray:
            first, second = self.layers.values()
            return second.forward(2.0 * first.forward(x, training=training), training=training)

    network = Own([Affine(np.eye(2), np.ones(2)), ReLU()], MeanSquaredError())
    trace = network.trace(np.ones((1, 2)), np.ones((1, 2)))
    with pytest.raises(
        ValueError, match="Own: the graph shows a stack .* ReLU1 does not get what Affine1 gives"
    ):
        trace.graph()
