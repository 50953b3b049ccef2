"""The folder of a run of `backprop train`: its files, and why it may be refused."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop.cli import main
from backprop.files import TEMPORARY, WriteError, reason
from backprop.saving import run_folder
from backprop.saving.checkpoint import (
    CheckpointError,
    read_checkpoint,
    read_contents,
    read_description,
)

from ..commands import fails
from .runs import ESCAPES, TRAIN, VALIDATED, epochs, known, refusing, train

pytestmark = pytest.mark.usefixtures("folder")


def test_files_of_a_run() -> None:
    train("--epochs", "5", "--lr", "0.3")
    kept = Path("runs/two-layer-1")
    assert sorted(path.name for path in kept.iterdir()) == [
        "checkpoint-00000028.safetensors",
        "checkpoint-00000035.safetensors",
        "config.toml",
        "history.jsonl",
        "lock",
    ]
    lines = epochs(kept)
    assert [(line["event"], line["epoch"], line["step"]) for line in lines] == [
        ("epoch", i, 7 * i) for i in range(1, 6)
    ]
    contents = read_contents(kept / "checkpoint-00000035.safetensors")
    run = contents.description["run"]
    assert run["command"] == "backprop " + " ".join([*TRAIN, "--epochs", "5", "--lr", "0.3"])
    assert (run["settings"]["lr"], run["settings"]["epochs"]) == (0.3, 5)
    assert {"event": "epoch", **known(contents.description["last"])} == lines[-1]
    checkpoint = read_checkpoint(kept / "checkpoint-00000035.safetensors")
    assert checkpoint.arrays["history.step"].tolist() == [7, 14, 21, 28, 35]


def test_every_run_has_a_folder_of_its_own() -> None:
    Path("runs/two-layer-7").mkdir(parents=True)
    Path("runs/two-layer-x").mkdir()
    train("--epochs", "1")
    train("--epochs", "1", "--net", "mlp")
    assert {path.name for path in Path("runs").iterdir()} == {
        "two-layer-7", "two-layer-x", "two-layer-8", "mlp-1",
    }  # fmt: skip


def test_no_save_keeps_nothing() -> None:
    train("--epochs", "2", "--no-save")
    train("--epochs", "2", "--no-save", "--validation", "0.2", "--save-every", "3", "--log-every", "2")
    assert os.listdir() == ["small.npz"]


def test_save_every_and_keep() -> None:
    train("--iters", "11", "--out", "here", "--save-every", "2", "--keep", "3")
    names = [path.name[-20:-12] for path in run_folder.checkpoints(Path("here"))]
    assert names == ["00000008", "00000010", "00000011"]


def test_the_history_is_on_the_disk_before_the_checkpoint_that_follows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whenever a checkpoint is renamed into place, all lines before its step have been flushed.

    Its own step may still end an epoch, whose line the training writes meanwhile.
    """
    flushed: dict[int, bytes] = {}
    placed: list[str] = []
    fsync, replace = os.fsync, os.replace

    def flushing(handle: int) -> None:
        fsync(handle)
        with suppress(OSError):  # a folder
            flushed[os.fstat(handle).st_ino] = os.pread(handle, 10**7, 0)

    def replacing(source: str, target: Path) -> None:
        if target.suffix == ".safetensors":
            description = read_contents(source).description
            on_disk = flushed[os.stat("here/history.jsonl").st_ino].splitlines()
            for line in Path("here/history.jsonl").read_bytes().splitlines():
                assert line in on_disk or json.loads(line)["step"] >= description["training"]["step"]
            if description["last"] is not None:
                assert {"event": "epoch", **known(description["last"])} in map(json.loads, on_disk)
            placed.append(target.name)
        replace(source, target)

    monkeypatch.setattr(os, "fsync", flushing)
    monkeypatch.setattr(os, "replace", replacing)
    train("--validation", "0.3", "--epochs", "3", "--out", "here", "--log-every", "2")
    assert main(["train", "--resume", "here", "--iters", "17", "--save-every", "1"]) == 0
    assert placed.count("best.safetensors") >= 1
    assert [name for name in placed if name != "best.safetensors"][:3] == [
        f"checkpoint-{step:08d}.safetensors" for step in (5, 10, 15)
    ]


def test_a_folder_with_a_run_is_not_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    train("--epochs", "1", "--out", "here")
    before = sorted(os.listdir("here"))
    err = fails(capsys, *TRAIN, "--out", "here")
    assert (
        "here already has a run, checkpoint-00000007.safetensors: resume it with backprop train --resume here"
        in err
    )
    assert sorted(os.listdir("here")) == before


CURES = "; give another folder with --out DIR, or save nothing with --no-save\n"


@pytest.mark.parametrize("kind", ["a file", "no parent", "below a file", "read-only"])
def test_a_folder_that_cannot_be_used(kind: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("locked").mkdir(mode=0o500)
    locked = "/sys/run" if os.access("locked", os.W_OK) else "locked"  # there not even root may write
    out, why = {
        "a file": ("small.npz", "it is a file"),
        "no parent": ("no/where", "there is no folder no"),
        "below a file": ("small.npz/run", "small.npz is no folder"),
        "read-only": (locked, ""),
    }[kind]
    err = fails(capsys, *TRAIN, "--out", out)
    assert err.startswith(f"backprop: error: {out} cannot be used for the run: {why}")
    assert err.endswith(CURES)
    assert "Errno" not in err


def test_runs_that_cannot_be_made(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("runs").touch()
    said = "backprop: error: runs cannot be used for the run: "
    assert fails(capsys, *TRAIN) == f"{said}it is a file{CURES}"
    Path("runs").unlink()
    Path("runs").symlink_to("nowhere")
    assert fails(capsys, *TRAIN) == f"{said}it is not a folder{CURES}"
    Path("runs").unlink()
    for number in (errno.EROFS, errno.EACCES, errno.ENOSPC):
        error = OSError(number, os.strerror(number))
        with monkeypatch.context() as patched:
            patched.setattr(os, "mkdir", refusing(error))
            assert fails(capsys, *TRAIN) == f"{said}{reason(error)}{CURES}"
    train("--epochs", "1", "--no-save")


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="asks Linux which file is written")
@pytest.mark.parametrize("name", [run_folder.LOCK, run_folder.CONFIG, run_folder.HISTORY])
def test_a_disk_that_is_full_at_the_start(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new file can still be created, but not written to."""
    full, write, fsync = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), os.write, os.fsync

    def of_it(handle: int) -> bool:
        return name in os.readlink(f"/proc/self/fd/{handle}")

    monkeypatch.setattr(os, "write", lambda h, data: refusing(full)() if of_it(h) else write(h, data))
    monkeypatch.setattr(os, "fsync", lambda h: refusing(full)() if of_it(h) else fsync(h))
    err = fails(capsys, *TRAIN, "--epochs", "1", "--out", "here")
    assert err.startswith(f"backprop: error: here/{name} cannot be written: no space left on device")
    assert err.endswith(CURES)


def test_a_disk_that_is_full_later(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train("--epochs", "1", "--out", "here")
    monkeypatch.setattr(
        "backprop.saving.run_folder.write_checkpoint", refusing(WriteError(Path("x"), OSError(28, "Full"), 9))
    )
    err = fails(capsys, "train", "--resume", "here", "--epochs", "3")
    said = "backprop: error: x cannot be written: full; it needs 9 bytes; make room, then resume with: "
    assert err == f"{said}backprop train --resume here\n"


def test_a_second_process_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("here").mkdir()
    holder = "import backprop.saving.run_folder as r, pathlib\nwith r.locked(pathlib.Path('here')): print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        err = fails(capsys, *TRAIN, "--out", "here")
        assert f"here is in use by process {process.pid} on " in err
        process.kill()
    train("--epochs", "1", "--out", "here")


def test_stale_temporaries_are_swept() -> None:
    Path("here").mkdir()
    stale = Path(f"here/.checkpoint-00000007.safetensors-x{TEMPORARY}")
    stale.touch()
    train("--epochs", "1", "--out", "here")
    assert not stale.exists()


def test_leftovers_of_a_run_without_checkpoints_are_replaced() -> None:
    Path("here").mkdir()
    Path("here/history.jsonl").write_text('{"event": "epoch", "step": 7}\n')
    train("--epochs", "1", "--out", "here")
    assert len(epochs("here")) == 1


def test_a_folder_with_a_best_checkpoint_alone_has_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    train(*VALIDATED, "--out", "here")
    for path in run_folder.checkpoints(Path("here")):
        path.unlink()
    best = Path("here/best.safetensors").read_bytes()
    assert "here already has a run, best.safetensors" in fails(capsys, *TRAIN, "--out", "here")
    assert Path("here/best.safetensors").read_bytes() == best


def test_the_user_s_files_are_left_alone() -> None:
    train("--epochs", "3", "--out", "here")
    mine = Path("here/checkpoint-good.safetensors")
    mine.write_bytes(b"mine")
    assert main(["train", "--resume", "here", "--epochs", "5"]) == 0
    assert mine.read_bytes() == b"mine"


@pytest.mark.parametrize(
    "words", [("predict", "--input", "small.npz"), ("evaluate",), ("inspect",), ("report",)]
)
def test_similar_runs_are_suggested(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    train("--epochs", "1", "--quiet")
    capsys.readouterr()
    meant = str(Path("runs", "two-layer-1"))
    command, *more = words
    for name in ("two-layer-1", "runs"):
        assert f"; did you mean {meant}?" in fails(capsys, command, name, *more)
    assert "did you mean" not in fails(capsys, command, "two-layer-9", *more)


def without_a_place(name: str) -> Path:
    """Make the file of this name in a run a link to another user's file; return the latter."""
    train("--epochs", "1", "--out", "here")
    victim, path = Path("victim"), Path("here", name)
    victim.write_text("precious\n")
    path.unlink(missing_ok=True)
    path.symlink_to(victim.resolve())
    return victim


@pytest.mark.parametrize(
    "name", [run_folder.REPORT, run_folder.CONFIG, run_folder.HISTORY, "checkpoint-00000014.safetensors"]
)
def test_a_link_in_a_run_folder_is_replaced(name: str) -> None:
    victim = without_a_place(name)
    if name == run_folder.REPORT:
        assert main(["report", "here"]) == 0
    else:
        first = "here/checkpoint-00000007.safetensors"
        assert main(["train", "--resume", first, "--epochs", "2"]) == 0
    assert not Path("here", name).is_symlink()
    assert victim.read_text() == "precious\n"


def test_a_lock_that_is_a_link_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    victim = without_a_place(run_folder.LOCK)
    err = fails(capsys, "train", "--resume", "here", "--epochs", "2")
    assert "here/lock cannot be written: it is a link, which is not written through; put a file in" in err
    Path("here/lock").unlink()
    os.link(victim, "here/lock")
    err = fails(capsys, "train", "--resume", "here", "--epochs", "2")
    assert "here/lock cannot be written: it has another name, a hard link; put a copy in its place" in err
    assert victim.read_text() == "precious\n"


@pytest.mark.skipif(os.name != "posix", reason="FIFOs as POSIX has them")
def test_nothing_waits_for_a_fifo() -> None:
    train("--epochs", "1", "--out", "here")
    (last,) = run_folder.checkpoints(Path("here"))
    commands = (
        ["inspect"],
        ["evaluate", "--data", "small.npz"],
        ["report"],
        ["train", "--epochs", "2", "--resume"],
    )
    names, refused = (
        (last.name, run_folder.BEST, run_folder.HISTORY, run_folder.LOCK, run_folder.CONFIG),
        set(),
    )
    for name in names:
        before = Path("here", name).read_bytes() if Path("here", name).exists() else None
        Path("here", name).unlink(missing_ok=True)
        os.mkfifo(Path("here", name))
        for words in commands:
            command = [sys.executable, "-m", "backprop", *words, "here"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            assert "Traceback" not in done.stderr
            if done.returncode:
                refused.add(name)
                assert f"here/{name} " in done.stderr
                assert "it is a FIFO; expected a file" in done.stderr
        Path("here", name).unlink(missing_ok=True)
        if before is not None:
            Path("here", name).write_bytes(before)
    assert refused == set(names)


@pytest.mark.filterwarnings("always::UserWarning")
@pytest.mark.skipif(os.name != "posix", reason="locks as POSIX has them")
@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_warns(
    number: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fcntl.flock", refusing(OSError(number, os.strerror(number))))
    train("--epochs", "1", "--out", "here")
    err = capsys.readouterr().err
    assert err == (
        f"backprop: warning: here: its file system has no locks ({reason(OSError(number, os.strerror(number)))}); start no second process "
        "there\n"
    )
    assert len(run_folder.checkpoints(Path("here"))) == 1


@pytest.mark.skipif(os.name != "posix", reason="locks as POSIX has them")
def test_other_errors_of_a_lock_are_raised(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train("--epochs", "1", "--out", "here")
    Path("here/lock").write_text(f"process {ESCAPES}")
    monkeypatch.setattr("fcntl.flock", refusing(BlockingIOError(errno.EAGAIN, "busy")))
    err = fails(capsys, "train", "--resume", "here", "--epochs", "2")
    assert "here is in use by process \\x1b]52;c;aGk=\\x07\\x1b[2J" in err
    monkeypatch.setattr("fcntl.flock", refusing(OSError(errno.EIO, "Input/output error")))
    err = fails(capsys, "train", "--resume", "here", "--epochs", "2")
    assert "here/lock cannot be locked: input/output error" in err


def test_a_checkpoint_says_when_it_was_saved() -> None:
    before = time.time()
    train("--epochs", "2", "--out", "here")
    first, last = (
        read_contents(path).description["run"]["saved"] for path in run_folder.checkpoints(Path("here"))
    )
    assert before <= first <= last <= time.time()


def test_the_description_is_read_without_the_arrays(tmp_path: Path) -> None:
    train("--epochs", "1", "--out", "here")
    (path,) = run_folder.checkpoints(Path("here"))
    expected = read_contents(path).description
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    assert read_description(path) == expected
    with pytest.raises(CheckpointError, match="is damaged or was changed"):
        read_contents(path)


def replaced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the checkpoint by a later one after it was found, as a running process would."""
    trained, left = run_folder.trained, [1]

    def found(name: Any) -> Path:
        path = trained(name)
        if left and path != Path(name):
            left.pop()
            path.rename(path.with_name("checkpoint-00000999.safetensors"))
        return path

    monkeypatch.setattr(run_folder, "trained", found)


READERS = {
    "evaluate": ["evaluate", "here", "--data", "small.npz"],
    "predict": ["predict", "here", "--input", "x.npy"],
    "inspect": ["inspect", "here"],
    "inspect as JSON": ["inspect", "here", "--json"],
    "report": ["report", "here"],
    "comparison": ["report", "here", "here"],
}


@pytest.mark.parametrize("words", READERS.values(), ids=READERS)
def test_reading_is_retried_while_a_checkpoint_is_replaced(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train("--epochs", "1", "--out", "here")
    np.save("x.npy", np.zeros((1, 4), "float32"))
    replaced_once(monkeypatch)
    capsys.readouterr()
    assert main(words) == 0
    assert capsys.readouterr().err == ""
    assert [path.name for path in run_folder.checkpoints(Path("here"))] == ["checkpoint-00000999.safetensors"]
