"""The page that lays several runs side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..files import open_file, replace_file
from ..saving import run_folder
from . import html
from .curves import compared_curves
from .page import notes
from .record import RESULTS, Record, Show, read_record

NO_MATTER = ("keep", "log_every", "no_report", "save_every")
"""Settings that have no influence on a run."""

SHORT = ("test accuracy", "test loss")
"""The first of these that there is stands for a run."""

HEAD = 2**16
"""The first bytes of a page, among which is of which runs it is."""

COUNTS = ("steps", "epochs", "parameters")
"""Results that are no measurements: where they are equal they have no spread."""


Groups = Sequence[Sequence[Record]]
"""Runs, with those together that differ only by their seed."""

Defaults = Callable[[dict[str, Any]], dict[str, Any]]
"""The settings that a run had without their being given, from those that were."""


def write_comparison(folders: Sequence[Path], target: Path, defaults: Defaults | None = None) -> Path:
    """Write the page that compares the runs in these folders to `target`, and return that.

    It has their results, their curves in one drawing, and the settings that differ, among them the
    `defaults` of those that were not given. Runs that differ only by their seed stand together, with their
    mean and sample standard deviation. Raises `RunFolderError` if a folder is none of a run,
    `CheckpointError` for a damaged checkpoint.
    """
    return write_groups(read_groups(folders, defaults), target)


def read_groups(folders: Sequence[Path], defaults: Defaults | None = None) -> Groups:
    """The runs in these folders."""
    records = [read_record(folder)[0] for folder in folders]
    if len({record.name for record in records}) < len(records):
        records = [replace(record, name=str(record.folder)) for record in records]
    if defaults is not None:
        records = [
            replace(r, settings={**defaults(r.settings), **r.settings}) if r.settings else r for r in records
        ]
    return list(by_seed(records))


def write_groups(groups: Groups, target: Path) -> Path:
    """Write the page that compares these runs."""
    records = [record for group in groups for record in group]
    parts = [*notes(), _results(groups, target), compared_curves(records), _settings(records)]
    names = ", ".join(record.name for record in records)
    page = html.document(f"{len(records)} runs", names, parts, _mark(groups, target))
    replace_file(target, page)
    return target


def is_of(groups: Groups, page: Path) -> bool:
    """Whether the page in a file is one that compares these runs, and no others."""
    with suppress(OSError), open_file(page) as file:
        return _mark(groups, page).encode() in file.read(HEAD)
    return False


def _mark(groups: Groups, page: Path) -> str:
    """What tells of which runs a page is."""
    folders = sorted(html.address(record.folder, page) for group in groups for record in group)
    return f'<meta name="runs" content="{html.escaped(" ".join(folders))}">\n'


def short_results(groups: Groups) -> list[tuple[str, ...]]:
    """A table: the test's result of every run, and the mean of those that differ only by their seed."""
    records = [record for group in groups for record in group]
    known = [key for key in SHORT if any(record.results[key] is not None for record in records)][:1]
    rows = [("run", *known)]
    for group in groups:
        rows += [(r.name, *(RESULTS[key](r.results[key]) for key in known)) for r in group]
        if len(group) > 1:
            spreads = (_spread(key, [r.results[key] for r in group], RESULTS[key]) for key in known)
            rows.append((f"mean ± sd, n = {len(group)}", *spreads))
    return rows


def by_seed(records: Sequence[Record]) -> Iterator[list[Record]]:
    """The runs, with those together that differ only by their seed."""
    groups: dict[object, list[Record]] = {}
    for i, record in enumerate(records):
        groups.setdefault(_but_for_the_seed(record) or i, []).append(record)
    for group in groups.values():
        if len({html.setting(record.settings.get("seed")) for record in group}) == len(group):
            yield group
        else:  # one seed twice says nothing of the spread
            yield from ([record] for record in group)


def _but_for_the_seed(record: Record) -> tuple[object, ...]:
    """All that makes a run, but for its seed; nothing where its settings are not known."""
    settings = {
        key: html.setting(value) for key, value in record.settings.items() if key not in (*NO_MATTER, "seed")
    }
    if "seed" not in record.settings:
        return ()
    early = record.settings.get("patience")  # then its length is a result
    steps = None if early else record.results["steps"]
    return record.digest, record.data, record.network, record.layers, steps, *sorted(settings.items())


def best(records: Sequence[Record]) -> list[Record]:
    """The runs with the highest test accuracy, or else the lowest test loss; none if their data differ."""
    if len(records) < 2 or not _on_the_same_data(records):
        return []
    places = [(place, record) for record in records if (place := _place(record))]
    first = min((place for place, _ in places), default=None)
    return [record for place, record in places if place == first]


def _on_the_same_data(records: Sequence[Record]) -> bool:
    """By the digests; by the names if there are runs without one."""
    digests = {record.digest for record in records}
    return len(digests if None not in digests else {record.data for record in records}) == 1


def _place(record: Record) -> tuple[float, float] | None:
    """What is lower for a better run; None without a result on the test data."""
    accuracy, loss = record.results["test accuracy"], record.results["test loss"]
    if accuracy is None and loss is None:
        return None
    return -(accuracy or 0.0), float("inf") if loss is None else loss


def _results(groups: Groups, target: Path) -> str:
    records = [record for group in groups for record in group]
    marked = best(records)
    rows = []
    for group in groups:
        for record in group:
            page = record.folder / run_folder.REPORT
            name = html.link(record.name, page, target) if page.is_file() else record.name
            name = html.marked(name, "best") if record in marked else name
            results = [show(record.results[key]) for key, show in RESULTS.items()]
            rows.append([name, *results, record.network, record.data])
        if len(group) > 1:
            means = [html.unbroken(spread) for spread in _summary(group)]
            rows.append([html.marked("mean ± sd", f"n = {len(group)}", "mean"), *means, "", ""])
    head = ["run", *RESULTS, "network", "data"]
    texts = [*_said_of_best(records, marked), *_said_of_means(groups)]
    return html.section(
        "Results", html.table(*html.filled(head, rows), kind="numbers runs"), *map(html.paragraph, texts)
    )


def _summary(group: Sequence[Record]) -> list[str]:
    """Mean and sample standard deviation of every result that all of these runs have."""
    return [_spread(key, [record.results[key] for record in group], show) for key, show in RESULTS.items()]


def _spread(key: str, values: Sequence[float | None], show: Show) -> str:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return html.NONE
    if key in COUNTS and len(set(known)) == 1:
        return show(known[0])
    mean, sd = float(np.mean(known)), float(np.std(known, ddof=1))
    spread = show(sd) if show is html.share else html.number(float(f"{sd:.2g}"))
    return f"{show(mean if abs(mean) < 1000.0 else round(mean))} ±\N{NO-BREAK SPACE}{spread}"


def _said_of_best(records: Sequence[Record], marked: Sequence[Record]) -> Iterator[str]:
    if marked:
        accuracy = marked[0].results["test accuracy"]
        what = "lowest test loss" if accuracy is None else "highest test accuracy"
        missing = any(_place(record) is None for record in records)
        alike = sum(record.results["test accuracy"] == accuracy for record in records)
        loss = accuracy is not None and alike > len(marked)
        tie = f", and among the {alike} runs that have it the lowest test loss" if loss else ""
        tied = f"; {len(marked)} runs are tied" if len(marked) > 1 else ""
        yield f"Best: the {what}{', of the runs that have one' if missing else ''}{tie}{tied}."
    elif not _on_the_same_data(records):
        yield "No run is marked as the best: they are not all on the same data."


def _said_of_means(groups: Groups) -> Iterator[str]:
    for group in groups:
        if len(group) > 1:
            seeds = ", ".join(html.setting(record.settings["seed"]) for record in group)
            yield (
                f"Mean ± sd: of {len(group)} runs that differ only by their seed ({seeds}); sd is the sample "
                "standard deviation, with n − 1."
            )


def _settings(records: Sequence[Record]) -> str:
    """The settings that differ."""
    columns = {}
    for key in dict.fromkeys(key for record in records for key in record.settings if key not in NO_MATTER):
        values = [html.setting(record.settings.get(key)) for record in records]
        if len(set(values)) > 1:
            columns[key.replace("_", "-")] = values
    names = [record.name for record in records]
    rows = zip(names, *columns.values(), strict=True)
    content = html.table(("run", *columns), rows, kind="numbers runs") if columns else html.paragraph("None.")
    return html.section("Settings that differ", content)
