"""`backprop check`: check gradients against differences."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from ..backends import get_backend
from ..gradcheck import GradientReport, check_gradients
from ..networks.network import Network
from ..text import indefinite
from .check_report import show_reports
from .check_subjects import Case, custom_case, layers_named, networks_named


def main(options: argparse.Namespace) -> int:
    """Check what was asked for, show the report, and return 0 unless a check fails."""
    backend = get_backend(options.device)
    check = partial(check_gradients, device=backend, elements=options.elements, rng=options.seed)
    cases = list(_cases(options))
    reports = [_check(check, case) for case in cases]
    succeeded = all(report.passed if options.strict else not report.failed for report in reports)
    if options.json:
        found = {
            "passed": all(report.passed for report in reports),
            "failed": any(report.failed for report in reports),
            "reports": [report.to_dict() for report in reports],
        }
        print(json.dumps(found, allow_nan=False))
    else:
        networks = [case[0] for case in cases if isinstance(case[0], Network)]
        show_reports(reports, f"{backend.name} {backend.version} on {backend.device}", networks)
    return 0 if succeeded else 1


def _check(check: Callable[..., GradientReport], case: Case) -> GradientReport:
    """Check a case; an error that prevents this names its subject."""
    try:
        return check(*case)
    except Exception as error:  # the user's code may raise anything
        name = getattr(case[0], "__name__", type(case[0]).__name__)
        raise RuntimeError(f"{name} cannot be checked: {_message(error, name)}") from error


def _message(error: Exception, name: str) -> str:
    """The error's message after its type, or without a leading `name`."""
    text = str(error)
    return (
        text.removeprefix(f"{name}: ") if text.startswith(f"{name}: ") else f"{type(error).__name__}: {text}"
    )


def _cases(options: argparse.Namespace) -> Iterator[Case]:
    rng = np.random.default_rng(options.seed)
    everything = not (options.subjects or options.layer or options.net)
    for subject in options.subjects:
        case = custom_case(subject)(rng)
        if not isinstance(case, tuple) or not case:
            found = "an empty one" if isinstance(case, tuple) else indefinite(type(case).__name__)
            raise ValueError(f"{subject}: case must return a tuple such as (layer, x), got {found}")
        yield case
    if options.layer or everything:
        for kind in layers_named(options.layer or "all"):
            yield kind.case(rng)
    if options.net or everything:
        for make in networks_named(options.net or "all"):
            yield make(np.random.default_rng(options.seed))
