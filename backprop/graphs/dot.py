"""A graph as text for Graphviz and for Mermaid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..text import visible
from .labels import label_of
from .parts import GraphEdge, GraphNode, Kind

SHAPES = {Kind.VALUE: "plaintext", Kind.OPERATION: "circle", Kind.LAYER: "box", Kind.LOSS: "box"}
BRACKETS = {
    Kind.VALUE: ("[", "]"),
    Kind.OPERATION: ("((", "))"),
    Kind.LAYER: ("[", "]"),
    Kind.LOSS: ("[", "]"),
}
COLOUR = "#c4231c"
"""The colour of gradients."""


def to_dot(title: str, nodes: Sequence[GraphNode], edges: Sequence[GraphEdge]) -> str:
    """Text in Graphviz's language."""
    ids = {node.id: f"n{i}" for i, node in enumerate(nodes)}
    lines = [f"  graph [rankdir={_direction(nodes)}, label={_quoted([title])}, labelloc=t]"]
    for node in nodes:
        lines.append(f"  {ids[node.id]} [shape={SHAPES[node.kind]}, label={_quoted(_node_lines(node))}]")
    for edge in edges:
        label = "<br/>".join(_dot_lines(edge)) or " "
        lines.append(f"  {ids[edge.source]} -> {ids[edge.target]} [label=<{label}>]")
    return "\n".join(["digraph {", *lines, "}", ""])


def to_mermaid(title: str, nodes: Sequence[GraphNode], edges: Sequence[GraphEdge]) -> str:
    """Text in Mermaid's language."""
    ids = {node.id: f"n{i}" for i, node in enumerate(nodes)}
    head = ["---", f"title: {_quoted([title])}", "---"] if title else []
    lines = [*head, f"flowchart {_direction(nodes)}"]
    for node in nodes:
        before, after = BRACKETS[node.kind]
        lines.append(f'  {ids[node.id]}{before}"{"<br/>".join(map(_entities, _node_lines(node)))}"{after}')
    for edge in edges:
        label = "<br/>".join(
            f"<span style='color:{COLOUR}'>{_entities(line)}</span>" if back else _entities(line)
            for line, back in edge_lines(edge)
        )
        arrow = f'-- "{label}" -->' if label else "-->"
        lines.append(f"  {ids[edge.source]} {arrow} {ids[edge.target]}")
    return "\n".join([*lines, ""])


def edge_lines(edge: GraphEdge) -> Iterator[tuple[str, bool]]:
    """The lines of an edge's label, and whether each belongs to the gradient."""
    if edge.name:
        yield edge.name, False
    for values, back in ((edge.forward, False), (edge.backward, True)):
        label = label_of(values)
        if label is not None:
            yield from ((row, back) for row in label.text_rows())


def _node_lines(node: GraphNode) -> list[str]:
    return [node.label, node.detail] if node.detail and node.kind is not Kind.OPERATION else [node.label]


def _direction(nodes: Sequence[GraphNode]) -> str:
    return "TB" if any(node.kind in (Kind.LAYER, Kind.LOSS) for node in nodes) else "LR"


def _dot_lines(edge: GraphEdge) -> Iterator[str]:
    for line, back in edge_lines(edge):
        yield f'<font color="{COLOUR}">{_html(line)}</font>' if back else _html(line)


def _quoted(lines: Sequence[str]) -> str:
    """Lines as a string in double quotes."""
    escaped = (visible(line).replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return '"' + "\\n".join(escaped) + '"'


def _html(line: str) -> str:
    return visible(line).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _entities(line: str) -> str:
    """Text that Mermaid does not interpret: only letters, digits, spaces and a few signs stay as they are."""
    return "".join(c if c.isalnum() or c in " .,()[]+-±–" else f"#{ord(c)};" for c in visible(line))
