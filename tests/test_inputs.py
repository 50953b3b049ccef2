"""How inputs are scaled belongs to the network: what was learnt is what is predicted, or refused."""

from __future__ import annotations

import pickle
import warnings
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from backends import Backend, get_backend, namespace_of
from backprop import (
    Affine,
    Convolution,
    Flatten,
    Layer,
    MaxPooling,
    Network,
    ReLU,
    Reshape,
    SimpleConvNet,
    Training,
    TwoLayerNet,
    fit,
)
from backprop.inputs import Inputs, InputWarning
from backprop.saving.checkpoint import CheckpointError, read_checkpoint, write_checkpoint
from backprop.saving.network import load_network, restore_network, save_network

pytestmark = pytest.mark.filterwarnings("ignore:.*float64 input is converted")

RNG = np.random.default_rng(0)
T = np.arange(90) % 3
PIXELS = RNG.integers(0, 60, (90, 8, 8)).astype(np.uint8)
PIXELS[np.arange(90), T, T] = 250  # which tells the class


def trained(x: Any, device: Any = "cpu", **options: Any) -> Network:
    network = TwoLayerNet(64, 8, 3, weight_init_std="he", device=device, rng=0)
    fit(network, x, T, epochs=2, batch_size=10, rng=0, verbose=False, **options)
    return network


def outputs(network: Network, x: np.ndarray) -> np.ndarray:
    backend = network.backend
    return np.asarray(backend.to_numpy(network.predict(backend.asarray(x))))


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
    with pytest.warns(InputWarning, match=r"reach from .* to 2\d\d.*, but the network has learnt from"):
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


def conv() -> SimpleConvNet:
    return SimpleConvNet((3, 8, 8), {"filter_num": 4, "filter_size": 3, "pad": 1}, 8, 3, rng=0)


def test_images_with_channels_last_are_turned(backend: Backend) -> None:
    images = np.stack([PIXELS, 255 - PIXELS, PIXELS // 2], axis=1)
    network = conv()
    fit(network, images, T, epochs=1, batch_size=10, rng=0)
    network = network.to(device=backend)
    with pytest.warns(InputWarning, match=r"images \(8, 8, 3\) have their channels last"):
        turned = outputs(network, np.moveaxis(images, 1, -1))
    np.testing.assert_array_equal(turned, outputs(network, images))
    np.testing.assert_array_equal(outputs(network, images.reshape(90, -1)), outputs(network, images))
    other = conv()
    with pytest.warns(InputWarning, match="channels last"):
        fit(other, np.moveaxis(images, 1, -1), T, epochs=1, batch_size=10, rng=0)
    np.testing.assert_array_equal(other.predict(images), conv_after(images).predict(images))


def conv_after(images: np.ndarray) -> SimpleConvNet:
    network = conv()
    fit(network, images, T, epochs=1, batch_size=10, rng=0)
    return network


def test_as_many_numbers_in_another_order_are_refused() -> None:
    network = trained(PIXELS)
    np.testing.assert_array_equal(outputs(network, PIXELS[:, None]), outputs(network, PIXELS))
    np.testing.assert_array_equal(outputs(network, PIXELS.reshape(90, 64)), outputs(network, PIXELS))
    with pytest.raises(ValueError, match=r"expected samples of shape \(8, 8\).*, got \(4, 16\): as many"):
        outputs(network, PIXELS.reshape(90, 4, 16))


class MeanOfImage(Layer):
    """(N, C, H, W) to (N, C)."""

    def forward(self, x: Any, *, training: bool = False) -> Any:
        self.saved = x.shape if training else None
        return namespace_of(x).mean(x, axis=(2, 3))

    def backward(self, dout: Any) -> Any:
        _, _, height, width = self.saved
        xp = namespace_of(dout)
        each = dout[:, :, None, None] / (height * width)
        return xp.astype(xp.broadcast_to(each, self.saved), dout.dtype)


def of_any_size(*last: Layer) -> Network:
    W = np.random.default_rng(1).standard_normal((3, 2, 3, 3)).astype("float32")
    return Network([Convolution(W, np.zeros(3, "float32"), pad=1), ReLU(), MaxPooling(2), *last])


def test_a_network_for_any_size_takes_images_of_another_with_as_many_pixels(backend: Backend) -> None:
    images = RNG.random((90, 2, 8, 12)).astype("float32")
    network = of_any_size(MeanOfImage())
    fit(network, images, T, epochs=1, batch_size=10, rng=0, test=(images.reshape(90, 2, 6, 16), T))
    network = network.to(device=backend)
    for size in ((12, 8), (6, 16), (16, 16)):
        x = RNG.random((4, 2, *size)).astype("float32")
        y = network.forward(backend.asarray(x))
        np.testing.assert_array_equal(outputs(network, x), backend.to_numpy(y))
    for size in ((12, 8, 2), (96, 2), (4, 6, 8)):  # where the channels are is not certain
        with pytest.raises(ValueError, match=r"expected samples of shape \(2, 8, 12\)"):
            outputs(network, RNG.random((4, *size)).astype("float32"))


@pytest.mark.parametrize(
    "network",
    [
        of_any_size(Flatten(), Affine(np.ones((72, 3), "float32"), np.zeros(3, "float32"))),
        of_any_size(Reshape((72,))),
        TwoLayerNet(192, 4, 3),
    ],
    ids=["affine", "reshape", "mlp"],
)
def test_a_network_for_one_size_takes_no_other(network: Network) -> None:
    images = RNG.random((90, 2, 8, 12)).astype("float32")
    network.inputs = Inputs.of(images)
    network.predict(images)
    with pytest.raises(ValueError, match=r"expected samples of shape \(2, 8, 12\), .*, got \(2, 12, 8\)"):
        network.predict(images.reshape(90, 2, 12, 8))


def test_the_first_gap_is_named() -> None:
    get_backend("cpu")
    x = np.zeros((2500, 2, 3), "float32")
    x[2100, 1, 2] = -np.inf
    with pytest.raises(
        ValueError, match=r"x: -inf in row 2100, at \[1, 2\] \(counted from 0\): expected finite"
    ):
        Training(TwoLayerNet(6, 4, 3), x, np.arange(2500) % 3, epochs=1)


def small(device: Any = "cpu") -> TwoLayerNet:
    return TwoLayerNet(2, 4, 3, weight_init_std=1.0, device=device, rng=0)


def test_objects_and_texts_that_are_numbers_are_numbers() -> None:
    x = RNG.random((90, 2)).astype("float32")
    for other in (x.astype(object), x.astype("U20"), x.astype(">f4")):
        network, expected = small(), small()
        fit(network, other, T, epochs=1, batch_size=10, rng=0)
        fit(expected, x.astype("float64"), T, epochs=1, batch_size=10, rng=0)
        np.testing.assert_allclose(network.flat_params["flat"], expected.flat_params["flat"], rtol=1e-5)
        np.testing.assert_allclose(network.predict(other), expected.predict(x), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("value", ["a", np.datetime64("2026-01-01"), [1.0]])
def test_what_is_no_number_is_named(value: Any) -> None:
    x = RNG.random((90, 2)).astype(object)
    x[7, 1] = value
    for use in (lambda: Training(small(), x, T, epochs=1, batch_size=10), lambda: small().predict(x)):
        with pytest.raises(TypeError, match=r"expected numbers, got .* at \[7, 1\]; leave such columns out"):
            use()
    x[7, 1] = None
    with pytest.raises(ValueError, match="x: nan in row 7, column 1"):
        Training(small(), x, T, epochs=1, batch_size=10)
    days = np.full((3, 2), np.datetime64("2026-01-01"))
    with pytest.raises(
        TypeError, match=r"the input: expected real numbers, got datetime64.*array - array\.min\(\)"
    ):
        small().predict(days)


def test_tables_of_others_are_told_how_to_become_arrays() -> None:
    sparse, table = SimpleNamespace(toarray=0, shape=(3, 2)), SimpleNamespace(to_numpy=0, shape=(3, 2))
    for other, cure in ((sparse, r"give x\.toarray\(\)"), (table, r"give x\.to_numpy\(\)")):
        with pytest.raises(TypeError, match=cure):
            small().predict(other)


@pytest.mark.only("torch")
def test_tensors_that_require_grad_are_inputs(backend: Backend) -> None:
    x = backend.asarray(RNG.random((90, 2)), dtype="float32")
    network, expected = small(backend), small(backend)
    fit(network, x.clone().requires_grad_(), T, epochs=1, batch_size=10, rng=0)
    fit(expected, x, T, epochs=1, batch_size=10, rng=0)
    assert bool((network.predict(x.clone().requires_grad_()) == expected.predict(x)).all())
    assert not network.predict(x.clone().requires_grad_()).requires_grad


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
    with pytest.warns(InputWarning, match=r"reach from 0 to 250, but the network has learnt from -1 to 0\.9"):
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
