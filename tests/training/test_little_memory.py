"""Training on files four times as large as the memory that the process may still take."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("resource", reason="this system has no limits of memory")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the data of a process")

ROOM = 40_000_000
"""Bytes that may be taken after the imports."""

ENTRIES = 1000
"""Entries of a sample."""

LIMITED = """
import os, resource, sys
import numpy as np
from backprop import MeanSquaredError, Network, RunRecorder, fit
from backprop.cli import main
from backprop.layers import Affine


def limit(room):
    with open("/proc/self/status") as status:
        used = next(1024 * int(line.split()[1]) for line in status if line.startswith("VmData:"))
    resource.setrlimit(resource.RLIMIT_DATA, (used + room, used + room))


def network(outputs, loss=None):
    W = np.random.default_rng(0).standard_normal((1000, outputs)).astype("float32")
    return Network([Affine(0.001 * W, np.zeros(outputs, "float32"))], loss)


folder, room = sys.argv[1], int(sys.argv[2])
x = np.load(folder + "/x_train.npy", mmap_mode="r")
t = np.load(folder + "/t_train.npy")
options = dict(epochs=2, batch_size=1000, rng=0, verbose=False)
fit(network(10), np.ones((2000, 1000), "float32"), t[:2000], **options)  # what is imported or made only once
"""

FITTED = """
limit(room)
fit(network(10), x, t, validation=eval(sys.argv[3]), recorder=RunRecorder(folder + "/run"), **options)
"""

COPIED = """
limit(room)
fit(network(10), np.array(x), t, **options)
"""

REAL_TARGETS = """
limit(room)
fit(network(1000, MeanSquaredError()), x, x, validation=0.1, **{**options, "batch_size": 100, "epochs": 1})
"""

COMMAND = """
limit(room)
words = "--net two-layer --hidden 8 --epochs 2 --batch-size 1000 --validation 0.1 --quiet --device cpu".split()
sys.exit(main(["train", "--data", folder, "--out", folder + "/run", *words]))
"""


def write(folder: Path, dtype: str) -> None:
    """A data set whose samples are mostly zeros, which take no room on the disk."""
    samples = 4 * ROOM // (ENTRIES * np.dtype(dtype).itemsize)
    for part, count in (("train", samples), ("test", 1000)):
        shape = (count, ENTRIES)
        x = np.lib.format.open_memmap(folder / f"x_{part}.npy", "w+", np.dtype(dtype), shape)
        x[::100, :10] = 255 if np.dtype(dtype).kind in "ui" else 0.5
        np.save(folder / f"t_{part}.npy", np.arange(count) % 10)


def limited(folder: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-c", LIMITED + program, str(folder), str(ROOM), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize(
    ("dtype", "validation"),
    [
        ("uint8", "None"),
        ("uint8", "0.1"),
        ("float32", "0.1"),
        ("float32", "(x, t)"),
        ("int16", "0.1"),
    ],
)
def test_a_file_larger_than_the_memory(dtype: str, validation: str, tmp_path: Path) -> None:
    write(tmp_path, dtype)
    ended = limited(tmp_path, FITTED, validation)
    assert ended.returncode == 0, ended.stderr


def test_real_targets_larger_than_the_memory(tmp_path: Path) -> None:
    write(tmp_path, "float32")
    ended = limited(tmp_path, REAL_TARGETS)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_the_command_with_a_folder_larger_than_the_memory(dtype: str, tmp_path: Path) -> None:
    write(tmp_path, dtype)
    ended = limited(tmp_path, COMMAND)
    assert ended.returncode == 0, ended.stderr


def test_the_limit_refuses_a_copy(tmp_path: Path) -> None:
    write(tmp_path, "uint8")
    ended = limited(tmp_path, COPIED)
    assert ended.returncode
    assert "MemoryError" in ended.stderr
