"""`RunRecorder`: what `fit` saves in a folder, and how a run is resumed from there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends import Backend
from backprop import (
    Adam,
    Affine,
    DivergenceError,
    MeanSquaredError,
    MultiLayerNet,
    Network,
    RunRecorder,
    Training,
    TwoLayerNet,
    fit,
    load_network,
)
from backprop.cli import main
from backprop.files import WriteError
from backprop.saving import CheckpointError, history_file, read_checkpoint, run_folder
from backprop.saving.run_data import hold_out
from backprop.saving.run_folder import RunFolderError
from backprop.training.recorder import mean_steps

RNG = np.random.default_rng(0)
T = RNG.integers(0, 3, 200)
X = (RNG.standard_normal((200, 4)) + 2.0 * np.eye(3, 4)[T]).astype("f")
T_TEST = RNG.integers(0, 3, 50)
X_TEST = (RNG.standard_normal((50, 4)) + 2.0 * np.eye(3, 4)[T_TEST]).astype("f")
TEST = (X_TEST, T_TEST)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def net(device: Any = "cpu") -> Network:
    return MultiLayerNet(
        4, [8, 8], 3, use_batchnorm=True, dropout_ratio=0.2, weight_init_std=0.1, device=device, rng=0
    )


def trained(folder: str, network: Network | None = None, data: Any = (X, T), **options: Any) -> Training:
    """A training saved in a folder; an epoch has 7 steps, or 5 with `validation=0.3`."""
    names = ("save_every", "keep", "log_every", "report", "resume")
    keeping = {"report": False, **{name: options.pop(name) for name in names if name in options}}
    settings = {"optimizer": Adam(0.01), "batch_size": 30, "rng": 1, **options}
    return fit(network or net(), *data, recorder=RunRecorder(folder, **keeping), **settings)


def arrays(path: Path) -> dict[str, tuple[Any, ...]]:
    return {
        name: (value.dtype.str, value.shape, value.tobytes())
        for name, value in read_checkpoint(path).arrays.items()
        if name != "history.seconds"
    }


def history(folder: str) -> list[dict[str, Any]]:
    return [
        {k: v for k, v in line.items() if k != "seconds"} for line in history_file.read_history(Path(folder))
    ]


def checkpoints(folder: str) -> list[str]:
    return [path.name.removeprefix("checkpoint-") for path in run_folder.checkpoints(Path(folder))]


def contents(folder: str) -> dict[str, Any]:
    """The arrays of every checkpoint, and the history."""
    found: dict[str, Any] = {path.name: arrays(path) for path in Path(folder).glob("*.safetensors")}
    return {**found, "history": history(folder)}


# ------------------------------------------------------------------------------------------ what is kept


def test_files_of_a_run(backend: Backend) -> None:
    training = trained("mine", net(backend), epochs=3, test=TEST)
    assert sorted(os.listdir("mine")) == [
        "checkpoint-00000014.safetensors", "checkpoint-00000021.safetensors", "history.jsonl", "lock",
    ]  # fmt: skip
    lines = [line for line in history_file.read_history(Path("mine")) if line["event"] == "epoch"]
    assert lines == [history_file.epoch_line(metrics) for metrics in training.history]
    last = read_checkpoint("mine/checkpoint-00000021.safetensors")
    for name, value in training.network.params.items():
        np.testing.assert_array_equal(last.arrays[f"params.{name}"], backend.to_numpy(value))
    assert "run" not in last.description
    assert Path("mine/lock").read_bytes() == b""


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["14", "21"]),
        ({"keep": 1}, ["21"]),
        ({"save_every": 4, "keep": 9}, ["04", "08", "12", "16", "20", "21"]),
        ({"save_every": 7, "keep": 2}, ["14", "21"]),
        ({"save_every": 100}, ["21"]),
    ],
)
def test_save_every_and_keep(options: dict[str, Any], expected: list[str]) -> None:
    trained("mine", epochs=3, **options)
    assert checkpoints("mine") == [f"000000{step}.safetensors" for step in expected]


def test_lines_within_epochs() -> None:
    trained("mine", iterations=16, log_every=3)
    assert [(line["event"], line["step"]) for line in history("mine")] == [
        ("steps", 1), ("steps", 3), ("steps", 6), ("epoch", 7), ("steps", 10), ("steps", 13), ("epoch", 14),
        ("epoch", 16),
    ]  # fmt: skip


def test_lines_are_written_during_the_epoch() -> None:
    seen: list[int] = []

    def look(_: Training) -> None:
        seen.append(len(history("mine")))

    trained("mine", epochs=1, log_every=2, progress_steps=2, hook=look, hook_steps=3)
    assert seen == [2, 4]  # at the steps 3 and 6: those of 1 and 2; 4 and 6, too


@pytest.mark.parametrize(
    ("per_epoch", "total", "steps", "lines"),
    [
        (600, 10_000, 100, 100), (600, 600, 6, 100), (600, 60, 1, 60), (600, 250, 3, 83), (7, 35, 1, 35),
        (469, 2345, 24, 95), (600, 35_000, 300, 116), (600, 59_400, 300, 198), (600, 60_000, 60_000, 0),
        (1, 10_000, 10_000, 0), (10_000, 10_000, 100, 100),
    ],
)  # fmt: skip
def test_a_run_has_about_a_hundred_lines_or_epochs(
    per_epoch: int, total: int, steps: int, lines: int
) -> None:
    assert mean_steps(total, per_epoch) == steps
    whole, rest = divmod(total, per_epoch)
    assert whole * (per_epoch // steps) + rest // steps == lines


def test_recording_does_not_change_results(backend: Backend) -> None:
    kept, alone = net(backend), net(backend)
    trained("mine", kept, epochs=4, validation=0.3, save_every=3, log_every=2)
    fit(alone, X, T, optimizer=Adam(0.01), batch_size=30, rng=1, epochs=4, validation=0.3)
    for name, value in alone.params.items():
        np.testing.assert_array_equal(backend.to_numpy(kept.params[name]), backend.to_numpy(value))


def test_the_best_epoch_has_a_checkpoint_of_its_own(backend: Backend) -> None:
    network = net(backend)
    training = trained("mine", network, epochs=30, validation=0.3, patience=3, optimizer=Adam(0.1))
    assert training.stopped_early
    assert training.best is not None
    best, last = read_checkpoint("mine/best.safetensors"), read_checkpoint(run_folder.latest("mine"))
    assert best.description["training"]["step"] == training.best.step
    assert last.description["training"]["step"] == training.step > training.best.step
    loaded = load_network("mine")
    for name, value in network.params.items():  # `fit` ends at the best epoch
        np.testing.assert_array_equal(loaded.params[name], backend.to_numpy(value))
    assert not any(name.startswith("best.") for name in (*best.arrays, *last.arrays))


def test_checkpoints_are_written_by_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    save, threads = run_folder.save, []

    def saving(*args: Any) -> Path:
        threads.append(threading.current_thread())
        return save(*args)

    monkeypatch.setattr(run_folder, "save", saving)
    trained("mine", epochs=3)
    assert len(threads) == 3
    assert threading.main_thread() not in threads


def test_training_continues_while_a_checkpoint_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    save, reached = run_folder.save, threading.Event()

    def saving(*args: Any) -> Path:
        assert reached.wait(30)
        return save(*args)

    def hook(training: Training) -> None:
        if training.step == 12:  # in the second epoch, while the first checkpoint waits
            assert checkpoints("mine") == []
            reached.set()

    monkeypatch.setattr(run_folder, "save", saving)
    trained("mine", epochs=2, hook=hook, hook_steps=4)
    assert len(checkpoints("mine")) == 2


def test_a_network_that_does_not_classify() -> None:
    network = Network([Affine(np.zeros((4, 2), "f"), np.zeros(2, "f"))], MeanSquaredError())
    trained("mine", network, (X, X[:, :2]), epochs=2, validation=0.2, report=True)
    lines = [line for line in history("mine") if line["event"] == "epoch"]
    assert all(line["accuracy"] is None and line["validation_loss"] > 0.0 for line in lines)
    assert (
        "There is no diagnosis of the network: there is no test data." in Path("mine/report.html").read_text()
    )


def test_a_hook_comes_before_the_checkpoint_of_its_step() -> None:
    def hook(training: Training) -> None:
        training.network.params["b1"] = np.full(8, training.step, "f")

    trained("mine", iterations=12, save_every=4, keep=9, hook=hook, hook_steps=6)
    assert checkpoints("mine") == [f"000000{step}.safetensors" for step in ("04", "08", "12")]
    assert (read_checkpoint("mine/checkpoint-00000012.safetensors").arrays["params.b1"] == 12.0).all()
    resumed = read_checkpoint("mine/checkpoint-00000008.safetensors").arrays["params.b1"]
    assert np.abs(resumed - 6.0).max() < 1.0


def test_progress_and_the_hook_are_called_as_without_a_recorder() -> None:
    def calls(**options: Any) -> list[tuple[str, int]]:
        seen: list[tuple[str, int]] = []
        fit(
            net(), X, T, epochs=3, batch_size=30, rng=1,
            progress=lambda now: seen.append(("progress", now.step)), progress_steps=3,
            hook=lambda now: seen.append(("hook", now.step)), hook_steps=5, **options,
        )  # fmt: skip
        return seen

    assert calls(recorder=RunRecorder("mine", save_every=4, log_every=2, report=False)) == calls()


# ------------------------------------------------------------------------------------------ the command

KINDS: dict[str, dict[str, Any]] = {
    "every epoch": {},
    "every fourth step": {"save_every": 4, "keep": 3},
    "lines": {"log_every": 2},
    "validation": {"validation": 0.3},
    "validation, patience, every third step": {"validation": 0.3, "patience": 3, "save_every": 3},
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_command_writes_the_same(kind: dict[str, Any]) -> None:
    np.savez("small.npz", x_train=X, t_train=T, x_test=X_TEST, t_test=T_TEST)
    words = [word for key, value in kind.items() for word in (f"--{key.replace('_', '-')}", str(value))]
    command = ["train", "--device", "cpu", "--data", "small.npz", "--batch-size", "30", "--iters", "40"]
    network = ["--net", "mlp", "--layers", "4-8-3", "--dropout", "0.2", "--optimizer", "adam", "--lr", "0.1"]
    assert main([*command, *network, *words, "--seed", "3", "--no-report", "--out", "command"]) == 0

    rng, data, held_out = np.random.default_rng(3), (X, T), {"test": TEST}
    if "validation" in kind:
        with np.load("small.npz") as arrays_:
            whole = run_data(dict(arrays_))
        left, held = hold_out(whole, kind["validation"], 3)
        data, held_out = (left.x_train, left.t_train), {"validation": held}
    options = {key: value for key, value in kind.items() if key != "validation"}
    ours = MultiLayerNet(4, [8], 3, dropout_ratio=0.2, rng=rng)
    trained("fit", ours, data, iterations=40, optimizer=Adam(0.1), rng=rng, **options, **held_out)
    expected = contents("command")
    tests = [line for line in expected["history"] if line["event"] == "test"]
    expected["history"] = [line for line in expected["history"] if line not in tests]
    assert len(tests) == ("validation" in kind)  # the command tests its best network at the end
    assert contents("fit") == expected


def run_data(arrays: dict[str, Any]) -> Any:
    from backprop.datasets import Dataset

    return Dataset("small", *(arrays[name] for name in ("x_train", "t_train", "x_test", "t_test")))


def test_commands_on_a_run_of_fit(capsys: pytest.CaptureFixture[str]) -> None:
    training = trained("runs-mine", epochs=3, validation=0.2, test=TEST)
    np.savez("small.npz", x_train=X, t_train=T, x_test=X_TEST, t_test=T_TEST)
    np.save("new.npy", X_TEST[:2])
    assert main(["inspect", "runs-mine"]) == 0
    out = capsys.readouterr().out
    assert "MultiLayerNet(Affine1 · BatchNorm1 · Relu1" in out
    assert "command" not in out
    assert main(["inspect", "runs-mine", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["history"]) == 3
    assert main(["evaluate", "runs-mine", "--data", "small.npz", "--json"]) == 0
    assert training.best is not None
    assert json.loads(capsys.readouterr().out)["accuracy"] == training.best.test_accuracy
    assert main(["predict", "runs-mine", "--input", "new.npy", "--json"]) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])["top"][0]["class"]
    assert first == training.network.predict(X_TEST[:1]).argmax()
    assert main(["report", "runs-mine"]) == 0
    page = Path("runs-mine/report.html").read_text()
    assert "There is no diagnosis of the network: the checkpoint does not name the run" in page
    assert "<title>MultiLayerNet</title>" in page
    words = ["train", "--device", "cpu", "--no-save", "--epochs", "1", "--data", "small.npz", "--batch-size"]
    assert main([*words, "30", "--from", "runs-mine"]) == 0
    capsys.readouterr()
    for command, message in (
        (["train", "--resume", "runs-mine"], "is not of 'backprop train': it has no settings of a run"),
        (["evaluate", "runs-mine"], "give its data, --data PATH"),
    ):
        assert main(command) != 0
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        assert message in err


def test_runs_of_fit_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    for name, epochs in (("a", 1), ("b", 3)):
        trained(name, epochs=epochs, test=TEST)
    trained("other", data=(X[:100], T[:100]), epochs=1, test=TEST)
    assert main(["report", "a", "b", "--out", "page.html"]) == 0
    page = Path("page.html").read_text()
    assert "Best: the highest test accuracy" in page
    assert "iters" not in page
    assert main(["report", "a", "other", "--out", "page.html"]) == 0
    assert "they do not all use the same data" in Path("page.html").read_text()


def test_the_page_at_the_end() -> None:
    trained("mine", epochs=3, test=TEST, report=True)
    page = Path("mine/report.html").read_text()
    assert "Confusion matrix" in page
    assert "<h2>Epochs</h2>" in page
    assert "There is no diagnosis" not in page


def test_a_page_that_cannot_be_written_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise ValueError("no ink")

    monkeypatch.setattr("backprop.report.write_report", fails)
    with pytest.warns(UserWarning, match="no report: no ink; try again with 'backprop report mine'"):
        training = trained("mine", epochs=2, report=True)
    assert (training.step, checkpoints("mine")[-1]) == (14, "00000014.safetensors")


def test_the_style_of_pictures_is_saved() -> None:
    from backprop.datasets import mnist

    data = mnist()
    fit(
        TwoLayerNet(784, 5, 10, rng=0), data.x_train[:300], data.t_train[:300], epochs=1, rng=0,
        recorder=RunRecorder("mine", report=False),
    )  # fmt: skip
    assert read_checkpoint(run_folder.latest("mine")).description["data"]["pictures"] == {
        "ink": "bright",
        "box": 20,
    }


# ----------------------------------------------------------------------------------------- resuming


RESUMED: dict[str, dict[str, Any]] = {
    "every epoch": {},
    "every third step": {"save_every": 3, "keep": 99},
    "lines": {"log_every": 3},
    "validation": {"validation": 0.3},
    "validation, every third step": {"validation": 0.3, "save_every": 3, "keep": 99},
    "validation and patience": {"validation": 0.3, "patience": 9},
    "with replacement": {"sampling": "with-replacement", "save_every": 4},
}


@pytest.mark.parametrize("parts", [(10, 24), (3, 5, 10, 24), (14, 24), (10, 17)])
@pytest.mark.parametrize("kind", RESUMED.values(), ids=RESUMED)
def test_a_resumed_run_is_the_same_run(kind: dict[str, Any], parts: tuple[int, ...]) -> None:
    whole, network = net(), net()
    trained("whole", whole, iterations=parts[-1], **{"log_every": 3, **kind})
    first, *others = parts
    trained("parts", network, iterations=first, **{"log_every": 3, **kind})
    for steps in others:
        network = net()
        training = trained("parts", network, iterations=steps, resume=True, **{"log_every": 3, **kind})
    assert training.step == parts[-1]
    assert history("parts") == history("whole")
    last = f"checkpoint-{parts[-1]:08d}.safetensors"
    for name in (last, "best.safetensors", "best-whole.safetensors"):
        assert Path("parts", name).exists() == Path("whole", name).exists()
        if Path("whole", name).exists():
            assert arrays(Path("parts", name)) == arrays(Path("whole", name))
    for name, value in whole.params.items():
        np.testing.assert_array_equal(network.params[name], value)


def test_resume_into_another_folder(backend: Backend) -> None:
    trained("first", net(backend), epochs=4, validation=0.3)
    trained("whole", net(backend), epochs=8, validation=0.3)
    before = contents("first")
    for number, source in enumerate(["first", Path("first/checkpoint-00000020.safetensors")]):
        training = trained(f"other-{number}", net(backend), epochs=8, validation=0.3, resume=source)
        assert training.step == 40
        assert arrays(run_folder.latest(f"other-{number}")) == arrays(run_folder.latest("whole"))
        assert arrays(run_folder.trained(f"other-{number}")) == arrays(run_folder.trained("whole"))
    assert contents("first") == before


def test_resume_from_an_earlier_checkpoint() -> None:
    trained("mine", epochs=4, keep=9)
    before = history("mine")
    recorder = RunRecorder("mine", keep=9, report=False, resume="mine/checkpoint-00000014.safetensors")
    with recorder:
        training = Training(net(), X, T, optimizer=Adam(0.01), batch_size=30, rng=1, epochs=4)
        with recorder.record(training):
            assert recorder.later == [Path(f"mine/checkpoint-000000{step}.safetensors") for step in (21, 28)]
            next(training)
            recorder.save(training)
            assert checkpoints("mine") == [f"000000{step}.safetensors" for step in ("07", "14", "21")]
            assert recorder.later == []
            list(training)
    assert history("mine") == before


def test_a_finished_run_has_nothing_left_to_do() -> None:
    trained("mine", epochs=3, validation=0.3)
    before = contents("mine")
    training = trained("mine", epochs=3, validation=0.3, resume=True)
    assert contents("mine") == before
    assert training.step == 15


def test_the_best_weights_are_read_from_the_folder() -> None:
    training = trained("mine", epochs=12, validation=0.3, optimizer=Adam(0.1))
    assert training.best is not None
    assert training.best.epoch < 12
    again = net()
    trained("mine", again, epochs=12, validation=0.3, optimizer=Adam(0.1), resume=True)  # warnings are errors
    for name, value in training.network.params.items():
        np.testing.assert_array_equal(again.params[name], value)


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "data": (
        {"data": (X + np.float32(0.5), T)},
        "checkpoint-00000014.safetensors is from a run on other data",
    ),
    "test data": ({"test": (X_TEST + np.float32(0.5), T_TEST)}, "is from a run on other data"),
    "batch size": ({"batch_size": 20}, "is from another run: batch_size 20 here, 30 there"),
    "fewer steps": ({"epochs": 1}, "is at step 14, past the 7 requested"),
}


@pytest.mark.parametrize(("change", "message"), CHANGES.values(), ids=CHANGES)
def test_another_run_is_not_resumed(change: dict[str, Any], message: str) -> None:
    trained("mine", epochs=2, test=TEST)
    before = contents("mine")
    with pytest.raises(CheckpointError, match=message):
        trained("mine", **{"epochs": 3, "test": TEST, "resume": True, **change})
    assert contents("mine") == before


# ------------------------------------------------------------------------------------------ what is refused


def test_a_folder_with_a_run_is_not_overwritten() -> None:
    trained("mine", epochs=1)
    before = contents("mine")
    expected = re.escape(
        "mine already has a run, checkpoint-00000007.safetensors: resume it with RunRecorder('mine', "
        "resume=True), or give RunRecorder another folder"
    )
    with pytest.raises(RunFolderError, match=f"^{expected}$"):
        trained("mine", epochs=1)
    trained("other", epochs=1)
    with pytest.raises(RunFolderError, match=f"^{expected}$"):
        trained("mine", epochs=1, resume="other")
    assert contents("mine") == before


def test_there_is_nothing_to_resume() -> None:
    with pytest.raises(CheckpointError, match="^mine: no such file or folder$"):
        trained("mine", epochs=1, resume=True)
    assert not Path("mine").exists()
    Path("mine").mkdir()
    with pytest.raises(CheckpointError, match="^mine: no checkpoint in this folder$"):
        trained("mine", epochs=1, resume=True)
    trained("runs", epochs=1)
    assert os.listdir("mine") == ["lock"]


def test_two_ways_to_resume() -> None:
    checkpoint = fit(net(), X, T, epochs=1).checkpoint()
    with pytest.raises(ValueError, match="give the run to resume to the recorder alone"):
        fit(net(), X, T, epochs=2, resume=checkpoint, recorder=RunRecorder("mine"))
    assert not Path("mine").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"save_every": 0}, 'expected save_every="epoch" or a number of steps, got 0'),
        ({"save_every": None}, 'expected save_every="epoch" or a number of steps, got None'),
        ({"save_every": True}, 'expected save_every="epoch" or a number of steps, got True'),
        ({"save_every": "step"}, "expected save_every=\"epoch\" or a number of steps, got 'step'"),
        ({"keep": 0}, "expected keep to be a whole number of at least 1, got 0"),
        ({"log_every": 2.5}, "expected log_every to be a whole number of at least 1, got 2.5"),
    ],
)
def test_invalid_arguments(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        RunRecorder("mine", **options)


def test_a_folder_that_cannot_be_used() -> None:
    Path("file").touch()
    for name, why in (("file", "it is a file"), ("no/where", "there is no folder no")):
        with pytest.raises(RunFolderError, match=f"^{name} cannot be used for the run: {why}\\n") as error:
            trained(name, epochs=1)
        assert error.value.__notes__ == ["give RunRecorder another folder"]


def test_a_folder_is_locked_while_it_is_used() -> None:
    def second(_: Training) -> None:
        with pytest.raises(RunFolderError, match=f"mine is in use by process {os.getpid()} on "):
            trained("mine", epochs=1)

    trained("mine", epochs=1, hook=second, hook_steps=7)
    trained("mine", epochs=2, resume=True)


def test_wrong_arguments_of_fit_leave_no_folder() -> None:
    with pytest.raises(ValueError, match="batch size"):
        trained("mine", epochs=1, batch_size=1000)
    assert not Path("mine").exists()


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    write, left = run_folder.write_checkpoint, [2]

    def writing(path: Path, checkpoint: Any) -> None:
        if left[0] == 0:
            raise WriteError(path, OSError(28, "No space left on device"), 9)
        left[0] -= 1
        write(path, checkpoint)

    monkeypatch.setattr(run_folder, "write_checkpoint", writing)
    with pytest.raises(WriteError, match="no space left on device; it needs 9 bytes") as error:
        trained("mine", epochs=9)
    assert error.value.__notes__ == ["make room, then resume with: RunRecorder('mine', resume=True)"]
    with pytest.raises(WriteError) as error:
        trained("other", epochs=9)
    assert error.value.__notes__ == ["give RunRecorder another folder"]
    monkeypatch.undo()
    os.chdir(Path("mine").resolve().parent)


# ------------------------------------------------------------------------------------------ interrupted


SCRIPT = """
import os, signal, sys
import numpy as np
from backprop import MultiLayerNet, RunRecorder, fit
kind, step = sys.argv[1], int(sys.argv[2])
if kind == "interactive": sys.ps1 = "> "
rng = np.random.default_rng(0)
x, t = rng.random((200, 4), "float32"), rng.integers(0, 3, 200)
def press(training):
    if training.step == step:
        os.kill(os.getpid(), signal.SIGINT)
        if kind == "twice":
            os.kill(os.getpid(), signal.SIGINT)
network = MultiLayerNet(4, [8], 3, dropout_ratio=0.2, rng=0)
recorder = RunRecorder("mine", save_every=100, report=False, resume=kind == "resume")
hook = {} if kind == "resume" else {"hook": press, "hook_steps": 1}
training = fit(network, x, t, epochs=5, batch_size=30, rng=0, validation=0.2, recorder=recorder, **hook)
print("ended", training.stopped, training.step)
"""


def script(kind: str, step: int = 8) -> tuple[int, str, str]:
    command = [sys.executable, "-c", SCRIPT, kind, str(step)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("step", [1, 8, 12, 30])
def test_ctrl_c_saves_and_the_run_resumes(step: int) -> None:
    assert script("whole", 10**6)[1] == "ended False 30\n"
    os.rename("mine", "whole")
    status, out, err = script("script", step)
    assert (status, out) == (-2, "") or status == 130
    assert f"KeyboardInterrupt: after step {step}\n" in err
    assert "resume with: RunRecorder('mine', resume=True)\n" in err
    assert checkpoints("mine")[-1] == f"{step:08d}.safetensors"
    assert script("resume")[1] == "ended False 30\n"
    assert history("mine") == history("whole")
    for name in ("checkpoint-00000030.safetensors", "best.safetensors"):
        assert arrays(Path("mine", name)) == arrays(Path("whole", name))


def test_ctrl_c_in_an_interactive_session() -> None:
    assert script("interactive") == (0, "ended True 8\n", "")
    assert checkpoints("mine") == ["00000008.safetensors"]


def test_a_second_ctrl_c_does_not_save() -> None:
    status, out, err = script("twice")
    assert status != 0
    assert out == ""
    assert "KeyboardInterrupt" in err
    assert checkpoints("mine") == []
    with run_folder.locked(Path("mine")):  # it is free
        pass


def test_stopped_by_a_hook() -> None:
    training = trained("mine", epochs=4, save_every=100, hook=lambda now: now.stop(), hook_steps=9)
    assert training.stopped
    assert checkpoints("mine") == ["00000009.safetensors"]
    assert not Path("mine/report.html").exists()


def test_a_divergence_names_the_last_good_checkpoint() -> None:
    def spoil(training: Training) -> None:
        if training.step == 12:
            training.network.params["W1"] = np.full((4, 8), np.inf, "f")

    for save_every, kept in ((5, "the last good checkpoint is mine/checkpoint-00000010.safetensors"),
                             (100, "no checkpoint was saved")):  # fmt: skip
        with pytest.raises(DivergenceError, match=f"training diverged at step .*; {kept}$"):
            trained(
                "mine" if save_every == 5 else "none",
                epochs=4,
                save_every=save_every,
                hook=spoil,
                hook_steps=6,
            )


def test_weights_spoilt_by_a_hook_are_not_saved() -> None:
    """The hook and the checkpoint are due at the same step."""

    def spoil(training: Training) -> None:
        training.network.params["W1"] = np.full((4, 8), np.nan, "f")

    with pytest.raises(DivergenceError):
        trained("mine", epochs=4, save_every=6, hook=spoil, hook_steps=6)
    assert checkpoints("mine") == []


def test_an_error_of_a_hook_unlocks_the_folder() -> None:
    def fails(_: Training) -> None:
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        trained("mine", epochs=3, hook=fails, hook_steps=10)
    assert checkpoints("mine") == ["00000007.safetensors"]
    assert trained("mine", epochs=3, resume=True).step == 21


# ------------------------------------------------------------------------------------------ a custom loop


def own(**options: Any) -> Training:
    return Training(net(), X, T, optimizer=Adam(0.01), batch_size=30, rng=1, **options)


def test_a_custom_loop() -> None:
    training, recorder = own(epochs=3, test=TEST), RunRecorder("mine", report=False)
    with recorder.record(training):
        for metrics in training:
            assert history("mine")[-1]["epoch"] == metrics.epoch  # the line is there before the body
    trained("fit", epochs=3, test=TEST)
    assert contents("mine") == contents("fit")
    assert recorder.checkpoint == Path("mine/checkpoint-00000021.safetensors")


def test_a_loop_that_is_left_early_is_saved() -> None:
    training = own(epochs=5)
    with RunRecorder("mine", save_every=100).record(training):
        for metrics in training:
            if metrics.epoch == 2:
                break
    assert checkpoints("mine") == ["00000014.safetensors"]
    assert not Path("mine/report.html").exists()
    with RunRecorder("mine", save_every=100, resume=True, report=False).record(again := own(epochs=5)):
        list(again)
    trained("whole", epochs=5)
    assert arrays(run_folder.latest("mine")) == arrays(run_folder.latest("whole"))


@pytest.mark.parametrize("ending", ["end", "error"])
def test_a_training_is_released(ending: str) -> None:
    """After the context, the training has no reference to the recorder."""
    training = own(epochs=2)
    seen: list[Callable[..., Any]] = [lambda *_: None]
    training.on_epoch += seen
    recorder = RunRecorder("mine", save_every=2, log_every=2, report=False)
    try:
        with recorder.record(training):
            assert (len(training.on_epoch), len(training.on_steps), len(training.on_progress)) == (2, 1, 1)
            if ending == "error":
                raise RuntimeError
    except RuntimeError:
        pass
    assert (training.on_epoch, training.on_steps, training.on_progress) == (seen, [], [])
    list(training)


def test_a_recorder_can_be_reused() -> None:
    recorder = RunRecorder("mine", report=False, resume=True)
    trained("mine", epochs=2, validation=0.3)
    for epochs in (4, 6):
        options = {"optimizer": Adam(0.01), "batch_size": 30, "rng": 1, "validation": 0.3}
        fit(net(), X, T, epochs=epochs, recorder=recorder, **options)
    trained("whole", epochs=6, validation=0.3)
    assert contents("mine") == contents("whole")


@pytest.mark.parametrize("nested", [False, True])
def test_a_second_training_does_not_overwrite_the_first(nested: bool) -> None:
    recorder = RunRecorder("mine", report=False)
    options = {"epochs": 2, "batch_size": 30, "rng": 1, "recorder": recorder}

    def second(_: Training) -> None:
        with pytest.raises(ValueError, match="the recorder of mine keeps a training already: make one for"):
            fit(net(), X, T, **options)

    with recorder:
        if nested:
            fit(net(), X, T, hook=second, hook_steps=9, **options)
        else:
            second(fit(net(), X, T, **options))
    trained("alone", epochs=2, optimizer=None)
    assert contents("mine") == contents("alone")


def test_what_is_no_recorder() -> None:
    with pytest.raises(TypeError, match=r"expected a RunRecorder, such as RunRecorder\(.*, got 'runs/mine'"):
        fit(net(), X, T, epochs=1, recorder="runs/mine")  # type: ignore[arg-type]


def test_epochs_before_the_recording_are_in_the_history() -> None:
    training = Training(net(), X, T, epochs=3, batch_size=30, rng=1)
    next(training)
    with RunRecorder("mine", report=False).record(training):
        list(training)
    lines = history_file.read_history(Path("mine"))
    assert [line["step"] for line in lines if line["event"] == "epoch"] == [7, 14, 21]
    assert next(line["step"] for line in lines if line["event"] == "steps") > 7


def test_runs_without_test_data_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        trained(name, epochs=1)
    assert main(["report", "a", "b", "--out", "page.html"]) == 0
    assert capsys.readouterr().out.split() == ["run", "a", "b", "page.html"]


def test_the_lines_before_a_checkpoint_are_written_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    save, seen = run_folder.save, []

    def saving(folder: Path, checkpoint: Any, keep: int) -> Path:
        lines = history_file.by_event(history_file.read_history(folder)).steps
        seen.append((checkpoint.description["training"]["step"], lines[-1]["step"]))
        return save(folder, checkpoint, keep)

    monkeypatch.setattr(run_folder, "save", saving)
    trained("mine", iterations=14, save_every=4, hook=lambda _: time.sleep(0.05), hook_steps=4)
    assert [step for step, _ in seen] == [4, 8, 12, 14]
    assert all(line >= step for step, line in seen)


def test_a_run_of_the_command_is_resumed_by_the_command() -> None:
    np.savez("small.npz", x_train=X, t_train=T, x_test=X_TEST, t_test=T_TEST)
    command = ["train", "--device", "cpu", "--data", "small.npz", "--batch-size", "30", "--epochs", "1"]
    assert main([*command, "--hidden", "8", "--no-report", "--quiet", "--out", "mine"]) == 0
    network = TwoLayerNet(4, 8, 3, rng=7)
    before, files = network.flat_params["flat"].copy(), contents("mine")
    with pytest.raises(CheckpointError, match="resume it with backprop train --resume mine"):
        fit(network, X, T, epochs=2, batch_size=30, rng=0, recorder=RunRecorder("mine", resume=True))
    assert np.array_equal(network.flat_params["flat"], before)
    assert contents("mine") == files
