"""The progress line."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from backprop import TwoLayerNet, fit
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


def test_a_notebook_s_line_is_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    class ZMQInteractiveShell: ...

    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=ZMQInteractiveShell))
    monkeypatch.setattr(sys, "stderr", screen := io.StringIO())
    fit(net(), X, T, epochs=2, batch_size=20, rng=0)
    *_, last = screen.getvalue().split("\r")
    assert last.startswith("step 6/6  loss ")
    assert last.endswith(" steps/s\n")


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
