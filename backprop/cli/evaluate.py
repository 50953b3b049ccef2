"""`backprop evaluate`: a trained network on data with labels."""

from __future__ import annotations

import argparse
import json

from ..datasets import load_dataset, mnist
from ..saving import load_network
from .build import as_images


def run(options: argparse.Namespace) -> int:
    """Show loss and accuracy of a network on the test data, or the training data."""
    network = load_network(options.file, options.device)
    data = mnist() if options.data is None else load_dataset(options.data)
    x, t = (data.x_train, data.t_train) if options.train else (data.x_test, data.t_test)
    x = as_images(x) if len(network.input_shape or ()) == 3 else x
    loss, accuracy = network.evaluate(network.backend.asarray(x), network.backend.asarray(t))
    found = {"loss": loss, "accuracy": accuracy, "samples": len(t), "data": data.name}
    if options.json:
        print(json.dumps(found))
    else:
        shown = "" if accuracy is None else f"accuracy {accuracy:.4f}, "
        print(f"{shown}loss {loss:.4f} on {len(t):,} samples of {data.name}")
    return 0
