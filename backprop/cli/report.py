"""`backprop report`: write the page of a run, or one that compares several."""

from __future__ import annotations

import argparse
import os
import sys
from itertools import count
from pathlib import Path
from typing import Any

from ..optimizers.optimizers import Optimizer
from ..report import write_report
from ..report.comparison import Groups, compares, read_groups, summary_table, write_groups
from ..text import visible
from .advice import advised
from .build import build_optimizer, defaults, steps_of
from .configuration import checked
from .parser import build_parser
from .screen import say, table, width


def run(options: argparse.Namespace) -> int:
    """Write the page of a run, or one that compares several, and print its path."""
    out = None if options.out is None else Path(options.out)
    folders = [Path(folder) for folder in options.folders]
    with advised("write the page elsewhere with --out FILE"):
        if len(folders) == 1:
            say(str(write_report(folders[0], out, make_optimizer)))
        else:
            groups = read_groups(folders, defaults)
            page = write_groups(groups, out or _target(groups))
            for line in table(summary_table(groups), "<>", (), width() or sys.maxsize):
                print(visible(line))
            say(str(page))
    return 0


def _target(groups: Groups) -> Path:
    """The existing page of these runs, or an unused name."""
    names = (Path(f"comparison{'' if n == 1 else f'-{n}'}.html") for n in count(1))
    return next(name for name in names if not os.path.lexists(name) or compares(name, groups))


def make_optimizer(settings: dict[str, Any], samples: int) -> Optimizer:
    """The optimizer of a run on that many samples, from the settings in its checkpoints."""
    _, train = build_parser()
    actions = {action.dest: action for action in train._actions}
    given = argparse.Namespace(**checked(settings, actions, "the settings"))
    options = train.parse_args([], given)  # all else is the default
    return build_optimizer(options, steps_of(options, samples))
