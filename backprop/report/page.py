"""Write the page of one run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..datasets import Dataset
from ..files import replace_file
from ..pages import html
from ..saving import run_folder
from ..saving.checkpoint import CheckpointError
from . import figures
from .curves import curves
from .diagnosis import Diagnosis
from .record import RESULTS, Record, read_record
from .restored import diagnose_run
from .sections import confusion, layers, mistakes, warnings, weights
from .shown import Report


def write_report(folder: Path, target: Path | None = None, data: Dataset | None = None) -> Report:
    """Write the page of a run, and return its path, which shows the page in a notebook.

    The page shows the checkpoint with the best validation loss, or the last one. It is self-contained: it
    needs no other files, no network and no scripts. Without the run's data or matplotlib, it says so and
    omits the parts that need them.

    Parameters
    ----------
    folder : a run folder, see `backprop.saving.run_folder`
    target : the page's file, by default `report.html` in the folder
    data : the run's data; by default they are loaded

    Raises `RunFolderError` for a folder without a run, `CheckpointError` for a damaged checkpoint.
    """
    record, checkpoint = read_record(folder)
    diagnosis, missing = None, ""
    try:
        diagnosis = diagnose_run(record, checkpoint, data)
    except (OSError, ValueError, CheckpointError) as error:
        missing = f"There is no diagnosis of the network: {error}."
    target = folder / run_folder.REPORT if target is None else target
    replace_file(target, page(record, diagnosis, missing))
    return Report(target)


def page(record: Record, diagnosis: Diagnosis | None, missing: str = "") -> bytes:
    """The page's HTML; `missing` says why there is no diagnosis."""
    parts = [_results(record, diagnosis), *notes(missing)]
    parts.append(warnings(diagnosis) if diagnosis else "")
    parts.append(curves(record))
    if diagnosis:
        parts += [confusion(diagnosis), mistakes(diagnosis), weights(diagnosis), layers(diagnosis)]
    parts += [_epochs(record), _run(record)]
    title = f"{record.network} on {record.data}" if record.data else record.network
    return html.document(title, _lead(record), parts)


def notes(missing: str = "") -> Iterator[str]:
    """Say what the page lacks, and why."""
    if missing:
        yield html.paragraph(missing)
    if not figures.available():
        yield html.paragraph(figures.MISSING)


def _lead(record: Record) -> str:
    best = record.checkpoint.name == run_folder.BEST
    which = "the one with the lowest validation loss" if best else "the last one"
    return f"{record.name}: {record.layers}. This page shows the checkpoint of step {record.step:,}, {which}."


def _results(record: Record, diagnosis: Diagnosis | None) -> str:
    results = {name: show(record.results[name]) for name, show in RESULTS.items()}
    if diagnosis:  # the checkpoint may be from within an epoch
        loss, accuracy = html.number(diagnosis.test_loss), diagnosis.test_accuracy
        results |= {"test loss": loss, "test accuracy": html.percent(accuracy)}
    return html.cards((name, value) for name, value in results.items() if value != html.NONE)


def _epochs(record: Record) -> str:
    if not record.epochs:
        return ""
    columns = list(dict.fromkeys(name for m in record.epochs for name in m))
    rows = [[html.number(m.get(name)) for name in columns] for m in record.epochs]
    head = [name.replace("_", " ") for name in columns]
    content = html.table(*html.without_empty_columns(head, rows))
    return html.section("Epochs", html.details("Metrics of every epoch", content))


def _run(record: Record) -> str:
    """The command and the settings."""
    command = html.code(record.command) if record.command else ""
    rows = [(name.replace("_", "-"), html.setting(value)) for name, value in record.settings.items()]
    settings = html.details("All settings", html.table(("setting", "value"), rows, kind="settings"))
    return html.section("Run", command, settings if rows else "")
