"""Every fault, in every part of a run, in process 0 and in another one.

All processes end soon, with the right status and a message that names the process, and none is left behind.
The last checkpoint is whole. Half of the table is for every day; TEST_FAULT_ROUNDS=30 runs all of it 30 times.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from backprop.saving import run_folder
from backprop.saving.checkpoint import read_checkpoint

from .launched import ABORTED, KILLED, run_file

ROUNDS = int(os.environ.get("TEST_FAULT_ROUNDS", "0"))

PROCESSES = 3

SOON = 5.0
"""Seconds in which all processes end."""

SLACK = 10.0 if not ROUNDS else 1.0
"""How many times as long a slow machine may take."""

TIMEOUT = 3.0
"""Seconds for which a stopped process is waited for."""

WHERE = ("start", "step", "evaluation", "save")


@dataclass(frozen=True)
class Fault:
    """What is expected where a fault comes, {rank} standing for the process."""

    name: str
    statuses: tuple[int, ...]
    message: str
    """A part of what is printed."""


FAULTS = (
    Fault("exception", ABORTED, "process {rank} of 3:"),
    Fault(
        "SIGKILL", KILLED, "PID "
    ),  # of the launcher, and MPICH's may name another one, which it has killed
    Fault("SIGTERM", (128 + signal.SIGTERM,), "interrupted after step"),
    Fault("SIGINT", (128 + signal.SIGINT,), "interrupted after step"),
    Fault("SIGSTOP", ABORTED, "process {rank} of 3 has not answered for 3 s"),
    Fault("NaN", (3, *KILLED), "process {rank} of 3:\nbackprop: error: training diverged at step "),
    Fault("full disk", ABORTED, "cannot be written: file too large"),
)

OTHERS = {
    ("SIGTERM", "start"): Fault("SIGTERM", (128 + signal.SIGTERM,), "process {rank} of 3:"),
    ("SIGINT", "start"): Fault("SIGINT", (128 + signal.SIGINT,), "process {rank} of 3:"),
    ("NaN", "start"): Fault("NaN", ABORTED, "process {rank}"),
    ("NaN", "evaluation"): Fault(
        "NaN", (3, *KILLED), "training diverged at step 40: the first NaN or infinity is in the loss"
    ),
}
"""What is expected elsewhere than in a step, if it is something else."""

TABLE = [
    pytest.param(fault, where, rank, id=f"{fault.name}-{where}-{rank}")
    for i, fault in enumerate(FAULTS)
    for j, where in enumerate(WHERE)
    for rank in (0, 1)
    if (ROUNDS or (i + j) % 2 == rank) and not (fault.name == "full disk" and rank)  # process 0 writes
]


@pytest.mark.parametrize("again", range(max(ROUNDS, 1)))
@pytest.mark.parametrize(("fault", "where", "rank"), TABLE)
def test_a_fault(
    again: int,
    fault: Fault,
    where: str,
    rank: int,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    expected = OTHERS.get((fault.name, where), fault)
    write_data(tmp_path)
    seconds = {"BACKPROP_TIMEOUT": f"{TIMEOUT:g}"} if fault.name == "SIGSTOP" else {}
    ended = run_file(PROCESSES, "faulty.py", fault.name, where, str(rank), str(tmp_path), variables=seconds)
    took = time.time() - float((tmp_path / "fault").read_text())
    record_property("seconds", took)
    record_property("status", ended.status)
    said = ended.out + ended.err
    assert not left_behind(tmp_path)
    assert took < SLACK * SOON, said
    assert ended.status in expected.statuses, said
    assert expected.message.format(rank=rank) in said, said
    if where != "start":
        checkpoint = run_folder.latest(tmp_path / "run")
        step = read_checkpoint(checkpoint).description["training"]["step"]
        assert checkpoint.name == f"checkpoint-{step:08d}.safetensors"
        if "interrupted" in expected.message:
            assert f"interrupted after step {step:,};" in said


def write_data(folder: Path) -> None:
    """Data whose test part has a batch for every process."""
    rng = np.random.default_rng(0)
    t_train, t_test = rng.integers(0, 3, 400), rng.integers(0, 3, 1000 * PROCESSES)
    x_train, x_test = (
        (rng.standard_normal((len(t), 4)) + np.eye(3, 4)[t]).astype("f") for t in (t_train, t_test)
    )
    np.savez(folder / "data.npz", x_train=x_train, t_train=t_train, x_test=x_test, t_test=t_test)


def left_behind(folder: Path) -> list[str]:
    """The processes that are still there a moment later."""
    until = time.monotonic() + SOON
    while (alive := [path.name for path in folder.glob("pid-*") if is_alive(path.read_text())]) and (
        time.monotonic() < until
    ):
        time.sleep(0.02)
    return alive


def is_alive(pid: str) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"  # which have ended
