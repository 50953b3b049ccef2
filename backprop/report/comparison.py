"""Write the page that compares several runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..files import open_file, replace_file
from ..pages import html
from ..saving import run_folder
from .curves import compared_curves
from .page import notes
from .record import RESULTS, Record, Show, read_record
from .shown import Report

IRRELEVANT = ("keep", "log_every", "no_report", "save_every")
"""Settings that do not influence a run's result."""

MAIN_RESULTS = ("test accuracy", "test loss")
"""The result that summarizes a run: the first of these that is known."""

HEAD = 2**16
"""The number of bytes at the start of a page that name its runs."""

COUNTS = ("steps", "epochs", "parameters")
"""Results that are not measured: equal ones have no spread."""

Groups = Sequence[Sequence[Record]]
"""Runs in groups; those of a group differ only in their seed."""

Defaults = Callable[[dict[str, Any]], dict[str, Any]]
"""A function from a run's given settings to the defaults of the others."""


def write_comparison(folders: Sequence[Path], target: Path, defaults: Defaults | None = None) -> Report:
    """Write a page that compares the runs in these folders to `target`, and return its path.

    In a notebook, the path shows the page.

    The page shows their results, their curves in common charts, and the settings that differ, including
    `defaults`. Runs that differ only in their seed are grouped, with mean and sample standard deviation.
    Raises `RunFolderError` for a folder without a run, `CheckpointError` for a damaged checkpoint.
    """
    return write_groups(read_groups(folders, defaults), target)


def read_groups(folders: Sequence[Path], defaults: Defaults | None = None) -> Groups:
    """Read the runs in these folders, and group them by seed."""
    records = [read_record(folder)[0] for folder in folders]
    if len({record.name for record in records}) < len(records):
        records = [replace(record, name=str(record.folder)) for record in records]
    if defaults is not None:
        records = [
            replace(r, settings={**defaults(r.settings), **r.settings}) if r.settings else r for r in records
        ]
    return list(group_by_seed(records))


def write_groups(groups: Groups, target: Path) -> Report:
    """Write the page that compares these runs, and return its path."""
    records = [record for group in groups for record in group]
    parts = [*notes(), _results(groups, target), compared_curves(records), _settings(records)]
    names = ", ".join(record.name for record in records)
    page = html.document(f"{len(records)} runs", names, parts, _runs_element(groups, target))
    replace_file(target, page)
    return Report(target)


def compares(page: Path, groups: Groups) -> bool:
    """Whether a file is a page that compares exactly these runs."""
    with suppress(OSError), open_file(page) as file:
        return _runs_element(groups, page).encode() in file.read(HEAD)
    return False


def _runs_element(groups: Groups, page: Path) -> str:
    """The element that names a page's runs."""
    folders = sorted(html.address(record.folder, page) for group in groups for record in group)
    return f'<meta name="runs" content="{html.escaped(" ".join(folders))}">\n'


def summary_table(groups: Groups) -> list[tuple[str, ...]]:
    """The rows of a table with each run's main result and each group's mean."""
    records = [record for group in groups for record in group]
    known = [key for key in MAIN_RESULTS if any(record.results[key] is not None for record in records)][:1]
    rows = [("run", *known)]
    for group in groups:
        rows += [(r.name, *(RESULTS[key](r.results[key]) for key in known)) for r in group]
        if len(group) > 1:
            spreads = (_spread(key, [r.results[key] for r in group], RESULTS[key]) for key in known)
            rows.append((f"mean ± sd, n = {len(group)}", *spreads))
    return rows


def group_by_seed(records: Sequence[Record]) -> Iterator[list[Record]]:
    """Group the runs that differ only in their seed."""
    groups: dict[object, list[Record]] = {}
    for i, record in enumerate(records):
        groups.setdefault(_key_without_seed(record) or i, []).append(record)
    for group in groups.values():
        if len({html.setting(record.settings.get("seed")) for record in group}) == len(group):
            yield group
        else:  # a repeated seed tells nothing about the spread
            yield from ([record] for record in group)


def _key_without_seed(record: Record) -> tuple[object, ...]:
    """Everything that determines a run except its seed; empty if its settings are unknown."""
    settings = {
        key: html.setting(value) for key, value in record.settings.items() if key not in (*IRRELEVANT, "seed")
    }
    if "seed" not in record.settings:
        return ()
    early = record.settings.get("patience")  # with early stopping, the length is a result
    steps = None if early else record.results["steps"]
    return record.digest, record.data, record.network, record.layers, steps, *sorted(settings.items())


def best(records: Sequence[Record]) -> list[Record]:
    """The runs with the highest test accuracy, or the lowest test loss; none if their data differ."""
    if len(records) < 2 or not _share_data(records):
        return []
    ranked = [(rank, record) for record in records if (rank := _rank(record))]
    first = min((rank for rank, _ in ranked), default=None)
    return [record for rank, record in ranked if rank == first]


def _share_data(records: Sequence[Record]) -> bool:
    """Whether all runs have the same data digest, or the same data name if a digest is missing."""
    digests = {record.digest for record in records}
    return len(digests if None not in digests else {record.data for record in records}) == 1


def _rank(record: Record) -> tuple[float, float] | None:
    """A sort key that is lower for a better run; None without test results."""
    accuracy, loss = record.results["test accuracy"], record.results["test loss"]
    if accuracy is None and loss is None:
        return None
    return -(accuracy or 0.0), float("inf") if loss is None else loss


def _results(groups: Groups, target: Path) -> str:
    records = [record for group in groups for record in group]
    best_runs = best(records)
    rows = []
    for group in groups:
        for record in group:
            page = record.folder / run_folder.REPORT
            name = html.link(record.name, page, target) if page.is_file() else record.name
            name = html.marked(name, "best") if record in best_runs else name
            results = [show(record.results[key]) for key, show in RESULTS.items()]
            rows.append([name, *results, record.network, record.data])
        if len(group) > 1:
            means = [html.unbroken(spread) for spread in _spreads(group)]
            rows.append([html.marked("mean ± sd", f"n = {len(group)}", "mean"), *means, "", ""])
    head = ["run", *RESULTS, "network", "data"]
    texts = [*_explain_best(records, best_runs), *_explain_means(groups)]
    table = html.table(*html.without_empty_columns(head, rows), kind="numbers runs")
    return html.section("Results", table, *map(html.paragraph, texts))


def _spreads(group: Sequence[Record]) -> list[str]:
    """Mean and sample standard deviation of each result that all these runs have."""
    return [_spread(key, [record.results[key] for record in group], show) for key, show in RESULTS.items()]


def _spread(key: str, values: Sequence[float | None], show: Show) -> str:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return html.NONE
    if key in COUNTS and len(set(known)) == 1:
        return show(known[0])
    mean, sd = float(np.mean(known)), float(np.std(known, ddof=1))
    spread = show(sd) if show is html.percent else html.number(float(f"{sd:.2g}"))
    return f"{show(mean if abs(mean) < 1000.0 else round(mean))} ±\N{NO-BREAK SPACE}{spread}"


def _explain_best(records: Sequence[Record], best_runs: Sequence[Record]) -> Iterator[str]:
    if best_runs:
        accuracy = best_runs[0].results["test accuracy"]
        what = "lowest test loss" if accuracy is None else "highest test accuracy"
        missing = any(_rank(record) is None for record in records)
        alike = sum(record.results["test accuracy"] == accuracy for record in records)
        by_loss = accuracy is not None and alike > len(best_runs)
        tie = f", and the lowest test loss of the {alike} runs with that accuracy" if by_loss else ""
        tied = f"; {len(best_runs)} runs are tied" if len(best_runs) > 1 else ""
        yield f"Best: the {what}{', of the runs that have one' if missing else ''}{tie}{tied}."
    elif not _share_data(records):
        yield "No run is marked as the best because they do not all use the same data."


def _explain_means(groups: Groups) -> Iterator[str]:
    for group in groups:
        if len(group) > 1:
            seeds = ", ".join(html.setting(record.settings["seed"]) for record in group)
            yield (
                f"Mean ± sd of {len(group)} runs that differ only in their seed ({seeds}); sd is the sample "
                "standard deviation, with n − 1."
            )


def _settings(records: Sequence[Record]) -> str:
    """The settings that differ between the runs."""
    columns = {}
    for key in dict.fromkeys(key for record in records for key in record.settings if key not in IRRELEVANT):
        values = [html.setting(record.settings.get(key)) for record in records]
        if len(set(values)) > 1:
            columns[key.replace("_", "-")] = values
    names = [record.name for record in records]
    rows = zip(names, *columns.values(), strict=True)
    content = html.table(("run", *columns), rows, kind="numbers runs") if columns else html.paragraph("None.")
    return html.section("Settings that differ", content)
