"""`backprop inspect`: show the contents of a checkpoint."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ..layers.naming import display_names
from ..saving.checkpoint import Checkpoint, Contents, followed, read_contents, read_whole
from ..saving.history import history_of, last_of
from ..saving.optimizer_config import optimizer_text
from ..saving.run_folder import read_trained
from ..text import short, table, width
from .screen import say


def main(options: argparse.Namespace) -> int:
    """Show what a checkpoint's header tells; `--json` includes the history."""
    if options.json:
        path, (checkpoint, contents) = read_trained(options.file, read_whole)
        with followed(path):
            print(json.dumps(_everything(checkpoint, contents)))
    else:
        path, contents = read_trained(options.file, read_contents)
        with followed(path):
            lines, arrays = [*_lines(contents)], _arrays(contents)
        say(f"{path}: {contents.size:,} bytes, SHA-256 correct")
        for line in lines:
            say(line, indent=10)
        _show(arrays)
    return 0


def _everything(checkpoint: Checkpoint, contents: Contents) -> dict[str, Any]:
    arrays = {name: {"dtype": dtype, "shape": shape} for name, (dtype, shape, _) in contents.arrays.items()}
    whole = {"sha256": contents.sha256, "bytes": contents.size, "arrays": arrays}
    history = history_of(checkpoint) if _trained(contents) else []
    return {**whole, **contents.description, "history": [asdict(metrics) for metrics in history]}


def _lines(contents: Contents) -> Iterator[str]:
    description = contents.description
    yield from _network(description.get("network", {}))
    if _trained(contents):
        yield from _training(description)
    yield ""


def _arrays(contents: Contents) -> list[tuple[str, str, str, str, str]]:
    """Name, dtype, shape, entries and bytes of each array outside the history."""
    return [
        (name, dtype, "×".join(map(str, shape)) or "()", f"{math.prod(shape):,}", f"{size:,} bytes")
        for name, (dtype, shape, size) in sorted(contents.arrays.items())
        if not name.startswith("history.")
    ]


def _show(arrays: Sequence[tuple[str, str, str, str, str]]) -> None:
    """Print one line for each array; a narrow terminal drops bytes, entries and dtype."""
    longest = max((len(name) for name, *_ in arrays), default=0)
    lines = [
        f"{name:{longest}}  {dtype:4} {shape:12} {entries:>10} {size:>18}"
        for name, dtype, shape, entries, size in arrays
    ]
    columns = width()
    if columns is not None and max(map(len, lines), default=0) > columns:
        lines = table(arrays, "<<<>>", (4, 3, 1), columns)
    for line in lines:
        say(line)


def _trained(contents: Contents) -> bool:
    return "training" in contents.description


def _network(network: Mapping[str, Any]) -> Iterator[str]:
    layers = {name: layer.get("class") for name, layer in network.get("layers", {}).items()}
    stack = [*display_names(layers).values(), network.get("last_layer", {}).get("class", "?")]
    yield f"network   {network.get('class', '?')}({' · '.join(stack)}), {network.get('dtype', '?')}"


def _training(description: Mapping[str, Any]) -> Iterator[str]:
    place, last = description["training"], last_of(description)
    within = f", {place['position']:,} of them in an unfinished epoch" if place["position"] else ""
    yield f"training  {place['step']:,} steps{within}, {place['seconds']:.1f} s"
    yield f"optimizer {optimizer_text(description['optimizer'])}"
    if last:
        held_out = last.get("validation_accuracy") or last["test_accuracy"]
        accuracy = "" if held_out is None else f", held-out accuracy {held_out:.4f}"
        yield f"epoch {last['epoch']:<4}loss {short(last['loss'])}{accuracy}"
    if "machine" in description:
        yield f"machine   {', '.join(f'{name} {value}' for name, value in description['machine'].items())}"
    if "run" in description:
        yield f"command   {description['run']['command']}"
