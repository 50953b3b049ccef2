"""Nodes and edge labels as they are drawn: their sizes, and their SVG."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ..backends import HostArray
from ..pages.html import escaped
from .blocks import ASCENT, Block, block_of, px, shortened, text, text_width
from .histogram import Popup
from .labels import described, is_large, label_of
from .layout import Extent, Outline
from .parts import GraphEdge, GraphNode, Kind
from .plain import line_of

LONGEST = 270.0
"""Longer texts are cut off; the tooltip has all of them."""

CIRCLE = 30.0
AWAY = 4.0
"""Between an edge and its values."""

MARK = 16.0
"""The width of an arrow before the values of an edge that leads down."""

ARROWS = {"forward": "↓", "backward": "↑"}


class Rect(NamedTuple):
    """A rectangle of the drawing."""

    x: float
    y: float
    width: float
    height: float

    def svg(self, kind: str, radius: float) -> str:
        size = f'width="{px(self.width)}" height="{px(self.height)}" rx="{px(radius)}"'
        return f'<rect class="{kind}" x="{px(self.x)}" y="{px(self.y)}" {size}/>'


class NodeShape:
    """A node, with the sum of its gradients where its value is used more than once."""

    def __init__(self, node: GraphNode, total: HostArray | None, *, down: bool) -> None:
        self.node, self.down = node, down
        self.name = shortened(node.label, LONGEST, 15)
        self.detail = "" if node.kind is Kind.OPERATION else shortened(node.detail, LONGEST, 12)
        self.width, self.height, self.radius = self._measured()
        label = label_of(total)
        self.total = None if label is None else block_of(label, "backward", "Σ", with_shape=False, flush=down)

    @property
    def is_box(self) -> bool:
        return self.node.kind in (Kind.LAYER, Kind.LOSS)

    def _measured(self) -> tuple[float, float, float]:
        """Width, height, and radius of the corners."""
        inner = max(text_width(self.name, 15 if self.is_box else 14), text_width(self.detail, 12))
        if self.node.kind is Kind.OPERATION:
            return max(CIRCLE, inner + 16), CIRCLE, CIRCLE / 2
        lines = 18.0 * (1 + bool(self.detail))
        return (inner + 24, lines + 16, 6.0) if self.is_box else (inner + 10, lines + 2, 0.0)

    @property
    def outline(self) -> Outline:
        along, across = (self.height, self.width) if self.down else (self.width, self.height)
        return Outline(along, across, self.radius)

    @property
    def extent(self) -> Extent:
        along, across, _ = self.outline
        if self.total is None:
            return Extent(along, across / 2, across / 2)
        length, beside = self.total.width, self.total.height
        if self.down:
            length, beside = beside, length
        return Extent(max(along, length), across / 2, across / 2 + AWAY + beside)

    def rects(self, x: float, y: float) -> list[Rect]:
        """What the node covers if its middle is here: its shape, and the sum."""
        shape = Rect(x - self.width / 2, y - self.height / 2, self.width, self.height)
        if self.total is None:
            return [shape]
        if self.down:
            corner = shape.x + self.width + AWAY, y - self.total.height / 2
        else:
            corner = x - self.total.width / 2, shape.y + self.height + AWAY
        return [shape, Rect(*corner, self.total.width, self.total.height)]

    def svg(self, x: float, y: float) -> Iterator[str]:
        shape, *totals = self.rects(x, y)
        full = f"{self.node.label}: {self.node.detail}" if self.node.detail else self.node.label
        if self.node.link:
            yield f'<a href="{escaped(self.node.link)}">'
        yield f'<g class="node {self.node.kind.value}">'
        yield f"<title>{escaped(full)}</title>"
        if self.node.kind is not Kind.VALUE:
            yield shape.svg("shape", self.radius)
        baseline = y + 5 - (9 if self.detail else 0)
        yield text(x, baseline, self.name, "heading" if self.is_box else "name")
        if self.detail:
            yield text(x, baseline + 18, self.detail, "detail")
        if self.total is not None:
            yield from self.total.svg(totals[0].x, totals[0].y)
        yield "</g></a>" if self.node.link else "</g>"


class EdgeLabel:
    """The name of an edge, its values and its gradient."""

    def __init__(self, edge: GraphEdge, source: str, target: str, *, down: bool) -> None:
        self.edge, self.source, self.target, self.down = edge, source, target, down
        self.arrays = {
            name: values
            for name, values in (("forward", edge.forward), ("gradient", edge.backward))
            if values is not None
        }
        labels = {name: label_of(values) for name, values in self.arrays.items()}
        forward, backward = labels.get("forward"), labels.get("gradient")
        self.before: list[Block] = []
        self.after: list[Block] = []
        if edge.name:
            self.before.append(Block(((shortened(edge.name, LONGEST),),), "quiet", flush=down))
        if forward is not None:
            self.before.append(block_of(forward, "forward", flush=down))
        if backward is not None:
            self.after.append(block_of(backward, "backward", with_shape=forward is None, flush=down))
        large = {name: values for name, values in self.arrays.items() if is_large(values)}
        self.popup = Popup(large) if large else None

    @property
    def blocks(self) -> list[Block]:
        return [*self.before, *self.after]

    @property
    def extent(self) -> Extent:
        widest = max((block.width for block in self.blocks), default=0.0)
        if not self.blocks:
            return Extent(0.0, 0.0, 0.0)
        if self.down:
            return Extent(_height(self.blocks) + 2, AWAY, AWAY + MARK + widest)
        return Extent(widest + 8, AWAY + _height(self.before), AWAY + _height(self.after))

    def rect(self, x: float, y: float) -> Rect:
        """What the label covers if the middle of its part of the edge is here."""
        along, before, after = self.extent
        if self.down:
            return Rect(x - before, y - along / 2, before + after, along)
        return Rect(x - along / 2, y - before, along, before + after)

    def svg(self, x: float, y: float, number: int) -> Iterator[str]:
        """The label; its number connects it with its popup."""
        focus = ' tabindex="0"' if self.popup else ""
        yield f'<g class="edge e{number}"{focus}>'
        yield f"<title>{escaped(self.described())}</title>"
        area = self.rect(x, y)
        yield area.svg("area", 3.0)
        for block, left, top in self._places(x, y, area):
            yield from block.svg(left, top)
            if self.down and block.kind in ARROWS:
                yield text(left - MARK + 2, top + ASCENT, ARROWS[block.kind], f"{block.kind} start")
        yield "</g>"

    def _places(self, x: float, y: float, area: Rect) -> Iterator[tuple[Block, float, float]]:
        """Each block with its upper left corner: on either side of the edge, or all beside it."""
        top = area.y + (1 if self.down else 0)
        for block in self.blocks:
            if not self.down and block in self.after:
                top = y + AWAY
            yield block, x + AWAY + MARK if self.down else x - block.width / 2, top
            top += block.height

    def described(self) -> str:
        """The edge in words."""
        name = f"{self.edge.name}, " if self.edge.name else ""
        parts = [f"{name} {_in_words(values)}" for name, values in self.arrays.items()]
        return "; ".join([f"{name}{self.source} → {self.target}", *parts])


def total_gradient(source: str, edges: Sequence[GraphEdge]) -> HostArray | None:
    """The sum of the gradients that come back to a node along several edges; None unless all are known."""
    parts = [edge.backward for edge in edges if edge.source == source]
    known = [part for part in parts if part is not None]
    if len(known) < max(len(parts), 2) or len({part.shape for part in known}) > 1:
        return None
    with np.errstate(all="ignore"):  # ∞ − ∞ is NaN, which the drawing shows
        return functools.reduce(operator.add, known)


def _in_words(values: HostArray) -> str:
    return described(values) if is_large(values) else line_of(values)


def _height(blocks: Sequence[Block]) -> float:
    return sum(block.height for block in blocks)
