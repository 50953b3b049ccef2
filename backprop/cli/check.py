"""`backprop check`."""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import math
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from backends import get_backend

from .. import layers, losses
from ..choices import chosen
from ..datasets import load_mnist
from ..gradcheck import GradientReport, check_gradients
from ..layers.base import Node
from ..networks import Network
from ..ready_made import DeepConvNet, MultiLayerNet, SimpleConvNet, TwoLayerNet

TRIES = 20
"""How many random networks are made, until one is away from the kinks of its layers."""

Case = tuple[Any, ...]
"""A layer, loss or network, and its inputs."""


def run(options: argparse.Namespace) -> int:
    """Check what was asked for, show the report, and return 0 if all of it passes."""
    backend = get_backend(options.device)
    check = partial(check_gradients, device=backend, elements=options.elements, rng=options.seed)
    reports = [check(*case) for case in _cases(options)]
    reports += [_network_report(make, check, options.seed) for make in _networks(options)]
    passed = all(report.passed for report in reports)
    if options.json:
        reports_data = [report.to_dict() for report in reports]
        print(json.dumps({"passed": passed, "reports": reports_data}, allow_nan=False))
    else:
        _show(reports, f"{backend.name} {backend.version} on {backend.device}")
    return 0 if passed else 1


def _cases(options: argparse.Namespace) -> Iterator[Case]:
    rng = np.random.default_rng(options.seed)
    everything = not (options.subjects or options.layer or options.net)
    for subject in options.subjects:
        case = _user_class(subject).case(rng)
        if not isinstance(case, tuple) or not case:
            found = "an empty one" if case == () else f"a {type(case).__name__}"
            raise ValueError(f"{subject}: case must return a tuple such as (layer, x), got {found}")
        yield case
    if options.layer or everything:
        for kind in _chosen(options.layer or "all"):
            yield kind.case(rng)


def _networks(options: argparse.Namespace) -> list[Callable[[np.random.Generator], Case]]:
    """What makes the networks that were asked for."""
    if options.net is None and (options.subjects or options.layer):
        return []
    if options.net in (None, "all"):
        return list(NETS.values())
    return [chosen("network", options.net, NETS, "all or ")]


def _network_report(
    make: Callable[[np.random.Generator], Case], check: Callable[..., GradientReport], seed: int
) -> GradientReport:
    """The check of a network of random numbers; of others, where these lie on a kink of a ReLU."""
    rng = np.random.default_rng(seed)
    for _ in range(TRIES):
        report = check(*make(rng))
        if not any(entry.kinks for entry in report.entries):
            break
    return report


def checkable() -> dict[str, type[Node]]:
    """Every layer and loss of this package that has a case, by name."""
    return {kind.__name__: kind for kind in _spellings().values()}


def _spellings() -> dict[str, type[Node]]:
    """The same with the book's spellings, which are second names of some classes."""
    named = [(name, getattr(module, name)) for module in (layers, losses) for name in module.__all__]
    return {name: kind for name, kind in named if _own_case(kind)}


def _own_case(kind: type[Node]) -> bool:
    case: Any = kind.case
    inherited: Any = Node.case
    return case.__func__ is not inherited.__func__


def _chosen(name: str) -> list[type[Node]]:
    if name == "all":
        return list(checkable().values())
    return [chosen("layer", name, _spellings(), "all or ")]


def _user_class(subject: str) -> Any:
    """The class in `module:Class`, with modules of the current folder importable."""
    module_name, _, class_name = subject.partition(":")
    if not (module_name and class_name) or module_name.startswith("."):
        raise ValueError(f"expected MODULE:CLASS, as in my_module:MyLayer, got {subject!r}")
    sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ValueError(f"{subject}: no module {error.name!r} in this folder or environment") from None
    kind = getattr(module, class_name, None)
    if not (isinstance(kind, type) and issubclass(kind, (Node, Network))):
        raise ValueError(f"{subject}: {module_name} has no layer, loss or network class {class_name!r}")
    if not isinstance(inspect.getattr_static(kind, "case", None), classmethod | staticmethod):
        returned = "(network, x, t)" if issubclass(kind, Network) else "(layer, x)"
        raise ValueError(
            f"{subject}: add a classmethod case(cls, rng) that returns {returned} with small NumPy arrays"
        )
    return kind


def _two_layer(rng: np.random.Generator) -> Case:
    """The book's network on three MNIST images."""
    (x, t), _ = load_mnist()
    return TwoLayerNet(784, 50, 10, dtype="float64", rng=rng), x[:3].astype(np.float64), t[:3]


def _mlp(rng: np.random.Generator) -> Case:
    net = MultiLayerNet(12, [10, 8], 5, "tanh", "xavier", 0.1, use_batchnorm=True, dropout_ratio=0.2,
                        dtype="float64", rng=rng)  # fmt: skip
    return net, rng.standard_normal((7, 12)), rng.integers(0, 5, 7)


def _simple_conv(rng: np.random.Generator) -> Case:
    net = SimpleConvNet(
        (1, 10, 10), {"filter_num": 4, "filter_size": 3}, 8, 5, "he", dtype="float64", rng=rng
    )
    return net, rng.standard_normal((3, 1, 10, 10)), rng.integers(0, 5, 3)


def _deep_conv(rng: np.random.Generator) -> Case:
    net = DeepConvNet(
        (1, 12, 12),
        (3, 3, 4, 4, 5, 5),
        hidden_size=6,
        output_size=5,
        dropout_ratio=0.2,
        dtype="float64",
        rng=rng,
    )
    return net, rng.standard_normal((2, 1, 12, 12)), rng.integers(0, 5, 2)


NETS = {"two-layer": _two_layer, "mlp": _mlp, "simple-conv": _simple_conv, "deep-conv": _deep_conv}


def _show(reports: list[GradientReport], where: str) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=f"Gradients against central differences in float64: {where}", title_justify="left")
    for column in ("layer", "parameter", "shape"):
        table.add_column(column)
    for column in ("analytic", "numerical", "relative error", "kinks", "verdict"):
        table.add_column(column, justify="right")
    for report in reports:
        for entry in report.entries:
            table.add_row(
                entry.layer,
                entry.parameter,
                "×".join(map(str, entry.shape)) or "()",
                f"{entry.analytic:+.8f}",
                f"{entry.numerical:+.8f}",
                f"{entry.error:.1e}",
                str(entry.kinks),
                "[green]passed" if entry.passed else "[red]FAILED",
            )
        table.add_section()
    console = Console()
    if not console.is_terminal:
        console.width = 110  # a file or a pipe is as wide as the table
    console.print(table)
    problems = [(report.subject, problem) for report in reports for problem in report.problems]
    for subject, problem in problems:
        console.print(f"[red]FAILED[/red] {escape(f'{subject}: {problem}')}", highlight=False)
    entries = [entry for report in reports for entry in report.entries]
    failed = sum(not entry.passed for entry in entries)
    worst = max((entry.error for entry in entries), default=math.inf)
    console.print(
        f"{len(entries)} gradients, {failed} failed, {len(problems)} broken promises; "
        f"largest relative error {worst:.1e}, allowed {reports[0].gate:.0e}",
        highlight=False,
    )
