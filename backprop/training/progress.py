"""A progress line for terminals, and a bar for notebooks."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from ..pages.html import escaped
from ..text import short
from .loop import Progress, Training

Show = Callable[[Progress], None]

SECONDS = 0.1
"""The minimum time between two updates of a notebook's bar."""


@contextmanager
def progress_line(steps: int, *, shown: bool | None = None, stays: bool = True) -> Iterator[Show | None]:
    """Yield a function that shows `Progress` in a line on stderr, or None if there is no line.

    In a notebook the line is an output of the cell, with a bar that disappears at the end.

    Parameters
    ----------
    shown : None shows the line in terminals and notebooks, True also elsewhere, once at the end
    stays : whether the line stays on a terminal's screen at the end
    """
    terminal, notebook = sys.stderr.isatty(), _in_notebook()
    if shown is False or not (shown or terminal or notebook):
        yield None
        return
    with _in_cell(steps) if notebook else _moving(steps, stays=stays) if terminal else _at_end(steps) as show:
        yield show


def say_shards(training: Training) -> None:
    """Say by how many shards several processes train: the number was not given, and is part of the result."""
    processes = training.communicator
    if processes.size > 1 and processes.rank == 0:
        print(f"every batch in {training.shards} shards, processes: {processes.size}", file=sys.stderr)


class _Rate:
    """Steps per second since the first one shown."""

    def __init__(self) -> None:
        self.began, self.first = time.perf_counter(), 0

    def line(self, progress: Progress, steps: int) -> str:
        """The line without a bar."""
        return f"step {progress.step:,}/{steps:,}  {'  '.join(self.numbers(progress))}"

    def numbers(self, progress: Progress) -> list[str]:
        """Loss, accuracy if there is one, and steps per second."""
        self.first = self.first or progress.step - 1
        rate = (progress.step - self.first) / (time.perf_counter() - self.began)
        accuracy = [] if progress.accuracy is None else [f"accuracy {progress.accuracy:.3f}"]
        return [f"loss {short(progress.loss)}", *accuracy, f"{rate:,.0f} steps/s"]


def _fitting(columns: int, step: str, numbers: Sequence[str], left: str) -> tuple[int, list[str], bool]:
    """Fit the line into the terminal: the bar's length, the numbers, and whether to show the time left.

    If space runs out, the bar is dropped first, then the last numbers, the time left, and the first number.

    >>> numbers = ["loss 0.1234", "accuracy 0.912", "4,279 steps/s"]
    >>> for columns in (100, 80, 60, 40, 30):
    ...     _fitting(columns, "step 1,200/10,000", numbers, "0:00:02")
    (20, ['loss 0.1234', 'accuracy 0.912', '4,279 steps/s'], True)
    (11, ['loss 0.1234', 'accuracy 0.912', '4,279 steps/s'], True)
    (0, ['loss 0.1234', 'accuracy 0.912'], True)
    (0, ['loss 0.1234'], True)
    (0, ['loss 0.1234'], False)
    """
    first, two = numbers[:1], numbers[:2]
    for bar in (*range(20, 4, -1), 0):
        if len(" ".join([step, "-" * bar, "  ".join(numbers), left])) - (bar == 0) <= columns:
            return bar, list(numbers), True
    for shown, timed in ((two, True), (first, True), (first, False)):
        if len(" ".join([step, "  ".join(shown), *[left] * timed])) <= columns:
            return 0, list(shown), timed
    return 0, [], False


@contextmanager
def _moving(steps: int, *, stays: bool) -> Iterator[Show]:
    from rich.console import Console, RenderableType
    from rich.progress import BarColumn, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    step, left = TextColumn("step {task.completed:,.0f}/{task.total:,.0f}"), TimeRemainingColumn()

    class Line(Bar):
        """A line that fits the terminal's width."""

        def get_renderables(self) -> Iterable[RenderableType]:
            for task in self.tasks:
                known = (step.render(task).plain, task.fields["numbers"], left.render(task).plain)
                bar, numbers, timed = _fitting(self.console.width, *known)
                columns: list[ProgressColumn] = [step]
                columns += [BarColumn(bar_width=bar)] * (bar > 0)
                columns += [TextColumn("  ".join(numbers)), *[left] * timed]
                self.columns = tuple(columns)
            return super().get_renderables()

    # Text printed to the same terminal appears above the line, unbroken.
    line = Line(
        console=Console(stderr=True, soft_wrap=True),
        transient=not stays,
        redirect_stdout=sys.stdout.isatty(),
        refresh_per_second=10,
    )
    with line:
        task, rate = line.add_task("train", total=steps, numbers=[]), _Rate()
        yield lambda progress: line.update(task, completed=progress.step, numbers=rate.numbers(progress))


@contextmanager
def _at_end(steps: int) -> Iterator[Show]:
    rate, last = _Rate(), ""

    def show(progress: Progress) -> None:
        nonlocal last
        last = rate.line(progress, steps)

    try:
        yield show
    finally:
        if last:
            print(last, file=sys.stderr, flush=True)


@contextmanager
def _in_cell(steps: int) -> Iterator[Show]:
    """One output of the cell, which is replaced again and again, and at the end by plain text."""
    display = import_module("IPython.display").display
    rate, last, shown = _Rate(), "", 0.0
    handle: Any = None

    def show(progress: Progress) -> None:
        nonlocal last, shown, handle
        last = rate.line(progress, steps)
        now = time.perf_counter()
        if handle is None:
            handle = display(_mime(last, progress.step / steps), raw=True, display_id=True)
        elif now - shown >= SECONDS:
            handle.update(_mime(last, progress.step / steps), raw=True)
        else:
            return
        shown = now

    try:
        yield show
    finally:
        if handle is not None:
            handle.update(_mime(last), raw=True)


def _mime(line: str, share: float | None = None) -> dict[str, str]:
    """A line as IPython displays it, after a bar that is filled to this share."""
    style = "width: 12em; margin-right: 1em; vertical-align: middle"
    bar = "" if share is None else f'<progress value="{share:.4f}" style="{style}"></progress>'
    return {"text/plain": line, "text/html": f"<div>{bar}{escaped(line)}</div>"}


def _in_notebook() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return any(kind.__name__ == "ZMQInteractiveShell" for kind in type(shell).__mro__)
