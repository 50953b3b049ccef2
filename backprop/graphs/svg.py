"""A graph as an SVG image, in the manner of the book's chapter 5: values above an edge, gradients below.

The image needs no script and no font of its own. It has no ids, so that any number of them fit on one page,
and its style has two sets of colours, for light and dark.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.resources import files

from ..pages.html import escaped
from .blocks import ASCENT, LINE, px, text, text_width
from .drawing import Drawing, drawn
from .parts import GraphEdge, GraphNode
from .plain import line_of

MARGIN = 14.0
NARROWEST = 240.0
"""Room for the legend."""

MOST_DESCRIBED = 40
"""With more edges, the description for screen readers only counts them."""

Line = tuple[str, str]
"""Text and its class."""


def svg(title: str, nodes: Sequence[GraphNode], edges: Sequence[GraphEdge], head: Sequence[Line] = ()) -> str:
    """The image: the lines of its head, the drawing and a legend."""
    return "\n".join(_image(title, drawn(nodes, edges), len(nodes), head))


def _image(title: str, drawing: Drawing, count: int, head: Sequence[Line]) -> Iterator[str]:
    popups = [label.popup for label in drawing.labels if label.popup]
    room = max(drawing.width, NARROWEST, *(popup.width for popup in popups))
    lines = [(row, kind) for content, kind in head for row in _wrapped(content, room)]
    legend = list(_legend(drawing, room))
    top = MARGIN + (LINE + 3) * len(lines)
    bottom = top + max(drawing.height, *(popup.height for popup in popups), 0.0) + MARGIN
    width, height = room + 2 * MARGIN, bottom + LINE * len(legend) + MARGIN / 2
    left = (width - drawing.width) / 2
    size = f'width="{px(width)}" height="{px(height)}"'
    role = "group" if popups else "img"  # the parts of an image cannot be focused
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="backprop-graph" role="{role}" {size} '
        f'viewBox="0 0 {px(width)} {px(height)}" style="--width: {px(width)}px">'
    )
    yield f"<title>{escaped(title or 'computational graph')}</title>"
    yield f"<desc>{escaped(_description(drawing, count))}</desc>"
    yield f"<style>\n{files(__package__).joinpath('style.css').read_text('utf-8')}{_showing(drawing)}</style>"
    yield f'<rect class="page" {size} rx="6"/>'
    for i, (content, kind) in enumerate(lines):
        yield text(MARGIN, MARGIN + (LINE + 3) * i + ASCENT, content, f"{kind} start")
    for i, entries in enumerate(legend):
        x = MARGIN
        for content, kind in entries:
            yield text(x, bottom + LINE * i + ASCENT, content, f"legend {kind} start")
            x += _entry_width(content)
    yield f'<g transform="translate({px(left)} {px(top)})">'
    yield from drawing.svg()
    bounds = MARGIN - left, 4 - top, width - MARGIN - left, height - 4 - top
    yield from _popups(drawing, bounds)
    yield "</g>\n</svg>"


def _popups(drawing: Drawing, bounds: tuple[float, float, float, float]) -> Iterator[str]:
    """The hidden popups, each below its label or above it, within the bounds."""
    least_x, least_y, most_x, most_y = bounds
    for i, (label, area) in enumerate(zip(drawing.labels, drawing.label_rects(), strict=True)):
        if label.popup:
            width, height = label.popup.width, label.popup.height
            x = min(max(area.x + area.width / 2 - width / 2, least_x), most_x - width)
            below = area.y + area.height + 4
            y = below if below + height <= most_y else max(area.y - 4 - height, least_y)
            yield f'<g class="popup p{i}">'
            yield from label.popup.svg(x, y)
            yield "</g>"


def _showing(drawing: Drawing) -> str:
    """The rules by which pointing at a label shows its popup."""
    return "".join(
        f".backprop-graph .e{i}:is(:hover, :focus) ~ .p{i} {{ visibility: visible; }}\n"
        for i, label in enumerate(drawing.labels)
        if label.popup
    )


def _legend(drawing: Drawing, room: float) -> Iterator[list[Line]]:
    """What the colours and signs mean, in lines that fit into the room."""
    there, back = ("↓", "↑") if drawing.down else ("→", "←")
    has_popups = any(label.popup for label in drawing.labels)
    shown = {name for label in drawing.labels for name in label.arrays}
    entries = {
        (f"{there} forward", "forward"): "forward" in shown,
        (f"{back} gradient", "backward"): "gradient" in shown,
        ("Σ sum of a value's gradients", "backward"): any(shape.total for shape in drawing.shapes),
        ("mean ± standard deviation", "quiet"): has_popups,
        ("point or tap: histogram", "quiet"): has_popups,
    }
    line: list[Line] = []
    for entry in (entry for entry, is_used in entries.items() if is_used):
        if line and sum(_entry_width(content) for content, _ in [*line, entry]) > room:
            yield line
            line = []
        line.append(entry)
    if line:
        yield line


def _entry_width(content: str) -> float:
    return text_width(content, 12) + 14


def _wrapped(content: str, room: float) -> Iterator[str]:
    """Text in lines that fit into the room."""
    line = ""
    for word in content.split():
        if line and text_width(f"{line} {word}", 15) > room:
            yield line
            line = word
        else:
            line = f"{line} {word}".strip()
    if line:
        yield line


def _description(drawing: Drawing, nodes: int) -> str:
    """The drawing in words."""
    parts = [f"{nodes:,} nodes, {len(drawing.labels):,} edges"]
    if len(drawing.labels) <= MOST_DESCRIBED:
        for label in drawing.labels:
            values = [f"{name} {line_of(array)}" for name, array in label.arrays.items()]
            parts.append(f"{label.source} to {label.target}: {', '.join(values) or 'no values'}")
    return "; ".join(parts)
