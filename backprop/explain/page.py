"""The page of an explanation: one step after the other, forward and backward.

It is self-contained. A link shows its step and hides the others by CSS alone; where CSS cannot, all steps are
shown. The script only lets the arrow keys follow the links, and scrolls the map.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.resources import files

from ..backends import HostArray
from ..formulas import no_formula
from ..graphs import Graph
from ..pages import html
from ..text import shape
from ..tracing.table import HEAD as TABLE_HEAD
from ..tracing.table import LEGEND, ROUGH, remarks, rows_of
from . import pictures, written
from .explanation import Explanation
from .steps import Step

FIRST = 3
"""The number of the first layer's step, after the overview and the input."""

GENERATOR = "backprop explain"
"""Marks the pages of this room."""

SCRIPT = """
addEventListener("keydown", event => {
  const kind = {ArrowLeft: "prev", ArrowRight: "next"}[event.key];
  if (!kind || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const box = document.activeElement;
  if (box && box.scrollWidth > box.clientWidth && box.tabIndex === 0 && box !== document.body) return;
  const here = document.querySelector("section:target") || document.querySelector("main > section");
  const link = here.querySelector(`a[rel=${kind}]`);
  if (link) { event.preventDefault(); link.click(); }
});
const mark = () => document.querySelector(`.map a[href="${location.hash || "#step-1"}"]`)
  ?.scrollIntoView({block: "nearest", inline: "center"});
addEventListener("hashchange", mark);
mark();
"""


def page_of(found: Explanation) -> bytes:
    """The page as HTML."""
    titles = ["Overview", "Input", *(step.title for step in found.steps)]
    parts = [_map(found), _section(titles, 1, *_overview(found)), _section(titles, 2, *_input(found))]
    for i, step in enumerate(found.steps):
        parts.append(_section(titles, FIRST + i, *_step(found, step)))
    style = files(__package__).joinpath("style.css").read_text("utf-8") + _highlights(len(titles))
    head = f'<meta name="generator" content="{GENERATOR}">\n<style>\n{style}</style>\n'
    return html.document(
        f"{found.title} explained", written.lead(found), [*parts, f"<script>{SCRIPT}</script>\n"], head
    )


def _section(titles: Sequence[str], number: int, *parts: str) -> str:
    """A step between two lines of links to the steps around it."""
    pager = _pager(titles, number)
    return html.section(titles[number - 1], pager, *parts, pager, id=f"step-{number}")


def _pager(titles: Sequence[str], number: int) -> str:
    before = _link(number - 1, f"‹\N{NO-BREAK SPACE}{titles[number - 2]}", "prev") if number > 1 else ""
    after = _link(number + 1, f"{titles[number]}\N{NO-BREAK SPACE}›", "next") if number < len(titles) else ""
    return f'<p class="pager">{before}<span>{number} of {len(titles)}</span>{after}</p>\n'


def _link(number: int, text: str, kind: str = "") -> str:
    rel = f' rel="{kind}"' if kind else ""
    return f'<a href="#step-{number}"{rel}>{html.escaped(text)}</a>'


def _map(found: Explanation) -> str:
    """Links to all steps: a row forward, and below it the way back."""
    numbers = {(step.node.name, step.is_backward): FIRST + i for i, step in enumerate(found.steps)}
    names = [step.node.name for step in found.steps if not step.is_backward]
    forward = [_link(2, "x"), *(_link(numbers[name, False], f"{name} →") for name in names)]
    backward = ["", *(_link(numbers[name, True], f"← {name}") for name in names)]
    rows = _map_row("forward", forward) + _map_row("backward", backward)
    table = html.scrollable(f"<table>\n<tbody>\n{rows}</tbody>\n</table>\n")
    others = f'{_link(1, "Overview")} <a href="#all">All steps on one page</a>'
    return f'<nav class="map" id="all">\n{table}<p>{others}</p>\n</nav>\n'


def _map_row(direction: str, links: Sequence[str]) -> str:
    cells = "".join(f"<td>{link}</td>" for link in links)
    return f'<tr class="{direction}"><th scope="row">{direction}</th>{cells}</tr>\n'


def _highlights(count: int) -> str:
    """Rules that mark the link of the step that is shown."""
    shown = ", ".join(f'main:has(#step-{i}:target) .map a[href="#step-{i}"]' for i in range(1, count + 1))
    return f"{shown} {{ background: var(--link); color: var(--page); border-color: var(--link); }}\n"


def _overview(found: Explanation) -> Iterator[str]:
    yield from map(html.paragraph, (written.batch(found), *found.remarks))
    yield from map(html.paragraph, remarks(found.trace))
    yield _graph(found)
    yield html.table(TABLE_HEAD, rows_of(found.trace))
    yield from map(html.paragraph, (f"{LEGEND}; {ROUGH}.", written.READING))


def _graph(found: Explanation) -> str:
    """The network's graph, whose boxes lead to their steps; or why there is none."""
    try:
        graph = found.trace.graph()
        drawing = _linked(graph, found).to_svg(heading=False)
    except ValueError as error:
        return html.paragraph(str(error))
    return html.scrollable(f"{drawing}\n")


def _linked(graph: Graph, found: Explanation) -> Graph:
    links = {
        "loss" if step.is_loss else f"layer {step.node.name}": f"#step-{FIRST + i}"
        for i, step in enumerate(found.steps)
        if not step.is_backward
    }
    nodes = tuple(replace(node, link=links.get(node.id, "")) for node in graph.nodes)
    collapsed = _linked(graph.collapsed, found) if graph.collapsed else None
    return replace(graph, nodes=nodes, collapsed=collapsed)


def _input(found: Explanation) -> Iterator[str]:
    trace = found.trace
    yield html.paragraph(
        f"x has the shape {shape(trace.x.shape)}; the first number counts the samples. The numbers put into "
        f"the formulas are those of sample {found.sample} of the batch."
    )
    images = (
        pictures.of_input(x, f"sample {i} of the batch", _label(t))
        for i, (x, t) in enumerate(zip(trace.x, trace.t, strict=True))
    )
    yield html.grid("images", images)
    arrays = {"x": trace.x} | ({} if trace.t.dtype.kind in "biu" else {"t": trace.t})
    yield html.table(written.HEAD, (written.statistics(*array) for array in arrays.items()))


def _label(t: HostArray) -> str:
    """The label of a sample, if that is what its target is."""
    return f"t = {t}" if t.ndim == 0 else ""


def _step(found: Explanation, step: Step) -> Iterator[str]:
    numbers = "".join(_numbers(found, step)) + html.table(written.HEAD, written.arrays(step))
    seen = pictures.of_step(step, found.sample, found.trace.x.shape[1:])
    yield html.grid("two", [f"<div>\n{part}</div>\n" for part in (numbers, seen) if part])


def _formula(step: Step) -> str:
    if step.formula is None:
        return html.paragraph(no_formula(step.node.node))
    notes = "".join(f'<p class="note">{html.escaped(note)}</p>\n' for note in step.notes)
    return f"{_wide(step.formula.mathml(block=True), 'formula')}{notes}"


def _numbers(found: Explanation, step: Step) -> Iterator[str]:
    """The formula, what is worked out, and the numerical derivative."""
    if step.is_backward:
        yield html.paragraph(written.way_back(step))
    yield _formula(step)
    for name, one in step.worked.items():
        yield f"<h3>{html.escaped(written.heading(found, step, name))}</h3>\n{_wide(one.mathml(), 'worked')}"
    if step.is_loss and (table := written.classes(found)):
        yield html.table(*table)
    if step.difference:
        rows = [(name, _marked(number, part)) for name, number, part in written.derivative(step.difference)]
        yield f"<h3>{html.escaped(written.derivative_heading(step.difference))}</h3>\n"
        yield html.table((written.function(found), "equal beginnings are marked"), rows, kind="digits")
        yield html.paragraph(html.unbroken(written.verdict(step.difference)))


def _wide(content: str, kind: str) -> str:
    """A formula in a box that scrolls sideways."""
    return f'<div class="box {kind}" role="region" aria-label="{kind}" tabindex="0">\n{content}\n</div>\n'


def _marked(number: str, beginning: str) -> html.Markup:
    """The number with its beginning marked."""
    marked = f"<b>{html.escaped(beginning)}</b>" if beginning else ""
    return html.Markup(f"{marked}{html.escaped(number[len(beginning) :])}")
