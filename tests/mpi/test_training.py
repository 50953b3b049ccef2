"""Training in several processes gives the bits of one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .launched import run

TRAINING = """
import hashlib, json, sys, warnings
import numpy as np
from backends import world
from backprop import SGD, Adam, MultiLayerNet, RunRecorder, SimpleConvNet, TwoLayerNet, fit, Training

warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
x, t = rng.standard_normal((230, 12)), rng.integers(0, 4, 230)
images, labels = rng.standard_normal((110, 1, 8, 8)), rng.integers(0, 4, 110)
CONV = {"filter_num": 3, "filter_size": 3, "pad": 0, "stride": 1}


def nets(dtype):
    yield "two-layer", TwoLayerNet(12, 8, 4, weight_init_std=0.3, rng=0, dtype=dtype), x, t, 50
    options = {"use_batchnorm": True, "dropout_ratio": 0.3, "weight_decay_lambda": 0.01}
    yield "mlp", MultiLayerNet(12, [10, 10], 4, rng=0, dtype=dtype, **options), x, t, 50
    conv = SimpleConvNet((1, 8, 8), CONV, 10, 4, rng=0, dtype=dtype)
    yield "simple-conv", conv, images, labels, 30


def digest(network, training):
    found = hashlib.sha256(network.flat_params["flat"].tobytes())
    for value in network.state.values():
        found.update(np.asarray(value).tobytes())
    for m in training.history:
        found.update(repr((m.loss, m.accuracy, m.test_loss, m.test_accuracy)).encode())
    for slot in training.optimizer.slots.values():
        found.update(slot.tobytes())
    return found.hexdigest()[:16]


OPTIMIZERS = {"SGD": lambda: SGD(0.1), "Adam": lambda: Adam(0.01, max_norm=1.0)}
processes = world()
"""

ALL = """
found = {}
for dtype in ("float32", "float64"):
    for name, make in OPTIMIZERS.items():
        for net, network, samples, targets, size in nets(dtype):
            samples = samples.astype(dtype)
            training = Training(network, samples, targets, optimizer=make(), epochs=3, batch_size=size, rng=0,
                                test=(samples, targets), shards=8)
            for _ in training:
                pass
            found[f"{net} {name} {dtype}"] = digest(network, training)
assert all(its == found for its in processes.gather(found))
if processes.rank == 0:
    print(json.dumps(found))
"""


def in_processes(count: int, program: str, *arguments: str) -> Any:
    ended = run(count, TRAINING + program, *arguments)
    assert ended.status == 0, ended.err
    return json.loads(ended.out.splitlines()[-1])


def test_one_hash_a_row() -> None:
    """Every network with every optimizer, with a last batch that is smaller, in both dtypes."""
    alone = in_processes(1, ALL)
    assert len(set(alone.values())) == 12
    for count in (2, 3, 4):
        assert in_processes(count, ALL) == alone


RESUMED = """
folder, epochs, resume, batch_norm = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "resume", True
network = MultiLayerNet(12, [10], 4, rng=0, use_batchnorm=True, dropout_ratio=0.3)
recorder = RunRecorder(folder, resume=resume, report=False)
training = fit(network, x.astype("float32"), t, optimizer=Adam(0.01), epochs=epochs, batch_size=50, rng=0,
               validation=0.2, shards=4 if not resume else None, recorder=recorder)
found = digest(network, training)
assert all(its == found for its in processes.gather(found))
if processes.rank == 0:
    print(json.dumps([found, training.shards]))
"""


def test_a_run_resumed_with_other_numbers_of_processes_is_the_uninterrupted_one(tmp_path: Path) -> None:
    whole = in_processes(1, RESUMED, str(tmp_path / "whole"), "6", "new")
    in_processes(1, RESUMED, str(tmp_path / "parts"), "2", "new")
    in_processes(4, RESUMED, str(tmp_path / "parts"), "4", "resume")
    assert in_processes(2, RESUMED, str(tmp_path / "parts"), "6", "resume") == whole
    assert whole[1] == 4


DEFAULT = """
network = TwoLayerNet(12, 8, 4, rng=processes.rank)  # other weights in every process
training = Training(network, x.astype("float32"), t, epochs=1, batch_size=50)  # another order in every one
list(training)
found = digest(network, training)
assert all(its == found for its in processes.gather(found))
if processes.rank == 0:
    print(json.dumps(training.shards))
"""


@pytest.mark.parametrize(("processes", "shards"), [(1, 1), (2, 2), (3, 4)])
def test_by_default_shards_are_a_power_of_two_and_all_begin_with_the_weights_of_the_first(
    processes: int, shards: int
) -> None:
    assert in_processes(processes, DEFAULT) == shards


def test_fit_says_by_how_many_shards_it_trains() -> None:
    program = """
from backprop import fit
for options in ({}, {"shards": 4}, {"verbose": False}):
    fit(TwoLayerNet(12, 8, 4, rng=0), x.astype("float32"), t, epochs=1, batch_size=50, rng=0, **options)
"""
    ended = run(3, TRAINING + program)
    assert (ended.status, ended.err.strip()) == (0, "every batch in 4 shards, processes: 3"), ended.err


MAPPED = """
kind, folder = sys.argv[1:]
if kind == "mapped":
    if processes.rank == 0:
        np.save(folder + "/x.npy", x)
    processes.gather(None)
    x = np.load(folder + "/x.npy", mmap_mode="r")
network = TwoLayerNet(12, 8, 4, weight_init_std=0.3, rng=0)
training = Training(network, x, t, optimizer=Adam(0.01), epochs=3, batch_size=50, rng=0, validation=0.2, shards=4)
list(training)
found = digest(network, training)
assert all(its == found for its in processes.gather(found))
if processes.rank == 0:
    print(json.dumps(found))
"""


def test_memory_mapped_data_give_the_bits_of_data_in_memory(tmp_path: Path) -> None:
    expected = in_processes(1, MAPPED, "memory", str(tmp_path))
    assert in_processes(2, MAPPED, "mapped", str(tmp_path)) == expected


OTHERS = """
from backends import BackendUnavailableError, get_backend
found = {}
for name in ("strict", "torch"):
    try:
        backend = get_backend(name)
    except BackendUnavailableError:
        continue
    for make in (lambda: SGD(0.1), lambda: Adam(0.01)):
        options = {"use_batchnorm": True, "dropout_ratio": 0.3, "device": backend}
        network = MultiLayerNet(12, [10, 10], 4, rng=0, **options)
        training = Training(network, x.astype("float32"), t, optimizer=make(), epochs=2, batch_size=50, rng=0, shards=4)
        list(training)
        slots = training.optimizer.slots
        state = network.flat_params["flat"], network.flat_grads["flat"], *(slots[key] for key in slots)
        found[f"{name} {type(training.optimizer).__name__}"] = [
            hashlib.sha256(backend.to_numpy(array).tobytes()).hexdigest()[:16] for array in state
        ]
assert all(its == found for its in processes.gather(found))
if processes.rank == 0:
    print(json.dumps(found))
"""


def test_other_libraries() -> None:
    expected = in_processes(1, OTHERS)
    if not expected:
        pytest.skip("neither array-api-strict nor PyTorch is installed")
    assert in_processes(3, OTHERS) == expected
