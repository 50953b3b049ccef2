"""Where the items of ordered layers lie across the drawing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Protocol

ROUNDS = 41
"""How often the layers are walked, there and back."""

LIGHT = 0.05
"""The weight of a long edge or an input, beside 1 for other nodes: it makes way for them."""


def nearest(desired: Sequence[float], weights: Sequence[float], apart: Sequence[float]) -> list[float]:
    """The positions nearest to the desired ones, at least `apart[i]` between the i-th and the next.

    They minimize Σ wᵢ (xᵢ − dᵢ)²: isotonic regression by pooling adjacent violators.

    >>> nearest([0.0, 0.0, 9.0], [1.0, 1.0, 1.0], [4.0, 4.0])
    [-2.0, 2.0, 9.0]
    """
    offsets = list(accumulate(apart, initial=0.0))[: len(desired)]
    pools: list[tuple[float, float, int]] = []  # mean, weight, count
    for want, weight, offset in zip(desired, weights, offsets, strict=True):
        pool = (want - offset, weight, 1)
        while pools and pools[-1][0] > pool[0]:
            mean, other, count = pools.pop()
            total = other + pool[1]
            pool = ((mean * other + pool[0] * pool[1]) / total, total, count + pool[2])
        pools.append(pool)
    means = [mean for mean, _, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


class Wish(Protocol):
    """Where an item wishes to lie, given all positions, looking `back` from the layers behind or ahead."""

    def __call__(self, item: int, at: Sequence[float], *, back: bool) -> float: ...


def spread(
    layers: Sequence[Sequence[int]],
    extents: Sequence[tuple[float, float]],
    gap: float,
    wish: Wish,
    weights: Sequence[float],
) -> list[float]:
    """Where each item lies across: near where it wishes, and apart from its neighbours.

    `extents` are an item's extents before and after its position.
    """
    apart = [
        [extents[one][1] + gap + extents[other][0] for one, other in pairwise(layer)] for layer in layers
    ]
    at = [0.0] * len(extents)
    for layer, distances in zip(layers, apart, strict=True):
        for item, position in zip(layer, accumulate(distances, initial=-sum(distances) / 2), strict=True):
            at[item] = position
    there, back = range(len(layers)), range(len(layers) - 1, -1, -1)
    for i in range(ROUNDS):
        for k in back if i % 2 else there:  # the last walk leads there
            layer = layers[k]
            wishes = [wish(item, at, back=bool(i % 2)) for item in layer]
            positions = nearest(wishes, [weights[item] for item in layer], apart[k])
            for item, position in zip(layer, positions, strict=True):
                at[item] = position
    return at


def straighten(
    lines: Sequence[Sequence[int]],
    layers: Sequence[Sequence[int]],
    extents: Sequence[tuple[float, float]],
    gap: float,
    at: list[float],
) -> None:
    """Move the items of each line to one position where their neighbours leave room for that."""
    place = {item: (k, i) for k, layer in enumerate(layers) for i, item in enumerate(layer)}
    for line in lines:
        least, most = -math.inf, math.inf
        for item in line:
            k, i = place[item]
            if i > 0:
                before = layers[k][i - 1]
                least = max(least, at[before] + extents[before][1] + gap + extents[item][0])
            if i + 1 < len(layers[k]):
                behind = layers[k][i + 1]
                most = min(most, at[behind] - extents[behind][0] - gap - extents[item][1])
        if least <= most:
            middle = sum(at[item] for item in line) / len(line)
            for item in line:
                at[item] = min(max(middle, least), most)
