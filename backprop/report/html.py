"""Parts of an HTML page, as strings. Text is escaped here, and nowhere else; control characters are shown."""

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
"""Stands for a value that there is not."""


class Markup(str):
    """What is HTML already, and is not escaped again."""

    __slots__ = ()


def escaped(text: str) -> str:
    """Text as it stands in a page."""
    return text if isinstance(text, Markup) else escape(visible(text))


def document(title: str, lead: str, parts: Iterable[str], head: str = "") -> bytes:
    """The whole page; `lead` stands under the title, and `head` is more for its head."""
    style = files(__package__).joinpath("style.css").read_text("utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"{head}<title>{escaped(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"<header>\n<h1>{escaped(title)}</h1>\n<p>{escaped(lead)}</p>\n</header>\n<main>\n"
        f"{''.join(parts)}</main>\n</body>\n</html>\n"
    ).encode()


def section(title: str, *parts: str, kind: str = "") -> str:
    """Parts under a heading; nothing if there are none."""
    content = "".join(parts)
    opening = f'<section class="{kind}">' if kind else "<section>"
    return f"{opening}\n<h2>{escaped(title)}</h2>\n{content}</section>\n" if content else ""


def paragraph(text: str) -> str:
    """A paragraph of text."""
    return f"<p>{escaped(text)}</p>\n"


def details(summary: str, content: str) -> str:
    """What is shown on request."""
    return f"<details>\n<summary>{escaped(summary)}</summary>\n{content}</details>\n"


def cards(values: Iterable[tuple[str, str]]) -> str:
    """Names and values, the values large."""
    items = "".join(
        f"<div><dt>{escaped(name)}</dt><dd>{escaped(value)}</dd></div>\n" for name, value in values
    )
    return f'<dl class="cards">\n{items}</dl>\n'


def items(texts: Iterable[str], *, ordered: bool = False) -> str:
    """A list of texts, with numbers where it is `ordered`."""
    kind = "ol" if ordered else "ul"
    return f"<{kind}>\n{''.join(f'<li>{escaped(text)}</li>{chr(10)}' for text in texts)}</{kind}>\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, kind: str = "numbers") -> str:
    """A table that scrolls in its own box; the first cell of a row is its heading."""
    columns = "".join(f'<th scope="col">{escaped(name)}</th>' for name in head)
    body = "".join(
        f'<tr><th scope="row">{escaped(first)}</th>{"".join(f"<td>{escaped(c)}</td>" for c in rest)}</tr>\n'
        for first, *rest in rows
    )
    return boxed(
        f'<table class="{kind}">\n<thead><tr>{columns}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n'
    )


def filled(head: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """A table's head and rows without the columns that hold no value at all.

    >>> filled(["run", "loss", "accuracy"], [["a", "0.5", "–"], ["b", "–", "–"]])
    (['run', 'loss'], [['a', '0.5'], ['b', '–']])
    """
    kept = [i for i in range(len(head)) if any(row[i] not in (NONE, "") for row in rows)]
    return [head[i] for i in kept], [[row[i] for i in kept] for row in rows]


def address(target: Path, page: Path) -> str:
    """Where a file is, relative to the page's folder where both are on one drive."""
    try:
        return quote(os.fsencode(Path(os.path.relpath(target, page.parent)).as_posix()))
    except ValueError:
        return target.absolute().as_uri()


def link(text: str, target: Path, page: Path) -> Markup:
    """A link from a page to another file."""
    return Markup(f'<a href="{escaped(address(target, page))}">{escaped(text)}</a>')


def unbroken(text: str) -> str:
    """Text in which a line ends at plain spaces only, not at a hyphen."""
    if "-" not in text:
        return text
    return Markup(" ".join(f'<span class="whole">{escaped(word)}</span>' for word in text.split(" ")))


def marked(text: str, mark: str, kind: str = "mark") -> Markup:
    """Text with a mark beside it."""
    return Markup(f'{escaped(text)} <span class="{kind}">{escaped(mark)}</span>')


def boxed(content: str) -> str:
    """Content that scrolls sideways where it is too wide; the keyboard reaches it."""
    return f'<div class="box" role="region" aria-label="table" tabindex="0">\n{content}</div>\n'


def chart(svg: str, caption: str, legend: Iterable[tuple[str, str, bool]] = ()) -> str:
    """A drawing with its caption, and the names of its lines with colour and whether they are dashed."""
    names = "".join(
        f' <span class="legend"><span class="line" style="border-top: 3px '
        f'{"dashed" if dashed else "solid"} {colour}"></span>{escaped(name)}</span>'
        for name, colour, dashed in legend
    )
    return f'<figure class="chart">\n{svg}\n<figcaption>{escaped(caption)}{names}</figcaption>\n</figure>\n'


def code(text: str) -> str:
    """A command, as it is typed, whose lines break between words only."""
    words = " ".join(f"<span>{escaped(word)}</span>" for word in text.split(" "))
    return f"<pre><code>{words}</code></pre>\n"


def picture(source: str, alt: str, caption: str = "") -> str:
    """A small image with its caption."""
    text = f"<figcaption>{escaped(caption)}</figcaption>" if caption else ""
    return f'<figure><img src="{source}" alt="{escaped(alt)}">{text}</figure>\n'


def grid(kind: str, figures: Iterable[str]) -> str:
    """Figures side by side, as many as there is room for; nothing if there are none."""
    content = "".join(figures)
    return f'<div class="{kind}">\n{content}</div>\n' if content else ""


def number(value: float | None) -> str:
    """A number in few digits."""
    if value is None:
        return NONE
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.1e}" if value and not 1e-3 <= abs(value) < 1e4 else f"{value:.4g}"


def share(value: float | None, digits: int = 2) -> str:
    """A share in per cent."""
    return NONE if value is None else f"{value:.{digits}%}"


def setting(value: Any) -> str:
    """The value of an option."""
    if value is None:
        return NONE
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
