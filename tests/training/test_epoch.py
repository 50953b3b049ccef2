"""What an epoch reads, and when it calls others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends import Backend, get_backend
from backends.numpy.replay import NumpyReplay
from backprop import Adam, Training
from backprop.training.loop import Progress

from .small import blobs, host_params, net


@pytest.mark.parametrize("sampling", ["without-replacement", "with-replacement"])
def test_progress_is_the_mean_of_the_steps_since_the_last_one(sampling: Any) -> None:
    def told(every: int) -> list[Progress]:
        seen: list[Progress] = []
        options: Any = {"progress": seen.append, "progress_steps": every, "sampling": sampling}
        metrics = list(Training(net("cpu", "float64"), *blobs(), epochs=2, batch_size=40, rng=0, **options))
        if every == 7:
            assert [(p.loss, p.accuracy) for p in seen] == [(m.loss, m.accuracy) for m in metrics]
        return seen

    single = told(1)
    assert [p.step for p in single] == list(range(1, 15))
    last = 10 if sampling == "without-replacement" else 40
    for every, ends in ((2, [2, 4, 6, 9, 11, 13]), (3, [3, 6, 10, 13]), (7, [7, 14])):
        several = told(every)
        assert [p.step for p in several] == ends
        for p in several:
            steps = single[p.step - every : p.step]
            sizes = [last if step.step % 7 == 0 else 40 for step in steps]
            correct = [round(step.accuracy * size) for step, size in zip(steps, sizes, strict=True)]  # type: ignore[operator]
            assert p.loss == pytest.approx(np.mean([step.loss for step in steps]), rel=1e-12)
            assert p.accuracy == sum(correct) / sum(sizes)


def test_progress_and_hook_are_called_on_time_when_steps_are_replayed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def told() -> list[Any]:
        seen: list[Any] = []
        run = Training(
            net("cpu"), *blobs(), epochs=3, batch_size=8, rng=0, progress=seen.append, progress_steps=5,
            hook=lambda training: seen.append((training.step, host_params(training.network).tobytes())), hook_steps=12,
        )  # fmt: skip
        list(run)
        return seen

    expected, calls = told(), []
    replay = NumpyReplay.__call__
    monkeypatch.setattr(NumpyReplay, "__call__", lambda *args: (calls.append(len(args[1])), replay(*args))[1])
    assert [seen[0] for seen in expected if isinstance(seen, tuple)] == [12, 24, 36, 48, 60, 72, 84, 96]
    for steps in (3, 50):
        calls.clear()
        monkeypatch.setattr(type(get_backend("cpu")), "graph_steps", steps)
        assert told() == expected
        assert max(calls) == min(steps, 4)  # the fifth is replayed alone, since it is verified


def spied_reads(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of arrays of every `read`, and 0 for each array that is read alone."""
    reads: list[int] = []
    read, to_numpy = type(backend).read, type(backend).to_numpy
    within = False

    def spied(self: Backend, *arrays: Any) -> Any:
        nonlocal within
        reads.append(len(arrays))
        within = True
        try:
            return read(self, *arrays)
        finally:
            within = False

    def alone(self: Backend, array: Any) -> Any:
        if not within:
            reads.append(0)
        return to_numpy(self, array)

    monkeypatch.setattr(type(backend), "read", spied)
    monkeypatch.setattr(type(backend), "to_numpy", alone)
    return reads


def test_host_is_only_read_at_the_end_of_an_epoch(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Training(net(backend), *blobs(), epochs=3, batch_size=10, rng=0, test=blobs(30), capture=False)
    reads = spied_reads(backend, monkeypatch)
    list(run)
    assert reads == 3 * [1 + 2 * 25, 2]  # whether the parameters are finite, losses and counts; the test's


def test_a_recorded_epoch_reads_once(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the replays are right, the results, and whether the parameters are finite, all at once."""
    reads = spied_reads(backend, monkeypatch)
    for metrics in Training(net(backend), *blobs(), epochs=7, batch_size=10, rng=0):
        assert metrics.epoch not in (4, 5, 6) or len(reads) == 1
        reads.clear()


@pytest.mark.only("cupy")
def test_an_epoch_copies_three_times_between_host_and_device(backend: Backend) -> None:
    """The order and the optimizer's numbers to the device, the results from it."""
    emulated = pytest.importorskip("cupy_emulator", reason="counts the copies of an emulated device")
    counts: list[tuple[int, int]] = []
    for _ in Training(net(backend), *blobs(1100), epochs=6, optimizer=Adam(), batch_size=10, rng=0):
        now = emulated.device.counts()
        counts.append((now["copies host to device"], now["copies device to host"]))
    steady = np.diff(counts, axis=0)[2:]
    assert steady.tolist() == [[2, 1]] * len(steady)
