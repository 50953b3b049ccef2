"""`backprop evaluate`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backprop import Training, TwoLayerNet
from backprop.cli import main
from backprop.saving.network import save_network

from ..commands import fails
from .networks import FILE, network, output_of, train_on, write_data


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_loss_and_accuracy(capsys: pytest.CaptureFixture[str]) -> None:
    write_data()
    made = network()
    save_network(FILE, made)
    with np.load("d.npz") as arrays:
        expected = [made.evaluate(arrays[f"x_{part}"], arrays[f"t_{part}"]) for part in ("test", "train")]
    for (loss, accuracy), words in zip(expected, ([], ["--train"]), strict=True):
        (found,) = output_of(capsys, "evaluate", FILE, "--data", "d.npz", "--json", *words)
        assert (found["loss"], found["accuracy"]) == (loss, accuracy)
    assert "samples of d" in output_of(capsys, "evaluate", FILE, "--data", "d.npz")


def test_default_is_the_run_s_data(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    x, t = rng.random((40, 4, 4)).astype("f"), np.arange(40) % 2
    train_on(x, t)
    (told,) = [line for line in capsys.readouterr().out.splitlines() if "test accuracy" in line]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (found,) = output_of(capsys, "evaluate", "../run", "--json")
    assert (found["samples"], found["data"]) == (10, "d")
    assert f"test accuracy {found['accuracy']:.4f}" in told
    (found,) = output_of(capsys, "evaluate", "../run", "--json", "--train")
    assert found["samples"] == 30
    np.savez("../d.npz", x_train=x[:30], t_train=t[:30], x_test=x[30:] + 0.5, t_test=t[30:])
    assert "is from a run on other data than" in fails(capsys, "evaluate", "../run")
    Path("../d.npz").rename("moved.npz")
    assert "if the run's data have moved, give their place with --data" in fails(capsys, "evaluate", "../run")
    assert "samples of moved" in output_of(capsys, "evaluate", "../run", "--data", "moved.npz")


def test_default_without_a_run_is_mnist(capsys: pytest.CaptureFixture[str]) -> None:
    save_network(FILE, TwoLayerNet(784, 2, 10, rng=0))
    assert main(["evaluate", FILE]) == 0
    assert "does not name its training data: using MNIST" in capsys.readouterr().err


def test_network_that_does_not_fit_the_data(capsys: pytest.CaptureFixture[str]) -> None:
    write_data()
    x = np.random.default_rng(0).standard_normal((30, 7)).astype("f")
    small = TwoLayerNet(7, 3, 2, rng=0)
    list(Training(small, x, np.arange(30) % 2, epochs=1, batch_size=10, rng=0))
    save_network(FILE, small)
    save_network("few.safetensors", TwoLayerNet(784, 2, 3, rng=0))
    for words, said in (
        ((FILE,), f"{FILE} does not name its training data, and MNIST does not fit it (Affine1: "),
        ((FILE,), "give its data, --data PATH"),
        (("few.safetensors",), "(it has 3 outputs for 10 classes): give its data"),
        ((FILE, "--data", "d.npz"), f"{FILE} does not fit d: Affine1: expected input (N, 7), got "),
    ):
        assert main(["evaluate", *words]) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        assert said in err


@pytest.mark.filterwarnings("always::UserWarning")
def test_warning_is_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    x = np.random.default_rng(0).random((40, 4, 4)).astype("f")
    made = network()
    list(Training(made, x, np.arange(40) % 2, epochs=1, batch_size=10, rng=0))
    save_network(FILE, made)
    np.savez("far.npz", x=1000.0 * x, t=np.arange(40) % 2)
    assert main(["evaluate", FILE, "--data", "far.npz"]) == 0
    assert capsys.readouterr().err.count("scale them as its training data were") == 1


def test_data_with_nan(capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    x, t = rng.random((40, 4, 4)).astype("f"), np.arange(40) % 2
    train_on(x, t)
    capsys.readouterr()
    x[33, 1, 2] = np.nan
    np.savez("d.npz", x_train=x[:30], t_train=t[:30], x_test=x[30:], t_test=t[30:])
    message = fails(capsys, "evaluate", "run", "--json", "--data", "d.npz")
    assert "d: the test data's x: nan in row 3, at [1, 2]" in message
