"""The page of one run."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop import Affine, MeanSquaredError, Momentum, Network, SimpleConvNet, Training, TwoLayerNet
from backprop.pages.html import number
from backprop.report import diagnose, write_comparison, write_report
from backprop.saving import history_file, run_folder
from backprop.saving.checkpoint import read_checkpoint, write_checkpoint

from .pages import column, heads, read, tables
from .runs import TEST, TRAIN, epoch_line, make_run

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def test_page(run: Path) -> None:
    pytest.importorskip("matplotlib")
    assert write_report(run) == run / "report.html"
    page = read(run / "report.html")
    history = history_file.read_history(run)
    for text in (
        "TwoLayerNet on data",
        "This page shows the checkpoint of step 36, the last one.",
        f"test accuracy{history[-1]['test_accuracy']:.2%}",
        "parameters683",
        "backprop train --epochs 3",
        "Curves",
        "Confusion matrix",
        "Misclassified",
        "W2 gradient",
        "Relu1 output",
        "The update is the next step's, with a learning rate of 0.1.",
    ):
        assert text in page.text
    wrong = round((1.0 - history[-1]["test_accuracy"]) * len(TEST[0]))
    assert page.tags.count("img") == min(wrong, 20) + 10
    assert page.tags.count("svg") == 2 + 3 + 4
    matrix = [[int(cell) for cell in row[:3]] for row in tables(run / "report.html")[0].values()]
    assert [sum(row) for row in matrix] == np.bincount(TEST[1]).tolist()


def test_page_without_matplotlib(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    page = read(write_report(run))
    assert "matplotlib is not installed (pip install matplotlib)" in page.text
    assert "svg" not in page.tags
    assert len(tables(run / "report.html")) == 6  # confusion, pairs, outputs, gradients, epochs, settings


def test_page_without_the_data(run: Path) -> None:
    (run.parent / "data.npz").unlink()
    page = read(write_report(run))
    assert "There is no diagnosis of the network: " in page.text
    assert "data.npz: no such file or folder" in page.text
    assert "Confusion" not in page.text
    assert f"test loss{number(history_file.read_history(run)[-1]['test_loss'])}" in page.text


def test_page_of_a_checkpoint_without_settings(run: Path) -> None:
    training = Training(TwoLayerNet(64, 4, 3, rng=0), *TRAIN, epochs=1, rng=0)
    next(training)
    write_checkpoint(run / run_folder.BEST, training.checkpoint())
    page = read(write_report(run))
    assert "the checkpoint does not name the run's data" in page.text
    assert "step 6, the one with the lowest validation loss" in page.text


def test_outside_text_is_escaped(tmp_path: Path) -> None:
    network = TwoLayerNet(64, 4, 3, rng=0)
    folder = make_run(tmp_path / "a<i>&", network, init="<script>alert(1)</script>&amp;")
    data = tmp_path / "<b>&.npz"
    (tmp_path / "data.npz").rename(data)
    path = run_folder.checkpoints(folder)[-1]
    checkpoint = read_checkpoint(path)
    checkpoint.description["run"]["settings"]["data"] = str(data)
    checkpoint.description["run"]["command"] = 'backprop train --data "<b>&.npz"'
    write_checkpoint(path, checkpoint)
    page = read(write_report(folder))
    for text in ("on <b>&", "a<i>&: ", '--data "<b>&.npz"', "<script>alert(1)</script>&amp;"):
        assert text in page.text
    assert not {"b", "i", "script"} & set(page.tags)
    other = make_run(tmp_path / "c", TwoLayerNet(64, 4, 3, rng=0))
    page = read(write_comparison([folder, other], tmp_path / "comparison.html"))
    assert "a<i>&, c" in page.text


def test_control_characters_in_layer_names_are_shown(run: Path) -> None:
    path = run_folder.checkpoints(run)[-1]
    checkpoint = read_checkpoint(path)
    network = checkpoint.description["network"]
    network["layers"] = {f"{name}\x1b[2J<i>": layer for name, layer in network["layers"].items()}
    write_checkpoint(path, checkpoint)
    page = read(write_report(run))
    assert "Relu1\\x1b[2J<i> output" in page.text
    assert "i" not in page.tags
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", (run / "report.html").read_text("utf-8"))


def test_page_of_a_convolution(tmp_path: Path) -> None:
    network = SimpleConvNet((1, 8, 8), {"filter_num": 4, "filter_size": 3}, 5, 3, "he", rng=0)
    folder = make_run(tmp_path / "run", network, Momentum(0.01), optimizer="momentum")
    page = read(write_report(folder))
    assert "There is no diagnosis" not in page.text
    assert "N × 4 × 3 × 3" in page.text
    updates = [cells[-1] for name, cells in tables(folder / "report.html")[3].items() if name[0] == "W"]
    assert len(updates) == 3
    assert all(float(update) > 0.0 for update in updates)


def test_page_with_validation_and_steps(run: Path) -> None:
    pytest.importorskip("matplotlib")
    lines: list[dict[str, Any]] = [
        {"event": "steps", "step": 10 * i, "loss": 10.0 / i, "accuracy": 0.5} for i in range(1, 4)
    ]
    lines.append({
        "event": "epoch", "epoch": 1, "step": 36, "loss": 2.0, "accuracy": 0.5, "validation_loss": 0.01,
        "validation_accuracy": 0.875, "seconds": 2.0,
    })  # fmt: skip
    history_file.write_history(run, lines)
    page = read(write_report(run))
    assert "validation accuracy87.50%" in page.text
    assert "Loss validation train" in page.text
    assert "steps/s18" in page.text


def test_page_of_regression(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import backprop.report.page as page_module

    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((40, 4)), rng.standard_normal((40, 2))
    network = Network([Affine(rng.standard_normal((4, 2)), np.zeros(2))], MeanSquaredError())
    diagnosis = diagnose(network, x, t, x, t)
    monkeypatch.setattr(page_module, "diagnose_run", lambda *_: diagnosis)
    line = {**history_file.read_history(run)[-1], "accuracy": None, "test_accuracy": None}
    history_file.write_history(run, [line])
    page = read(write_report(run))
    assert "accuracy" not in page.text.replace("test accuracy–", "").partition("Epochs")[0]
    assert f"test loss{number(diagnosis.test_loss)}" in page.text
    assert "Confusion" not in page.text


def test_test_result_of_a_run_with_validation(run: Path) -> None:
    pytest.importorskip("matplotlib")
    validated = epoch_line(36, validation_loss=0.5, validation_accuracy=0.75, seconds=2.0)
    tested = {"event": "test", "epoch": 3, "step": 36, "test_loss": 0.25, "test_accuracy": 0.875}
    target = run.parent / "comparison.html"
    history_file.write_history(run, [validated, tested])
    write_comparison([run], target)
    assert column(target, "test accuracy") == ["87.50%"]
    assert column(target, "test loss") == ["0.25"]
    assert "Test accuracy run" in read(target).text
    assert "Loss test validation train" in read(write_report(run)).text
    (run.parent / "data.npz").unlink()
    assert "test accuracy87.50%" in read(write_report(run)).text  # without a diagnosis
    for lines in ([validated], [validated, {**tested, "step": 24}]):  # an older run; a test of another step
        history_file.write_history(run, lines)
        write_comparison([run], target)
        assert "test accuracy" not in heads(target)[0]


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_browser_shows_the_page(run: Path) -> None:
    page = write_report(run)
    picture, profile = run / "page.png", run / "profile"
    assert CHROMIUM is not None

    def chromium(*options: str) -> subprocess.CompletedProcess[str]:
        command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
        command += ["--enable-logging=stderr", "--window-size=400,900", *options, page.resolve().as_uri()]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)

    done = chromium("--dump-dom")
    assert "TwoLayerNet on data" in done.stdout
    assert "CONSOLE" not in done.stderr
    chromium(f"--screenshot={picture}")
    assert picture.read_bytes().startswith(b"\x89PNG")
