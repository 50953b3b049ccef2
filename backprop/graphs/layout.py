"""Where nodes, labels and edges lie: along the direction of the edges, and across it.

An edge's label is an item of the drawing like a node, in a layer of its own between those of the nodes,
and so is every bend of an edge that passes over several layers. Items of a layer keep apart, and an edge
leaves its own items only between two layers: so nothing lies upon anything else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import NamedTuple

from .layering import Edges, levels, neighbours, ordered
from .spacing import LIGHT, nearest, spread, straighten

GAP = 12.0
"""Between neighbours in a layer."""

SHORTEST, LONGEST = 18.0, 44.0
"""The least and the greatest distance between two layers."""

SLOPE = 0.4
"""The distance between layers for every unit that an edge moves across."""

PORT = 9.0
"""Between the ends of two edges at a node."""


class Extent(NamedTuple):
    """The size of an item: along, and across to either side of the edges through it."""

    along: float
    before: float
    after: float


class Outline(NamedTuple):
    """The shape at which edges begin and end: a rectangle with round corners."""

    along: float
    across: float
    radius: float

    def end(self, offset: float) -> float:
        """From the middle along to the outline, `offset` across from the middle."""
        over = max(0.0, abs(offset) - (self.across / 2 - self.radius))
        return self.along / 2 - self.radius + math.sqrt(max(self.radius**2 - over**2, 0.0))


class Stretch(NamedTuple):
    """A straight part of an edge; curves lead from one to the next."""

    begin: float
    end: float
    across: float


class Place(NamedTuple):
    along: float
    across: float


@dataclass(frozen=True)
class Layout:
    """The middle of every node and label, and the stretches of every edge."""

    nodes: list[Place]
    labels: list[Place]
    routes: list[list[Stretch]]


class _Item(NamedTuple):
    layer: int
    extent: Extent
    chain: int | None
    """The edge of a label or a bend."""


def lay_out(nodes: Sequence[tuple[Extent, Outline]], edges: Edges, labels: Sequence[Extent]) -> Layout:
    """Place nodes and the labels of the edges between them."""
    items, chains = _items([extent for extent, _ in nodes], edges, labels)
    paths = [[source, *chain, target] for (source, target), chain in zip(edges, chains, strict=True)]
    layers = ordered([item.layer for item in items], [link for path in paths for link in pairwise(path)])
    across = _across(items, layers, paths)
    begins, ends = _along(items, layers, across, paths)
    along = [(begins[item.layer] + ends[item.layer]) / 2 for item in items]
    sources, targets = neighbours(len(nodes), edges)
    for i, (extent, _) in enumerate(nodes):  # inputs lie towards their edges, and so do results
        if not sources[i]:
            along[i] = ends[items[i].layer] - extent.along / 2
        elif not targets[i]:
            along[i] = begins[items[i].layer] + extent.along / 2
    places = list(map(Place, along, across))
    offsets = _ports([outline for _, outline in nodes], paths, across)
    routes = []
    for (source, *chain, target), offset in zip(paths, offsets, strict=True):
        begin = along[source] + nodes[source][1].end(0.0)
        end = along[target] - nodes[target][1].end(offset)
        routes.append([
            Stretch(begin, ends[items[source].layer], across[source]),
            *(Stretch(begins[items[i].layer], ends[items[i].layer], across[i]) for i in chain),
            Stretch(begins[items[target].layer], end, across[target] + offset),
        ])  # fmt: skip
    return Layout(places[: len(nodes)], [places[chain[-1]] for chain in chains], routes)


def _items(
    nodes: Sequence[Extent], edges: Edges, labels: Sequence[Extent]
) -> tuple[list[_Item], list[list[int]]]:
    """All items: the nodes, then the bends of each edge with its label, which lies just before its target.

    With them, which items belong to each edge.
    """
    level = levels(len(nodes), edges)
    items = [_Item(2 * level[i], extent, None) for i, extent in enumerate(nodes)]
    chains = []
    for e, (source, target) in enumerate(edges):
        first, last = 2 * level[source] + 1, 2 * level[target] - 1
        chains.append(list(range(len(items), len(items) + last - first + 1)))
        items += [_Item(layer, Extent(0.0, 0.0, 0.0), e) for layer in range(first, last)]
        items.append(_Item(last, labels[e], e))
    return items, chains


def _across(items: list[_Item], layers: list[list[int]], paths: list[list[int]]) -> list[float]:
    """An item wishes to lie at the middle of its neighbours in the layer before, or behind.

    If it can, of those at the other end of a short edge; and the bends of a long edge, with its label, wish
    to lie on one line.
    """
    short = neighbours(len(items), [link for path in paths if len(path) == 3 for link in pairwise(path)])
    every = neighbours(len(items), [link for path in paths for link in pairwise(path)])
    nearer = [[a or b for a, b in zip(*pair, strict=True)] for pair in zip(short, every, strict=True)]
    is_bend = [item.chain is not None and len(paths[item.chain]) > 3 for item in items]
    inputs = {path[0] for path in paths if not every[0][path[0]]}
    leaves = inputs | {item for path in paths if path[0] in inputs for item in path[1:-1]}
    weights = [LIGHT if is_bend[item] or item in leaves else 1.0 for item in range(len(items))]

    def wish(item: int, at: Sequence[float], *, back: bool) -> float:
        chain = items[item].chain
        if chain is not None and is_bend[item]:
            source, *line, target = (at[i] for i in paths[chain])
            return 0.9 * sum(line) / len(line) + 0.05 * (source + target)
        near = nearer[back][item]
        return sum(weights[i] * at[i] for i in near) / sum(weights[i] for i in near) if near else at[item]

    extents = [(item.extent.before, item.extent.after) for item in items]
    at = spread(layers, extents, GAP, wish, weights)
    straighten(_lines(nearer), layers, extents, GAP, at)
    return at


def _lines(nearer: list[list[list[int]]]) -> list[list[int]]:
    """Chains of items without a branch, which a straight line can join."""
    before, behind = nearer
    follows = {a: own[0] for a, own in enumerate(behind) if len(own) == 1 and before[own[0]] == [a]}
    lines = []
    for start in follows.keys() - set(follows.values()):
        line = [start]
        while line[-1] in follows:
            line.append(follows[line[-1]])
        lines.append(line)
    return sorted(lines)


def _along(
    items: list[_Item], layers: list[list[int]], across: list[float], paths: list[list[int]]
) -> tuple[list[float], list[float]]:
    """Where every layer begins and ends: the farther apart, the more its edges move across."""
    lengths = [max(items[i].extent.along for i in layer) if layer else 0.0 for layer in layers]
    moves = [0.0] * len(layers)  # the farthest move behind each layer
    for path in paths:
        for one, other in pairwise(path):
            layer = items[one].layer
            moves[layer] = max(moves[layer], abs(across[one] - across[other]))
    gaps = [min(max(SLOPE * move, SHORTEST), LONGEST) for move in moves]
    steps = [length + gap for length, gap in zip(lengths, gaps, strict=True)]
    begins = list(accumulate(steps, initial=0.0))[:-1]
    return begins, [begin + length for begin, length in zip(begins, lengths, strict=True)]


def _ports(outlines: Sequence[Outline], paths: list[list[int]], across: list[float]) -> list[float]:
    """How far from the middle of its target every edge ends."""
    offsets = [0.0] * len(paths)
    incoming: list[list[int]] = [[] for _ in outlines]
    for e in sorted(range(len(paths)), key=lambda e: across[paths[e][-2]]):
        incoming[paths[e][-1]].append(e)
    for node, own in enumerate(incoming):
        most = 0.3 * outlines[node].across
        apart = min(PORT, 2 * most / max(len(own) - 1, 1))
        wishes = [min(max(across[paths[e][-2]] - across[node], -apart), apart) for e in own]
        for e, offset in zip(own, nearest(wishes, [1.0] * len(own), [apart] * (len(own) - 1)), strict=True):
            offsets[e] = min(max(offset, -most), most)
    return offsets
