"""What goes wrong in one process ends all of them, with its message, and loses nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from backends.launch import launched, launched_local_rank, launched_rank, uses_mpi
from backprop.saving import run_folder
from backprop.saving.checkpoint import read_checkpoint

from .launched import Ended, is_open_mpi, launch, run

SOON = 60.0
"""Seconds until a program that ends by itself is taken for one that hangs; it needs a few."""

PROGRAM = """
import os, sys, time, warnings
import numpy as np
from backends import world
from backprop import SGD, Affine, Network, Training, TwoLayerNet

warnings.simplefilter("ignore")
processes = world()
x, t = np.random.default_rng(0).standard_normal((200, 4)).astype("float32"), np.arange(200) % 3
options = {"epochs": 3, "batch_size": 20, "rng": 0}
network = TwoLayerNet(4, 5, 3, rng=0)
"""


@pytest.mark.parametrize("rank", [0, 1])
def test_an_exception_in_one_process_ends_all(rank: int) -> None:
    ended = run(
        3,
        PROGRAM
        + f"""
def fail(training):
    if processes.rank == {rank} and training.step >= 7:
        raise LookupError("lost")
list(Training(network, x, t, hook=fail, hook_steps=1, **options))
""",
    )
    assert ended.status != 0
    assert f"process {rank} of 3:" in ended.err
    assert "LookupError: lost" in ended.err


@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_ends_all(rank: int) -> None:
    program = f"""
def die(training):
    if processes.rank == {rank} and training.step == 7:
        os.kill(os.getpid(), 9)
list(Training(network, x, t, hook=die, hook_steps=1, **options))
"""
    assert run(3, PROGRAM + program).status != 0


def test_a_stop_in_one_process_stops_all_after_the_same_step() -> None:
    program = """
def stop(training):
    if processes.rank == 1 and training.step == 7:
        training.stop()
training = Training(network, x, t, hook=stop, hook_steps=1, **options)
list(training)
assert training.stopped
assert set(processes.gather(training.step)) == {8}, training.step
"""
    ended = run(3, PROGRAM + program)
    assert ended.status == 0, ended.err


def test_a_divergence_is_found_by_all_at_the_same_step() -> None:
    program = """
from backprop import DivergenceError
training = Training(network, x, t, optimizer=SGD(1e30), **options)
try:
    list(training)
except DivergenceError as error:
    found = processes.gather((error.step, error.where))
    assert len(set(found)) == 1, found
else:
    raise AssertionError
"""
    ended = run(3, PROGRAM + program)
    assert ended.status == 0, ended.err


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("options['batch_size'] = 20 + processes.rank", "batch_size 20 in process 0, 21 in process 1"),
        ("x = x + processes.rank", "data .* in process 0, .* in process 1"),
        ("network = TwoLayerNet(4, 5 + processes.rank, 3)", "network .* in process 0, .* in process 1"),
        ("options['optimizer'] = SGD(0.1 + processes.rank)", "optimizer .* in process 0, .* in process 1"),
        (
            "import platform; version = f'3.{processes.rank}'; platform.python_version = lambda: version",
            "Python 3.0 in process 0, 3.1 in process 1",
        ),
        (
            "np.__version__ = f'2.{processes.rank}'",
            "NumPy 2.0 in process 0, 2.1 in process 1; backend numpy 2.0 in process 0, numpy 2.1 in process 1",
        ),
        ("options['shards'] = 1", "at least as many shards as processes, got 1 for 2"),
        ("options['shards'] = 21", "at most as many shards as samples in a batch, got 21 for batch_size 20"),
    ],
)
def test_what_does_not_fit_is_said_before_the_first_step(given: str, message: str) -> None:
    program = f"""
import re
{given}
try:
    list(Training(network, x, t, **options))
except ValueError as error:
    assert re.search({message!r}, str(error)), error
    assert not network.last_layer._saved
else:
    raise AssertionError("no error")
"""
    ended = run(2, PROGRAM + program)
    assert ended.status == 0, ended.err


def test_a_layer_that_keeps_values_elsewhere_is_refused() -> None:
    program = """
class Box:
    def forward(self, x):
        self.x = x
        return x * x
class Square(Affine):
    box = Box()  # of all replicas
    def forward(self, x, *, training=False):
        return super().forward(self.box.forward(x), training=training)
    def backward(self, dout):
        return 2.0 * self.box.x * super().backward(dout)
rng = np.random.default_rng(0)
first = Affine(rng.standard_normal((4, 4)).astype("float32"), np.zeros(4, "float32"))
network = Network([first, Square(rng.standard_normal((4, 3)).astype("float32"), np.zeros(3, "float32"))])
try:
    list(Training(network, x, t, shards=4, **options))
except ValueError as error:
    assert "shards=4: " in str(error), error
else:
    raise AssertionError("no error")
"""
    ended = run(2, PROGRAM + program)
    assert ended.status == 0, ended.err


def test_processes_that_are_not_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mpi4py")
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "3")
    said = subprocess.run(
        [sys.executable, "-c", "from backends import world; world()"],
        capture_output=True, text=True, check=False, timeout=SOON,
    )  # fmt: skip
    assert said.returncode == 1
    assert "MPIError: 3 processes were started, but each is alone: mpi4py uses" in said.stderr


@pytest.mark.parametrize("rank", [0, 1])
def test_an_exception_while_the_others_wait_for_the_start_ends_all(rank: int) -> None:
    program = f"""
from backends.launch import launched_rank
from backends import world
if launched_rank() == {rank}:
    raise LookupError("lost")
world()
"""
    ended = run(3, program)
    assert ended.status in (signal.SIGTERM, 128 + signal.SIGTERM)
    assert f"process {rank} of 3:" in ended.err
    assert "LookupError: lost" in ended.err


def test_an_exception_ends_a_process_by_itself_where_the_others_do_not_train() -> None:
    """MPI, which would wait for the others, is not needed."""
    program = """
import backends
from backends.launch import launched_rank
if launched_rank() == 1:
    raise LookupError("lost")
"""
    ended = run(2, program)
    assert ended.status != 0
    assert "LookupError: lost" in ended.err


def test_prterun_says_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mpi4py")
    monkeypatch.setenv("PMIX_RANK", "1")
    assert (launched(), launched_rank()) == (1, 1)
    said = subprocess.run(
        [sys.executable, "-m", "backprop", "train", "--no-save"],
        capture_output=True, text=True, check=False, timeout=SOON,
    )  # fmt: skip
    assert said.returncode != 0
    alone = "error: process 1 of several was started, but each is alone"
    assert alone in said.stderr or "PMI" in said.stderr  # MPICH refuses to start by itself
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "1")
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "0")
    assert (launched(), launched_rank(), uses_mpi()) == (1, 0, "mpi4py.MPI" in sys.modules)


def test_the_innermost_launcher_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "4")
    monkeypatch.setenv("SLURM_PROCID", "3")
    monkeypatch.setenv("SLURM_LOCALID", "1")
    assert (launched(), launched_rank(), launched_local_rank()) == (4, 3, 1)
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "1")
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "0")
    assert (launched(), launched_rank(), launched_local_rank()) == (1, 0, None)


def test_the_launcher_says_which_one_it_is_on_its_machine() -> None:
    program = """
import os
from backends.launch import launched_local_rank, launched_rank
os.write(1, f"{launched_rank()} {launched_local_rank()}\\n".encode())  # in one piece
"""
    ended = run(2, program)
    assert sorted(ended.out.split("\n")) == ["", "0 0", "1 1"], ended.err


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("raise ImportError", "3 processes were started, but mpi4py is not installed: pip install mpi4py"),
        ("__version__ = '4.1.2'", "mpi4py 4.1.2 finds no MPI library"),
    ],
)
def test_mpi4py_is_missing_or_has_no_library(
    module: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mpi4py").mkdir()
    (tmp_path / "mpi4py" / "__init__.py").write_text(module)
    monkeypatch.setenv("PMI_SIZE", "3")
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from backends import world; world()"
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=SOON
    )
    assert said.returncode == 1
    assert f"MPIError: {message}" in said.stderr


def test_one_process_imports_no_mpi() -> None:
    code = """
import sys
from backends import world
assert (world().rank, world().size) == (0, 1)
assert not any(name.startswith("mpi4py") for name in sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=SOON)


# The command


def test_unconnected_processes_tell_it_once(data: str, tmp_path: Path) -> None:
    pytest.importorskip("mpi4py")
    told = []
    for rank in range(2):
        launcher = {"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": str(rank)}
        command = [sys.executable, "-m", "backprop", "train", "--data", data, "--out", str(tmp_path / "run")]
        ended = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=SOON, env={**os.environ, **launcher}
        )
        assert ended.returncode == 1
        told.append(ended.stderr.count("2 processes were started, but each is alone"))
    assert told == [1, 0]


@pytest.fixture
def data(tmp_path: Path) -> str:
    rng = np.random.default_rng(0)
    t = rng.integers(0, 10, 1500).astype("uint8")
    x = (rng.integers(0, 60, (1500, 8, 8)) + 18 * t[:, None, None]).astype("uint8")
    path = tmp_path / "data.npz"
    np.savez(path, x_train=x[:1200], y_train=t[:1200], x_test=x[1200:], y_test=t[1200:])
    return str(path)


def train(
    processes: int,
    data: str,
    out: Path,
    *options: str,
    then: Callable[[subprocess.Popen[str]], None] | None = None,
) -> Ended:
    command = (sys.executable, "-m", "backprop", "train", "--device", "cpu", "--no-report", "--data", data)
    return launch(processes, *command, "--out", str(out), *options, then=then)


def weights(folder: Path) -> bytes:
    arrays = read_checkpoint(run_folder.latest(folder)).arrays
    return b"".join(arrays[name].tobytes() for name in sorted(arrays) if name.startswith("params"))


def test_the_command_prints_and_saves_once(data: str, tmp_path: Path) -> None:
    options = ("--epochs", "2", "--shards", "4")
    ended = train(3, data, tmp_path / "three", *options)
    assert ended.status == 0, ended.err
    assert ended.out.count("test accuracy 0.") == 1
    assert "every batch in 4 shards, processes: 3" in ended.out
    assert train(1, data, tmp_path / "one", *options).status == 0
    assert weights(tmp_path / "three") == weights(tmp_path / "one")


def test_an_error_is_told_once(data: str, tmp_path: Path) -> None:
    ended = train(4, data, tmp_path / "run", "--shards", "2")
    assert ended.status == 1
    assert ended.err.count("backprop: error:") == 1
    assert "at least as many shards as processes, got 2 for 4" in ended.err


@pytest.mark.parametrize("whom", ["mpiexec", 0, 1])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all_after_the_same_step_and_the_run_resumes(
    whom: str | int, number: int, data: str, tmp_path: Path
) -> None:
    out = tmp_path / "run"

    def send(mpiexec: subprocess.Popen[str]) -> None:
        wait_for(lambda: len(run_folder.checkpoints(out)) > 0 if out.exists() else False)
        os.kill(mpiexec.pid if whom == "mpiexec" else ranks(mpiexec.pid)[int(whom)], number)

    ended = train(2, data, out, "--iters", "200000", "--save-every", "20", then=send)
    if whom == "mpiexec" and is_open_mpi():
        assert ended.status != 0
    else:
        assert ended.status == 128 + number
        assert ended.err.count("backprop: interrupted after step") == 1
    step = int(run_folder.latest(out).stem.rpartition("-")[2])
    resumed = train(1, data, out, "--resume", str(out), "--iters", str(step + 5))
    assert resumed.status == 0, resumed.err
    assert f"resumed at step {step:,}" in resumed.out


def wait_for(happens: Callable[[], bool]) -> None:
    end = time.monotonic() + SOON
    while not happens():
        assert time.monotonic() < end
        time.sleep(0.02)


def ranks(mpiexec: int) -> list[int]:
    """The processes that train, in order."""
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            variables = (folder / "environ").read_bytes().split(b"\0")
            command = (folder / "cmdline").read_bytes().split(b"\0")
            parents = parents_of(int(folder.name))
        except (OSError, ValueError):
            continue
        numbers = [
            v.partition(b"=")[2] for v in variables if v.startswith((b"PMI_RANK=", b"OMPI_COMM_WORLD_RANK="))
        ]
        if mpiexec in parents and numbers and b"backprop" in command:
            found[int(numbers[0])] = int(folder.name)
    return [found[rank] for rank in sorted(found)]


def parents_of(number: int) -> list[int]:
    found = []
    while number > 1:
        stat = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        number = int(stat[1])
        found.append(number)
    return found
