"""`backprop report`: write the page of a run, or one that compares several."""

from __future__ import annotations

import argparse
import os
import sys
from itertools import count
from pathlib import Path

from ..files import advised
from ..report import write_report
from ..report.comparison import Groups, compares, read_groups, summary_table, write_groups
from ..text import table, visible, width
from .build import defaults
from .screen import say


def main(options: argparse.Namespace) -> int:
    """Write the page of a run, or one that compares several, and print its path."""
    out = None if options.out is None else Path(options.out)
    folders = [Path(folder) for folder in options.folders]
    with advised("write the page elsewhere with --out FILE"):
        if len(folders) == 1:
            say(str(write_report(folders[0], out)))
        else:
            groups = read_groups(folders, defaults)
            page = write_groups(groups, out or _target(groups))
            rows = summary_table(groups)
            for line in table(rows, "<>"[: len(rows[0])], (), width() or sys.maxsize):
                print(visible(line))
            say(str(page))
    return 0


def _target(groups: Groups) -> Path:
    """The existing page of these runs, or an unused name."""
    names = (Path(f"comparison{'' if n == 1 else f'-{n}'}.html") for n in count(1))
    return next(name for name in names if not os.path.lexists(name) or compares(name, groups))
