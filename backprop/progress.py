"""A line that shows how far a training is: in a terminal it moves, in a notebook it is written over."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .training import Progress

Show = Callable[[Progress], None]

SECONDS = 0.1
"""How often a notebook's line is written at most."""


@contextmanager
def progress_line(steps: int, *, shown: bool | None = None, stays: bool = True) -> Iterator[Show | None]:
    """A function that shows `Progress` in one line on stderr; None where there is no place for it.

    Parameters
    ----------
    shown : by default in a terminal and in a notebook; False never, True also elsewhere, once at the end
    stays : whether the line is left there at the end
    """
    terminal, notebook = sys.stderr.isatty(), _in_notebook()
    if shown is False or not (shown or terminal or notebook):
        yield None
    elif terminal and not notebook:
        with _moving(steps, stays=stays) as show:
            yield show
    else:
        with _written_over(steps, often=notebook) as show:
            yield show


class _Rate:
    """Steps a second since the first one shown."""

    def __init__(self) -> None:
        self.began, self.first = time.perf_counter(), 0

    def text(self, progress: Progress) -> str:
        self.first = self.first or progress.step - 1
        rate = (progress.step - self.first) / (time.perf_counter() - self.began)
        accuracy = "" if progress.accuracy is None else f"accuracy {progress.accuracy:.3f}  "
        return f"loss {progress.loss:.4f}  {accuracy}{rate:,.0f} steps/s"


@contextmanager
def _moving(steps: int, *, stays: bool) -> Iterator[Show]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Line

    columns = (
        TextColumn("step {task.completed:,.0f}/{task.total:,.0f}"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[numbers]}"),
        TimeRemainingColumn(),
    )
    # Rows that go to the same terminal are printed above the line, not through it.
    line = Line(
        *columns,
        console=Console(stderr=True),
        transient=not stays,
        redirect_stdout=sys.stdout.isatty(),
        refresh_per_second=10,
    )
    with line:
        task, rate = line.add_task("train", total=steps, numbers=""), _Rate()
        yield lambda progress: line.update(task, completed=progress.step, numbers=rate.text(progress))


@contextmanager
def _written_over(steps: int, *, often: bool) -> Iterator[Show]:
    rate, last, written = _Rate(), "", 0.0

    def show(progress: Progress) -> None:
        nonlocal last, written
        last = f"step {progress.step:,}/{steps:,}  {rate.text(progress)}"
        if often and time.perf_counter() - written >= SECONDS:
            written = time.perf_counter()
            print(f"\r{last}", end="", file=sys.stderr, flush=True)

    try:
        yield show
    finally:
        if last:
            print(f"\r{last}" if often else last, file=sys.stderr, flush=True)


def _in_notebook() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"
