"""Build HTML pages from strings. This is the only place that escapes text; control characters are shown."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..text import visible

NONE = "–"
"""Stands for a missing value."""


class Markup(str):
    """HTML that must not be escaped again."""

    __slots__ = ()


def escaped(text: str) -> str:
    """Escape text for a page."""
    return text if isinstance(text, Markup) else escape(visible(text))


def document(title: str, lead: str, parts: Iterable[str], head: str = "") -> bytes:
    """A whole page; `lead` follows the title, and `head` adds elements to the page's head."""
    style = files(__package__).joinpath("style.css").read_text("utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"{head}<title>{escaped(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"<header>\n<h1>{escaped(title)}</h1>\n<p>{escaped(lead)}</p>\n</header>\n<main>\n"
        f"{''.join(parts)}</main>\n</body>\n</html>\n"
    ).encode()


def section(title: str, *parts: str, kind: str = "", id: str = "") -> str:
    """Parts under a heading; empty without parts."""
    content = "".join(parts)
    given = "".join(f' {name}="{value}"' for name, value in (("id", id), ("class", kind)) if value)
    opening = f"<section{given}>"
    return f"{opening}\n<h2>{escaped(title)}</h2>\n{content}</section>\n" if content else ""


def paragraph(text: str) -> str:
    """A paragraph of text."""
    return f"<p>{escaped(text)}</p>\n"


def details(summary: str, content: str) -> str:
    """Content that is shown on request."""
    return f"<details>\n<summary>{escaped(summary)}</summary>\n{content}</details>\n"


def cards(values: Iterable[tuple[str, str]]) -> str:
    """Names with large values."""
    items = "".join(
        f"<div><dt>{escaped(name)}</dt><dd>{escaped(value)}</dd></div>\n" for name, value in values
    )
    return f'<dl class="cards">\n{items}</dl>\n'


def items(texts: Iterable[str], *, ordered: bool = False) -> str:
    """A list of texts, numbered if `ordered`."""
    kind = "ol" if ordered else "ul"
    return f"<{kind}>\n{''.join(f'<li>{escaped(text)}</li>{chr(10)}' for text in texts)}</{kind}>\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, kind: str = "numbers") -> str:
    """A table in a scrolling box; the first cell of each row is its heading."""
    columns = "".join(f'<th scope="col">{escaped(name)}</th>' for name in head)
    body = "".join(
        f'<tr><th scope="row">{escaped(first)}</th>{"".join(f"<td>{escaped(c)}</td>" for c in rest)}</tr>\n'
        for first, *rest in rows
    )
    return scrollable(
        f'<table class="{kind}">\n<thead><tr>{columns}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n'
    )


def without_empty_columns(
    head: Sequence[str], rows: Sequence[Sequence[str]]
) -> tuple[list[str], list[list[str]]]:
    """Drop the columns of a table that have no values.

    >>> without_empty_columns(["run", "loss", "accuracy"], [["a", "0.5", "–"], ["b", "–", "–"]])
    (['run', 'loss'], [['a', '0.5'], ['b', '–']])
    """
    kept = [i for i in range(len(head)) if any(row[i] not in (NONE, "") for row in rows)]
    return [head[i] for i in kept], [[row[i] for i in kept] for row in rows]


def address(target: Path, page: Path) -> str:
    """The address of a file, relative to the page's folder if both are on the same drive."""
    try:
        return quote(os.fsencode(Path(os.path.relpath(target, page.parent)).as_posix()))
    except ValueError:
        return target.absolute().as_uri()


def link(text: str, target: Path, page: Path) -> Markup:
    """A link from a page to another file."""
    return Markup(f'<a href="{escaped(address(target, page))}">{escaped(text)}</a>')


def unbroken(text: str) -> str:
    """Text that breaks at plain spaces only, not at hyphens."""
    if "-" not in text:
        return text
    return Markup(" ".join(f'<span class="whole">{escaped(word)}</span>' for word in text.split(" ")))


def marked(text: str, mark: str, kind: str = "mark") -> Markup:
    """Text followed by a mark."""
    return Markup(f'{escaped(text)} <span class="{kind}">{escaped(mark)}</span>')


def scrollable(content: str) -> str:
    """Content that scrolls sideways if it is too wide, also with the keyboard."""
    return f'<div class="box" role="region" aria-label="table" tabindex="0">\n{content}</div>\n'


def chart(svg: str, caption: str, legend: Iterable[tuple[str, str, bool]] = ()) -> str:
    """A drawing with its caption, and a legend of names with their colours and whether they are dashed."""
    names = "".join(
        f' <span class="legend"><span class="line" style="border-top: 3px '
        f'{"dashed" if dashed else "solid"} {colour}"></span>{escaped(name)}</span>'
        for name, colour, dashed in legend
    )
    return f'<figure class="chart">\n{svg}\n<figcaption>{escaped(caption)}{names}</figcaption>\n</figure>\n'


def code(text: str) -> str:
    """A command as typed; its lines break between words only."""
    words = " ".join(f"<span>{escaped(word)}</span>" for word in text.split(" "))
    return f"<pre><code>{words}</code></pre>\n"


def picture(source: str, alt: str, caption: str = "") -> str:
    """A small image with its caption."""
    text = f"<figcaption>{escaped(caption)}</figcaption>" if caption else ""
    return f'<figure><img src="{source}" alt="{escaped(alt)}">{text}</figure>\n'


def frame(page: str, title: str) -> str:
    """A whole page within another, in a frame that runs no scripts."""
    return f'<iframe sandbox="" title="{escaped(title)}" srcdoc="{escape(page)}"></iframe>\n'


def grid(kind: str, figures: Iterable[str]) -> str:
    """Figures side by side, as many as fit into a row; empty without figures."""
    content = "".join(figures)
    return f'<div class="{kind}">\n{content}</div>\n' if content else ""


def number(value: float | None) -> str:
    """A number with few digits."""
    if value is None:
        return NONE
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.1e}" if value and not 1e-3 <= abs(value) < 1e4 else f"{value:.4g}"


def percent(value: float | None, decimals: int = 2) -> str:
    """A share as a percentage."""
    return NONE if value is None else f"{value:.{decimals}%}"


def setting(value: Any) -> str:
    """The value of a setting."""
    if value is None:
        return NONE
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
