"""A training that was stopped goes on as if it had not been, bit for bit."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends import Backend, get_backend
from backprop import SGD, Adam, MultiLayerNet, Network, TwoLayerNet, fit
from backprop.checkpoints import Checkpoint, CheckpointError, read_checkpoint, write_checkpoint
from backprop.schedules import Cosine
from backprop.training import Progress, Training

N, BATCH, EPOCHS = 53, 10, 3
PER_EPOCH = 6  # the last batch has 3 samples
STEPS = EPOCHS * PER_EPOCH


def data(n: int = N) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    t = rng.integers(0, 3, n)
    return (rng.standard_normal((n, 4)) + 2.0 * np.eye(3, 4)[t]).astype("float32"), t


def training(backend: Backend, resume: Checkpoint | None = None, **options: Any) -> Training:
    """A network with everything that carries something from step to step."""
    network = MultiLayerNet(
        4, [8, 8], 3, use_batchnorm=True, dropout_ratio=0.3, weight_decay_lambda=1e-3, device=backend, rng=3
    )
    settings: dict[str, Any] = {"optimizer": Adam(Cosine(0.05, STEPS)), "test": data(20), "rng": 5}
    return fit(network, *data(), epochs=EPOCHS, batch_size=BATCH, resume=resume, **{**settings, **options})


def outcome(run: Training) -> tuple[Any, ...]:
    """All that two runs can be told apart by, but for their seconds."""
    checkpoint = run.checkpoint()
    arrays = {
        name: (a.shape, a.dtype.str, a.tobytes())
        for name, a in checkpoint.arrays.items()
        if name != "history.seconds"
    }
    history = [astuple(metrics)[:-1] for metrics in run.history]
    place = {key: v for key, v in checkpoint.description["training"].items() if key != "seconds"}
    return arrays, history, place, checkpoint.description["optimizer"]["steps"]


def finished(run: Training) -> tuple[Any, ...]:
    assert len(list(run)) > 0
    assert run.step == STEPS
    return outcome(run)


def at_every_step(make: Callable[..., Training]) -> list[Checkpoint]:
    saved: list[Checkpoint] = []
    run = make(hook=lambda now: saved.append(now.checkpoint()), hook_steps=1)
    list(run)
    return saved


@pytest.mark.parametrize("sampling", ["without-replacement", "with-replacement"])
def test_resumed_at_every_step(sampling: str, backend: Backend, tmp_path: Path) -> None:
    def make(**options: Any) -> Training:
        return training(backend, sampling=sampling, **options)

    expected = finished(make())
    saved = at_every_step(make)
    assert len(saved) == STEPS
    for step, checkpoint in list(enumerate(saved, 1))[:: 1 if backend.name == "numpy" else 4]:
        write_checkpoint(tmp_path / "a.safetensors", checkpoint)
        again = make(resume=read_checkpoint(tmp_path / "a.safetensors"))
        assert again.step == step
        if step < STEPS:
            assert finished(again) == expected
        else:  # all steps are done, their evaluation is not
            assert finished(again) == expected


def test_resumed_between_epochs(backend: Backend) -> None:
    run = training(backend)
    next(run)
    checkpoint = run.checkpoint()
    expected = finished(run)
    again = training(backend, checkpoint)
    assert again.step == PER_EPOCH
    assert finished(again) == expected


def test_called_steps_and_recorded_ones_go_on_alike(backend: Backend) -> None:
    expected = finished(training(backend))
    for checkpoint in at_every_step(lambda **more: training(backend, **more))[5:9]:
        assert finished(training(backend, checkpoint, capture=False)) == expected


@pytest.mark.parametrize("generator", [np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_other_generators(generator: Any) -> None:
    def make(**options: Any) -> Training:
        return training(get_backend("cpu"), rng=np.random.Generator(generator(1)), **options)

    expected, saved = finished(make()), at_every_step(make)
    assert finished(make(resume=through_json(saved[7]))) == expected
    with pytest.raises(CheckpointError, match="of another random generator"):
        training(get_backend("cpu"), saved[7])


def through_json(checkpoint: Checkpoint) -> Checkpoint:
    return Checkpoint(json.loads(json.dumps(checkpoint.description)), checkpoint.arrays)


def test_progress_is_the_same_after_a_resume() -> None:
    cpu = get_backend("cpu")
    seen: list[Progress] = []
    list(training(cpu, progress=seen.append, progress_steps=2))
    saved = at_every_step(lambda **more: training(cpu, **more))
    for step in (1, 2, 3, 8, 11):
        rest: list[Progress] = []
        list(training(cpu, saved[step - 1], progress=rest.append, progress_steps=2))
        assert rest == [p for p in seen if p.step > step]


@pytest.mark.only("numpy")
def test_stopped_between_two_steps(backend: Backend) -> None:
    def stop_at(step: int) -> Callable[[Training], None]:
        return lambda run: run.stop() if run.step == step else None

    expected = finished(training(backend))
    for step in (1, 6, 8):
        run = training(backend, hook=stop_at(step), hook_steps=1)
        history = list(run)
        assert (run.stopped, run.step, len(history)) == (True, step, (step - 1) // PER_EPOCH)
        assert run.optimizer.steps == step
        assert list(run) == []
        assert finished(training(backend, run.checkpoint())) == expected


def test_stopped_in_an_evaluation(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = finished(training(backend))
    run = training(backend)
    next(run)
    evaluate = Network.evaluate_checked

    def stopping(self: Network, *args: Any, **options: Any) -> Any:
        run.stop()
        return evaluate(self, *args, **options)

    monkeypatch.setattr(Network, "evaluate_checked", stopping)
    assert list(run) == []
    assert (run.stopped, run.step, len(run.history)) == (True, 2 * PER_EPOCH, 1)
    monkeypatch.undo()
    assert finished(training(backend, run.checkpoint())) == expected


def test_a_stop_after_the_last_step_is_no_stop() -> None:
    run = training(get_backend("cpu"), test=None)
    for _ in run:
        run.stop() if run.step == STEPS else None
    assert not run.stopped


def test_more_epochs_than_planned() -> None:
    def make(epochs: int, resume: Checkpoint | None = None) -> Training:
        network = TwoLayerNet(4, 5, 3, rng=0)
        return fit(
            network, *data(), optimizer=SGD(0.1), epochs=epochs, batch_size=BATCH, rng=0, resume=resume
        )

    short, long = make(2), make(5)
    list(short), list(long)
    again = make(5, short.checkpoint())
    assert len(list(again)) == 3
    assert outcome(again) == outcome(long)


def test_fewer_steps_than_there_were() -> None:
    cpu = get_backend("cpu")
    saved = at_every_step(lambda **more: training(cpu, **more))
    with pytest.raises(CheckpointError, match="is at step 7, past the 6 that are wanted"):
        fit(TwoLayerNet(4, 5, 3), *data(), epochs=1, batch_size=BATCH, optimizer=Adam(0.1), resume=saved[6])


CHANGES: list[tuple[str, Callable[[Checkpoint], None], str]] = [
    ("missing", lambda c: c.arrays.pop("params.W1"), "params.W1: missing"),
    ("extra", lambda c: c.arrays.update({"params.W9": np.ones(2)}), "params.W9: unknown"),
    ("shape", lambda c: c.arrays.update({"params.b1": np.ones(3, "f")}), r"b1: expected shape \(8,\), got \(3,\)"),
    ("dtype", lambda c: c.arrays.update({"params.b1": np.ones(8)}), "b1: expected dtype float32, got float64"),
    ("state", lambda c: c.arrays.pop("state.running_var2"), "state.running_var2: missing"),
    ("slot", lambda c: c.arrays.pop("optimizer.m.flat"), "optimizer.m.flat: missing"),
    ("batch", lambda c: c.description["training"].update(batch_size=9), "batch_size 10 here, 9 there"),
    ("rule", lambda c: c.description["optimizer"].update({"class": "SGD"}), "optimizer Adam here, SGD there"),
    ("kind", lambda c: c.description.pop("training"), "is not of a training run: KeyError"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_what_does_not_fit_changes_nothing(change: Callable[[Checkpoint], None], message: str) -> None:
    cpu = get_backend("cpu")
    checkpoint = at_every_step(lambda **more: training(cpu, **more))[3]
    change(checkpoint)
    fresh = training(cpu)
    before = outcome(fresh)
    with pytest.raises(CheckpointError, match=message):
        fresh.go_on_from(checkpoint)
    assert outcome(fresh) == before


SCRIPT = """
import os, signal, sys
import numpy as np
from backprop import TwoLayerNet, fit
if sys.argv[1] == "interactive": sys.ps1 = "> "
rng = np.random.default_rng(0)
network = TwoLayerNet(7, 5, 3, rng=0)
x, t = rng.random((200, 7), "float32"), rng.integers(0, 3, 200)
interrupt = lambda training: training.step == 30 and os.kill(os.getpid(), signal.SIGINT)
try:
    training = fit(network, x, t, epochs=100, batch_size=10, rng=0, hook=interrupt, hook_steps=1)
    for m in training:
        pass
    print("after the loop", training.stopped, m.step, training.step)
except KeyboardInterrupt as error:
    print("interrupted", error, training.step)
"""


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("interactive", "after the loop True 20 30\n"), ("script", "interrupted after step 30 30\n")],
)
def test_an_interrupt_waits_for_the_step(kind: str, expected: str) -> None:
    command = [sys.executable, "-c", SCRIPT, kind]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == expected


def test_a_thread_trains_without_handling_signals() -> None:
    runs: list[Training] = []

    def work() -> None:
        runs.append(training(get_backend("cpu")))
        list(runs[0])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    assert runs[0].step == STEPS
