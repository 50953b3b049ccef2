"""Pixels and numbers: later inputs are scaled like the training data."""

from __future__ import annotations

import pickle
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends import Backend
from backprop import (
    Network,
    Training,
    TwoLayerNet,
    fit,
)
from backprop.inputs import Inputs, InputWarning
from backprop.saving.checkpoint import CheckpointError, read_checkpoint, write_checkpoint
from backprop.saving.network import load_network, restore_network, save_network

from .small import PIXELS, RNG, T, outputs, trained

pytestmark = pytest.mark.filterwarnings("ignore:.*float64 input is converted")


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint16", "float32", "float64"])
@pytest.mark.parametrize("flat", [True, False])
def test_pixels_of_any_dtype_train_as_bytes(dtype: str, flat: bool) -> None:
    x = PIXELS.reshape(90, 64) if flat else PIXELS
    with pytest.warns(
        InputWarning, match=f"whole numbers of {dtype} from 0 to 250: they are taken for pixels"
    ):
        other = trained(x.astype(dtype))
    np.testing.assert_array_equal(other.flat_params["flat"], trained(x).flat_params["flat"])


def test_pixels_on_every_backend(backend: Backend) -> None:
    with pytest.warns(InputWarning, match="taken for pixels"):
        network = trained(backend.asarray(PIXELS.astype("float32")), backend)
    expected = outputs(trained(PIXELS), PIXELS)
    np.testing.assert_allclose(outputs(network, PIXELS), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(outputs(network, PIXELS.astype("float32")), expected, rtol=1e-4, atol=1e-5)


def test_what_is_predicted_is_scaled_as_what_was_learnt(backend: Backend) -> None:
    network = trained(PIXELS, backend)
    expected = outputs(network, PIXELS)
    for dtype in ("int64", "int32", "float32"):
        np.testing.assert_array_equal(outputs(network, PIXELS.astype(dtype)), expected)
    unit = (PIXELS / 255.0).astype("float32")
    np.testing.assert_allclose(outputs(network, unit), expected, rtol=1e-4, atol=1e-5)
    assert network.evaluate(backend.asarray(PIXELS.astype("int64")), backend.asarray(T)) == network.evaluate(
        backend.asarray(PIXELS), backend.asarray(T)
    )
    for wrong, reach in ((PIXELS.astype("float32") * 4.0, "0 to 1000"), (unit - 3.0, "-3 to -2.02")):
        with pytest.raises(
            ValueError, match=f"this input reaches from {reach}: give pixels, or floats from 0"
        ):
            outputs(network, wrong)


@pytest.mark.filterwarnings("ignore::backprop.inputs.InputWarning")
def test_floats_that_were_learnt_as_pixels_stay_pixels() -> None:
    network = trained(PIXELS.astype("float32"))
    dark = np.zeros((1, 64), "float32")
    dark[0, :3] = 1.0
    np.testing.assert_array_equal(outputs(network, dark), outputs(network, dark.astype("uint8")))


def test_bytes_that_are_no_pixels_are_numbers() -> None:
    for largest, said in ((1, False), (16, True)):
        x = (PIXELS > 200).astype(np.uint8) * np.uint8(largest)
        with (
            pytest.warns(InputWarning, match="bytes from 0 to 16: they are taken as")
            if said
            else nullcontext()
        ):
            network = trained(x)
        other = trained(x.astype("float32"))
        np.testing.assert_array_equal(network.flat_params["flat"], other.flat_params["flat"])
        np.testing.assert_array_equal(outputs(network, x), outputs(other, x.astype("float32")))


def test_a_table_of_whole_numbers_is_a_table() -> None:
    x = RNG.integers(0, 200, (90, 4))
    assert not Inputs.of(x).pixels
    assert Inputs.of(PIXELS).pixels


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_large_inputs_are_said_before_the_first_step(dtype: str) -> None:
    x = np.stack([RNG.normal(5e4, 2e4, 90), RNG.normal(40, 12, 90)], axis=1).astype(dtype)
    network = TwoLayerNet(2, 4, 3, rng=0)
    before = network.flat_params["flat"].copy()
    with pytest.warns(InputWarning, match=r"the inputs are large, from .* standardize every column"):
        training = Training(network, x, T, epochs=1, batch_size=10)
    np.testing.assert_array_equal(network.flat_params["flat"], before)
    training.checkpoint()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Training(
            TwoLayerNet(2, 4, 3, rng=0), RNG.standard_normal((90, 2)).astype("f"), T, epochs=1, batch_size=10
        ).checkpoint()


def test_inputs_far_from_the_training_data_are_said() -> None:
    x = RNG.random((90, 4)).astype("float32")
    network = TwoLayerNet(4, 4, 3, rng=0)
    fit(network, x, T, epochs=1, batch_size=10)
    outputs(network, x * 5.0)
    outputs(network, (x * 255).astype("uint8"))
    with pytest.warns(InputWarning, match=r"reach from .* to 2\d\d.*, but the network has learned from"):
        outputs(network, x * 255.0)


def test_it_is_kept(tmp_path: Path) -> None:
    network, path = trained(PIXELS), tmp_path / "network.safetensors"
    expected = Inputs(True, "uint8", (8, 8), 0.0, 250.0, True)
    save_network(path, network)
    other = TwoLayerNet(64, 8, 3, rng=1)
    restore_network(other, read_checkpoint(path))
    copies = (load_network(path), other, pickle.loads(pickle.dumps(network)), network.to(dtype="float64"))
    assert [copy.inputs for copy in copies] == [expected] * 4
    checkpoint = read_checkpoint(path)
    for wrong in ({"least": "a"}, {"largest": 1e400}, {"shape": 3}):
        checkpoint.description["network"]["inputs"] = {**expected.to_dict(), **wrong}
        write_checkpoint(path, checkpoint) if wrong.get("largest") is None else None
        with pytest.raises(CheckpointError, match="^the checkpoint: "):
            restore_network(other, checkpoint)


def test_a_second_training_goes_on_as_the_first() -> None:
    network = trained(PIXELS)
    unit = (PIXELS / 255.0).astype("float32")
    expected = trained(PIXELS)
    fit(expected, PIXELS, T, epochs=1, batch_size=10, rng=1)
    fit(network, unit, T, epochs=1, batch_size=10, rng=1, test=(PIXELS.astype("int64"), T))
    np.testing.assert_allclose(
        network.flat_params["flat"], expected.flat_params["flat"], rtol=1e-4, atol=1e-5
    )


def test_floats_from_0_to_1_are_scaled_already() -> None:
    unit = (PIXELS / 255.0).astype("float32")
    with pytest.warns(InputWarning, match="floats from 0 to 1 are taken as they are"):
        network = trained(PIXELS.astype("float32"))
    expected = trained(PIXELS)
    np.testing.assert_allclose(outputs(network, unit), outputs(expected, unit), rtol=1e-4, atol=1e-5)
    bright = PIXELS > 128
    np.testing.assert_array_equal(outputs(network, bright), outputs(expected, bright.astype("uint8") * 255))


def test_bytes_far_from_what_was_learnt_are_said() -> None:
    x = ((PIXELS / 255.0 - 0.5) / 0.5).astype("float32")
    network = trained(x)
    with pytest.warns(
        InputWarning, match=r"reach from 0 to 250, but the network has learned from -1 to 0\.9"
    ):
        outputs(network, PIXELS)


def test_a_sample_does_not_depend_on_its_batch() -> None:
    dim = np.zeros((2, 64), "uint8")
    dim[0], dim[1] = 1, 200
    fresh, learnt = TwoLayerNet(64, 8, 3, weight_init_std=1.0, rng=0), trained((PIXELS / 255.0).astype("f"))
    for network in (fresh, learnt):
        np.testing.assert_allclose(network.predict(dim)[:1], network.predict(dim[:1]), rtol=1e-5, atol=1e-7)


def test_a_training_that_is_never_begun_leaves_the_network() -> None:
    network = TwoLayerNet(64, 8, 3, rng=0)
    training = Training(network, PIXELS, T, epochs=1, batch_size=10)
    assert network.inputs is None
    training.started = True


@pytest.mark.filterwarnings("ignore::backprop.inputs.InputWarning")
def test_a_resumed_training_is_scaled_as_the_one_before() -> None:
    table = RNG.integers(0, 30, (90, 64)).astype("float32")

    def made(network: Network, **options: Any) -> Training:
        return Training(network, PIXELS, T, epochs=3, batch_size=10, rng=0, **options)

    network, again = (TwoLayerNet(64, 8, 3, rng=0) for _ in range(2))
    fit(network, table, T, epochs=1, batch_size=10, rng=0)
    whole = made(network)
    next(whole)
    checkpoint = whole.checkpoint()
    list(whole)
    list(made(again, resume=checkpoint))
    np.testing.assert_array_equal(again.flat_params["flat"], network.flat_params["flat"])
    assert again.inputs == network.inputs


def test_a_checkpoint_that_does_not_say_goes_on_as_before() -> None:
    """Bytes are divided by 255, whatever their largest is, and nothing else is."""
    small = (PIXELS // 16).astype("uint8")
    network, other = (TwoLayerNet(64, 8, 3, weight_init_std="he", rng=0) for _ in range(2))
    training = Training(other, (small / 255.0).astype("float32"), T, epochs=2, batch_size=10, rng=0)
    next(training)
    checkpoint = training.checkpoint()
    del checkpoint.description["network"]["inputs"]
    with pytest.warns(InputWarning, match="bytes from 0 to 15"):
        resumed = Training(network, small, T, epochs=2, batch_size=10, rng=0, resume=checkpoint)
    list(resumed)
    list(training)
    assert network.inputs is None
    np.testing.assert_allclose(network.flat_params["flat"], other.flat_params["flat"], rtol=1e-5, atol=1e-7)
