"""The progress line."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from backprop import TwoLayerNet, fit
from backprop.training import progress
from backprop.training.loop import Progress
from backprop.training.progress import progress_line

RNG = np.random.default_rng(0)


X = RNG.standard_normal((60, 4)).astype("float32")


T = (X[:, 0] > 0.0).astype("int64")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def net(device: Any = "cpu") -> TwoLayerNet:
    return TwoLayerNet(4, 8, 2, weight_init_std=0.5, device=device, rng=0)


@pytest.mark.parametrize(
    ("verbose", "terminal", "shown"),
    [(None, True, True), (None, False, False), (True, False, True), (False, True, False)],
)
def test_where_the_progress_line_is_shown(
    verbose: bool | None, terminal: bool, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    fit(net(), X, T, epochs=2, batch_size=20, rng=0, verbose=verbose)
    assert ("6/6" in screen.getvalue() and "loss" in screen.getvalue()) == shown
    assert shown or not screen.getvalue()


class ZMQInteractiveShell:
    """The shell of a notebook's kernel, by its name."""


class Shell(ZMQInteractiveShell):
    """That of Colab."""


class TerminalInteractiveShell: ...


class Cell:
    """The outputs of a notebook's cell, as `IPython.display.display` makes them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, shell: type = ZMQInteractiveShell) -> None:
        self.outputs: list[list[dict[str, str]]] = []
        """What each output has shown, one after the other."""
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=shell))
        monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=self.display))
        monkeypatch.setattr(sys, "stderr", io.StringIO())

    def display(self, data: dict[str, str], *, raw: bool, display_id: bool) -> Any:
        assert raw
        assert display_id
        self.outputs.append(shown := [data])

        def update(data: dict[str, str], *, raw: bool) -> None:
            assert raw
            shown.append(data)

        return SimpleNamespace(update=update)


@pytest.mark.parametrize("shell", [ZMQInteractiveShell, Shell])
def test_a_notebook_has_a_bar_that_ends_as_one_line(shell: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SECONDS", 0.0)
    cell = Cell(monkeypatch, shell)
    fit(net(), X, T, epochs=4, batch_size=20, rng=0, progress_steps=2)
    assert sys.stderr.getvalue() == ""  # type: ignore[attr-defined]
    (shown,) = cell.outputs
    *moving, last = shown
    steps = [int(data["text/plain"].removeprefix("step ").partition("/")[0]) for data in moving]
    assert len(set(steps)) > 3
    assert steps == sorted(steps)
    for step, data in zip(steps, moving, strict=True):
        assert f'<progress value="{step / 12:.4f}"' in data["text/html"]
        assert data["text/plain"] in data["text/html"]
    assert last["text/plain"].startswith("step 12/12  loss ")
    assert last["text/plain"].endswith(" steps/s")
    assert last["text/html"] == f"<div>{last['text/plain']}</div>"
    assert set(last) == {"text/plain", "text/html"}


def test_a_notebook_s_bar_is_not_sent_more_often_than_anyone_can_see(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SECONDS", 1e9)
    cell = Cell(monkeypatch)
    fit(net(), X, T, epochs=4, batch_size=20, rng=0, progress_steps=1)
    (shown,) = cell.outputs
    assert [data["text/plain"].partition("  ")[0] for data in shown] == ["step 1/12", "step 12/12"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_notebook_s_bar_ends_as_a_line_after_an_error(error: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = Cell(monkeypatch)

    def train() -> None:
        with progress_line(10) as show:
            assert show is not None
            show(Progress(3, 0.5, None))
            raise error

    with pytest.raises(error):
        train()
    assert cell.outputs[0][-1]["text/plain"].startswith("step 3/10  loss 0.5000  ")
    assert "<progress" not in cell.outputs[0][-1]["text/html"]


def test_a_notebook_without_a_step_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = Cell(monkeypatch)
    with progress_line(10):
        pass
    assert cell.outputs == []


def test_a_terminal_of_ipython_is_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = Cell(monkeypatch, TerminalInteractiveShell)
    monkeypatch.setattr(sys, "stderr", screen := Terminal())
    fit(net(), X, T, epochs=2, batch_size=20, rng=0)
    assert cell.outputs == []
    assert "6/6" in screen.getvalue()


def test_an_error_passes_through_the_progress_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    with pytest.raises(RuntimeError, match="mine"), progress_line(10):
        raise RuntimeError("mine")


def test_the_progress_line_does_not_change_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    shown, alone = net(), net()
    options: dict[str, Any] = {"epochs": 3, "batch_size": 7, "rng": 0, "progress_steps": 2}
    fit(shown, X, T, **options)
    fit(alone, X, T, verbose=False, **options)
    np.testing.assert_array_equal(shown.flat_params["flat"], alone.flat_params["flat"])
