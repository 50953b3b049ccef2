"""`backprop evaluate`: evaluate a trained network on data with labels."""

from __future__ import annotations

import argparse
import json
import math

from ..datasets import Fingerprint, with_channels
from ..inputs import check_finite
from ..saving.checkpoint import read_checkpoint
from ..saving.network import network_of
from ..saving.run_data import is_run_data, trained_part
from ..saving.run_folder import read_trained
from ..text import short
from .data import check_fit, data_for
from .screen import say


def main(options: argparse.Namespace) -> int:
    """Show a network's loss and accuracy on the test data, or on its training data."""
    path, checkpoint = read_trained(options.file, read_checkpoint)
    network = network_of(path, checkpoint, options.device)
    data, assumed = data_for(path, checkpoint, options.data, test_only=not options.train)
    samples = len(data.t_train)
    if options.train and is_run_data(path, checkpoint.description, Fingerprint.of(data)):
        data = trained_part(path, checkpoint.description, data)
    x, t = (data.x_train, data.t_train) if options.train else (data.x_test, data.t_test)
    check_fit(network, path, data, x, t, assumed=assumed)
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
