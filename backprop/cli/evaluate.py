"""`backprop evaluate`: a trained network on data with labels."""

from __future__ import annotations

import argparse
import json

from ..datasets import dataset_at, with_channels
from ..saving import load_network
from ..text import visible


def run(options: argparse.Namespace) -> int:
    """Show loss and accuracy of a network on the test data, or the training data."""
    network = load_network(options.file, options.device)
    data = dataset_at(options.data)
    x, t = (data.x_train, data.t_train) if options.train else (data.x_test, data.t_test)
    x = with_channels(x, network.input_shape)
    loss, accuracy = network.evaluate(network.backend.asarray(x), network.backend.asarray(t))
    found = {"loss": loss, "accuracy": accuracy, "samples": len(t), "data": data.name}
    if options.json:
        print(json.dumps(found))
    else:
        shown = "" if accuracy is None else f"accuracy {accuracy:.4f}, "
        print(f"{shown}loss {loss:.4f} on {len(t):,} samples of {visible(data.name)}")
    return 0
