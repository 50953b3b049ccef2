"""Build the HTML that an object shows in the cell of a notebook."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


def fragment(*parts: str) -> str:
    """HTML for a notebook's cell, with a style of its own that changes nothing outside.

    The parts are those of a page, from `backprop.pages.html`. Text has the colour of the notebook and
    no background, so it suits light and dark themes; tables scroll in their box.

    >>> from backprop.pages import html
    >>> "<p>3 &lt; 4</p>" in fragment(html.paragraph("3 < 4"))
    True
    """
    return f'<div class="backprop">\n<style>\n{_style()}</style>\n{"".join(parts)}</div>\n'


@cache
def _style() -> str:
    return files(__package__).joinpath("fragment.css").read_text("utf-8")
