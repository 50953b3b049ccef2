"""Read pages of explanations: HTML with MathML, SVG and a script, but nothing from outside."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = ("meta", "img", "br", "link", "hr", "input")


class Reader(HTMLParser):
    """Check that tags are balanced, ids unique and links lead to ids; collect text by section."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.relations: dict[str, dict[str, set[str]]] = {}
        self.images: list[str] = []
        self.texts: dict[str, str] = {}
        self.section = ""
        self.feed(page.decode())
        self.close()
        assert self.open == []
        assert len(self.ids) == len(set(self.ids))
        assert [link for link in self.links if link.removeprefix("#") not in self.ids] == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if id_ := given.get("id"):
            self.ids.append(id_)
        if tag == "section":
            self.section = str(given["id"])
            self.texts[self.section], self.relations[self.section] = "", {}
        if tag == "a":
            link = given["href"] or ""
            assert link.startswith("#")
            self.links.append(link)
            if rel := given.get("rel"):
                self.relations[self.section].setdefault(rel, set()).add(link)
        if tag == "img":
            assert given["alt"]
            assert (given["src"] or "").startswith("data:image/png;base64,")
            self.images.append(self.section)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag == "section":
            self.section = ""

    def handle_data(self, data: str) -> None:
        if self.section and "style" not in self.open:
            self.texts[self.section] += data


def read(page: bytes) -> Reader:
    """Read a page, which must be well-formed and self-contained."""
    text = page.decode()
    assert text.startswith("<!DOCTYPE html>\n<html lang=")
    outside = text.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"https?://|<script src|<link|javascript:|@import|url\(", outside)
    assert text.count("<script>") == 1
    return Reader(page)
