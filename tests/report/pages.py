"""Read pages: check that they are well-formed, and find tables and text."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path


class Reader(HTMLParser):
    """Check that tags are balanced and ids unique; collect tags and text."""

    VOID = ("meta", "img", "br", "link", "hr", "input")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == []
        assert len(self.ids) == len(set(self.ids))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.ids += [value for key, value in attrs if key == "id" and value]
        if tag == "img":
            assert given["alt"]
            assert (given["src"] or "").startswith("data:image/png;base64,")
        if tag == "svg":
            assert given["role"] == "img"
            assert given["aria-label"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def read(path: Path) -> Reader:
    """Read a page, which must be well-formed and self-contained."""
    page = path.read_text("utf-8")
    assert page.startswith("<!DOCTYPE html>\n<html lang=")
    assert not re.search(r"https?://|<script|<link|javascript:|@import", page)
    return Reader(page)


def tables(path: Path) -> list[dict[str, list[str]]]:
    """The cells of each table by the heading of their row."""
    found = []
    for table in re.findall(r"<table.*?</table>", path.read_text("utf-8"), re.DOTALL):
        rows = re.findall(r'<th scope="row">(.*?)</th>(.*?)</tr>', table, re.DOTALL)
        found.append({text(name): re.findall(r"<td.*?>(.*?)</td>", cells) for name, cells in rows})
    return found


def text(markup: str) -> str:
    """Markup without its tags."""
    return unescape(re.sub(r"<.*?>", "", markup))


def heads(path: Path) -> list[list[str]]:
    """The column names of each table."""
    found = re.findall(r"<thead>(.*?)</thead>", path.read_text("utf-8"), re.DOTALL)
    return [[text(cell) for cell in re.findall(r"<th.*?>(.*?)</th>", head)] for head in found]


def column(path: Path, name: str) -> list[str]:
    """A column of the results, row by row."""
    i = heads(path)[0].index(name) - 1
    return [cells[i] for cells in tables(path)[0].values()]
