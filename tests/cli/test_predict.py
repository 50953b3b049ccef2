"""`backprop predict`."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from backprop import Affine, MeanSquaredError, Network, SigmoidWithLoss, SimpleConvNet
from backprop.cli import main
from backprop.saving.network import save_network

from ..commands import fails
from .networks import FILE, network, output_of, train_on


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def upper() -> np.ndarray:
    picture = np.zeros((4, 4), "uint8")
    picture[:2] = 255
    return picture


@pytest.mark.parametrize("shape", [(4, 4), (16,), (1, 16), (1, 4, 4), (1, 1, 4, 4)])
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64", "int64", "bool"])
def test_one_sample(shape: tuple[int, ...], dtype: str, capsys: pytest.CaptureFixture[str]) -> None:
    save_network(FILE, network())
    x = upper() if dtype == "uint8" else upper() // 255
    np.save("x.npy", x.astype(dtype).reshape(shape))
    (found,) = output_of(capsys, "predict", FILE, "--input", "x.npy", "--json")
    p = 1.0 / (1.0 + np.exp(-8.0))
    assert [entry["class"] for entry in found["top"]] == [0, 1]
    np.testing.assert_allclose([entry["probability"] for entry in found["top"]], [p, 1.0 - p], rtol=1e-3)
    assert output_of(capsys, "predict", FILE, "--input", "x.npy", "--top", "1") == "0 (100.0%)\n"


def test_many_samples(capsys: pytest.CaptureFixture[str]) -> None:
    save_network(FILE, network())
    np.savez("x.npz", x=np.stack([upper(), upper()[::-1]]), other=np.zeros(3))
    assert [
        found["top"][0]["class"] for found in output_of(capsys, "predict", FILE, "--input", "x.npz", "--json")
    ] == [
        0,
        1,
    ]
    np.savez("y.npz", first=upper(), second=upper())
    for words, said in (
        ((), "y.npz has the arrays first, second: choose one, such as --array first"),
        (("--array", "third"), "--array third: y.npz has no such array; it has first, second"),
    ):
        assert main(["predict", FILE, "--input", "y.npz", *words]) == 2
        assert capsys.readouterr().err == f"backprop: error: {said}\n"
    assert output_of(capsys, "predict", FILE, "--input", "y.npz", "--array", "second").startswith("0 ")


@pytest.mark.parametrize("words", [("--input", "a.npy", "b.npy"), ("--input", "a.npy", "--input", "b.npy")])
def test_several_files(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    save_network(FILE, network())
    np.save("a.npy", upper())
    np.save("b.npy", np.stack([upper()[::-1], upper()]))
    found = output_of(capsys, "predict", FILE, *words, "--json")
    assert [(one["file"], one["sample"], one["top"][0]["class"]) for one in found] == [
        ("a.npy", 0, 0),
        ("b.npy", 0, 1),
        ("b.npy", 1, 0),
    ]
    assert output_of(capsys, "predict", FILE, *words, "--top", "1") == (
        "a.npy: 0 (100.0%)\nb.npy:\n     0: 1 (100.0%)\n     1: 0 (100.0%)\n"
    )


def test_run_after_the_input(capsys: pytest.CaptureFixture[str]) -> None:
    save_network(FILE, network())
    np.save("a.npy", upper())
    before = output_of(capsys, "predict", FILE, "--input", "a.npy", "--json")
    assert output_of(capsys, "predict", "--input", "a.npy", FILE, "--json") == before
    assert output_of(capsys, "predict", "--input", "a.npy", "--json", FILE) == before
    assert main(["predict", "--input", "a.npy"]) == 2
    assert "give the run: backprop predict RUN --input FILE" in capsys.readouterr().err


def test_one_invalid_file_of_several(capsys: pytest.CaptureFixture[str]) -> None:
    save_network(FILE, network())
    np.save("a.npy", upper())
    Path("pics").mkdir()
    words = ["--input", "no.npy", "a.npy", "pics", "a.npy", "--top", "1"]
    assert main(["predict", FILE, *words]) == 1
    out, err = capsys.readouterr()
    assert out == "a.npy: 0 (100.0%)\na.npy: 0 (100.0%)\n"
    assert err == (
        "backprop: error: no.npy: no such file or directory\n"
        "backprop: error: pics: expected a file, got a folder; name its files, such as pics/*.png\n"
    )


def test_show_input_needs_a_single_picture(capsys: pytest.CaptureFixture[str]) -> None:
    save_network(FILE, network())
    assert main(["predict", FILE, "--input", "a.png", "b.png", "--show-input", "seen.png"]) == 2
    assert "--show-input is for one picture, but --input names 2 files" in capsys.readouterr().err
    assert not Path("seen.png").exists()


@pytest.mark.parametrize("kind", ["as MNIST's", "dark on bright", "transparent", "large"])
def test_a_picture(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    image = pytest.importorskip("PIL.Image")
    save_network(FILE, network())
    picture = np.zeros((8, 8), "uint8")
    picture[1:3, 1:7] = 255  # in the upper half; the border is dark
    made = image.fromarray(picture)
    if kind == "dark on bright":
        made = image.fromarray(255 - picture)
    elif kind == "transparent":
        made = image.fromarray(np.stack([picture * 0, picture * 0, picture * 0, picture], axis=-1))
    elif kind == "large":
        made = made.resize((256, 256))
    made.save("a.png")
    assert main(["predict", FILE, "--input", "a.png"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("0 ")
    assert ("inverted" in err) == (kind in ("dark on bright", "transparent"))


def test_a_picture_for_a_convolutional_network(capsys: pytest.CaptureFixture[str]) -> None:
    image = pytest.importorskip("PIL.Image")
    save_network(FILE, SimpleConvNet((1, 12, 12), rng=0))
    image.fromarray(np.eye(12, dtype="uint8") * 255).save("a.png")
    (found,) = output_of(capsys, "predict", FILE, "--input", "a.png", "--json")
    assert len(found["top"]) == 3


def test_without_pillow(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    save_network(FILE, network())
    Path("a.png").touch()
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert "pictures need Pillow (pip install pillow)" in fails(capsys, "predict", FILE, "--input", "a.png")


def test_outputs_without_classes(capsys: pytest.CaptureFixture[str]) -> None:
    save_network(FILE, Network([Affine(np.eye(2), np.ones(2))], MeanSquaredError()))
    np.save("x.npy", np.asarray([[1.0, 2.0], [3.0, 4.0]]))
    assert main(["predict", FILE, "--input", "x.npy"]) == 0
    lines = [json.loads(line)["output"] for line in capsys.readouterr().out.splitlines()]
    assert lines == [[2.0, 3.0], [4.0, 5.0]]
    save_network(FILE, Network([Affine(np.eye(2), np.zeros(2))], SigmoidWithLoss()))
    np.save("x.npy", np.asarray([[0.0, -1000.0]]))
    (found,) = output_of(capsys, "predict", FILE, "--input", "x.npy", "--json")
    assert [entry["probability"] for entry in found["top"]] == [0.5, 0.0]


@pytest.mark.filterwarnings("ignore:.*pickle")
def test_invalid_input(capsys: pytest.CaptureFixture[str]) -> None:
    image = pytest.importorskip("PIL.Image")
    save_network(FILE, network())
    np.save("words.npy", np.asarray(["a"]))
    np.save("objects.npy", np.asarray([print], dtype=object), allow_pickle=True)
    np.save("short.npy", np.zeros((2, 7), "float32"))
    np.save("none.npy", np.zeros((0, 16), "float32"))
    Path("cut.npz").write_bytes(b"PK\3\4nothing")
    Path("text.png").write_text("<html>")
    picture = io.BytesIO()
    image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), "uint8")).save(picture, "PNG")
    Path("cut.png").write_bytes(picture.getvalue()[:1000])
    Path("header.npy").write_bytes(b"\x93NUMPY\1\0\x05\0{'a'(")
    np.savez_compressed("zipped.npz", x=np.random.default_rng(0).random(1000))
    damaged = bytearray(Path("zipped.npz").read_bytes())
    damaged[200:400] = bytes(200)
    Path("zipped.npz").write_bytes(damaged)
    with open("promises.npy", "wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (10**14, 16)}
        np.lib.format.write_array_header_1_0(file, header)
    np.save("nan.npy", np.full((2, 16), np.nan))
    for name, message in (
        ("no.npy", "no.npy: no such file or directory"),
        ("words.npy", "expected numbers"),
        ("objects.npy", "allow_pickle=False"),
        ("short.npy", r"expected samples of 16 numbers, (16,), got an array (2, 7)"),
        ("none.npy", "got an array (0, 16)"),
        ("cut.npz", "cut.npz cannot be read"),
        ("text.png", "expected a .npy or .npz file, or a picture: PNG, "),
        ("cut.png", "cut.png: the picture is damaged, or of an unusual kind: image file is truncated"),
        ("header.npy", "header.npy cannot be read"),
        ("zipped.npz", "zipped.npz cannot be read"),
        ("promises.npy", "promises.npy cannot be read"),
        ("nan.npy", "nan.npy: the output contains NaN or infinity; check the input"),
    ):
        assert message in fails(capsys, "predict", FILE, "--input", name)
    assert "is not a readable checkpoint" in fails(capsys, "predict", "words.npy", "--input", "words.npy")


def test_network_for_a_table_accepts_no_picture(capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    train_on(rng.standard_normal((40, 4)).astype("f"), np.arange(40) % 2)
    assert "the network was trained on numbers from -2" in fails(capsys, "predict", "run", "--input", "a.png")
