"""The folder of a run: its checkpoints and its lock."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop.files import TEMPORARY
from backprop.saving import run_folder
from backprop.saving.checkpoint import (
    Checkpoint,
    CheckpointError,
    read_description,
)
from backprop.saving.run_folder import RunFolderError


def test_a_named_file_is_read_without_retries() -> None:
    tries = []

    def read(path: Path) -> None:
        tries.append(path)
        raise FileNotFoundError

    with pytest.raises(FileNotFoundError):
        run_folder.read_trained("a.safetensors", read)
    assert tries == [Path("a.safetensors")]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def checkpoint(step: int, position: int = 0) -> Checkpoint:
    return Checkpoint({"training": {"step": step, "position": position}}, {"a": np.full(3, step)})


def steps(folder: str = ".") -> list[int]:
    """The steps of the checkpoints, which match their file names."""
    found = []
    for path in run_folder.checkpoints(Path(folder)):
        step = read_description(path)["training"]["step"]
        assert path.name == f"checkpoint-{step:08d}.safetensors"
        found.append(step)
    return found


def test_new_folders_are_numbered() -> None:
    for name in ("mlp-2", "mlp-x", "other-9"):
        Path("runs", name).mkdir(parents=True)
    assert run_folder.new_folder("mlp") == Path("runs/mlp-3")
    assert run_folder.new_folder("mlp") == Path("runs/mlp-4")
    assert run_folder.new_folder("new") == Path("runs/new-1")


def test_a_folder_made_meanwhile_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    make = run_folder.make_folder

    def slowly(path: Path) -> None:
        if path.name == "mlp-1":
            path.mkdir()
        make(path)

    monkeypatch.setattr(run_folder, "make_folder", slowly)
    assert run_folder.new_folder("mlp") == Path("runs/mlp-2")


def test_the_parent_folder_must_exist() -> None:
    run_folder.usable(Path("mine"))
    assert os.listdir("mine") == []
    with pytest.raises(RunFolderError, match="^no/where cannot be used for the run: there is no folder no$"):
        run_folder.usable(Path("no/where"))
    run_folder.usable(Path("runs/mine"))
    assert os.listdir("runs") == ["mine"]


def test_the_last_checkpoints_are_kept() -> None:
    for step in (4, 8, 12, 16):
        path = run_folder.save(Path(), checkpoint(step), 2)
        assert path == run_folder.checkpoints(Path())[-1]
    assert steps() == [12, 16]


def test_later_checkpoints_are_replaced() -> None:
    """Left over when a run was resumed from an earlier step."""
    for step in (4, 8, 12, 16):
        run_folder.save(Path(), checkpoint(step), 9)
    run_folder.save(Path(), checkpoint(10), 2)
    assert steps() == [8, 10]


def test_other_files_are_left_alone() -> None:
    names = ["checkpoint-good.safetensors", "checkpoint-0000001.safetensors", "checkpoint-00000001.txt"]
    for name in names:
        Path(name).write_text("mine")
    run_folder.save(Path(), checkpoint(4), 1)
    assert steps() == [4]
    assert [Path(name).read_text() for name in names] == ["mine"] * 3


def test_the_best_checkpoint() -> None:
    best, whole = Path(run_folder.BEST), Path(run_folder.BEST_WHOLE)
    run_folder.save_best(Path(), checkpoint(5), None)
    assert not whole.exists()
    run_folder.save_best(Path(), checkpoint(12, position=2), checkpoint(5))
    assert [read_description(path)["training"]["step"] for path in (best, whole)] == [12, 5]
    run_folder.save_best(Path(), checkpoint(15), checkpoint(12, position=2))
    assert not whole.exists()
    assert read_description(best)["training"]["step"] == 15


def test_the_checkpoint_to_use_and_the_one_to_resume_from() -> None:
    run = Path("runs/mine")
    run.mkdir(parents=True)
    for step in (5, 10):
        run_folder.save(run, checkpoint(step), 2)
    last = run / "checkpoint-00000010.safetensors"
    assert run_folder.trained("runs/mine") == run_folder.latest("runs/mine") == last
    run_folder.save_best(run, checkpoint(5), None)
    assert run_folder.trained("runs/mine") == run / "best.safetensors"
    assert run_folder.latest("runs/mine") == last
    assert run_folder.trained(last) == run_folder.latest(str(last)) == last
    for find in (run_folder.trained, run_folder.latest):
        with pytest.raises(
            CheckpointError, match="^runs: no checkpoint in this folder; did you mean runs/mine\\?$"
        ):
            find("runs")
        with pytest.raises(
            CheckpointError, match="^mine: no such file or folder; did you mean runs/mine\\?$"
        ):
            find("mine")


def test_a_run_is_recognized_by_its_checkpoints() -> None:
    Path("empty").mkdir()
    assert not run_folder.is_run(Path("empty"))
    run_folder.save_best(Path("empty"), checkpoint(5), None)
    assert run_folder.is_run(Path("empty"))
    Path("empty/best.safetensors").rename("empty/checkpoint-00000005.safetensors")
    assert run_folder.is_run(Path("empty"))


def test_a_lock_is_held_and_released() -> None:
    with run_folder.locked(Path()):
        assert Path("lock").read_text() == f"process {os.getpid()} on {socket.gethostname()}"
        with (
            pytest.raises(RunFolderError, match=f"is in use by process {os.getpid()} on "),
            run_folder.locked(Path()),
        ):
            raise AssertionError
    assert Path("lock").read_text() == ""
    with run_folder.locked(Path()):
        pass


def test_leftovers_of_a_killed_write_are_removed() -> None:
    left = Path(f".checkpoint-00000005.safetensors-x{TEMPORARY}")
    left.touch()
    with run_folder.locked(Path()):
        assert not left.exists()


def test_the_history_is_flushed_before_a_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    fsync, write = os.fsync, run_folder.write_checkpoint

    def flush(handle: int) -> None:
        if os.path.samestat(os.fstat(handle), os.stat("history.jsonl")):
            calls.append("flush")
        fsync(handle)

    def written(*args: Any) -> None:
        calls.append("write")
        write(*args)

    Path("history.jsonl").write_text("{}")
    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(run_folder, "write_checkpoint", written)
    run_folder.save(Path(), checkpoint(5), 2)
    assert calls == ["flush", "write"]


def test_an_error_names_the_file_that_cannot_be_written() -> None:
    path = Path("a/b")
    with (
        pytest.raises(RunFolderError, match="^a/b cannot be written: there is no folder a$"),
        run_folder.writing(path),
    ):
        path.touch()


def test_reading_is_retried_while_a_checkpoint_keeps_being_replaced() -> None:
    run_folder.save(Path(), checkpoint(5), 2)
    tries = 0

    def read(path: Path) -> int:
        nonlocal tries
        tries += 1
        if tries < 5:
            raise FileNotFoundError
        return int(read_description(path)["training"]["step"])

    assert run_folder.read_trained(".", read) == (Path("checkpoint-00000005.safetensors"), 5)
