"""`backprop explain`: show what a network does with a batch, step by step, as text and as a page."""

from __future__ import annotations

import argparse
import sys
import webbrowser
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..backends import HostArray
from ..datasets import dataset_at, with_channels
from ..datasets.npz import read_targets
from ..explain import explain, page_of, text_of
from ..explain.page import GENERATOR
from ..files import advised, open_file, replace_file
from ..lookup import UsageError
from ..losses.real_target import RealTargetLoss
from ..networks.models import TwoLayerNet
from ..networks.network import Network
from ..saving.checkpoint import read_checkpoint
from ..saving.network import network_of
from ..saving.run_folder import PARENT, read_trained
from ..text import reading_width
from .checkpoint import latest_run
from .data import check_fit, data_for
from .screen import say

PAGE = "explain.html"

SAMPLES = 10
"""The size of the batch."""

HIDDEN = 50
"""The hidden units of the untrained network, as in the book."""

BEGINNING = 2**12
"""How much of a page is read to tell whether it is one of this command."""


@dataclass(frozen=True)
class Subject:
    """A network, and the test samples to explain it with."""

    network: Network
    title: str
    x: HostArray
    t: HostArray
    data: str
    folder: Path
    """Where the page goes by default."""


def main(options: argparse.Namespace) -> int:
    """Print the explanation, write the page, and print its path."""
    run = latest_run() if options.file is None else Path(options.file)
    subject = _untrained(options) if run is None else _of_run(run, options)
    rows = _rows(options.sample, subject)
    target = _target(options, subject.folder)
    found = explain(
        subject.network,
        with_channels(subject.x[rows], subject.network.input_shape),
        subject.t[rows],
        name=f"sample {options.sample:,} of the test data of {subject.data}",
        title=subject.title,
        layer=options.layer,
    )
    with advised("write the page elsewhere with --out FILE"):
        replace_file(target, page_of(found))
    print(text_of(found, reading_width()))
    print()
    say(str(target))
    if options.open:
        _show(target)
    return 0


def _of_run(run: Path, options: argparse.Namespace) -> Subject:
    """The network of a run or checkpoint, with the data given or those of the run."""
    path, checkpoint = read_trained(run, read_checkpoint)
    network = network_of(path, checkpoint, options.device)
    title = str(checkpoint.description["network"].get("class", ""))
    if isinstance(network.last_layer, RealTargetLoss):
        if options.data is None:
            raise UsageError(
                f"{path} has a loss of real numbers, {network.last_layer.name}: give an .npz file with "
                "x_test and t_test, --data FILE"
            )
        x, t = read_targets(Path(options.data))
        return Subject(network, title, x, t, Path(options.data).stem, path.parent)
    data, assumed = data_for(path, checkpoint, options.data, test_only=True)
    check_fit(network, path, data, data.x_test, data.t_test, assumed=assumed)
    return Subject(network, title, data.x_test, data.t_test, data.name, path.parent)


def _untrained(options: argparse.Namespace) -> Subject:
    """The book's two-layer network with fresh weights, for a reader who has no run yet."""
    data = dataset_at(options.data, test_only=True)
    inputs = int(np.prod(data.x_test.shape[1:]))
    outputs = 1 + int(max(t.max() for t in (data.t_train, data.t_test) if len(t)))
    network = TwoLayerNet(inputs, HIDDEN, max(outputs, 2), device=options.device, rng=0)
    say(
        f"no run in {PARENT}: explaining a TwoLayerNet {inputs}-{HIDDEN}-{outputs} that has learned nothing, "
        "with seed 0; to train one: backprop train",
        file=sys.stderr,
    )
    x = data.x_test.reshape(len(data.x_test), inputs)
    return Subject(network, type(network).__name__, x, data.t_test, data.name, Path())


def _rows(sample: int, subject: Subject) -> HostArray:
    """The batch: the sample and those that follow, from the last on to the first."""
    count = len(subject.x)
    if sample >= count:
        raise UsageError(
            f"--sample {sample}: the test data of {subject.data} has {count:,} samples, 0 to {count - 1:,}"
        )
    return np.arange(sample, sample + min(SAMPLES, count)) % count


def _target(options: argparse.Namespace, folder: Path) -> Path:
    """The file of the page; a `UsageError` if its usual name is taken by something else."""
    if options.out is not None:
        return Path(options.out)
    target = folder / PAGE
    with suppress(FileNotFoundError), open_file(target) as file:
        if GENERATOR.encode() not in file.read(BEGINNING):
            raise UsageError(f"{target} is not a page of this command: give another name, --out FILE")
    return target


def _show(target: Path) -> None:
    """Open the page in a browser; say so if there is none."""
    if not webbrowser.open(target.absolute().as_uri()):
        say(f"no browser found: open {target} in one", file=sys.stderr)
