"""A graph with a place for everything: its nodes, its edges and their labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from .blocks import px
from .layering import distant_uses
from .layout import Stretch, lay_out
from .parts import GraphEdge, GraphNode, Kind
from .plain import names_of
from .shapes import EdgeLabel, NodeShape, Rect, total_gradient

WIDEST = 1100.0
"""A wider drawing from left to right is drawn from top to bottom, if that makes it narrower."""

MOST_DISTANT = 5

NEAR_RIGHT, NEAR_DOWN = 3, 1
"""Up to which layer an input's use is near, so that it stands in the first: a stack's parameters do not."""

ARROW = 7.0


def drawn(nodes: Sequence[GraphNode], edges: Sequence[GraphEdge]) -> Drawing:
    """Draw layers from top to bottom, and expressions from left to right unless they are too wide."""
    if any(node.kind in (Kind.LAYER, Kind.LOSS) for node in nodes):
        return Drawing(nodes, edges, down=True)
    right = Drawing(nodes, edges, down=False)
    if right.width <= WIDEST:
        return right
    return min(right, Drawing(nodes, edges, down=True), key=lambda drawing: drawing.width)


class Drawing:
    """Nodes and edges from left to right or `down`; coordinates begin at 0.

    With many uses of inputs that are far from the first, an input is drawn once more beside each of them.
    """

    def __init__(self, nodes: Sequence[GraphNode], edges: Sequence[GraphEdge], *, down: bool) -> None:
        self.down = down
        names = names_of(nodes)
        index = {node.id: i for i, node in enumerate(nodes)}
        self.shapes = [NodeShape(node, total_gradient(node.id, edges), down=down) for node in nodes]
        self.labels = [EdgeLabel(edge, names[edge.source], names[edge.target], down=down) for edge in edges]
        links = [(index[edge.source], index[edge.target]) for edge in edges]
        near = NEAR_DOWN if down else NEAR_RIGHT
        distant = distant_uses(len(nodes), links, near)
        if len(distant) > MOST_DISTANT:
            for i in distant:
                source, target = links[i]
                links[i] = len(self.shapes), target
                self.shapes.append(NodeShape(nodes[source], None, down=down))
        self._layout = lay_out(
            [(shape.extent, shape.outline) for shape in self.shapes],
            links,
            [label.extent for label in self.labels],
            near,
        )
        self._origin = 0.0, 0.0
        covered = [*self.node_rects(), *self.label_rects(), *self._bends()]
        self._origin = min(rect.x for rect in covered), min(rect.y for rect in covered)
        self.width = max(rect.x + rect.width for rect in covered) - self._origin[0]
        self.height = max(rect.y + rect.height for rect in covered) - self._origin[1]

    def node_rects(self) -> list[Rect]:
        """What the nodes and the sums of their gradients cover."""
        return [
            rect
            for shape, place in zip(self.shapes, self._layout.nodes, strict=True)
            for rect in shape.rects(*self._point(*place))
        ]

    def label_rects(self) -> list[Rect]:
        """What the labels of the edges cover."""
        return [
            label.rect(*self._point(*place))
            for label, place in zip(self.labels, self._layout.labels, strict=True)
        ]

    def svg(self) -> Iterator[str]:
        """The elements; labels come last, since a popup follows the label that shows it."""
        for route in self._layout.routes:
            yield from self._edge(route)
        for shape, place in zip(self.shapes, self._layout.nodes, strict=True):
            yield from shape.svg(*self._point(*place))
        for i, (label, place) in enumerate(zip(self.labels, self._layout.labels, strict=True)):
            if label.blocks:
                yield from label.svg(*self._point(*place), i)

    def _point(self, along: float, across: float) -> tuple[float, float]:
        """Where a place of the layout is in the drawing."""
        x, y = (across, along) if self.down else (along, across)
        return x - self._origin[0], y - self._origin[1]

    def _bends(self) -> list[Rect]:
        """Points of the edges, which may lie farthest out."""
        return [
            Rect(*self._point(stretch.begin, stretch.across), 0.0, 0.0)
            for route in self._layout.routes
            for stretch in route
        ]

    def _edge(self, route: list[Stretch]) -> Iterator[str]:
        """The line of an edge, and its arrow."""

        def at(along: float, across: float) -> str:
            return " ".join(map(px, self._point(along, across)))

        path = [f"M{at(route[0].begin, route[0].across)}"]
        for one, other in pairwise(route):
            if abs(one.across - other.across) >= 0.5:
                middle = (one.end + other.begin) / 2
                controls = at(middle, one.across), at(middle, other.across)
                path.append(
                    f"L{at(one.end, one.across)}C{' '.join(controls)} {at(other.begin, other.across)}"
                )
        _, tip, across = route[-1]
        path.append(f"L{at(tip - ARROW + 1, across)}")
        yield f'<path class="line" d="{"".join(path)}"/>'
        corners = at(tip, across), at(tip - ARROW, across - 3.5), at(tip - ARROW, across + 3.5)
        yield f'<path class="arrow" d="M{"L".join(corners)}z"/>'
