"""Signals during training: the first asks it to stop, the second stops it at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest

from backends import get_backend
from backprop import Training
from backprop.cli.signals import Interrupted, Signals
from backprop.training.interrupts import Interrupts, deferred_ctrl_c

from .test_resume import STEPS, finished, training

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")

INT, TERM = signal.SIGINT, signal.SIGTERM


@pytest.fixture(autouse=True)
def usual_handlers() -> Iterator[None]:
    """Python's default signal handlers; the previous ones are restored afterwards."""
    before = {number: signal.getsignal(number) for number in (INT, TERM)}
    signal.signal(INT, signal.default_int_handler)
    signal.signal(TERM, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def handlers() -> tuple[Any, Any]:
    return signal.getsignal(INT), signal.getsignal(TERM)


@pytest.mark.parametrize("number", [INT, TERM])
def test_the_first_signal_stops_and_the_second_has_its_own_handler(number: int) -> None:
    before, asked, second = handlers(), [], []
    later = dict.fromkeys((INT, TERM), lambda number, _: second.append(number))
    with Interrupts(lambda: asked.append(1), later) as interrupts:
        assert interrupts.signum is None
        signal.raise_signal(number)
        assert (asked, second, interrupts.signum) == ([1], [], number)
        signal.raise_signal(INT)
        signal.raise_signal(TERM)
        assert (asked, second, interrupts.signum) == ([1], [INT, TERM], number)
    assert handlers() == before


@pytest.mark.parametrize("kind", ["quiet", "a signal", "an error"])
def test_previous_handlers_are_restored(kind: str) -> None:
    before = handlers()

    def body() -> None:
        with Interrupts(lambda: None, {INT: signal.SIG_IGN, TERM: signal.SIG_IGN}):
            assert handlers() != before
            if kind == "a signal":
                signal.raise_signal(TERM)
            if kind == "an error":
                raise RuntimeError

    with pytest.raises(RuntimeError) if kind == "an error" else nullcontext():
        body()
    assert handlers() == before


def test_other_signals_are_left_alone() -> None:
    before = handlers()[1]
    with Interrupts(lambda: None, {INT: signal.default_int_handler}):
        assert handlers()[1] is before


def test_a_second_ctrl_c_raises() -> None:
    asked: list[int] = []
    with deferred_ctrl_c(lambda: asked.append(1)):
        signal.raise_signal(INT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(INT)
    assert asked == [1]


@pytest.mark.parametrize("handler", [signal.SIG_IGN, lambda *_: None], ids=["ignored", "handled"])
def test_another_ctrl_c_handler_is_respected(handler: Any) -> None:
    signal.signal(INT, handler)
    with deferred_ctrl_c(lambda: pytest.fail("asked")):
        assert signal.getsignal(INT) is handler
        signal.raise_signal(INT)
    assert signal.getsignal(INT) is handler


def test_nothing_is_deferred_in_a_thread() -> None:
    found: list[Any] = []

    def work() -> None:
        with deferred_ctrl_c(lambda: None):
            found.append(signal.getsignal(INT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    assert found == [signal.default_int_handler]


# ------------------------------------------------------------------------------------------ the command


class Stoppable:
    stops = 0

    def stop(self) -> None:
        self.stops += 1


@pytest.mark.parametrize("number", [INT, TERM])
def test_the_command_stops_its_training(number: int) -> None:
    training: Any = Stoppable()
    with Signals() as signals:
        signals.training = training
        signal.raise_signal(number)
        assert (training.stops, signals.signum) == (1, number)
        assert handlers() == (signal.SIG_DFL, signal.SIG_DFL)  # a second one kills
    assert handlers() == (signal.default_int_handler, signal.SIG_DFL)


@pytest.mark.parametrize("number", [INT, TERM])
def test_before_the_first_step_the_command_is_interrupted(number: int) -> None:
    with pytest.raises(Interrupted, match="^before the first step$") as interrupted, Signals():
        signal.raise_signal(number)
    assert interrupted.value.status == 128 + number
    assert handlers() == (signal.default_int_handler, signal.SIG_DFL)


# ------------------------------------------------------------------------------------------ a training


@pytest.mark.parametrize("interactive", [False, True])
def test_ctrl_c_ends_the_step_first(interactive: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if interactive:
        monkeypatch.setattr(sys, "ps1", "> ", raising=False)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    handlers: list[Any] = []

    def press(now: Training) -> None:
        handlers.append(signal.getsignal(signal.SIGINT))
        signal.raise_signal(signal.SIGINT)
        handlers.append(signal.getsignal(signal.SIGINT))

    try:
        run = training(get_backend("cpu"), hook=press, hook_steps=8)
        with nullcontext() if interactive else pytest.raises(KeyboardInterrupt, match="^after step 8$"):
            assert len(list(run)) == 1
        assert (run.step, run.stopped, run.optimizer.steps, len(run.history)) == (8, True, 8, 1)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert handlers[0] is not signal.default_int_handler
        assert handlers[1] is signal.default_int_handler  # a second one does not wait
        again = training(get_backend("cpu"), run.checkpoint())
        assert finished(again) == finished(training(get_backend("cpu")))
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_custom_handler_is_left_alone() -> None:
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda *_: pressed.append(1))
    try:
        run = training(get_backend("cpu"), hook=lambda _: signal.raise_signal(signal.SIGINT), hook_steps=8)
        list(run)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (run.step, pressed) == (STEPS, [1, 1])


SCRIPT = """
import os, signal, sys
import numpy as np
from backprop import TwoLayerNet, Training
if sys.argv[1] == "interactive": sys.ps1 = "> "
rng = np.random.default_rng(0)
network = TwoLayerNet(7, 5, 3, rng=0)
x, t = rng.random((200, 7), "float32"), rng.integers(0, 3, 200)
interrupt = lambda training: training.step == 30 and os.kill(os.getpid(), signal.SIGINT)
try:
    training = Training(network, x, t, epochs=100, batch_size=10, rng=0, hook=interrupt, hook_steps=1)
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
