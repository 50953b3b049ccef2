"""Training on memory-mapped files, which may be larger than the memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends import get_backend
from backprop import Adam, MeanSquaredError, MultiLayerNet, Network, RunRecorder, SimpleConvNet, Training, fit
from backprop.inputs import Mapped, is_mapped
from backprop.layers import Affine
from backprop.training.shards import Shards

pytestmark = pytest.mark.filterwarnings("ignore::backprop.inputs.InputWarning")

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (300, 8, 8)).astype(np.uint8)
REAL = RNG.standard_normal((300, 64))
SAMPLES = {
    "bytes": BYTES,
    "bytes that are no pixels": BYTES % 7,
    "pixels as floats": BYTES.astype(np.float32),
    "pixels as integers": BYTES.astype(np.int32),
    "float32": REAL.astype(np.float32),
    "float64": REAL,
    "float16": REAL.astype(np.float16),
    "other byte order": REAL.astype(">f4"),
    "integers": (REAL * 5).astype(np.int16),
    "booleans": REAL > 0,
    "channels": BYTES[:, None],
    "channels last": BYTES[..., None],
    "by columns": np.asfortranarray(REAL),
}
LABELS = RNG.integers(0, 10, 300)


def mapped(folder: Path, array: np.ndarray, name: str = "x") -> np.ndarray:
    """The array in a file, memory-mapped."""
    np.save(folder / f"{name}.npy", array)
    found: np.ndarray = np.load(folder / f"{name}.npy", mmap_mode="r")
    assert is_mapped(found)
    return found


def mlp() -> Network:
    return MultiLayerNet(64, [10], 10, rng=0, use_batchnorm=True)


def trained(network: Network, x: np.ndarray, t: np.ndarray, **options: Any) -> dict[str, Any]:
    """All that a training leaves behind."""
    training = Training(network, x, t, optimizer=Adam(0.01), epochs=3, batch_size=70, rng=0, **options)
    history = [(m.loss, m.accuracy, m.validation_loss, m.validation_accuracy, m.test_loss) for m in training]
    checkpoint = training.checkpoint()
    return {
        "weights": network.flat_params["flat"].tobytes(),
        "history": history,
        "inputs": network.inputs,
        "validation": checkpoint.description["training"].get("validation"),
        "replayed": not training._step.capture.why,
        "stays mapped": isinstance(training._data.train["x"], Mapped),
        "targets stay mapped": isinstance(training._data.train["t"], Mapped),
    }


@pytest.mark.parametrize("validation", [None, 0.2])
@pytest.mark.parametrize("kind", SAMPLES)
def test_the_same_bits_as_in_memory(kind: str, validation: float | None, tmp_path: Path) -> None:
    x = SAMPLES[kind]
    expected = trained(mlp(), x, LABELS, validation=validation)
    found = trained(mlp(), mapped(tmp_path, x), LABELS, validation=validation)
    assert found.pop("stays mapped")
    assert not expected.pop("stays mapped")
    assert found["replayed"]
    assert found == expected


@pytest.mark.parametrize("kind", ["bytes", "pixels as floats", "float32"])
def test_held_out_data_and_pictures(kind: str, tmp_path: Path) -> None:
    x, t = SAMPLES[kind], LABELS
    on_file = mapped(tmp_path, x)

    def conv() -> Network:
        filters = {"filter_num": 3, "filter_size": 3, "pad": 0, "stride": 1}
        return SimpleConvNet((1, 8, 8), filters, 10, 10, rng=0)

    expected = trained(conv(), x[:200], t[:200], validation=(x[200:], t[200:]), test=(x[::3], t[::3]))
    held_out = {"validation": (on_file[200:], t[200:]), "test": (on_file[::3], t[::3])}
    found = trained(conv(), on_file[:200], t[:200], **held_out)
    assert found.pop("stays mapped")
    assert not expected.pop("stays mapped")
    assert found == expected


TARGETS = {
    "one-hot": np.eye(10, dtype=np.uint8)[LABELS],
    "one-hot floats": np.eye(10)[LABELS],
    "probabilities": np.full((300, 10), 0.1, np.float32),
    "labels": LABELS,
}


@pytest.mark.parametrize("validation", [None, 0.2])
@pytest.mark.parametrize("kind", TARGETS)
def test_targets_in_a_file(kind: str, validation: float | None, tmp_path: Path) -> None:
    t = TARGETS[kind]
    x = mapped(tmp_path, BYTES)
    expected = trained(mlp(), BYTES, t, validation=validation)
    found = trained(mlp(), x, mapped(tmp_path, t, "t"), validation=validation)
    assert found.pop("targets stay mapped") == (kind in ("one-hot", "probabilities"))
    assert not expected.pop("targets stay mapped")
    assert found.pop("stays mapped")
    assert not expected.pop("stays mapped")
    assert found == expected


def test_real_targets_stay_in_their_file(tmp_path: Path) -> None:
    x = REAL.astype(np.float32)

    def encoder() -> Network:
        rng = np.random.default_rng(0)
        return Network([Affine(rng.standard_normal((64, 64)).astype(np.float32), np.zeros(64, np.float32))],
                       MeanSquaredError())  # fmt: skip

    expected = trained(encoder(), x, x, validation=0.1)
    on_file = mapped(tmp_path, x)
    found = trained(encoder(), on_file, on_file, validation=0.1)
    assert found.pop("targets stay mapped")
    assert not expected.pop("targets stay mapped")
    assert found.pop("stays mapped")
    assert not expected.pop("stays mapped")
    assert found == expected


def test_other_backends_move_the_data_to_their_device(tmp_path: Path) -> None:
    """Also what the commands hold out."""
    x = mapped(tmp_path, REAL.astype(np.float32))
    losses = []
    for samples in (np.array(x[:200]), x[:200], Mapped(x, np.arange(200))):
        network = MultiLayerNet(64, [10], 10, rng=0, device=get_backend("strict"))
        training = Training(network, samples, LABELS[:200], epochs=1, rng=0)
        assert network.backend.owns(training._data.train["x"])
        losses += [metrics.loss for metrics in training]
    assert losses[0] == losses[1] == losses[2]


def test_a_recorded_run_resumes_from_the_file(tmp_path: Path) -> None:
    whole = mlp()
    fit(whole, BYTES, LABELS, epochs=4, rng=0, validation=0.2, verbose=False)
    x = mapped(tmp_path, BYTES)
    for epochs in (2, 4):
        network = mlp()
        recorder = RunRecorder(tmp_path / "run", resume=epochs == 4)
        fit(network, x, LABELS, epochs=epochs, rng=0, validation=0.2, recorder=recorder, verbose=False)
    in_memory = RunRecorder(tmp_path / "run", resume=True)  # the digest of the data is the same
    fit(mlp(), BYTES, LABELS, epochs=5, rng=0, validation=0.2, recorder=in_memory, verbose=False)
    assert network.flat_params["flat"].tobytes() == whole.flat_params["flat"].tobytes()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_gap_in_a_file_is_named(value: float, tmp_path: Path) -> None:
    x = np.zeros((3000, 64), np.float32)
    x[2217, 3] = value
    with pytest.raises(ValueError, match=rf"^x: {value} in row 2217, column 3 \(counted from 0\)"):
        Training(mlp(), mapped(tmp_path, x), np.zeros(3000, int), epochs=1)


def test_a_shard_reads_its_own_samples_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training = Training(mlp(), mapped(tmp_path, BYTES), LABELS, epochs=1, batch_size=100, shards=4)
    step: Any = training._step
    step.own, step.proof.is_given = Shards(4, 2).dealt(1), True
    taken: list[int] = []
    take = Mapped.take

    def counting(self: Mapped, indices: np.ndarray, *args: Any, **options: Any) -> np.ndarray:
        taken.extend(indices.tolist())
        return take(self, indices, *args, **options)

    monkeypatch.setattr(Mapped, "take", counting)
    step.batch(step.data, np.arange(100))
    assert len(taken) == 50
    training.started = True


def test_samples_are_indexed_like_an_array(tmp_path: Path) -> None:
    x = mapped(tmp_path, REAL)
    rows = np.arange(0, 300, 2)
    samples, expected = Mapped(x).only(rows), REAL[rows]
    assert (len(samples), samples.shape, samples.dtype, samples.ndim) == (150, (150, 64), x.dtype, 2)
    for key in (3, -1, slice(2, 9), slice(None, None, 40), rows[:5], (slice(4), ..., 1), (2, 5)):
        np.testing.assert_array_equal(samples[key], expected[key])
    np.testing.assert_array_equal(np.asarray(samples), expected)
    np.testing.assert_array_equal(samples.only(np.asarray([1, 7])), expected[[1, 7]])
    with pytest.raises(IndexError):
        samples.take(np.asarray([150]))
