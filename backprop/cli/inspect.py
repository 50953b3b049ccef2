"""`backprop inspect`: what is in a checkpoint."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from ..checkpoints import Checkpoint, Contents, followed, read_contents, read_whole
from ..history import history_of, last_of
from ..runs import read_trained
from ..text import visible


def run(options: argparse.Namespace) -> int:
    """Show what a checkpoint has, as far as its header tells; `--json` has the history, too."""
    if options.json:
        path, (checkpoint, contents) = read_trained(options.file, read_whole)
        with followed(path):
            print(json.dumps(_everything(checkpoint, contents)))
    else:
        path, contents = read_trained(options.file, read_contents)
        with followed(path):
            lines = [f"{path}: {contents.size:,} bytes, SHA-256 right", *_lines(contents)]
        print("\n".join(map(visible, lines)))
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
    arrays = {name: kind for name, kind in contents.arrays.items() if not name.startswith("history.")}
    width = max((len(name) for name in arrays), default=0)
    for name, (dtype, shape, size) in sorted(arrays.items()):
        sizes = "×".join(map(str, shape)) or "()"
        yield f"{name:{width}}  {dtype:4} {sizes:12} {math.prod(shape):>10,} {size:>12,} bytes"


def _trained(contents: Contents) -> bool:
    return "training" in contents.description


def _network(network: Mapping[str, Any]) -> Iterator[str]:
    stack = [*network.get("layers", {}), network.get("last_layer", {}).get("class", "?")]
    yield f"network   {network.get('class', '?')}({' · '.join(stack)}), {network.get('dtype', '?')}"


def _training(description: Mapping[str, Any]) -> Iterator[str]:
    place, last = description["training"], last_of(description)
    within = f", {place['position']:,} of them in an epoch that is not over" if place["position"] else ""
    yield f"training  {place['step']:,} steps{within}, {place['seconds']:.1f} s"
    yield f"optimizer {description['optimizer']['settings']}"
    if last:
        held_out = last.get("validation_accuracy") or last["test_accuracy"]
        accuracy = "" if held_out is None else f", accuracy held out {held_out:.4f}"
        yield f"epoch {last['epoch']:<4}loss {last['loss']:.4f}{accuracy}"
    if "machine" in description:
        yield f"machine   {', '.join(f'{name} {value}' for name, value in description['machine'].items())}"
    if "run" in description:
        yield f"command   {description['run']['command']}"
