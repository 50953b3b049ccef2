"""`Report`: the path of a page, which shows the page in a notebook."""

from __future__ import annotations

import sys

from ..pages import html
from ..pages.fragment import fragment

if sys.platform == "win32":
    from pathlib import WindowsPath as NativePath
else:
    from pathlib import PosixPath as NativePath

LARGEST = 5_000_000
"""A larger page (bytes) is named but not shown, since the notebook would keep a copy of it."""


class Report(NativePath):
    """The path of a page that was written. In a notebook, as the last value of a cell, it shows the page."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        """The page in a frame of its own, which runs no scripts."""
        try:
            size = self.stat().st_size
            page = self.read_text("utf-8") if size <= LARGEST else ""
        except OSError as error:
            return fragment(html.paragraph(f"The report cannot be read: {error}"))
        if not page:
            return fragment(html.paragraph(f"{self} has {size / 1e6:,.0f} MB: open it in a browser"))
        return fragment(html.paragraph(str(self)), html.frame(page, self.name))
