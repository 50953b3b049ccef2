"""`backprop predict`, `evaluate` and `inspect`: trained networks from the shell."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop import Affine, MeanSquaredError, Network, SigmoidWithLoss, SimpleConvNet, Training, TwoLayerNet
from backprop.cli import main
from backprop.saving.checkpoint import write_checkpoint
from backprop.saving.network import save_network

from ..commands import fails

FILE = "a.safetensors"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def network() -> TwoLayerNet:
    """One that counts the bright pixels of each half of a picture of 4 × 4."""
    made = TwoLayerNet(16, 2, 2, rng=0)
    halves = np.zeros((16, 2), "float32")
    halves[:8, 0] = halves[8:, 1] = 1.0
    made.load_params({"W1": halves, "b1": np.zeros(2), "W2": np.eye(2), "b2": np.zeros(2)})
    return made


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    capsys.readouterr()
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return [json.loads(line) for line in out.splitlines()] if "--json" in words else out


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
    (found,) = shown(capsys, "predict", FILE, "--input", "x.npy", "--json")
    p = 1.0 / (1.0 + np.exp(-8.0))
    assert [entry["class"] for entry in found["top"]] == [0, 1]
    np.testing.assert_allclose([entry["probability"] for entry in found["top"]], [p, 1.0 - p], rtol=1e-3)
    assert shown(capsys, "predict", FILE, "--input", "x.npy", "--top", "1") == "0 (100.0%)\n"


def test_many_samples(capsys: pytest.CaptureFixture[str]) -> None:
    save_network(FILE, network())
    np.savez("x.npz", x=np.stack([upper(), upper()[::-1]]), other=np.zeros(3))
    assert [
        found["top"][0]["class"] for found in shown(capsys, "predict", FILE, "--input", "x.npz", "--json")
    ] == [
        0,
        1,
    ]
    np.savez("y.npz", first=upper(), second=upper())
    for words, said in (
        ((), "y.npz has the arrays first, second: name one with --array first"),
        (("--array", "third"), "--array third: y.npz has no such array, but first, second"),
    ):
        assert main(["predict", FILE, "--input", "y.npz", *words]) == 2
        assert capsys.readouterr().err == f"backprop: error: {said}\n"
    assert shown(capsys, "predict", FILE, "--input", "y.npz", "--array", "second").startswith("0 ")


@pytest.mark.parametrize("words", [("--input", "a.npy", "b.npy"), ("--input", "a.npy", "--input", "b.npy")])
def test_several_files(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    save_network(FILE, network())
    np.save("a.npy", upper())
    np.save("b.npy", np.stack([upper()[::-1], upper()]))
    found = shown(capsys, "predict", FILE, *words, "--json")
    assert [(one["file"], one["sample"], one["top"][0]["class"]) for one in found] == [
        ("a.npy", 0, 0),
        ("b.npy", 0, 1),
        ("b.npy", 1, 0),
    ]
    assert shown(capsys, "predict", FILE, *words, "--top", "1") == (
        "a.npy: 0 (100.0%)\nb.npy:\n     0: 1 (100.0%)\n     1: 0 (100.0%)\n"
    )


def test_the_run_may_stand_behind_the_input(capsys: pytest.CaptureFixture[str]) -> None:
    save_network(FILE, network())
    np.save("a.npy", upper())
    before = shown(capsys, "predict", FILE, "--input", "a.npy", "--json")
    assert shown(capsys, "predict", "--input", "a.npy", FILE, "--json") == before
    assert shown(capsys, "predict", "--input", "a.npy", "--json", FILE) == before
    assert main(["predict", "--input", "a.npy"]) == 2
    assert "give the run: backprop predict RUN --input FILE" in capsys.readouterr().err


def test_one_bad_file_among_several(capsys: pytest.CaptureFixture[str]) -> None:
    save_network(FILE, network())
    np.save("a.npy", upper())
    Path("pics").mkdir()
    words = ["--input", "no.npy", "a.npy", "pics", "a.npy", "--top", "1"]
    assert main(["predict", FILE, *words]) == 1
    out, err = capsys.readouterr()
    assert out == "a.npy: 0 (100.0%)\na.npy: 0 (100.0%)\n"
    assert err == (
        "backprop: error: no.npy: no such file or directory\n"
        "backprop: error: pics: expected a file, got a folder; name the files in it, as pics/*.png\n"
    )


def test_show_input_is_for_one_picture(capsys: pytest.CaptureFixture[str]) -> None:
    save_network(FILE, network())
    assert main(["predict", FILE, "--input", "a.png", "b.png", "--show-input", "seen.png"]) == 2
    assert "--show-input is for one picture, and --input names 2 files" in capsys.readouterr().err
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
    (found,) = shown(capsys, "predict", FILE, "--input", "a.png", "--json")
    assert len(found["top"]) == 3


def test_without_pillow(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    save_network(FILE, network())
    Path("a.png").touch()
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert "pictures need Pillow (pip install pillow)" in fails(capsys, "predict", FILE, "--input", "a.png")


def test_numbers_in_place_of_classes(capsys: pytest.CaptureFixture[str]) -> None:
    save_network(FILE, Network([Affine(np.eye(2), np.ones(2))], MeanSquaredError()))
    np.save("x.npy", np.asarray([[1.0, 2.0], [3.0, 4.0]]))
    assert main(["predict", FILE, "--input", "x.npy"]) == 0
    lines = [json.loads(line)["output"] for line in capsys.readouterr().out.splitlines()]
    assert lines == [[2.0, 3.0], [4.0, 5.0]]
    save_network(FILE, Network([Affine(np.eye(2), np.zeros(2))], SigmoidWithLoss()))
    np.save("x.npy", np.asarray([[0.0, -1000.0]]))
    (found,) = shown(capsys, "predict", FILE, "--input", "x.npy", "--json")
    assert [entry["probability"] for entry in found["top"]] == [0.5, 0.0]


@pytest.mark.filterwarnings("ignore:.*pickle")
def test_input_that_cannot_be(capsys: pytest.CaptureFixture[str]) -> None:
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
        ("text.png", "expected a .npy or .npz file or a picture, as PNG, "),
        ("cut.png", "cut.png: a picture that is damaged, or of an unusual kind: image file is truncated"),
        ("header.npy", "header.npy cannot be read"),
        ("zipped.npz", "zipped.npz cannot be read"),
        ("promises.npy", "promises.npy cannot be read"),
        ("nan.npy", "nan.npy: the output contains NaN or infinity; check the input"),
    ):
        assert message in fails(capsys, "predict", FILE, "--input", name)
    assert "is not a checkpoint that can be read" in fails(
        capsys, "predict", "words.npy", "--input", "words.npy"
    )


def data() -> None:
    rng = np.random.default_rng(0)
    x, t = rng.random((40, 4, 4)).astype("f"), rng.integers(0, 2, 40)
    np.savez("d.npz", x_train=x[:30], t_train=t[:30], x_test=x[30:], t_test=t[30:])


def test_evaluate(capsys: pytest.CaptureFixture[str]) -> None:
    data()
    made = network()
    save_network(FILE, made)
    with np.load("d.npz") as arrays:
        expected = [made.evaluate(arrays[f"x_{part}"], arrays[f"t_{part}"]) for part in ("test", "train")]
    for (loss, accuracy), words in zip(expected, ([], ["--train"]), strict=True):
        (found,) = shown(capsys, "evaluate", FILE, "--data", "d.npz", "--json", *words)
        assert (found["loss"], found["accuracy"]) == (loss, accuracy)
    assert "samples of d" in shown(capsys, "evaluate", FILE, "--data", "d.npz")


def test_inspect(capsys: pytest.CaptureFixture[str]) -> None:
    data()
    save_network(FILE, network())
    out = shown(capsys, "inspect", FILE)
    assert "TwoLayerNet(Affine1 · Relu1 · Affine2 · SoftmaxWithLoss), float32" in out
    assert "params.W1  F32  16×2" in out
    with np.load("d.npz") as arrays:
        training = Training(network(), arrays["x_train"], arrays["t_train"], epochs=2, batch_size=10, rng=0)
        list(training)
    write_checkpoint(FILE, training.checkpoint())
    assert "training  6 steps" in shown(capsys, "inspect", FILE)
    (found,) = shown(capsys, "inspect", FILE, "--json")
    assert found["training"]["step"] == 6
    assert found["arrays"]["params.W1"] == {"dtype": "F32", "shape": [16, 2]}
    Path(FILE).write_bytes(b"no")
    assert "is not a checkpoint" in fails(capsys, "inspect", FILE)


def trained_on(x: np.ndarray, t: np.ndarray) -> None:
    np.savez("d.npz", x_train=x[:30], t_train=t[:30], x_test=x[30:], t_test=t[30:])
    words = [
        "--data",
        "d.npz",
        "--out",
        "run",
        "--epochs",
        "2",
        "--batch-size",
        "10",
        "--no-report",
        "--quiet",
    ]
    assert main(["train", *words]) == 0


def test_evaluate_takes_the_run_s_own_data(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    x, t = rng.random((40, 4, 4)).astype("f"), np.arange(40) % 2
    trained_on(x, t)
    (told,) = [line for line in capsys.readouterr().out.splitlines() if "test accuracy" in line]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (found,) = shown(capsys, "evaluate", "../run", "--json")
    assert (found["samples"], found["data"]) == (10, "d")
    assert f"test accuracy {found['accuracy']:.4f}" in told
    (found,) = shown(capsys, "evaluate", "../run", "--json", "--train")
    assert found["samples"] == 30
    np.savez("../d.npz", x_train=x[:30], t_train=t[:30], x_test=x[30:] + 0.5, t_test=t[30:])
    assert "is of a run on other data than" in fails(capsys, "evaluate", "../run")
    Path("../d.npz").rename("moved.npz")
    assert "if the run's data are elsewhere now, say where by --data" in fails(capsys, "evaluate", "../run")
    assert "samples of moved" in shown(capsys, "evaluate", "../run", "--data", "moved.npz")


def test_evaluate_says_what_a_file_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    save_network(FILE, TwoLayerNet(784, 2, 10, rng=0))
    assert main(["evaluate", FILE]) == 0
    assert "does not say what it has learnt from: this is MNIST" in capsys.readouterr().err


def test_evaluate_of_a_network_that_does_not_take_the_data(capsys: pytest.CaptureFixture[str]) -> None:
    data()
    x = np.random.default_rng(0).standard_normal((30, 7)).astype("f")
    small = TwoLayerNet(7, 3, 2, rng=0)
    list(Training(small, x, np.arange(30) % 2, epochs=1, batch_size=10, rng=0))
    save_network(FILE, small)
    save_network("few.safetensors", TwoLayerNet(784, 2, 3, rng=0))
    for words, said in (
        ((FILE,), f"{FILE} does not say what it has learnt from, and MNIST does not fit it (Affine1: "),
        ((FILE,), "give its data, --data PATH"),
        (("few.safetensors",), "(it has 3 outputs for 10 classes): give its data"),
        ((FILE, "--data", "d.npz"), f"{FILE} does not fit d: Affine1: expected input (N, 7), got "),
    ):
        assert main(["evaluate", *words]) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        assert said in err


@pytest.mark.filterwarnings("always::UserWarning")
def test_a_warning_is_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    x = np.random.default_rng(0).random((40, 4, 4)).astype("f")
    made = network()
    list(Training(made, x, np.arange(40) % 2, epochs=1, batch_size=10, rng=0))
    save_network(FILE, made)
    np.savez("far.npz", x=1000.0 * x, t=np.arange(40) % 2)
    assert main(["evaluate", FILE, "--data", "far.npz"]) == 0
    assert capsys.readouterr().err.count("scale them as its training data were") == 1


def test_evaluate_never_prints_what_is_no_json(capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    x, t = rng.random((40, 4, 4)).astype("f"), np.arange(40) % 2
    trained_on(x, t)
    capsys.readouterr()
    x[33, 1, 2] = np.nan
    np.savez("d.npz", x_train=x[:30], t_train=t[:30], x_test=x[30:], t_test=t[30:])
    message = fails(capsys, "evaluate", "run", "--json", "--data", "d.npz")
    assert "d: the test data's x: nan in row 3, at [1, 2]" in message


def test_a_network_of_a_table_takes_no_picture(capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    trained_on(rng.standard_normal((40, 4)).astype("f"), np.arange(40) % 2)
    assert "the network has learnt from numbers from -2" in fails(
        capsys, "predict", "run", "--input", "a.png"
    )
