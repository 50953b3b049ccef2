"""`backprop check`: check gradients against differences."""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from .. import layers, losses
from ..backends import get_backend
from ..datasets import load_mnist
from ..gradcheck import GradientReport, check_gradients
from ..gradcheck.report import FAILED, PASSED, UNRESOLVED, WRONG_ABOVE, GradientEntry
from ..layers.base import Node
from ..lookup import UsageError, lookup
from ..networks.models import DeepConvNet, MultiLayerNet, SimpleConvNet, TwoLayerNet
from ..networks.network import Network
from .screen import fold, width

Case = tuple[Any, ...]
"""A layer, loss or network with its inputs; or a function with its gradient and arguments."""


def run(options: argparse.Namespace) -> int:
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
        _show(reports, f"{backend.name} {backend.version} on {backend.device}", networks)
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
        case = _custom_subject(subject).case(rng)
        if not isinstance(case, tuple) or not case:
            found = "an empty one" if isinstance(case, tuple) else f"a {type(case).__name__}"
            raise ValueError(f"{subject}: case must return a tuple such as (layer, x), got {found}")
        yield case
    if options.layer or everything:
        for kind in _layers(options.layer or "all"):
            yield kind.case(rng)
    if options.net or everything:
        for make in _networks(options.net or "all"):
            yield make(np.random.default_rng(options.seed))


def _networks(name: str) -> list[Callable[[np.random.Generator], Case]]:
    return list(NETS.values()) if name == "all" else [lookup("network", name, NETS, "all or ")]


def checkable() -> dict[str, type[Node]]:
    """The layers and losses of this package that have a case, by name."""
    return {kind.__name__: kind for kind in _with_book_names().values()}


def _with_book_names() -> dict[str, type[Node]]:
    """The same, including the book's names of some classes."""
    named = [(name, getattr(module, name)) for module in (layers, losses) for name in module.__all__]
    return {name: kind for name, kind in named if _has_own_case(kind)}


def _has_own_case(kind: type[Node]) -> bool:
    case: Any = kind.case
    inherited: Any = Node.case
    return case.__func__ is not inherited.__func__


def _layers(name: str) -> list[type[Node]]:
    if name == "all":
        return list(checkable().values())
    return [lookup("layer", name, _with_book_names(), "all or ")]


def _custom_subject(subject: str) -> Any:
    """Import `module:name`, also from the current folder, and make sure that it has a `case`."""
    module_name, _, name = subject.rpartition(":")
    if module_name.endswith(".py"):
        module = _import_file(Path(module_name), subject)
    elif not (module_name and name) or not all(map(str.isidentifier, module_name.split("."))):
        raise UsageError(
            f"expected MODULE:NAME or FILE:NAME, such as my_module:MyLayer or code/my_module.py:MyLayer, got "
            f"{subject!r}"
        )
    else:
        module = _import_from(Path.cwd(), module_name, subject)
    found = getattr(module, name, None)
    is_ours = isinstance(found, type) and issubclass(found, (Node, Network))
    if not callable(found):
        raise UsageError(f"{subject}: {module_name} has no layer, loss, network or function {name!r}")
    if isinstance(found, type) and not is_ours and not hasattr(found, "case"):
        raise ValueError(
            f"{subject}: {name} is not a layer: derive it from backprop.layers.Layer (a loss from "
            "backprop.losses.Loss), or add a static method case(rng) that returns (f, grad, x)"
        )
    if isinstance(found, type) and not isinstance(
        inspect.getattr_static(found, "case", None), classmethod | staticmethod
    ):
        returned = "(network, x, t)" if issubclass(found, Network) else "(layer, x)"
        raise ValueError(
            f"{subject}: add a classmethod case(cls, rng) that returns {returned} with small NumPy arrays"
        )
    if not callable(getattr(found, "case", None)):
        raise ValueError(
            f"{subject}: give its gradient and its argument: {name}.case = lambda rng: ({name}, "
            "its_gradient, rng.standard_normal(3))"
        )
    return found


def _import_from(folder: Path, name: str, subject: str) -> ModuleType:
    """Import a module, preferably from the folder."""
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UsageError(f"{subject}: no module {error.name!r} in this folder or environment") from None


def _import_file(file: Path, subject: str) -> ModuleType:
    """Import a file as a module that can import its neighbours, as when Python runs the file."""
    if not file.is_file():
        raise UsageError(f"{subject}: there is no file {file}")
    module = _import_from(file.resolve().parent, file.stem, subject)
    found = getattr(module, "__file__", None)
    if found is None or not file.samefile(found):
        raise UsageError(f"{subject}: Python has another module {file.stem}; rename the file")
    return module


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
    return _with_biases(net, rng), rng.standard_normal((3, 1, 10, 10)), rng.integers(0, 5, 3)


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
    return _with_biases(net, rng), rng.standard_normal((2, 1, 12, 12)), rng.integers(0, 5, 2)


def _with_biases(net: Network, rng: np.random.Generator) -> Network:
    """Set biases other than 0: with zero biases, zero inputs would be exactly at ReLU's kink."""
    for name, value in net.params.items():
        if name.startswith("b"):
            net.params[name] = rng.uniform(0.1, 0.5, value.shape)
    return net


NETS = {"two-layer": _two_layer, "mlp": _mlp, "simple-conv": _simple_conv, "deep-conv": _deep_conv}

COLOURS = {PASSED: "green", FAILED: "red", UNRESOLVED: "yellow", WRONG_ABOVE: "yellow"}

COLUMNS: dict[str, Callable[[GradientEntry], str]] = {
    "gradient": lambda entry: f"{entry.layer}.{entry.parameter}",
    "shape": lambda entry: "×".join(map(str, entry.shape)) or "()",
    "analytic": lambda entry: f"{entry.analytic:.4e}",
    "numerical": lambda entry: f"{entry.numerical:.4e}",
    "error": lambda entry: f"{entry.error:.0e}",
    "±": lambda entry: f"{entry.uncertainty:.0e}",
    "verdict": lambda entry: f"[{COLOURS[entry.verdict]}]{entry.verdict}",
}

VALUES = {"analytic", "numerical"}

DROPPED: tuple[set[str], ...] = (set(), {"shape"}, VALUES, {"shape", *VALUES}, {"shape", "±", *VALUES})
"""The columns to drop on a narrow terminal: the first of these sets that makes the table fit."""


def _show(reports: list[GradientReport], where: str, networks: Iterable[Network]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.measure import Measurement

    console = Console()
    columns = width()
    console.width = columns or 100  # files and pipes have room for any table
    for dropped in DROPPED if columns else DROPPED[:1]:
        table = _table(reports, [name for name in COLUMNS if name not in dropped])
        unlimited = console.options.update(width=1000)
        if Measurement.get(console, unlimited, table).maximum <= console.width:
            break
    table.title = f"Gradients compared to differences in float64: {where}"
    if table.row_count:
        console.print(table)
    remarks = [line for report in reports for line in _remarks(report)]
    for text in [*remarks, *_merged(networks), *_summary(reports)]:
        for line in fold(text, columns) if columns else [text]:
            console.print(escape(line), highlight=False, soft_wrap=True)


def _table(reports: list[GradientReport], columns: list[str]) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False,
                  show_edge=False)  # fmt: skip
    for name in columns:
        if name == "gradient":
            table.add_column(name, overflow="fold")
        else:
            table.add_column(name, justify="right", no_wrap=True)
    for report in reports:
        for entry in report.entries:
            table.add_row(*(COLUMNS[name](entry) for name in columns))
        table.add_section()
    return table


def _remarks(report: GradientReport) -> Iterator[str]:
    """Describe the problems in full, with what to do about them."""
    for problem in report.problems:
        yield f"FAILED {report.subject}: {problem}"
    for entry in report.entries:
        if entry.verdict == FAILED:
            yield f"FAILED {report.subject}: {entry}"
        if entry.verdict == UNRESOLVED:
            yield f"unresolved {report.subject}: {entry}"
    if report.culprit:
        yield f"{report.subject}: first wrong, going backward: {report.culprit}"


def _merged(networks: Iterable[Network]) -> Iterator[str]:
    """Name the layers of the table that are several merged into one."""
    for network in networks:
        for name, shown in network.layers.shown.items():
            if shown != name:
                yield f"{type(network).__name__}: {name} is {shown}, merged into one layer."


PROMISES = (
    "arguments unchanged, results not shared, shapes, dtypes and devices preserved, same results for the "
    "same input"
)
"""What is checked besides the values of the gradients."""


def _summary(reports: list[GradientReport]) -> list[str]:
    wrong = [report.subject for report in reports if report.failed]
    verdict = [f"FAILED: {', '.join(wrong)}."] if wrong else []
    return [*_summarize_gradients(reports), *_summarize_promises(reports), *verdict]


def _summarize_gradients(reports: list[GradientReport]) -> Iterator[str]:
    """Say what was compared, and how to read the rows."""
    entries = [entry for report in reports for entry in report.entries]
    if not entries:
        yield "No gradient could be compared."
        return
    counts = {v: sum(entry.verdict == v for entry in entries) for v in COLOURS}
    listed = ", ".join(f"{n} {v}" for v, n in counts.items() if n or v in (PASSED, FAILED))
    settled = [entry for entry in entries if entry.verdict != UNRESOLVED]
    worst = f"; largest relative error {max(entry.error for entry in settled):.0e}" if settled else ""
    yield f"{_count(len(entries), 'gradient')}: {listed}{worst}"
    yield (
        "Each row shows the worst entry of an array. It passes with a relative error of at most "
        f"{reports[0].gate:.0e}, or ten times ±, the estimated error of the numerical value."
    )
    if counts[WRONG_ABOVE]:
        yield "Wrong above: the layer is right, but the gradient from above is wrong."
    if counts[UNRESOLVED]:
        yield "Unresolved: the differences cannot tell right from wrong; see above for what would."
    if kinks := sum(entry.kinks for entry in settled):
        yield (
            f"At {_count(kinks, 'entry', 'entries')} the first step crossed a kink (where ReLU or a maximum "
            "switches); smaller steps replaced it."
        )


def _summarize_promises(reports: list[GradientReport]) -> Iterator[str]:
    """Say what other faults were found, and what was not checked."""
    faults = sum(len(report.problems) for report in reports)
    if not faults:
        yield f"No other faults: {PROMISES}."
        return
    yield f"{_count(faults, 'other fault')}: see FAILED above."
    if cut := [report.subject for report in reports if report.cut_short]:
        yield f"Not checked for {', '.join(cut)}, whose fault ended the check: {PROMISES}."


def _count(n: int, one: str, several: str = "") -> str:
    return f"{n} {one if n == 1 else several or one + 's'}"
