"""The graph of a trace: its numbers are those of the check."""

from __future__ import annotations

import numpy as np
import pytest

from backends import Array, Backend
from backprop import Affine, Network, ReLU, Residual, TwoLayerNet
from backprop.gradcheck.check import subject_of
from backprop.gradcheck.comparison import compare
from backprop.gradcheck.differences import EPSILON
from backprop.gradcheck.network_subject import NetworkSubject
from backprop.gradcheck.report import FAILED, UNRESOLVED
from backprop.gradcheck.rounding import rounding_changes
from backprop.gradcheck.variable import Variable
from backprop.graphs import Graph
from backprop.networks.parameters import named_parameters

from .random_networks import random_network

SEEDS = range(100)


def edges_by_source(graph: Graph) -> dict[str, np.ndarray]:
    """The gradient on every edge that comes from x or a parameter: `{"x": …, "Affine1.W": …}`."""
    found = {}
    for edge in graph.edges:
        name, _, layer = edge.source.partition(" of ")
        if edge.source == "x" or (layer and name != "branch" and name != "sum"):
            found[f"{layer}.{name}" if layer else name] = edge.backward
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
    for slot in subject.slots:
        own = "x" if slot[0] == "input" else ".".join(slot)
        assert backend.agree(backend.asarray(edges[own]), analytic[slot]), own
        rng = np.random.default_rng(0)
        entry = compare(Variable(subject, slot), edges[own], rng, rounding=rounding[slot])
        assert entry.verdict != FAILED, str(entry)
        assert entry.compared == edges[own].size
