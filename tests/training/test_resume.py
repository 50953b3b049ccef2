"""A training that was stopped resumes as if it had never stopped, bit for bit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, astuple, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends import Backend, get_backend
from backprop import SGD, Adam, MultiLayerNet, Network, Optimizer, Training, TwoLayerNet
from backprop.saving.checkpoint import (
    Checkpoint,
    CheckpointError,
    ResumeWarning,
    read_checkpoint,
    write_checkpoint,
)
from backprop.saving.history import Metrics, history_of
from backprop.saving.network_config import network_config
from backprop.saving.optimizer_config import optimizer_config
from backprop.schedules import Cosine
from backprop.training.loop import Progress

N, BATCH, EPOCHS = 53, 10, 3
PER_EPOCH = 6  # the last batch has 3 samples
STEPS = EPOCHS * PER_EPOCH


def data(n: int = N) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    t = rng.integers(0, 3, n)
    return (rng.standard_normal((n, 4)) + 2.0 * np.eye(3, 4)[t]).astype("float32"), t


def training(backend: Backend, resume: Checkpoint | None = None, **options: Any) -> Training:
    """A network with every kind of layer that carries state from step to step."""
    network = MultiLayerNet(
        4, [8, 8], 3, use_batchnorm=True, dropout_ratio=0.3, weight_decay_lambda=1e-3, device=backend, rng=3
    )
    settings: dict[str, Any] = {"optimizer": Adam(Cosine(0.05, STEPS)), "test": data(20), "rng": 5}
    if "iterations" not in options:
        settings["epochs"] = EPOCHS
    return Training(network, *data(), batch_size=BATCH, resume=resume, **{**settings, **options})


def outcome(run: Training) -> tuple[Any, ...]:
    """Everything that two runs could differ in, except their times."""
    checkpoint = run.checkpoint()
    arrays = {
        name: (a.shape, a.dtype.str, a.tobytes())
        for name, a in checkpoint.arrays.items()
        if name != "history.seconds"
    }
    history = [astuple(replace(metrics, seconds=0.0)) for metrics in run.history]
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


def test_called_and_recorded_steps_resume_alike(backend: Backend) -> None:
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
    evaluate = Network.evaluate_validated

    def stopping(self: Network, *args: Any, **options: Any) -> Any:
        run.stop()
        return evaluate(self, *args, **options)

    monkeypatch.setattr(Network, "evaluate_validated", stopping)
    assert list(run) == []
    assert (run.stopped, run.step, len(run.history)) == (True, 2 * PER_EPOCH, 1)
    monkeypatch.undo()
    assert finished(training(backend, run.checkpoint())) == expected


def test_a_stop_after_the_last_step_is_ignored() -> None:
    run = training(get_backend("cpu"), test=None)
    for _ in run:
        run.stop() if run.step == STEPS else None
    assert not run.stopped


def test_more_epochs_than_planned() -> None:
    def make(epochs: int, resume: Checkpoint | None = None) -> Training:
        network = TwoLayerNet(4, 5, 3, rng=0)
        return Training(
            network, *data(), optimizer=SGD(0.1), epochs=epochs, batch_size=BATCH, rng=0, resume=resume
        )

    short, long = make(2), make(5)
    list(short), list(long)
    again = make(5, short.checkpoint())
    assert len(list(again)) == 3
    assert outcome(again) == outcome(long)


def kept(run: Training, path: Path) -> Checkpoint:
    """The run's checkpoint, written to a file and read back."""
    write_checkpoint(path, run.checkpoint())
    return read_checkpoint(path)


LENGTHS = [(8, 18), (1, 18), (5, 18), (6, 18), (3, 4, 5, 18), (7, 12, 13, 17, 18), (13, 13, 18)]


@pytest.mark.parametrize("sampling", ["without-replacement", "with-replacement"])
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_a_run_that_ended_within_an_epoch_resumes_there(
    lengths: tuple[int, ...], sampling: str, backend: Backend, tmp_path: Path
) -> None:
    """A run split into several, each asking for more steps, equals one run of all the steps."""

    def make(steps: int, resume: Checkpoint | None = None) -> Training:
        return training(backend, resume, iterations=steps, sampling=sampling)

    checkpoint = None
    for steps in lengths:
        whole, part = make(steps), make(steps, checkpoint)
        list(whole)
        list(part)
        assert part.step == steps
        assert outcome(part) == outcome(whole)
        checkpoint = kept(part, tmp_path / "a.safetensors")
    assert [metrics.step for metrics in part.history] == [6, 12, 18]


def test_a_part_of_an_epoch_completed_by_epochs(backend: Backend) -> None:
    part = training(backend, iterations=8)
    list(part)
    assert finished(training(backend, part.checkpoint(), epochs=EPOCHS)) == finished(training(backend))


def test_a_part_of_an_epoch_saved_before_its_evaluation(backend: Backend) -> None:
    saved: list[Checkpoint] = []
    part = training(backend, iterations=8, hook=lambda run: saved.append(run.checkpoint()), hook_steps=8)
    list(part)
    assert [metrics.step for metrics in part.history] == [6, 8]
    same = training(backend, saved[0], iterations=8)
    assert [metrics.step for metrics in same] == [8]
    assert outcome(same) == outcome(part)
    assert finished(training(backend, saved[0])) == finished(training(backend))


def test_a_finished_part_of_an_epoch_is_left_as_it_is(backend: Backend) -> None:
    part = training(backend, iterations=8)
    list(part)
    again = training(backend, part.checkpoint(), iterations=8)
    assert list(again) == []
    assert (again.stopped, again.optimizer.steps) == (False, 8)
    assert again.history == part.history
    assert outcome(again) == outcome(part)


def test_the_description_of_a_checkpoint() -> None:
    run = training(
        get_backend("cpu"), iterations=8, hook=lambda now: seen.append(now.checkpoint()), hook_steps=7
    )
    seen: list[Checkpoint] = []
    list(run)
    for checkpoint, position, step in ((seen[0], 1, 7), (run.checkpoint(), 2, 8)):
        said = checkpoint.description
        generator, seconds = said["training"].pop("generator"), said["training"].pop("seconds")
        assert generator["bit_generator"] == "PCG64"
        assert 0.0 < seconds <= run.history[-1].seconds
        assert said == {
            "network": network_config(run.network),
            "optimizer": {**optimizer_config(run.optimizer), "steps": step},
            "training": {
                "step": step, "position": position, "samples": N, "batch_size": BATCH,
                "sampling": "without-replacement",
            },
            "last": asdict(run.history[0 if step == 7 else 1]),
            "machine": {**run.network.backend.machine, "threads": run.threads},
        }  # fmt: skip
    fresh = training(get_backend("cpu"))
    assert fresh.checkpoint().description["last"] is None
    assert fresh.checkpoint().description["training"]["position"] == 0


def test_the_time_of_a_resumed_run_includes_both_parts() -> None:
    run = training(get_backend("cpu"), iterations=6)
    list(run)
    checkpoint = run.checkpoint()
    checkpoint.description["training"]["seconds"] = 1000.0
    again = training(get_backend("cpu"), checkpoint)
    assert again.checkpoint().description["training"]["seconds"] == 1000.0
    assert 1000.0 < next(again).seconds < next(again).seconds < 1100.0


def changed(**description: Any) -> Checkpoint:
    """A checkpoint within an epoch, with changed entries in its description; None removes one."""
    run = training(get_backend("cpu"), iterations=8)
    list(run)
    checkpoint = run.checkpoint()
    checkpoint.description.update(description)
    for key in [key for key, value in description.items() if value is None]:
        del checkpoint.description[key]
    return checkpoint


@pytest.mark.filterwarnings("ignore:a Training was made")
def test_another_machine_warns() -> None:
    cpu = get_backend("cpu")
    machine = training(cpu).checkpoint().description["machine"]
    for name, value in machine.items():
        with pytest.warns(
            ResumeWarning, match=f"an uninterrupted one: {name} .* here, another there$"
        ) as said:
            training(cpu, changed(machine={**machine, name: "another"}))
        assert f"{name} {value} here" in str(said[0].message)
    with pytest.warns(ResumeWarning, match="kernel unknown here, SkylakeX there$"):
        training(cpu, changed(machine={**machine, "kernel": "SkylakeX"}))
    with pytest.warns(ResumeWarning, match="NumPy .* here, unknown there$"):
        training(cpu, changed(machine={k: v for k, v in machine.items() if k != "NumPy"}))
    with pytest.warns(ResumeWarning, match="it does not say which machine computed it$"):
        training(cpu, changed(machine=None))
    with pytest.warns(
        ResumeWarning, match=r"uninterrupted one: .*; CPU .* here, Z80 there; kernel unknown here, a there$"
    ) as said:
        training(cpu, changed(machine={**machine, "CPU": "Z80", "NumPy": "1", "kernel": "a"}))


@pytest.mark.filterwarnings("ignore:a Training was made")
def test_the_warning_points_at_the_caller() -> None:
    network = MultiLayerNet(
        4, [8, 8], 3, use_batchnorm=True, dropout_ratio=0.3, weight_decay_lambda=1e-3, rng=3
    )
    options: Any = {"batch_size": BATCH, "optimizer": Adam(Cosine(0.05, STEPS)), "rng": 5, "epochs": EPOCHS}
    with pytest.warns(ResumeWarning) as said:
        Training(network, *data(), resume=changed(machine=None), **options)
    line = Path(__file__).read_text("utf-8").splitlines()[said[0].lineno - 1]
    assert (said[0].filename, line.strip()[:17]) == (__file__, "Training(network,")


def test_another_machine_does_not_matter_for_a_finished_run() -> None:
    assert list(training(get_backend("cpu"), changed(machine=None), iterations=8)) == []


def test_the_machine_of_every_backend_is_plain_data(backend: Backend) -> None:
    machine = backend.machine
    assert json.loads(json.dumps(machine)) == machine
    assert machine["NumPy"] == np.__version__
    assert machine["backend"].startswith(backend.name)


@pytest.mark.only("numpy")
def test_the_threads_recorded_are_those_of_matrix_products(backend: Backend) -> None:
    code = "from backends import get_backend; print(get_backend('cpu').machine['threads'])"
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert done.stdout == "1\n"


@pytest.mark.filterwarnings("ignore:a Training was made")
@pytest.mark.parametrize("before", [False, True], ids=["config", "repr"])
def test_another_optimizer_warns(before: bool) -> None:
    """Also for an older checkpoint that holds the optimizer's `repr`."""
    cpu, there = get_backend("cpu"), changed()
    if before:
        there.description["optimizer"]["settings"] = repr(Adam(Cosine(0.05, STEPS)))
    was = r"Cosine\(lr=0.05, steps=18, lowest=0.0\) there"
    rest = "; the rate of step 9 is"
    with pytest.warns(
        ResumeWarning, match=rf"uninterrupted one: the optimizer has lr 0.2 here, {was}{rest} 0.2$"
    ):
        training(cpu, there, optimizer=Adam(0.2))
    with pytest.warns(
        ResumeWarning,
        match=rf"has lr 0.2 here, {was}, max_norm 1.0 here, None there, beta2 0.9 here, 0.999 there{rest}",
    ):
        training(cpu, there, optimizer=Adam(0.2, beta2=0.9, max_norm=1.0))
    longer = Cosine(0.05, 2 * STEPS)
    stretched = ", for instance because a schedule was stretched to more steps"
    with pytest.warns(ResumeWarning, match=f" there{stretched}{rest} {longer(9):.6g}$"):
        training(cpu, there, optimizer=Adam(longer))
    with pytest.warns(ResumeWarning, match="has epsilon 1e-08 here, 1e-07 there; the rate of step 9 is"):
        training(cpu, there, optimizer=Adam(Cosine(0.05, STEPS), epsilon=1e-8))
    training(cpu, there)


@pytest.mark.filterwarnings("ignore:a Training was made")
@pytest.mark.parametrize("before", [False, True], ids=["config", "repr"])
def test_a_schedule_without_a_repr_is_compared_by_name(before: bool) -> None:
    def make(resume: Checkpoint | None = None, epsilon: float = 1e-7) -> Training:
        optimizer = Adam(lambda step: 0.1 / step, epsilon=epsilon)
        return training(get_backend("cpu"), resume, optimizer=optimizer)

    run = make()
    next(run)
    checkpoint = run.checkpoint()
    if before:
        checkpoint.description["optimizer"]["settings"] = repr(run.optimizer)
    make(checkpoint)
    with pytest.warns(ResumeWarning, match="the optimizer has .*1e-08.* here, .*1e-07.* there; the rate of"):
        make(checkpoint, epsilon=1e-8)
    with pytest.warns(ResumeWarning, match=r"0\.2.* here, .*make\.<locals>\.<lambda>.* there; the rate of"):
        training(get_backend("cpu"), checkpoint, optimizer=Adam(0.2))


class Decaying(Optimizer):
    """A custom optimizer that keeps an array outside its slots."""

    def __init__(self, beta: float = 0.9) -> None:
        super().__init__(0.05)
        self.beta, self.table = beta, np.ones(2)

    @staticmethod
    def rule(p: Any, g: Any, lr: Any) -> Any:
        p -= lr * g
        return (p,)


@pytest.mark.filterwarnings("ignore:a Training was made")
@pytest.mark.parametrize("before", [False, True], ids=["config", "repr"])
def test_another_setting_of_a_custom_optimizer_warns(before: bool, tmp_path: Path) -> None:
    run = training(get_backend("cpu"), optimizer=Decaying())
    next(run)
    checkpoint = kept(run, tmp_path / "a.safetensors")
    if before:
        checkpoint.description["optimizer"]["settings"] = repr(run.optimizer)
    training(get_backend("cpu"), checkpoint, optimizer=Decaying())
    with pytest.warns(
        ResumeWarning, match=r"the optimizer has .*0\.8.* here, .*0\.9.* there; the rate of step 7"
    ):
        training(get_backend("cpu"), checkpoint, optimizer=Decaying(0.8))


def test_a_file_of_format_1_resumes() -> None:
    """Written by an older version within the second epoch, with the history in the description."""
    old = read_checkpoint(Path(__file__).parents[1] / "data" / "format-1.safetensors")
    assert [line["step"] for line in old.description["history"]] == [6]

    def make(resume: Checkpoint | None = None) -> Training:
        return Training(
            TwoLayerNet(4, 3, 3, rng=0), *data(), test=data(), optimizer=SGD(0.1),
            epochs=3, batch_size=BATCH, rng=0, resume=resume,
        )  # fmt: skip

    with pytest.warns(ResumeWarning, match="does not say which machine computed it"):
        resumed = make(old)
    whole = make()
    list(resumed)
    list(whole)
    assert asdict(resumed.history[0]).items() >= old.description["history"][0].items()
    for ours, its in zip(resumed.history, whole.history, strict=True):
        ours, its = (astuple(replace(metrics, seconds=0.0))[:-2] for metrics in (ours, its))
        np.testing.assert_allclose(ours, its, rtol=1e-4)  # of another machine
    assert "history" not in resumed.checkpoint().description


def test_a_part_of_an_epoch_in_format_1_is_not_completed() -> None:
    run = training(get_backend("cpu"), iterations=8)
    list(run)
    checkpoint = run.checkpoint()
    checkpoint.description["history"] = [asdict(metrics) for metrics in run.history]
    checkpoint.description["training"].update(position=0)  # as it was
    with pytest.warns(ResumeWarning, match="its last epoch is incomplete, and a file of format 1 does not"):
        again = training(get_backend("cpu"), checkpoint)
    list(again)
    assert [metrics.step for metrics in again.history] == [6, 8, 14, 18]


def test_a_long_history_is_restored(tmp_path: Path) -> None:
    run = training(get_backend("cpu"))
    next(run)
    run.history[:] = [Metrics(i, 6 * i, 1.0 / i, None, 0.5, None, 0.1 * i) for i in range(1, 10_001)]
    first = kept(run, tmp_path / "a")
    run.history[4999:] = [Metrics(i, 6 * i, 2.0 / i, 0.5, None, 0.25, 0.1 * i) for i in range(5000, 10_001)]
    second = kept(run, tmp_path / "a")
    assert history_of(first)[:4999] == history_of(second)[:4999] == run.history[:4999]
    assert history_of(second) == run.history
    assert len(json.dumps(second.description)) < 5000
    run.history.append(Metrics(10_001, 60_006, 0.5, 0.5, 0.5, 0.5, 1.0))
    assert history_of(kept(run, tmp_path / "a")) == run.history


def test_fewer_steps_than_done() -> None:
    cpu = get_backend("cpu")
    saved = at_every_step(lambda **more: training(cpu, **more))
    with pytest.raises(CheckpointError, match="is at step 7, past the 6 requested"):
        Training(
            TwoLayerNet(4, 5, 3), *data(), epochs=1, batch_size=BATCH, optimizer=Adam(0.1), resume=saved[6]
        )


CHANGES: list[tuple[str, Callable[[Checkpoint], None], str]] = [
    ("missing", lambda c: c.arrays.pop("params.W1"), "params.W1: missing"),
    ("extra", lambda c: c.arrays.update({"params.W9": np.ones(2)}), "params.W9: unknown"),
    ("shape", lambda c: c.arrays.update({"params.b1": np.ones(3, "f")}), r"b1: expected shape \(8,\), got \(3,\)"),
    ("dtype", lambda c: c.arrays.update({"params.b1": np.ones(8)}), "b1: expected dtype float32, got float64"),
    ("state", lambda c: c.arrays.pop("state.running_var2"), "state.running_var2: missing"),
    ("slot", lambda c: c.arrays.pop("optimizer.m.flat"), "optimizer.m.flat: missing"),
    ("batch", lambda c: c.description["training"].update(batch_size=9), "batch_size 10 here, 9 there"),
    ("rule", lambda c: c.description["optimizer"].update({"class": "SGD"}), "optimizer Adam here, SGD there"),
    ("kind", lambda c: c.description.pop("training"), "is not from a training: KeyError"),
    ("machine", lambda c: c.description.update(machine=3), "is not from a training: TypeError"),
    ("settings", lambda c: c.description["optimizer"].pop("settings"), "is not from a training: KeyError"),
    ("odd settings", lambda c: c.description["optimizer"].update(settings=[0.1]), "from a training: TypeError"),
    ("no history", lambda c: c.arrays.pop("history.loss"), r"from a training: KeyError\('history.loss'\)"),
    ("short", lambda c: c.arrays.update({"history.loss": np.ones(7)}), r"from a training: ValueError\('zip"),
    ("kinds", lambda c: c.arrays.update({"history.step": np.ones(0)}), "history.step is float64 of shape"),
    ("shapes", lambda c: c.arrays.update({"history.loss": np.ones((1, 1))}), "loss is float64 of shape"),
    ("no loss", lambda c: c.arrays.update({"history.loss": np.full(1, np.nan)}), "loss is not finite"),
    ("steps in words", lambda c: c.description["training"].update(step="x"), "from a training: ValueError"),
    ("a list", lambda c: c.description.update(optimizer=[]), "is not from a training: TypeError"),
    ("negative", lambda c: c.description["training"].update(position=-1), "does not have -1 steps of an epoch"),
    ("too far", lambda c: c.description["training"].update(position=7), "does not have 7 steps of an epoch"),
    ("no results", lambda c: c.arrays.pop("epoch.0"), "does not have 4 steps of an epoch"),
    ("other results", lambda c: c.arrays.update({"epoch.0": np.ones((4, 2))}), "does not have 4 steps of"),
    ("no generator", lambda c: c.description["training"].update(generator={}), "of another random generator"),
    ("odd generator", lambda c: c.description["training"].update(generator=[[1]]), "random generator|TypeError"),
    ("old", lambda c: c.description.update(history=[{"epoch": 1}]), "is not from a training: TypeError"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_a_checkpoint_that_does_not_fit_changes_nothing(
    change: Callable[[Checkpoint], None], message: str
) -> None:
    cpu = get_backend("cpu")
    checkpoint = at_every_step(lambda **more: training(cpu, **more))[3]
    change(checkpoint)
    fresh = training(cpu)
    before = outcome(fresh)
    with pytest.raises(CheckpointError, match=message):
        fresh.restore(checkpoint)
    assert outcome(fresh) == before
