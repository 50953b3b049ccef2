"""The names that a network's layers are shown with."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from backprop import DeepConvNet, Network, SimpleConvNet
from backprop.cli import main
from backprop.diagnosis.batch import inspect_batch
from backprop.layers.naming import display_names
from backprop.report import record
from backprop.saving.network import save_network
from backprop.saving.network_config import network_config


@pytest.mark.parametrize("kind", [SimpleConvNet, DeepConvNet])
def test_what_is_merged_is_shown_as_the_layers_that_it_stands_for(
    kind: type[Network], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the terminal, the summary, `inspect` and the report; names of layers and parameters stay."""
    network, book = kind(rng=0), kind(rng=0, merged=False)  # type: ignore[call-arg]
    shown = list(network.layers.shown.values())
    assert [part for name in shown for part in re.split(" with | and ", name)] == list(book.layers)
    stack = " · ".join([*shown, "SoftmaxWithLoss"])
    assert repr(network).startswith(f"{kind.__name__}({stack}; ")
    assert [line for line in network.summary().splitlines() if " with " in line] != []
    x = np.zeros((2, *network.input_shape), "f")  # type: ignore[misc]
    outputs, gradients = inspect_batch(network, x, np.asarray([0, 1]))
    assert [output.name for output in outputs] == shown
    assert {gradient.layer for gradient in gradients} <= set(shown)
    assert [*record._layers(network_config(network))] == shown
    save_network(tmp_path / "a.safetensors", network)
    assert main(["inspect", str(tmp_path / "a.safetensors")]) == 0
    assert stack in capsys.readouterr().out
    assert not any(" " in name for name in (*network_config(network)["layers"], *network.params))


def test_names_of_one_s_own_promise_no_layers() -> None:
    kinds = dict.fromkeys(("stem", "Conv1", "Conv3", "ConvolutionReLUPooling1"), "ConvolutionReLUPooling")
    assert list(display_names({**kinds, "Relu3": "ReLU"}).values()) == [
        "stem with ReLU and pooling",
        "Conv1 with Relu1 and Pool2",
        "Conv3 with ReLU and pooling",
        "ConvolutionReLUPooling1",
        "Relu3",
    ]
