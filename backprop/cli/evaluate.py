"""`backprop evaluate`: evaluate a trained network on data with labels."""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path

from ..datasets import Dataset, Fingerprint, dataset_at, with_channels
from ..inputs import check_finite
from ..lookup import UsageError
from ..saving.checkpoint import Checkpoint, followed, read_checkpoint
from ..saving.network import network_of
from ..saving.run_data import check_run_data, is_run_data, load_run_data, trained_part
from ..saving.run_folder import read_trained
from ..text import short
from .fit import misfit
from .screen import say

DATA_UNKNOWN = "does not name its training data"


def main(options: argparse.Namespace) -> int:
    """Show a network's loss and accuracy on the test data, or on its training data."""
    path, checkpoint = read_trained(options.file, read_checkpoint)
    network = network_of(path, checkpoint, options.device)
    assumed = options.data is None and not _names_its_data(path, checkpoint)
    if options.data is None and not assumed:
        data = _data_of(path, checkpoint)
    else:
        data = dataset_at(options.data, test_only=not options.train)
    samples = len(data.t_train)
    if options.train and is_run_data(path, checkpoint.description, Fingerprint.of(data)):
        data = trained_part(path, checkpoint.description, data)
    x, t = (data.x_train, data.t_train) if options.train else (data.x_test, data.t_test)
    if why := misfit(network, x, t):
        if assumed:
            raise UsageError(
                f"{path} {DATA_UNKNOWN}, and MNIST does not fit it ({why}): give its data, --data PATH"
            )
        raise UsageError(f"{path} does not fit {data.name}: {why}")
    if assumed:
        say(f"{path} {DATA_UNKNOWN}: using MNIST; for other data give --data PATH", file=sys.stderr)
    x = with_channels(x, network.input_shape)
    check_finite(f"{data.name}: the {'training' if options.train else 'test'} data's x", x)
    loss, accuracy = network.evaluate(network.backend.asarray(x), network.backend.asarray(t))
    found = {
        "loss": loss if math.isfinite(loss) else None,
        "accuracy": accuracy,
        "samples": len(t),
        "data": data.name,
    }
    if options.json:
        print(json.dumps(found, allow_nan=False))
    else:
        shown = "" if accuracy is None else f"accuracy {accuracy:.4f}, "
        held_out = samples - len(data.t_train)
        excluded = f", without the {held_out:,} held out for validation" if held_out else ""
        say(f"{shown}loss {short(loss)} on {len(t):,} samples of {data.name}{excluded}")
    return 0


def _names_its_data(path: Path, checkpoint: Checkpoint) -> bool:
    with followed(path):
        return bool(checkpoint.description.get("run")) and "data" in checkpoint.description


def _data_of(path: Path, checkpoint: Checkpoint) -> Dataset:
    """Load the run's data, and make sure that they have not changed."""
    with followed(path):
        where = checkpoint.description["run"]["settings"].get("data")
    data = load_run_data(None if where is None else str(where))
    check_run_data(path, checkpoint.description, Fingerprint.of(data), data.name)
    return data
