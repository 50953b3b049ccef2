"""Text for Graphviz and Mermaid."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest

from backprop.graphs import Graph, GraphEdge, GraphNode, Kind

from .samples import apples, random_graph, stack

NASTY = [
    'a "b" c',
    "back\\slash",
    "<b>&amp;</b>",
    "line\nbreak",
    "]) --> x; end",
    "日本語",
    "#quot;",
    "{x|y}",
]


def nasty() -> Graph:
    nodes = [GraphNode(f'id "{i}"; <x>', text, Kind.LAYER, text) for i, text in enumerate(NASTY)]
    edges = [GraphEdge(a.id, b.id, np.asarray(-1.5), None, b.label) for a, b in pairwise(nodes)]
    return Graph(tuple(nodes), tuple(edges), 'a "title"')


STRING = r'"(?:[^"\\\n]|\\.)*"'
DOT = re.compile(
    rf"  (?:graph \[rankdir=(?:LR|TB), label={STRING}, labelloc=t\]"
    rf"|n\d+ \[shape=\w+, label={STRING}\]|n\d+ -> n\d+ \[label=<(.*)>\])"
)


@pytest.mark.parametrize("graph", [nasty(), apples()[0].graph("A"), random_graph(0), stack(3)], ids=repr)
def test_dot_is_quoted(graph: Graph) -> None:
    first, *lines, last = graph.to_dot().splitlines()
    assert (first, last) == ("digraph {", "}")
    assert len(lines) == 1 + len(graph.nodes) + len(graph.edges)
    for line in lines:
        found = DOT.fullmatch(line)
        assert found, line
        if found[1]:
            ElementTree.fromstring(f"<label>{found[1]}</label>")


def test_dot_has_the_same_labels() -> None:
    dot = apples()[0].graph().to_dot()
    assert 'n0 [shape=plaintext, label="apple"]' in dot
    assert 'n0 -> n2 [label=<100<br/><font color="#c4231c">2.2</font>>]' in dot
    assert "rankdir=LR" in dot
    assert "rankdir=TB" in stack(2).to_dot()
    assert "[label=<100×50: " in stack(2).to_dot()


def test_dot_escapes_a_label() -> None:
    dot = nasty().to_dot()
    assert r'label="a \"b\" c\na \"b\" c"' in dot
    assert r'label="back\\slash\nback\\slash"' in dot
    assert "label=<&lt;b&gt;&amp;amp;&lt;/b&gt;<br/>−1.5>" in dot


MERMAID = re.compile(r'  (?:n\d+(?:\["[^"]*"\]|\(\("[^"]*"\)\))|n\d+ (?:-->|-- "([^"]*)" -->) n\d+)')


@pytest.mark.parametrize("graph", [nasty(), apples()[0].graph("A"), random_graph(0), stack(3)], ids=repr)
def test_mermaid_is_quoted(graph: Graph) -> None:
    lines = graph.to_mermaid().splitlines()
    body = lines[lines.index("---", 1) + 2 :]
    assert len(body) == len(graph.nodes) + len(graph.edges)
    for line in body:
        assert MERMAID.fullmatch(line), line
        assert "\\" not in line or "#92;" not in line


def test_mermaid_has_the_same_labels() -> None:
    mermaid = apples()[0].graph().to_mermaid()
    assert mermaid.splitlines()[0] == "flowchart LR"
    assert '  n0["apple"]' in mermaid
    assert "  n0 -- \"100<br/><span style='color:#c4231c'>2.2</span>\" --> n2" in mermaid
    assert '  n2(("#215;"))' in mermaid


def test_mermaid_interprets_nothing() -> None:
    """Letters, digits and harmless signs stay; all else is the number of its character."""
    mermaid = nasty().to_mermaid()
    written = re.findall(r'n\d+\["(.*?)"\]', mermaid)
    decoded = [re.sub(r"#(\d+);", lambda m: chr(int(m[1])), text).split("<br/>", 1)[0] for text in written]
    assert decoded == [text.replace("\n", "\\n") for text in NASTY]
