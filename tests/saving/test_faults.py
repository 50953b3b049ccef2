"""What happens to a run when something goes wrong: kills, full disks, signals, divergence, closed pipes.

`nox -s faults` runs these, and those of the checkpoints, with many more tries.
"""

from __future__ import annotations

import os
import resource
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop.files import TEMPORARY
from backprop.saving import history_file, run_folder
from backprop.saving.checkpoint import read_checkpoint

KILLS = int(os.environ.get("TEST_KILLS", "20"))
STOPS = 30

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and limits as POSIX has them")

TRAIN = ["train", "--device", "cpu", "--data", "small.npz", "--batch-size", "20", "--no-report"]
NET = ["--net", "mlp", "--layers", "4-16-16-3", "--batch-norm", "--dropout", "0.2", "--optimizer", "adam"]
RUN = [*TRAIN, *NET, "--epochs", "60", "--out", "run"]


def write_data(folder: Path) -> None:
    rng = np.random.default_rng(0)
    t_train, t_test = rng.integers(0, 3, 390), rng.integers(0, 3, 50)
    x_train, x_test = (rng.standard_normal((len(t), 4)) + 2.0 * np.eye(3, 4)[t] for t in (t_train, t_test))
    arrays = {
        "x_train": x_train.astype("f"),
        "t_train": t_train,
        "x_test": x_test.astype("f"),
        "t_test": t_test,
    }
    np.savez(folder / "small.npz", **arrays)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, ...]:
    """The result of an undisturbed run."""
    folder = tmp_path_factory.mktemp("whole")
    write_data(folder)
    assert done(*RUN, cwd=folder)[0] == 0
    return final(folder / "run")


def start(*words: str, before: str = "", **options: Any) -> subprocess.Popen[str]:
    """The command line in a separate process, after some Python code that interferes with it."""
    code = f"import sys\nfrom backprop.cli import main\n{before}\nsys.exit(main({list(words)!r}))"
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", code], stdout=pipe, stderr=pipe, text=True, **options)


def done(*words: str, before: str = "", **options: Any) -> tuple[int, str, str]:
    """Status, stdout and stderr, which never has a traceback."""
    process = start(*words, before=before, **options)
    out, err = process.communicate(timeout=120)
    assert "Traceback" not in out + err
    return process.returncode, out, err


def final(folder: str | Path) -> tuple[Any, ...]:
    """Everything in a finished run except its times."""
    last = run_folder.checkpoints(Path(folder))[-1]
    checkpoint = read_checkpoint(last)
    arrays = {
        k: (v.dtype.str, v.shape, v.tobytes()) for k, v in checkpoint.arrays.items() if k != "history.seconds"
    }
    place = {k: v for k, v in checkpoint.description["training"].items() if k != "seconds"}
    lines = [
        {k: v for k, v in line.items() if k != "seconds"} for line in history_file.read_history(Path(folder))
    ]
    return last.name, arrays, place, lines


def resumed(err: str) -> None:
    """Run the command from the message."""
    command = err.strip().rpartition("resume with: ")[2]
    name, *words = shlex.split(command)
    assert name == "backprop"
    status, _, err = done(*words)
    assert (status, err) == (0, "")


WRITER = """
import sys, numpy as np
from pathlib import Path
from backprop.saving import history_file, run_folder
from backprop.saving import Checkpoint, write_checkpoint
step = int(sys.argv[1])
with run_folder.locked(Path(".")):
    print(sorted(p.name for p in Path(".").glob(".*")), flush=True)
    while True:
        step += 1
        arrays = {"a": np.full(400_000, step, "int32")}
        write_checkpoint("a.safetensors", Checkpoint({"step": step}, arrays))
"""


def test_killed_while_saving() -> None:
    rng = np.random.default_rng(0)
    step, left_over = 0, 0
    for _ in range(KILLS):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(step)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "[]\n"  # what was left over has been swept
            time.sleep(float(rng.uniform(0.0, 0.05)))
            writer.kill()
        left_over += len(list(Path().glob(f".*{TEMPORARY}")))
        if not Path("a.safetensors").exists():
            continue
        checkpoint = read_checkpoint("a.safetensors")
        assert checkpoint.description["step"] >= step
        step = checkpoint.description["step"]
        assert (checkpoint.arrays["a"] == step).all()
    assert step > 0
    assert left_over > 0  # some kills came within a write


@pytest.mark.parametrize("most", [0, 1, 100, 1000, 4000])
def test_a_full_disk(most: int) -> None:
    """A limit on file sizes makes the same calls fail as a full disk."""
    assert done(*RUN[:-3], "2", "--out", "run")[0] == 0
    before = run_folder.checkpoints(Path("run"))
    kept = [path.read_bytes() for path in before]
    assert most < len(kept[0])
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))  # noqa: E731
    status, _, err = done("train", "--resume", "run", "--epochs", "4", preexec_fn=limit)
    assert status == 1
    assert err.count("\n") == 1
    assert "run" in err
    assert "file too large" in err
    assert [path.read_bytes() for path in before] == kept
    assert done("train", "--resume", "run", "--epochs", "4")[0] == 0
    assert not list(Path("run").glob(f".*{TEMPORARY}"))


def test_a_full_disk_says_how_much_is_needed() -> None:
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))  # noqa: E731
    status, _, err = done(*RUN, preexec_fn=limit)
    assert status == 1
    assert "run/checkpoint-00000020.safetensors cannot be written: file too large; it needs " in err
    assert err.endswith("bytes; give another folder with --out DIR, or save nothing with --no-save\n")


def test_stopped_at_a_random_step_and_resumed(whole: tuple[Any, ...]) -> None:
    """SIGINT or SIGTERM in a step: the run is saved right after it, and resumes as if uninterrupted."""
    steps = np.random.default_rng(1).choice(np.arange(1, 1200), STOPS, replace=False)
    for i, step in enumerate(map(int, steps)):
        out, number = f"run-{i}", signal.SIGINT if i % 2 else signal.SIGTERM
        status, _, err = done(*RUN[:-1], out, before=AT_STEP.format(step=step, number=int(number)))
        assert status == 128 + number
        assert err.startswith(f"backprop: interrupted after step {step:,}; resume with: ")
        resumed(err)
        assert final(out) == whole


AT_STEP = """
import os
from backprop.training.epoch import Epoch
parts = Epoch.run
def signalled(self, *ends):
    for i in parts(self, *ends):
        if self.done + i == {step}:
            os.kill(os.getpid(), {number})
        yield i
Epoch.run = signalled
"""

WHERE = {
    "step": "import backprop.training.step as m; kind, name, call = m.TrainStep, '__call__', 2",
    "evaluation": "import backprop.networks.network as m; kind, name, call = m.Network, 'scaled', 30",
    "save": "import backprop.saving.run_folder as m; kind, name, call = m, 'write_checkpoint', 3",
    "flush": "import os as m; kind, name, call = m, 'fsync', 7",
    "rename": "import os as m; kind, name, call = m, 'replace', 9",
    "history": "import backprop.saving.history_file as m; kind, name, call = m, 'add_history', 2",
}
SIGNALLED = """
import os
{where}
original, calls = getattr(kind, name), 0
def signalled(*args, **options):
    global calls
    calls += 1
    if calls == call:
        os.kill(os.getpid(), {number})
    return original(*args, **options)
setattr(kind, name, signalled)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("where", WHERE)
def test_a_signal(where: str, number: int, whole: tuple[Any, ...]) -> None:
    status, _, err = done(*RUN, before=SIGNALLED.format(where=WHERE[where], number=int(number)))
    assert status == 128 + number
    assert err.count("\n") == 1
    resumed(err)
    assert final("run") == whole


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_data_are_loaded(number: int) -> None:
    where = "import backprop.cli.train as m; kind, name, call = m, 'dataset_at', 1"
    status, out, err = done(*RUN, before=SIGNALLED.format(where=where, number=int(number)))
    assert (status, out) == (128 + number, "")
    assert err == "backprop: interrupted before the first step\n"
    assert not Path("run").exists()


def test_the_second_signal_ends_at_once() -> None:
    slow = """
import time
from backprop.training.epoch import Epoch
parts = Epoch.run
def sleeping(self, *ends):
    for i in parts(self, *ends):
        print("slow", flush=True)
        for _ in range(600): time.sleep(0.1)
        yield i
Epoch.run = sleeping
"""
    with start(*RUN, before=slow) as process:
        assert process.stdout is not None
        assert "slow\n" in process.stdout
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        began = time.perf_counter()
        assert process.wait(10) == -signal.SIGINT
        assert time.perf_counter() - began < 1.0


def test_two_processes_in_one_folder() -> None:
    with start(*RUN[:-3], "100000", "--out", "run") as first:
        assert first.stdout is not None
        assert any(line.startswith("    1") for line in iter(first.stdout.readline, ""))
        status, out, err = done("train", "--resume", "run")
        assert (status, out) == (1, "")
        assert f"run is in use by process {first.pid} on " in err
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=60)
        assert first.returncode == 128 + signal.SIGTERM
    assert read_checkpoint(run_folder.checkpoints(Path("run"))[-1]).description["training"]["step"] > 0


DIVERGING: dict[str, tuple[list[str], str]] = {
    "learning rate 1e5": (["--lr", "1e5"], r"the first NaN or infinity is in the "),
    "infinite weights": (["--init", "1e30"], "the first NaN or infinity is in the output of"),
}


@pytest.mark.parametrize(("words", "message"), DIVERGING.values(), ids=DIVERGING)
def test_divergence(words: list[str], message: str) -> None:
    status, _, err = done(*TRAIN, "--epochs", "500", "--out", "run", "--save-every", "1", *words)
    assert status == 3
    assert err.count("\n") == 1
    assert err.startswith("backprop: error: training diverged at step ")
    assert message in err
    kept = run_folder.checkpoints(Path("run"))
    if not kept:
        assert err.endswith("no checkpoint was saved\n")
        return
    assert err.endswith(f"the last good checkpoint is {kept[-1]}\n")
    step = int(err.split("at step ")[1].split(":")[0])
    assert kept[-1].name == f"checkpoint-{step - 1:08d}.safetensors"
    for value in read_checkpoint(kept[-1]).arrays.values():
        assert np.isfinite(value).all()


def test_a_closed_pipe() -> None:
    words = [*RUN[:-3], "1000000", "--out", "run"]
    command = f"{shlex.quote(sys.executable)} -m backprop {shlex.join(words)} | head -n 2"
    finished = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=True)
    assert finished.stdout.count("\n") == 2
    assert finished.stderr.startswith("backprop: the output was closed; stopped after step ")
    assert finished.stderr.count("\n") == 1
    step = int(finished.stderr.split("after step ")[1].split(";")[0].replace(",", ""))
    assert run_folder.checkpoints(Path("run"))[-1].name == f"checkpoint-{step:08d}.safetensors"


@pytest.mark.parametrize(
    "more",
    [{"LANG": "C"}, {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"COLUMNS": "40"}],
)
def test_without_a_terminal(more: dict[str, str]) -> None:
    status, out, err = done(*RUN, env={**os.environ, **more})
    assert (status, err) == (0, "")
    assert all(character.isprintable() or character == "\n" for character in out)
