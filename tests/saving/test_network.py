"""Networks in files, including older files that lack some arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backprop import Training
from backprop.saving.checkpoint import Checkpoint, CheckpointError, write_checkpoint
from backprop.saving.network import load_network, network_arrays, restore_network
from backprop.saving.network_config import network_config

from ..networks.stateful import stateful


def test_statistics_written_without_a_weight(tmp_path: Path, rng: np.random.Generator) -> None:
    """They are read with weight 1, and the next batch adds 1 − momentum."""
    x, t = rng.standard_normal((40, 4)).astype("float32"), rng.integers(0, 3, 40)
    net = stateful("cpu")
    list(Training(net, x, t, epochs=1, batch_size=20, rng=0))
    for name in net.state:
        if "running_weight" in name:
            net.state[name] = np.ones((), "float32")
    checkpoint = Checkpoint({"network": network_config(net)}, network_arrays(net))
    for name in [name for name in checkpoint.arrays if "running_weight" in name]:
        del checkpoint.arrays[name]
    for entry in checkpoint.description["network"]["layers"].values():
        entry.get("arrays", {}).pop("running_weight", None)
    write_checkpoint(tmp_path / "old.safetensors", checkpoint)
    loaded, restored = load_network(tmp_path / "old.safetensors"), stateful("cpu")
    restore_network(restored, checkpoint)
    for other in (loaded, restored):
        np.testing.assert_array_equal(other.predict(x), net.predict(x))
        assert float(other.state["running_weight1"]) == 1.0
        assert float(other.state["Residual1.BatchNormalization1.running_weight"]) == 1.0
    del checkpoint.arrays["state.running_var1"]
    with pytest.raises(
        CheckpointError, match=r"state\.running_var1: missing; state\.running_weight1: missing"
    ):
        restore_network(restored, checkpoint)
