"""Scripts as readers of the book type them run as they are, and give the book's figures."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from backprop.layers import Add, Mul

BOOK = Path(__file__).with_name("book")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[str], list[str]]:
    """Run a script from start to end; its draws, which it leaves to chance, are seeded."""
    default_rng = np.random.default_rng
    monkeypatch.setattr(np.random, "default_rng", lambda seed=None: default_rng(0 if seed is None else seed))
    np.random.seed(0)

    def run(script: str) -> list[str]:
        runpy.run_path(str(BOOK / script), run_name="__main__")
        return capsys.readouterr().out.splitlines()

    return run


def test_gradient_check_script(run: Callable[[str], list[str]]) -> None:
    differences = dict(line.split(":") for line in run("gradient_check.py"))
    assert list(differences) == ["W1", "b1", "W2", "b2"]
    # The book computes in float64 and gets 1.4e-7 for b2; ours is in float32 here.
    assert all(float(difference) < 5e-8 for difference in differences.values()), differences


def test_training_script(run: Callable[[str], list[str]]) -> None:
    lines = [[float(number) for number in line.split()] for line in run("train_neuralnet.py")]
    assert len(lines) == 17
    assert lines[0][0] < 0.4
    assert lines[-1][1] > 0.96


@pytest.mark.parametrize("number", [int, float, np.float64, lambda v: np.asarray(v, dtype=np.float64)])
def test_apple_graph(number: type) -> None:
    apple, orange, tax = Mul(), Mul(), Mul()
    fruit = Add()
    apples = apple.forward(number(100), number(2), training=True)
    oranges = orange.forward(number(150), number(3), training=True)
    price = tax.forward(
        fruit.forward(apples, oranges, training=True),
        number(1.1) if number is not int else 1.1,
        training=True,
    )
    assert float(price) == pytest.approx(715)
    d_fruit, d_tax = tax.backward(np.asarray(1.0) if isinstance(price, np.ndarray) else 1)
    d_apples, d_oranges = fruit.backward(d_fruit)
    got = [*apple.backward(d_apples), *orange.backward(d_oranges), d_tax]
    assert [float(value) for value in got] == pytest.approx([2.2, 110, 3.3, 165, 650])
