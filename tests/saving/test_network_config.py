"""Networks as JSON's values, and back."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends import Backend, get_backend
from backprop import (
    Affine,
    DeepConvNet,
    Layer,
    MeanSquaredError,
    MultiLayerNet,
    Network,
    Residual,
    SimpleConvNet,
    TwoLayerNet,
)
from backprop.losses import Loss
from backprop.saving.checkpoint import (
    Checkpoint,
    CheckpointError,
    write_checkpoint,
)
from backprop.saving.network import load_network, network_arrays, network_of, save_network
from backprop.saving.network_config import KINDS, network_config, network_from_config

from ..cases import CASES

LAYERS = [name for name in CASES if isinstance(CASES[name](np.random.default_rng(0))[0], Layer)]


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_is_described_and_built(name: str, backend: Backend) -> None:
    layer, x = CASES[name](np.random.default_rng(0))
    network = Network([layer], MeanSquaredError()).to(device=backend)
    x = backend.asarray(x)
    network.forward(x, training=True)  # changes what the layer carries
    again = network_from_config(through_json(network_config(network)), plain(network), backend)
    assert network_config(again) == network_config(network)
    assert type(again.layers[next(iter(network.layers))]) is type(layer)
    for training in (False, True):
        ours, its = (backend.to_numpy(n.forward(x, training=training)) for n in (network, again))
        np.testing.assert_array_equal(ours, its)


def plain(network: Network) -> dict[str, np.ndarray]:
    return {name.partition(".")[2]: value for name, value in network_arrays(network).items()}


def through_json(description: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(description))  # type: ignore[no-any-return]


def test_every_class_can_be_described() -> None:
    covered = {type(CASES[name](np.random.default_rng(0))[0]).__name__ for name in CASES}
    assert set(KINDS) <= covered
    assert not {Layer, Loss} & set(KINDS.values())


NETWORKS: dict[str, Callable[[Any], Network]] = {
    "two-layer": lambda device: TwoLayerNet(5, 4, 3, rng=0, device=device),
    "mlp": lambda device: MultiLayerNet(
        5, [4, 4], 3, activation="gelu", use_batchnorm=True, dropout_ratio=0.5, rng=0, device=device
    ),
    "simple-conv": lambda device: SimpleConvNet((1, 12, 12), rng=0, device=device),
    "deep-conv": lambda device: DeepConvNet(rng=0, device=device),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_file_of_one_backend_loads_on_the_others(name: str, backend: Backend, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    network = NETWORKS[name](backend)
    save_network(path, network)
    on_host = load_network(path)
    assert on_host.backend is get_backend("cpu")
    back = tmp_path / "b.safetensors"
    save_network(back, on_host)
    again = load_network(back, backend)
    assert again.backend is network.backend
    assert (again.input_shape, again.dtype) == (network.input_shape, network.dtype)
    assert list(again.params) == list(network.params)
    np.testing.assert_equal(network_arrays(again), network_arrays(network))


def test_a_custom_layer_is_restored_into_the_user_s_network(tmp_path: Path) -> None:
    class Doubled(Affine):
        def forward(self, x: Any, *, training: bool = False) -> Any:
            return 2.0 * super().forward(x, training=training)

    def own(value: float) -> Network:
        return Network([Doubled(np.full((2, 2), value), np.zeros(2))])

    path = tmp_path / "a.safetensors"
    save_network(path, own(3.0))
    with pytest.raises(CheckpointError, match="Doubled is not a layer of backprop; build the net") as caught:
        load_network(path)
    network = own(1.0)
    exec(str(caught.value).partition("yourself, then: ")[2], {"network": network})  # the line works as it is
    assert float(network.params["W1"][0, 0]) == 3.0


DESCRIPTIONS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "another class": lambda d: d["layers"]["Affine1"].update({"class": "os.system"}),
    "no class": lambda d: d["layers"]["Affine1"].pop("class"),
    "a loss as a layer": lambda d: d["layers"]["Affine1"].update({"class": "SoftmaxWithLoss", "arrays": {}}),
    "an unknown setting": lambda d: d["layers"]["Affine1"]["settings"].update(run="rm"),
    "no such array": lambda d: d["layers"]["Affine1"]["arrays"].update(W="W7"),
    "no layers": lambda d: d.pop("layers"),
    "a number for layers": lambda d: d.update(layers=3),
    "weight decay in words": lambda d: d.update(weight_decay="much"),
}


@pytest.mark.parametrize("change", DESCRIPTIONS.values(), ids=DESCRIPTIONS)
def test_a_malformed_description(change: Callable[[Any], Any], tmp_path: Path) -> None:
    network = TwoLayerNet(4, 3, 2, rng=0)
    description = network_config(network)
    change(description)
    path = tmp_path / "a.safetensors"
    write_checkpoint(path, Checkpoint({"network": description}, network_arrays(network)))
    with pytest.raises(CheckpointError, match=r"a\.safetensors"):
        load_network(path)


ODD = [None, -1, 10**30, 1.5, "x", [], [1], {}, {"a": 1}, True, "\x1b[2J"]


def places(value: Any, at: tuple[Any, ...] = ()) -> Any:
    """The paths of all values in a description, from the outside in."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield (*at, key)
        yield from places(value[key], (*at, key))


def changed(checkpoint: Checkpoint, place: tuple[Any, ...], value: Any) -> Checkpoint:
    """The checkpoint with this value at a path in its description."""
    description = copy.deepcopy(checkpoint.description)
    within = description
    for key in place[:-1]:
        within = within[key]
    within[place[-1]] = value
    return Checkpoint(description, checkpoint.arrays)


@pytest.mark.parametrize("name", ["two-layer", "mlp", "simple-conv"])
def test_any_damage_to_a_description_is_a_checkpoint_error(name: str) -> None:
    network = NETWORKS[name]("cpu")
    good = Checkpoint({"network": network_config(network)}, network_arrays(network))
    refusals = []
    for place in places(good.description):
        for value in ODD:
            try:
                network_of("a.safetensors", changed(good, place, value))
            except CheckpointError as error:
                refusals.append(str(error))
    assert len(refusals) > 100
    assert [text for text in refusals if not (text.startswith("a.safetensors") and text.isprintable())] == []


@pytest.mark.parametrize("shape", [[0], [-4], [2.0, 2], ["4"], [10**6, 10**6], 4])
def test_an_invalid_sample_shape_is_refused(shape: Any) -> None:
    network = TwoLayerNet(4, 3, 2, rng=0)
    checkpoint = Checkpoint({"network": network_config(network)}, network_arrays(network))
    with pytest.raises(CheckpointError, match="samples of shape|cannot be interpreted"):
        network_of("a.safetensors", changed(checkpoint, ("network", "input_shape"), shape))


def test_a_block_within_a_block(tmp_path: Path) -> None:
    inner = Residual([Affine(np.eye(2), np.ones(2))])
    network = Network([Residual([inner]), Affine(np.eye(2), np.zeros(2))])
    path = tmp_path / "a.safetensors"
    save_network(path, network)
    again = load_network(path)
    x = np.asarray([[1.0, -2.0]])
    np.testing.assert_array_equal(again.predict(x), network.predict(x))
