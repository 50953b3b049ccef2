"""Sums of several processes on their GPUs; on emulated ones, MPI stands in for NCCL."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import pytest

from backends import Backend, BackendUnavailableError, Communicator
from backends.cupy import nccl
from backprop import SGD, MultiLayerNet, Training
from backprop.training.exchange import Exchange
from tests.mpi.launched import Ended, run

from . import fake_nccl
from .fake_nccl import EMULATED

pytestmark = pytest.mark.only("cupy")

PROGRAM = """
import gc, hashlib, sys, warnings
import numpy as np
from backends import CaptureWarning, Communicator, get_backend, world
from backends.cupy.nccl import connected
from backprop import Momentum, MultiLayerNet, Training
from tests.backends.cupy import fake_nccl

warnings.simplefilter("error")
warnings.simplefilter("always", CaptureWarning)
if "emulated" in sys.argv:
    fake_nccl.install()
processes, gpu = world(), get_backend("gpu")
rng = np.random.default_rng(0)
x, t = rng.standard_normal((210, 4)).astype("float32"), rng.integers(0, 3, 210)

def trained(network=None, **options):
    if network is None:
        network = MultiLayerNet(4, [8, 8], 3, use_batchnorm=True, dropout_ratio=0.3, device="gpu", rng=0)
    given = {"optimizer": Momentum(0.1), "epochs": 3, "batch_size": 20, "rng": 0, "shards": 5}
    training = Training(network, x, t, **{**given, **options})
    losses = [metrics.loss for metrics in training]
    every = (*network.params.values(), *network.state.values())
    read = network.backend.to_numpy
    return training, hashlib.sha256(b"".join(read(a).tobytes() for a in every)).hexdigest(), losses

def everywhere(value):
    found = processes.gather(value)
    assert found == [found[0]] * processes.size, found
    return found[0]
"""


def launched(processes: int, program: str, monkeypatch: pytest.MonkeyPatch, fake: bool = True) -> Ended:
    """Run the program with a GPU for each process."""
    if EMULATED:
        monkeypatch.setenv("CUPY_EMULATOR_DEVICES", "3")
        return run(processes, PROGRAM + program, *(["emulated"] if fake else []))
    import cupy
    from cupy.cuda import nccl as library

    if not (fake and library.available and cupy.cuda.runtime.getDeviceCount() >= processes):
        pytest.skip("needs NCCL and a GPU for every process, or an emulator")
    return run(processes, PROGRAM + program)


def check(processes: int, program: str, monkeypatch: pytest.MonkeyPatch, fake: bool = True) -> Ended:
    ended = launched(processes, program, monkeypatch, fake)
    assert ended.status == 0, ended.err
    return ended


@pytest.fixture
def alone(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Communicator:
    """A group of one, which sends to itself."""
    fake_nccl.provide(monkeypatch)
    return Communicator()


def rows(count: int, length: int, dtype: str) -> Any:
    rng = np.random.default_rng(length)
    scale = 10.0 ** rng.integers(-6, 7, (count, 1))
    return (rng.standard_normal((count, length)) * scale).astype(dtype)


@pytest.mark.parametrize("processes", [2, 3])
def test_sums_are_those_of_one_process(
    processes: int, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(
        processes,
        """
from backprop.training.shards import Shards
shards = Shards(5, processes.size)
assert gpu.records_sums(processes)
for dtype in ("float32", "float64"):
    for length in (0, 1, 2, 3, 7, 1000):
        total = gpu.exchange(processes, shards.counts, length, dtype)
        assert total is gpu.exchange(processes, shards.counts, length, dtype)
        for call in range(3):
            rng = np.random.default_rng(call)
            rows = (rng.standard_normal((5, length)) * 10.0 ** rng.integers(-6, 7, (5, 1))).astype(dtype)
            own = [gpu.asarray(row) for row in rows[shards.dealt(processes.rank)]]
            found = gpu.to_numpy(gpu.ordered_sum(total, own))
            expected = rows[0].copy()
            for row in rows[1:]:
                expected += row
            assert found.dtype == dtype and (found == expected).all(), (dtype, length, call)
""",
        monkeypatch,
    )


@pytest.mark.parametrize("processes", [2, 3])
def test_a_training_has_the_bits_of_one_process(
    processes: int, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = check(
        processes,
        """
training, *found = trained(capture=False)
if "emulated" in sys.argv:
    assert {"send", "recv", "allGather"} == set(fake_nccl.calls)
assert training.network.backend.device == f"cuda:{processes.rank}"
assert everywhere(found) == list(trained(capture=False, communicator=Communicator())[1:])
import cupy
assert cupy.cuda.runtime.getDevice() == processes.rank
del training
connected.cache_clear()
gc.collect()
""",
        monkeypatch,
    )
    assert "closed" not in ended.out


def test_what_cannot_be_captured_is_called_by_all(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    if not EMULATED:
        pytest.skip("NCCL's calls can be captured")
    ended = check(
        2,
        """
training, *found = trained()
assert "MPI's messages cannot be captured" in everywhere(training._step.capture.why)
assert everywhere(found) == list(trained(capture=False, communicator=Communicator())[1:])
""",
        monkeypatch,
    )
    assert ended.err.count("CaptureWarning") == 1


def test_a_captured_training_is_that_of_one_process(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    if EMULATED:
        pytest.skip("MPI's messages, which stand in for NCCL, cannot be captured")
    ended = check(
        2,
        """
training, *found = trained()
assert not everywhere(training._step.capture.why)
alone = trained(communicator=Communicator())
np.testing.assert_allclose(everywhere(found)[1], alone[2], rtol=1e-4)
""",
        monkeypatch,
    )
    assert not ended.err


@pytest.mark.parametrize("capture", [True, False])
def test_all_stop_after_the_same_step(
    capture: bool, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(
        3,
        f"""
def stop(training):
    if training.step == 6 and processes.rank == 1:
        training.stop()
training, *found = trained(capture={capture}, hook=stop, hook_steps=3)
step, stopped = everywhere((training.step, training.stopped))
assert 6 < step <= {9 if capture else 7} and stopped
everywhere(found)
""",
        monkeypatch,
    )


def test_two_processes_with_one_gpu(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = launched(
        3,
        """
network = MultiLayerNet(4, [8], 3, device=f"gpu:{min(processes.rank, 1)}", rng=0)
trained(network)
""",
        monkeypatch,
    )
    assert ended.status == 1
    assert ended.err.count("processes 1 and 2 have the same GPU, 0000:") == 1
    assert "start at most as many processes on a machine as it has GPUs" in ended.err


def test_without_nccl_sums_go_by_way_of_the_host(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = check(
        2,
        """
warnings.simplefilter("always")
training, *found = trained()
assert training._step.capture.why == "not asked for"
assert everywhere(found) == list(trained(capture=False, communicator=Communicator())[1:])
""",
        monkeypatch,
        fake=False,
    )
    assert ended.err.count("Warning") == 1
    assert "process 0 has no NCCL; pip install nvidia-nccl-cu12" in ended.err


def test_processes_with_different_libraries_are_refused(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = launched(
        2,
        """
trained(MultiLayerNet(4, [8], 3, device=["gpu", "cpu"][processes.rank], rng=0))
""",
        monkeypatch,
    )
    assert ended.status == 1
    assert "got device cupy in process 0, numpy in process 1" in ended.err


@pytest.mark.parametrize("count", [1, 3])
def test_the_sum_of_a_group_of_one_is_captured(count: int, backend: Backend, alone: Communicator) -> None:
    vectors = rows(count, 1000, "float32")
    total = backend.exchange(alone, [count], 1000, "float32")

    def summed(state: Any, *own: Any) -> tuple[Any, ...]:
        return (backend.xp.asarray(backend.ordered_sum(total, own), copy=True),)

    def on_device(values: Any) -> Sequence[Any]:
        return [backend.asarray(vector) for vector in values]

    expected = reduce(add, on_device(vectors))
    (called,) = summed({}, *on_device(vectors))
    replay = backend.record(summed, [{}], on_device(np.zeros_like(vectors)))
    for _ in range(2):
        (replayed,) = replay(*on_device(vectors))
        for found in (called, replayed):
            np.testing.assert_array_equal(backend.to_numpy(found), backend.to_numpy(expected))


def test_a_training_of_a_group_of_one_is_captured(
    backend: Backend, alone: Communicator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trained(capture: bool) -> Any:
        rng = np.random.default_rng(0)
        x, t = rng.standard_normal((210, 4)).astype("float32"), rng.integers(0, 3, 210)
        network = MultiLayerNet(4, [8, 8], 3, use_batchnorm=True, device=backend, rng=0)
        training = Training(
            network, x, t, optimizer=SGD(0.1), epochs=3, batch_size=20, rng=0, shards=4, capture=capture,
            communicator=alone,
        )  # fmt: skip
        list(training)
        assert bool(training._step.capture._replays) == capture
        return backend.to_numpy(network.flat_params["flat"])

    own = trained(capture=True)
    made = set(alone_sums(backend, alone))
    monkeypatch.setattr(Exchange, "several", True)
    np.testing.assert_array_equal(trained(capture=True), own)
    np.testing.assert_allclose(trained(capture=False), own, rtol=1e-4, atol=1e-5)
    assert set(alone_sums(backend, alone)) > made


def alone_sums(backend: Any, alone: Communicator) -> Any:
    return backend._connected(alone)._sums


def test_a_gpu_that_two_processes_have() -> None:
    places = [("node1", "0000:01:00.0"), ("node1", "0000:02:00.0"), ("node2", "0000:01:00.0")]
    nccl._check_own(0, places)
    with pytest.raises(BackendUnavailableError, match="processes 1 and 3 have the same GPU, 0000:02:00.0 of"):
        nccl._check_own(0, [*places, places[1]])
