"""Layers, and the order within them."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest

from backprop.graphs.layering import NEAR, _as_visited, distant_uses, levels, neighbours, ordered


def random_edges(seed: int, count: int = 15, edges: int = 25) -> list[tuple[int, int]]:
    rng = np.random.default_rng(seed)
    pairs = [sorted(rng.choice(count, 2, replace=False).tolist()) for _ in range(edges)]
    return [(one, other) for one, other in pairs]


@pytest.mark.parametrize("seed", range(20))
def test_every_edge_leads_to_a_later_layer(seed: int) -> None:
    edges = random_edges(seed)
    level = levels(15, edges)
    assert all(level[one] < level[other] for one, other in edges)
    used = {place for edge in edges for place in edge}
    assert {level[node] for node in used} == set(range(max(level) + 1))  # none is empty


def test_an_input_lies_before_its_first_use() -> None:
    chain = [(i, i + 1) for i in range(9)]
    assert levels(11, [*chain, (10, NEAR)])[10] == 0
    assert levels(11, [*chain, (10, NEAR + 1)])[10] == NEAR
    assert levels(11, [*chain, (10, 9), (10, 8)])[10] == 7
    assert levels(11, [*chain, (0, 10), (10, 9)])[10] == 1  # not an input


def test_distant_uses_are_those_of_inputs() -> None:
    chain = [(i, i + 1) for i in range(9)]
    assert distant_uses(10, [*chain, (1, 9), (0, NEAR), (0, NEAR + 1)]) == [len(chain) + 2]


def crossings(layers: list[list[int]], links: list[tuple[int, int]]) -> int:
    place = {item: i for layer in layers for i, item in enumerate(layer)}
    level = {item: i for i, layer in enumerate(layers) for item in layer}
    return sum(
        level[a] == level[c] and (place[a] - place[c]) * (place[b] - place[d]) < 0
        for (a, b), (c, d) in combinations(links, 2)
    )


@pytest.mark.parametrize("seed", range(20))
def test_a_tree_has_no_crossing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    parents = [int(rng.integers(max(i, 1))) for i in range(25)]
    depth = [0]
    for parent in parents[1:]:
        depth.append(depth[parent] + 1)
    links = [(i, parents[i]) for i in range(1, 25)]  # to the root, in the last layer
    level = [max(depth) - d for d in depth]
    layers = ordered(level, links)
    assert sorted(item for layer in layers for item in layer) == list(range(25))
    assert crossings(layers, links) == 0


def test_sweeps_undo_crossings() -> None:
    """Two rows that could be joined without a crossing: never more than the walk finds, and half on average."""
    before = after = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        level = [0] * 6 + [1] * 6
        upper, lower = rng.permutation(6), 6 + rng.permutation(6)
        pairs = list(zip(upper.tolist(), lower.tolist(), strict=True))
        links = pairs + [(one, other) for (one, _), (_, other) in pairwise(pairs)]
        links = [links[i] for i in rng.permutation(len(links))]
        sources, targets = neighbours(12, links)
        first, found = (
            crossings(layers, links)
            for layers in (_as_visited(level, sources, targets), ordered(level, links))
        )
        assert found <= first
        before, after = before + first, after + found
    assert after < before / 2
