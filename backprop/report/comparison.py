"""The page that lays several runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..files import replace_file
from . import html
from .curves import compared_curves
from .page import notes
from .record import Record, read_record

NO_MATTER = ("keep", "log_every", "no_report", "save_every")
"""Settings that have no influence on a run."""


def write_comparison(folders: Sequence[Path], target: Path) -> Path:
    """Write the page that compares the runs in these folders to `target`, and return that.

    It has their curves in one drawing, their results side by side, and the settings that differ. Raises
    `RunFolderError` if a folder is none of a run, `CheckpointError` for a damaged checkpoint.
    """
    records = [read_record(folder)[0] for folder in folders]
    names = [record.name for record in records]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in folders]
    parts = [*notes(), _results(records, names), compared_curves(records, names), _settings(records, names)]
    replace_file(target, html.document(f"{len(records)} runs", ", ".join(names), parts))
    return target


def _results(records: Sequence[Record], names: Sequence[str]) -> str:
    results = [{"network": record.network, "data": record.data, **record.results} for record in records]
    rows = [(key, *(result[key] for result in results)) for key in results[0]]
    return html.section("Results", html.table(("result", *names), rows))


def _settings(records: Sequence[Record], names: Sequence[str]) -> str:
    """The settings that differ."""
    settings = [record.settings for record in records]
    rows = []
    for key in dict.fromkeys(key for one in settings for key in one if key not in NO_MATTER):
        values = [html.setting(one.get(key)) for one in settings]
        if len(set(values)) > 1:
            rows.append((key.replace("_", "-"), *values))
    content = html.table(("setting", *names), rows) if rows else html.paragraph("None.")
    return html.section("Settings that differ", content)
