"""`backprop report`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..optimizers import Optimizer
from ..report import write_comparison, write_report
from .advice import advised
from .build import build_optimizer, steps_of
from .configuration import checked
from .parser import build_parser
from .screen import say


def run(options: argparse.Namespace) -> int:
    """Write the page of a run, or one that compares several, and say where it is."""
    out = None if options.out is None else Path(options.out)
    folders = [Path(folder) for folder in options.folders]
    with advised("write the page elsewhere with --out FILE"):
        if len(folders) == 1:
            page = write_report(folders[0], out, make_optimizer)
        else:
            page = write_comparison(folders, out or Path("comparison.html"))
    say(str(page))
    return 0


def make_optimizer(settings: dict[str, Any], samples: int) -> Optimizer:
    """The optimizer of a run on that many samples, from the settings in its checkpoints."""
    _, train = build_parser()
    actions = {action.dest: action for action in train._actions}
    given = argparse.Namespace(**checked(settings, actions, "the settings"))
    options = train.parse_args([], given)  # all else is the default
    return build_optimizer(options, steps_of(options, samples))
