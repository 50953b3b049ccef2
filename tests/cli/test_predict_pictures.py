"""`backprop predict` with pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backprop import SimpleConvNet, TwoLayerNet
from backprop.datasets import mnist
from backprop.pictures import MNIST, Style
from backprop.saving.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from backprop.saving.network import save_network

from ..commands import fails
from ..pictures.photographs import DIGIT, Image, photograph
from ..pictures.predicting import FILE, predict_and_see, save


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_unknown_style_is_mentioned(capsys: pytest.CaptureFixture[str]) -> None:
    save_network(FILE, TwoLayerNet(784, 2, 2, rng=0))
    Image.fromarray(photograph(mnist().x_test[0])).save("a.png")
    shown, said = predict_and_see(capsys, "a.png")
    assert shown[4:24, 4:24].max() > 200 > 100 > shown[0].max()
    assert said == (
        "a.png: dark on bright, so inverted; resized to 28 × 28, keeping the aspect ratio; the "
        "checkpoint does not describe the training pictures: assuming bright ink on dark\n"
    )


def test_invalid_description_of_the_style(capsys: pytest.CaptureFixture[str]) -> None:
    save_network(FILE, TwoLayerNet(784, 2, 2, rng=0))
    Image.fromarray(mnist().x_test[0]).save("a.png")
    checkpoint = read_checkpoint(FILE)
    for entry in ("bright", {"ink": "green"}, {"ink": ["bright"]}, {"box": 20.0}, {"box": True}):
        data = {"data": {"pictures": entry}}
        write_checkpoint(FILE, Checkpoint({**checkpoint.description, **data}, checkpoint.arrays))
        message = fails(capsys, "predict", FILE, "--input", "a.png")
        assert f"{FILE}: its description of the training pictures is invalid" in message
    save(TwoLayerNet(784, 2, 2, rng=0), Style("bright", 10**9))
    assert "a box of 1000000000 does not fit" in fails(capsys, "predict", FILE, "--input", "a.png")


def test_networks_for_other_inputs(capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(mnist().x_test[0]).save("a.png")
    for network, takes in (
        (TwoLayerNet(5, 2, 2, rng=0), "5"),
        (SimpleConvNet((4, 12, 12), rng=0), "4 × 12 × 12"),
    ):
        save_network(FILE, network)
        message = fails(capsys, "predict", FILE, "--input", "a.png")
        assert (
            f"a picture does not fit this network, which expects {takes} numbers; give a .npy file" in message
        )


def test_show_input_needs_a_picture(capsys: pytest.CaptureFixture[str]) -> None:
    save_network(FILE, TwoLayerNet(784, 2, 2, rng=0))
    np.save("x.npy", DIGIT)
    message = fails(capsys, "predict", FILE, "--input", "x.npy", "--show-input", "b.png")
    assert "--show-input is for a picture, but x.npy contains arrays" in message
    Image.fromarray(DIGIT).save("a.png")
    before = Path("a.png").read_bytes()
    assert "a.png is the picture itself" in fails(
        capsys, "predict", FILE, "--input", "a.png", "--show-input", "./a.png"
    )
    assert Path("a.png").read_bytes() == before
    assert (
        "no/b.png cannot be written: there is no folder no; write it elsewhere with --show-input FILE\n"
        in fails(capsys, "predict", FILE, "--input", "a.png", "--show-input", "no/b.png")
    )


def test_show_input_shows_a_refused_picture(capsys: pytest.CaptureFixture[str]) -> None:
    save(TwoLayerNet(784, 2, 2, rng=0), MNIST)
    Image.new("L", (90, 60), 200).save("a.png")
    message = fails(capsys, "predict", FILE, "--input", "a.png", "--show-input", "seen.png")
    assert "a.png: the picture is empty: it has one colour; seen.png shows what was found" in message
    with Image.open("seen.png") as shown:
        assert (np.asarray(shown) == 200).all()
