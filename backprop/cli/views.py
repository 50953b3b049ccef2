"""The output of `backprop train`: text for people, or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

from ..saving.history import Metrics
from ..saving.history_file import epoch_line
from ..text import short, width
from .screen import say
from .settings import SETTINGS


class View(Protocol):
    """The output on stdout."""

    def start(self, settings: dict[str, Any]) -> None: ...
    def epoch(self, metrics: Metrics) -> None: ...
    def note(self, text: str) -> None: ...
    def end(self, result: dict[str, Any]) -> None: ...


class Json:
    """Prints one JSON object per line."""

    def start(self, settings: dict[str, Any]) -> None:
        self._print({"event": "start", **settings})

    def epoch(self, metrics: Metrics) -> None:
        self._print(epoch_line(metrics))

    def note(self, text: str) -> None:
        self._print({"event": "note", "text": text})

    def end(self, result: dict[str, Any]) -> None:
        self._print({"event": "end", **result})

    def _print(self, line: dict[str, Any]) -> None:
        print(json.dumps(line, allow_nan=False), flush=True)


class Lines:
    """Prints text that fits the terminal."""

    def __init__(self, held_out: str, *, quiet: bool) -> None:
        self.held_out, self.quiet = held_out, quiet

    def start(self, s: dict[str, Any]) -> None:
        if self.quiet:
            if s["out"]:
                say(f"run {s['out']}")
            return
        threads = f", {s['threads']} thread{'s' * (s['threads'] > 1)}" if s["threads"] else ""
        why = f" ({s['why']})" if s["why"] else ""
        say(f"{s['network']}: {s['parameters']:,} parameters, {s['dtype']}")
        say(f"device {s['device']}{why}: {s['backend']} {s['version']}{threads}")
        held_out = f", {s['validation_samples']:,} to validate on" if s["validation_samples"] else ""
        say(
            f"data {s['data']}: {s['train_samples']:,} to train on{held_out}, "
            f"{s['test_samples']:,} to test on"
        )
        say(
            f"{s['steps']:,} steps, batches of {s['batch_size']} {s['sampling'].replace('-', ' ')}, "
            f"{s['optimizer']} lr {s['lr']}{_extras(s)}, seed {s['seed']}"
        )
        if s["shards"] > 1:
            say(f"every batch in {s['shards']} shards, processes: {s['processes']}")
        if s.get("from"):
            step = "" if s["from_step"] is None else f", step {s['from_step']:,}"
            say(f"weights of {s['from']}{step}")
        kept = f"run {s['out']}" if s["out"] else "nothing is saved"
        say(f"{kept}, resumed at step {s['step']:,}" if s["resumed"] else kept)
        say("")
        self.epochs = Epochs(self.held_out, s["steps"])
        for line in self.epochs.head:
            say(line)

    def epoch(self, m: Metrics) -> None:
        if not self.quiet:
            say(self.epochs.row(m))

    def note(self, text: str) -> None:
        if not self.quiet:
            say(text)

    def end(self, result: dict[str, Any]) -> None:
        speed = f", {result['steps_per_second']:,.0f} steps/s" if result["steps_per_second"] else ""
        if not self.quiet:
            say("")
        if result.get("warning") and not self.quiet:
            say(result["warning"])
        say(f"test accuracy {result['test_accuracy']:.4f}, {result['seconds']:.1f} s in all{speed}")
        if not self.quiet:
            for what in ("checkpoint", "report"):
                if result.get(what):
                    say(f"{what} {result[what]}")


class Epochs:
    r"""A table with a row per epoch, as wide as the terminal allows.

    >>> print("\n".join(Epochs("test", 10_000, columns=40).head))
                          accuracy
    epoch    step    loss  train   test
    """

    def __init__(self, held_out: str, steps: int, columns: int | None = None) -> None:
        columns = width() if columns is None else columns
        self._cells = {
            "epoch": Cell("epoch", 5),
            "step": Cell("step", 7, ",d"),
            "loss": Cell("loss", 8),
            "accuracy": Cell("train accuracy", 16),
            f"{held_out}_accuracy": Cell(f"{held_out} accuracy", len(held_out) + 11),
        }
        self.head = [self._names()]
        longest = len(self.head[0]) + max(len(f"{steps:,}") - 7, 0)
        if columns is not None and columns < longest:
            self._narrow(held_out, steps, columns)

    def _narrow(self, held_out: str, steps: int, columns: int) -> None:
        """Group the accuracies under one heading, and drop columns that do not fit."""
        self._cells |= {
            "step": Cell("step", max(7, len(f"{steps:,}")), ",d"),
            "loss": Cell("loss", 7),
            "accuracy": Cell("train", 6),
            f"{held_out}_accuracy": Cell(held_out, max(6, len(held_out))),
        }
        for name in ("step", "accuracy"):
            if len(self._names()) > columns:
                del self._cells[name]
        names = self._names()
        first = sum(self._cells[key].width + 1 for key in ("epoch", "step", "loss") if key in self._cells)
        above = f"{'':{first}}{'accuracy':^{len(names) - first}}".rstrip()
        self.head = [above, names] if len(above) <= columns else [names]

    def _names(self) -> str:
        return self._row(cell.name for cell in self._cells.values())

    def _row(self, texts: Iterable[str]) -> str:
        return " ".join(
            f"{text:>{cell.width}}" for text, cell in zip(texts, self._cells.values(), strict=True)
        )

    def row(self, m: Metrics) -> str:
        """The row of an epoch."""
        return self._row(cell.text(getattr(m, key)) for key, cell in self._cells.items())


class Cell(NamedTuple):
    """A column: its heading, its width, and the format of whole numbers."""

    name: str
    width: int
    kind: str = "d"

    def text(self, value: float) -> str:
        """Format a number for the column."""
        return short(value, self.width) if isinstance(value, float) else format(value, self.kind)


def _extras(s: dict[str, Any]) -> str:
    """The labelled settings that differ from their defaults."""
    labels = {x.name: x.label for x in SETTINGS.values() if x.label and s[x.name] not in (x.default, 0)}
    return "".join(f", {label} {s[name]}" for name, label in labels.items())
