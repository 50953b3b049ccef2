"""HTML for the cell of a notebook."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from backprop.pages import html
from backprop.pages.fragment import fragment


class Tags(HTMLParser):
    """The tags that are open at the end, and all that were seen."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def style_of(cell: str) -> str:
    return cell.partition("<style>")[2].partition("</style>")[0]


def test_a_fragment_is_one_element_with_its_parts_in_order() -> None:
    tags = Tags()
    tags.feed(
        fragment(html.paragraph("first"), html.table(("a", "b"), [("1", "2")]), html.paragraph("<last>"))
    )
    assert tags.open == []
    assert fragment().startswith('<div class="backprop">\n<style>')  # to which the style is confined
    assert [tag for tag in tags.seen if tag in ("div", "style", "p", "table")] == [
        *("div", "style", "p", "div", "table", "p")
    ]
    assert "script" not in tags.seen


def test_the_style_reaches_nothing_outside() -> None:
    style = re.sub(r"/\*.*?\*/", "", style_of(fragment()), flags=re.DOTALL)
    selectors = [part.strip() for rule in style.split("}")[:-1] for part in rule.partition("{")[0].split(",")]
    assert len(selectors) > 10
    assert [selector for selector in selectors if not re.match(r"\.backprop\b", selector)] == []


def test_the_style_suits_light_and_dark_themes_of_the_notebook() -> None:
    style = style_of(fragment())
    assert "prefers-color-scheme" not in style  # the theme of the system, not that of the notebook
    colours = re.findall(r"(?<![-\w])color: ([^;}]+)", style)
    assert set(colours) == {"inherit"}
    opaque = re.findall(r"background: (#\w+|rgb\([\d ]+\)|var\([^;}]+)", style)
    assert opaque == []
