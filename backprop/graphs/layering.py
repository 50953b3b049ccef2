"""The layers of a drawing: in which layer a node lies, and in which order the nodes of a layer stand.

Source: Sugiyama, Tagawa and Toda, *Methods for visual understanding of hierarchical system structures*
(1981): longest paths, then barycentres.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from graphlib import TopologicalSorter
from itertools import pairwise

NEAR = 3
"""An input used first in a layer up to this one stands in the first layer, others just before their use."""

SWEEPS = 12
"""The most sweeps there and back that order the layers."""

Edges = Sequence[tuple[int, int]]
"""Source and target of each edge."""


def levels(count: int, edges: Edges) -> list[int]:
    """The layer of each node: every edge leads to a later one.

    >>> levels(4, [(0, 2), (1, 3), (2, 3)])
    [0, 0, 1, 2]
    """
    sources, targets = neighbours(count, edges)
    found = [0] * count
    for node in TopologicalSorter(dict(enumerate(sources))).static_order():
        found[node] = max((found[source] + 1 for source in sources[node]), default=0)
    for node in range(count):
        first_use = min((found[target] for target in targets[node]), default=0)
        if not sources[node] and first_use > NEAR:
            found[node] = first_use - 1
    return found


def distant_uses(count: int, edges: Edges) -> list[int]:
    """The edges from an input over more than a few layers.

    >>> distant_uses(6, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (0, 5), (0, 2)])
    [5]
    """
    level, (sources, _) = levels(count, edges), neighbours(count, edges)
    return [
        i for i, (one, other) in enumerate(edges) if not sources[one] and level[other] - level[one] > NEAR
    ]


def neighbours(count: int, edges: Edges) -> tuple[list[list[int]], list[list[int]]]:
    """For each node, the sources of its incoming edges and the targets of its outgoing ones."""
    sources: list[list[int]] = [[] for _ in range(count)]
    targets: list[list[int]] = [[] for _ in range(count)]
    for source, target in edges:
        sources[target].append(source)
        targets[source].append(target)
    return sources, targets


def ordered(level: Sequence[int], links: Edges) -> list[list[int]]:
    """The items of every layer in an order with few crossings; a link joins items of adjacent layers.

    >>> ordered([0, 0, 1, 1], [(0, 3), (1, 2)])
    [[1, 0], [2, 3]]
    """
    sources, targets = neighbours(len(level), links)
    layers = _as_visited(level, sources, targets)
    best, least = [list(layer) for layer in layers], _crossings(layers, targets)
    for _ in range(SWEEPS):
        if not least:
            break
        for towards, walk in ((sources, layers[1:]), (targets, layers[-2::-1])):
            _sort_by_barycentre(layers, towards, walk)
            found = _crossings(layers, targets)
            if found < least:
                best, least = [list(layer) for layer in layers], found
    return best


def _as_visited(level: Sequence[int], sources: list[list[int]], targets: list[list[int]]) -> list[list[int]]:
    """The layers as a walk from the results to the inputs meets their items: a tree has no crossings."""
    layers: list[list[int]] = [[] for _ in range(max(level) + 1)]
    seen: set[int] = set()
    for end in (item for item in range(len(level)) if not targets[item]):
        left = [end]
        while left:
            item = left.pop()
            if item not in seen:
                seen.add(item)
                layers[level[item]].append(item)
                left.extend(reversed(sources[item]))
    return layers


def _sort_by_barycentre(layers: list[list[int]], neighbours: list[list[int]], walk: list[list[int]]) -> None:
    """Sort the layers in place, each by the mean place of its items' neighbours."""
    place = {item: i for layer in layers for i, item in enumerate(layer)}
    for layer in walk:
        centre = {
            item: sum(place[n] for n in neighbours[item]) / len(neighbours[item])
            if neighbours[item]
            else place[item]
            for item in layer
        }
        layer.sort(key=centre.__getitem__)
        place.update((item, i) for i, item in enumerate(layer))


def _crossings(layers: list[list[int]], targets: list[list[int]]) -> int:
    """How many pairs of links cross."""
    count = 0
    for upper, lower in pairwise(layers):
        place = {item: i for i, item in enumerate(lower)}
        ends: list[int] = []  # of the links so far
        for item in upper:
            own = [place[target] for target in targets[item]]
            count += sum(len(ends) - bisect_right(ends, end) for end in own)
            for end in own:
                insort(ends, end)
    return count
