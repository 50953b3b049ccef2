"""The CPU threads of NumPy's products: one for a small network, and afterwards what it was."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from backends import Backend
from backends.numpy import blas
from backprop import SGD, Network, Training, TwoLayerNet, fit
from backprop.layers import Identity, Layer

X, T = np.ones((8, 4), "float32"), np.arange(8) % 3


@pytest.fixture(autouse=True)
def two(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two threads, which nobody has chosen."""
    if backend.name != "numpy" or not blas.libraries():
        pytest.skip("needs NumPy with a BLAS whose threads can be set")
    monkeypatch.setattr(blas, "are_chosen", lambda: False)
    before = blas.threads()
    set_threads(2)
    yield
    assert blas.threads() == 2
    set_threads(before)


def set_threads(count: int | None) -> None:
    for library in blas.libraries():
        library.set_num_threads(count)


class ThreadCount(Identity):
    """Records the number of threads at each forward."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int | None] = []

    def forward(self, x: np.ndarray, *, training: bool = False) -> np.ndarray:
        self.seen.append(blas.threads())
        return super().forward(x, training=training)


def looking(hidden: int = 5) -> tuple[Network, ThreadCount]:
    layers: list[Layer] = list(TwoLayerNet(4, hidden, 3, rng=0).to().layers.values())
    look = ThreadCount()
    for layer in layers:
        layer.is_owned = False
    return Network([*layers, look]), look


def test_a_small_network_gets_one() -> None:
    network, look = looking()
    network.predict(X)
    network.gradient(X, T)
    network.loss(X, T)
    network.evaluate(X, T)
    network.numerical_gradient(X[:1], T[:1])
    fit(network, X, T, epochs=1, batch_size=4, capture=False, test=(X, T))
    assert set(look.seen) == {1}
    assert len(look.seen) > 10


def test_a_large_one_keeps_them() -> None:
    network, look = looking(hidden=2**21)  # 4 × 2²¹ weights × 8 samples
    network.predict(X)
    assert look.seen == [2]
    network.predict(X[:1])
    assert look.seen == [2, 1]


def test_the_setting_comes_back_after_an_error() -> None:
    network = TwoLayerNet(4, 5, 3, rng=0)
    with pytest.raises(ValueError, match="expected labels"):
        network.gradient(X, T + 7)
    assert blas.threads() == 2
    training = Training(network, X, T, epochs=1, batch_size=4, hook=lambda _: 1 / 0, hook_steps=1)
    with pytest.raises(ZeroDivisionError):
        next(training)
    assert blas.threads() == 2


def test_trainings_in_two_python_threads() -> None:
    """The first to end leaves one thread to the other; the last restores the setting."""
    inside, outside = threading.Event(), threading.Event()
    seen = []

    def hook(_: Training) -> None:
        inside.set()
        outside.wait(60)
        seen.append(blas.threads())

    network = TwoLayerNet(4, 5, 3, rng=0)
    other = threading.Thread(
        target=fit,
        args=(network, X, T),
        kwargs={"iterations": 1, "hook": hook, "hook_steps": 1, "batch_size": 4},
    )
    other.start()
    assert inside.wait(60)
    fit(TwoLayerNet(4, 5, 3, rng=0), X, T, iterations=1, batch_size=4)
    assert blas.threads() == 1
    outside.set()
    other.join()
    assert seen == [1]


def test_a_training_says_its_threads() -> None:
    network = TwoLayerNet(4, 5, 3, rng=0)
    training = Training(network, X, T, optimizer=SGD(0.1), epochs=1, batch_size=4)
    assert training.threads == 1
    assert training.checkpoint().description["machine"]["threads"] == 1
    assert network.backend.threads == 2


def test_a_number_in_the_environment_stays() -> None:
    code = "from backprop import TwoLayerNet, Training; import numpy as np; x = np.ones((4, 4), 'float32')\n"
    code += "training = Training(TwoLayerNet(4, 5, 3), x, np.arange(4) % 3, epochs=1, batch_size=2)\n"
    code += "training.started = True; print(training.threads, training.network.backend.threads)"
    environment = {name: value for name, value in os.environ.items() if name not in blas.THREAD_VARIABLES}

    def threads(**variables: str) -> list[str]:
        command = [sys.executable, "-c", code]
        done = subprocess.run(
            command, env=environment | variables, capture_output=True, text=True, check=True
        )
        return done.stdout.split()

    small, machine = threads()
    assert (small, int(machine) >= 1) == ("1", True)
    assert len(set(threads(OPENBLAS_NUM_THREADS="2"))) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*use of fork")
def test_a_fork_within_another_thread_s_training_is_free() -> None:
    with blas.OneThread():
        child = os.fork()
        if child == 0:
            os._exit(blas.threads() or 0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
        assert blas.threads() == 1
