"""Every gradient against differences: layers, losses and networks, as `backprop check` does."""

from __future__ import annotations

import numpy as np

from backends import get_backend
from backprop import check_gradients
from backprop.cli.check_subjects import checkable, networks_named

from ..reporting import Report

ELEMENTS = 40
"""How many entries of each array of a network are checked; of layers, all."""


def run(report: Report, arguments: list[str], quick: bool) -> None:
    backend = get_backend(arguments[0])
    subjects = [(name, kind.case, None) for name, kind in checkable().items()]
    subjects += [("", make, ELEMENTS) for make in networks_named("all")]
    for name, make, elements in report.in_time(subjects[::8] if quick else subjects):
        case = make(np.random.default_rng(0))
        name = name or type(case[0]).__name__
        try:
            checked = check_gradients(*case, device=backend, elements=5 if quick else elements, rng=0)
        except Exception as error:  # one layer's failure is not the others'
            report.add(name, f"{type(error).__name__}: {error}".splitlines()[0], passed=False)
            continue
        worst = max(entry.error for entry in checked.entries)
        report.add(name, f"worst relative error {worst:.1e}", passed=checked.passed, worst=worst)
