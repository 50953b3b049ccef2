"""`backprop explain`."""

from __future__ import annotations

import os
import webbrowser
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from backprop import (
    Affine,
    DeepConvNet,
    MeanSquaredError,
    MultiLayerNet,
    Network,
    SimpleConvNet,
    TwoLayerNet,
)
from backprop.cli import main
from backprop.explain import explain
from backprop.saving.checkpoint import read_checkpoint, write_checkpoint
from backprop.saving.network import load_network, save_network
from backprop.text import digits

from ..commands import fails, usage
from ..explain.pages import read
from .networks import FILE, network, train_on, write_data


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BACKPROP_NO_REPORT", "1")


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    """The lines of the command, which ends well and writes a page that can be read."""
    capsys.readouterr()
    assert main(["explain", *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    read(Path(lines[-1]).read_bytes())
    return lines


def train(out: str) -> None:
    words = ["--data", "d.npz", "--out", out, "--epochs", "1", "--batch-size", "10", "--quiet"]
    assert main(["train", *words]) == 0


def test_a_run_with_its_own_data(capsys: pytest.CaptureFixture[str]) -> None:
    write_data()
    train("run")
    lines = shown(capsys, "run", "--sample", "3")
    assert lines[-1] == str(Path("run", "explain.html"))
    assert lines[0] == "TwoLayerNet explained"
    with np.load("d.npz") as arrays:
        x, t = arrays["x_test"], arrays["t_test"]
    assert lines[1].startswith(f"Sample 3 of the test data of d, labelled {t[3]}: the network says ")
    rows = [3, 4, 5, 6, 7, 8, 9, 0, 1, 2]
    loss = float(load_network("run").loss(x[rows], t[rows]))
    assert lines[2] == f"A batch of 10 samples: loss {digits(loss)}."
    step = explain(load_network("run"), x[rows], t[rows]).steps[0]
    assert f"  {step.worked['y'].lines()[0]}" in lines


def test_the_latest_run_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    write_data()
    for out in ("runs/first", "runs/second"):
        train(out)
    assert shown(capsys)[-1] == str(Path("runs", "second", "explain.html"))


def test_without_a_run_the_book_s_network_is_explained_untrained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--layer", "affine2"]) == 0
    out, err = capsys.readouterr()
    assert err == (
        "no run in runs: explaining a TwoLayerNet 784-50-10 that has learned nothing, with seed 0; to train "
        "one: backprop train\n"
    )
    assert out.splitlines()[-1] == "explain.html"
    write_data()
    assert main(["explain", "--data", "d.npz"]) == 0
    assert "TwoLayerNet 16-50-2" in capsys.readouterr().err


def test_one_layer(capsys: pytest.CaptureFixture[str]) -> None:
    write_data()
    save_network(FILE, network())
    titles = [line for line in shown(capsys, FILE, "--data", "d.npz", "--layer", "Relu1") if ", " in line]
    assert [title for title in titles if title.endswith(("forward", "backward"))] == [
        "Relu1, forward", "Relu1, backward",
    ]  # fmt: skip
    assert "unknown layer 'Relu9': expected one of Affine1, Affine2, Relu1, SoftmaxWithLoss" in fails(
        capsys, "explain", FILE, "--data", "d.npz", "--layer", "Relu9", status=2
    )


def test_a_sample_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    write_data()
    save_network(FILE, network())
    assert shown(capsys, FILE, "--data", "d.npz", "--sample", "9")[1].startswith("Sample 9 of")
    assert "--sample 10: the test data of d has 10 samples, 0 to 9" in fails(
        capsys, "explain", FILE, "--data", "d.npz", "--sample", "10", status=2
    )
    assert "expected a whole number of at least 0, got '-1'" in usage(capsys, "explain", "--sample", "-1")
    assert "did you mean" not in usage(capsys, "explain", "--json")  # an option of other commands


def test_the_network_is_called_what_the_checkpoint_calls_it(capsys: pytest.CaptureFixture[str]) -> None:
    write_data()
    save_network(FILE, network())
    path, checkpoint = Path(FILE), read_checkpoint(FILE)
    for name in ("<b>Mine</b>", {}, None):
        checkpoint.description["network"]["class"] = name
        write_checkpoint(path, checkpoint)
        assert shown(capsys, FILE, "--data", "d.npz")[0] == f"{name} explained"


def test_fewer_samples_than_a_batch(capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    np.savez("few.npz", x_test=rng.random((3, 16)).astype("f"), t_test=np.asarray([0, 1, 1]))
    save_network(FILE, network())
    assert shown(capsys, FILE, "--data", "few.npz", "--sample", "2")[2].startswith("A batch of 3 samples")


def test_where_the_page_goes(capsys: pytest.CaptureFixture[str]) -> None:
    write_data()
    save_network(FILE, network())
    words = (FILE, "--data", "d.npz")
    assert shown(capsys, *words)[-1] == "explain.html"
    assert shown(capsys, *words)[-1] == "explain.html"  # one of its own pages is replaced
    assert shown(capsys, *words, "--out", "page.html")[-1] == "page.html"
    assert (
        "nowhere/page.html cannot be written: there is no folder nowhere; write the page elsewhere"
        in fails(capsys, "explain", *words, "--out", "nowhere/page.html")
    )
    Path("explain.html").write_text("mine")
    assert "explain.html is not a page of this command: give another name, --out FILE" in fails(
        capsys, "explain", *words, status=2
    )
    assert Path("explain.html").read_text() == "mine"


def test_the_page_is_written_before_the_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`backprop explain | head` ends the command at once."""
    write_data()
    save_network(FILE, network())

    def ended(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("backprop.cli.explain.text_of", ended)
    assert main(["explain", FILE, "--data", "d.npz"]) == 130
    read(Path("explain.html").read_bytes())


def test_a_browser_is_opened_only_on_request(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    answers = iter([True, False])

    def record(url: str) -> bool:
        opened.append(url)
        return next(answers)

    monkeypatch.setattr(webbrowser, "open", record)
    write_data()
    save_network(FILE, network())
    shown(capsys, FILE, "--data", "d.npz")
    assert opened == []
    shown(capsys, FILE, "--data", "d.npz", "--open")
    assert opened == [Path("explain.html").absolute().as_uri()]
    assert main(["explain", FILE, "--data", "d.npz", "--open"]) == 0
    assert capsys.readouterr().err == "no browser found: open explain.html in one\n"


@pytest.mark.parametrize("make", [
    lambda: TwoLayerNet(784, 5, 10, rng=0),
    lambda: MultiLayerNet(784, [5], 10, use_batchnorm=True, dropout_ratio=0.2, rng=0),
    lambda: SimpleConvNet(rng=0),
    lambda: DeepConvNet(rng=0),
], ids=["two-layer", "mlp", "simple-conv", "deep-conv"])  # fmt: skip
def test_the_book_s_networks(make: Callable[[], Network], capsys: pytest.CaptureFixture[str]) -> None:
    save_network(FILE, make())
    lines = shown(capsys, FILE, "--sample", "7")
    assert lines[1].startswith("Sample 7 of the test data of mnist, labelled 9: ")


def test_a_loss_of_real_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    layers = [Affine(rng.standard_normal((3, 2)).astype("f"), np.zeros(2, "f"))]
    save_network(FILE, Network(layers, MeanSquaredError()))
    np.savez("r.npz", x_test=rng.random((4, 3)).astype("f"), t_test=rng.random((4, 2)).astype("f"))
    assert "L = (Σₙₖ (xₙₖ − tₙₖ)²) / (N K)" in shown(capsys, FILE, "--data", "r.npz")
    assert "a loss of real numbers, MeanSquaredError: give an .npz file with x_test and t_test" in fails(
        capsys, "explain", FILE, status=2
    )
    np.savez("r.npz", x_test=rng.random((4, 3)), t_test=rng.random((3, 2)))
    assert "4 test samples and 3 targets; expected as many targets as samples" in fails(
        capsys, "explain", FILE, "--data", "r.npz"
    )


def test_a_table_of_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    train_on(rng.standard_normal((40, 5)).astype("f"), np.arange(40) % 3)
    assert "  x  10×5" in "\n".join(shown(capsys, "run"))


def test_a_network_that_diverged(capsys: pytest.CaptureFixture[str]) -> None:
    made = network()
    made.params["W2"][...] = np.nan
    save_network(FILE, made)
    write_data()
    lines = shown(capsys, FILE, "--data", "d.npz")
    assert any("NaN or infinite: first in W of Affine2" in line for line in lines)


def test_data_and_runs_that_do_not_fit(capsys: pytest.CaptureFixture[str]) -> None:
    write_data()
    save_network(FILE, TwoLayerNet(7, 3, 2, rng=0))
    assert "does not fit d: " in fails(capsys, "explain", FILE, "--data", "d.npz", status=2)
    assert "nowhere: no such file or directory" in fails(capsys, "explain", "nowhere")
    Path("damaged.safetensors").write_bytes(b"damaged")
    assert "is not a readable checkpoint" in fails(capsys, "explain", "damaged.safetensors")


@pytest.mark.parametrize("columns", ["40", "80"])
def test_it_fits_the_terminal(
    columns: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    write_data()
    save_network(FILE, network())
    lines = shown(capsys, FILE, "--data", "d.npz")
    assert max(map(len, lines)) <= int(columns)
    assert "\x1b" not in "".join(lines)


def test_columns_counts_in_a_pipe(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_data()
    save_network(FILE, network())
    monkeypatch.delenv("COLUMNS", raising=False)
    assert max(map(len, shown(capsys, FILE, "--data", "d.npz"))) > 80
    monkeypatch.setenv("COLUMNS", "40")
    assert max(map(len, shown(capsys, FILE, "--data", "d.npz"))) <= 40


def test_a_fifo_in_place_of_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("no FIFOs here")
    write_data()
    save_network(FILE, network())
    os.mkfifo("explain.html")
    assert "explain.html cannot be used: it is a FIFO" in fails(capsys, "explain", FILE, "--data", "d.npz")
