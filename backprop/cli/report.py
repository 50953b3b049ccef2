"""`backprop report`."""

from __future__ import annotations

import argparse
import os
import sys
from itertools import count
from pathlib import Path
from typing import Any

from ..files import advised
from ..optimizers.optimizers import Optimizer
from ..report import write_report
from ..report.comparison import Groups, is_of, read_groups, short_results, write_groups
from ..text import visible
from .build import build_optimizer, defaults, steps_of
from .screen import say, table, width
from .settings import TrainSettings, convert


def main(options: argparse.Namespace) -> int:
    """Write the page of a run, or one that compares several, and print its path."""
    out = None if options.out is None else Path(options.out)
    folders = [Path(folder) for folder in options.folders]
    with advised("write the page elsewhere with --out FILE"):
        if len(folders) == 1:
            say(str(write_report(folders[0], out, make_optimizer)))
        else:
            groups = read_groups(folders, defaults)
            page = write_groups(groups, out or _free(groups))
            for line in table(short_results(groups), "<>", (), width() or sys.maxsize):
                print(visible(line))
            say(str(page))
    return 0


def _free(groups: Groups) -> Path:
    """The page of these runs if there is one, or else a free name."""
    names = (Path(f"comparison{'' if n == 1 else f'-{n}'}.html") for n in count(1))
    return next(name for name in names if not os.path.lexists(name) or is_of(groups, name))


def make_optimizer(kept: dict[str, Any], samples: int) -> Optimizer:
    """Build the optimizer of a run on so many samples, from the settings in its checkpoint."""
    settings = TrainSettings(**convert(kept, "the settings"))
    return build_optimizer(settings, steps_of(settings, samples))
