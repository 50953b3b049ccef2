"""A process that does not answer ends all; one that is slow, or ends early, does not."""

from __future__ import annotations

from itertools import count
from types import SimpleNamespace

import pytest

from backends import Communicator, MPIError
from backends.watch import DONE, END, TICK, TIMEOUT_VARIABLE, Link, Watch, timeout

from .launched import ABORTED, run

START = """
import os, signal, sys, threading, time
from backends import world
processes = world()
watched = "backprop-watch" in [thread.name for thread in threading.enumerate()]
processes.barrier()
"""


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_a_stopped_process_ends_all(rank: int) -> None:
    program = f"""
if processes.rank == {rank}:
    os.kill(os.getpid(), signal.SIGSTOP)
processes.barrier()
"""
    ended = run(3, START + program, variables={TIMEOUT_VARIABLE: "3"})
    assert ended.status in ABORTED
    assert f"process {rank} of 3 has not answered for 3 s: all processes end" in ended.err
    assert ended.err.count("has not answered") == 1


@pytest.mark.parametrize("rank", [0, 1])
def test_one_that_stops_while_the_others_have_ended(rank: int) -> None:
    program = f"""
if processes.rank == {rank}:
    time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGSTOP)
"""
    ended = run(2, START + program, variables={TIMEOUT_VARIABLE: "3"})
    assert ended.status in ABORTED
    assert f"process {rank} of 2 has not answered for 3 s" in ended.err


@pytest.mark.parametrize("rank", [0, 1])
def test_a_slow_process_is_waited_for(rank: int) -> None:
    program = f"""
assert watched
if processes.rank == {rank}:
    time.sleep(4.5)
processes.barrier()
if processes.rank != {rank}:
    time.sleep(4.5)
"""
    ended = run(2, START + program, variables={TIMEOUT_VARIABLE: "3"})
    assert (ended.status, ended.err) == (0, "")


@pytest.mark.parametrize(
    ("before", "variables"),
    [
        ("", {TIMEOUT_VARIABLE: "0"}),
        ("import mpi4py; mpi4py.rc.thread_level = 'funneled'", {}),
    ],
)
def test_without_a_watch(before: str, variables: dict[str, str]) -> None:
    ended = run(2, before + START + "assert not watched", variables=variables)
    assert (ended.status, ended.err) == (0, "")


def test_a_time_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = Communicator()
    for given, seconds in (("", 60.0), ("2.5", 2.5), ("0", float("inf"))):
        monkeypatch.setenv(TIMEOUT_VARIABLE, given)
        assert timeout(alone) == seconds
    for given in ("soon", "-1", "nan", "inf"):
        monkeypatch.setenv(TIMEOUT_VARIABLE, given)
        with pytest.raises(
            MPIError, match=f"expected {TIMEOUT_VARIABLE} in seconds, or 0 for none, got '{given}'"
        ):
            timeout(alone)


def test_a_wrong_time_is_told_once_and_ends_all() -> None:
    program = "import sys; from backprop.cli import main; sys.exit(main(['train', '--no-save']))"
    ended = run(2, program, variables={TIMEOUT_VARIABLE: "soon"})
    assert ended.status == 1
    assert (
        ended.err.count(f"backprop: error: expected {TIMEOUT_VARIABLE} in seconds, or 0 for none, got 'soon'")
        == 1
    )


class Silent(Link):
    """A link to a process that never answers, until it ends after so many looks."""

    def __init__(self, looks: int) -> None:
        self.other, self.looks = 1, looks

    def answer(self, done: bool) -> bool:
        self.looks -= 1
        self.ended = self.looks == 0
        return self.ended


class Comm:
    rank, size = 0, 2

    def Abort(self, status: int) -> None:  # noqa: N802 - MPI's name
        raise SystemExit(status)


@pytest.mark.parametrize(("each", "looks", "ends"), [(TICK, 5, False), (TICK, 20, True), (3600.0, 5, False)])
def test_time_in_which_the_machine_slept_does_not_count(
    each: float, looks: int, ends: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = count()
    monkeypatch.setattr("backends.watch.time", SimpleNamespace(monotonic=lambda: each * next(clock)))
    watch = Watch(Comm(), [Silent(looks)], 8.0)
    monkeypatch.setattr(watch._done, "wait", lambda seconds: None)
    if not ends:
        watch.run()
        return
    with pytest.raises(SystemExit):
        watch.run()
    assert "process 1 of 2 has not answered for 8 s" in capsys.readouterr().err


def test_the_last_word() -> None:
    """Both stay until both exit, and then no message is on its way."""

    class Request:
        def __init__(self, box: list[int] | None = None, into: bytearray | None = None) -> None:
            self.box, self.into = box, into

        def Test(self) -> bool:  # noqa: N802
            if self.into is None or self.box is None:
                return True
            if not self.box:
                return False
            self.into[0] = self.box.pop()
            return True

        def Wait(self) -> None:  # noqa: N802
            pass

    class Paired:
        def __init__(self, rank: int, boxes: list[list[int]]) -> None:
            self.rank, self.boxes = rank, boxes

        def Irecv(self, into: bytearray, other: int) -> Request:  # noqa: N802
            return Request(self.boxes[self.rank], into)

        def Isend(self, said: bytearray, other: int) -> Request:  # noqa: N802
            self.boxes[other].append(said[0])
            return Request()

    pytest.importorskip("mpi4py")
    boxes: list[list[int]] = [[], []]
    first, second = (Link(Paired(rank, boxes), 1 - rank) for rank in (0, 1))
    second.__dict__["_receiving"] = Request()
    for _ in range(3):
        assert second.answer(done=True)
        assert not second.answer(done=True)
        assert boxes[0] == [DONE]
        assert first.answer(done=False)
    assert second.answer(done=True)
    assert first.answer(done=True)
    assert boxes == [[], [END]]
    assert second.answer(done=True)
    assert first.ended
    assert second.ended
    assert boxes == [[], []]
