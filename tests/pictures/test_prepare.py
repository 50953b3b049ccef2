"""Pictures become like MNIST's, or like those of another style."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backprop import SimpleConvNet, TwoLayerNet
from backprop.datasets import mnist
from backprop.pictures import MNIST, RefusedError, Style, prepare_picture, read_picture
from backprop.pictures.style import fills_box
from backprop.saving.network import load_network

from ..commands import fails
from .photographs import Image, photograph, photograph_on_a_desk, similarity
from .predicting import FILE, predict_and_see, save
from .test_files import DIGIT, read

DIGITS = 60

SCENES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "clean": photograph,
    "grey paper": lambda digit: photograph(digit, paper=190.0),
    "shadow": lambda digit: photograph(digit, paper=150.0, shadow=60.0, grain=4.0),
    "half size": lambda digit: photograph(digit, (560, 560), (140, 140)),
    "top left": lambda digit: photograph(digit, (560, 560), (20, 20)),
    "wide canvas": lambda digit: photograph(digit, (300, 450), (10, 85)),
    "touching the edges": lambda digit: photograph(digit)[40:240, 40:240],
}


@pytest.mark.parametrize("scene", SCENES)
def test_network_recognizes_photographed_digits(scene: str, run: str) -> None:
    data = mnist()
    x, t = data.x_test[:DIGITS], data.t_test[:DIGITS]
    network, pictures = load_network(run), []
    for digit in x:
        Image.fromarray(SCENES[scene](digit)).save("a.png")
        pictures.append(prepare_picture(read_picture("a.png", 1).pixels, (28, 28), MNIST).pixels)
    found = network.predict(np.stack(pictures).reshape(DIGITS, 784)).argmax(axis=1)
    assert (found == t).mean() >= 0.95


@pytest.mark.parametrize("scene", SCENES)
def test_photograph_looks_like_mnist(scene: str, run: str, capsys: pytest.CaptureFixture[str]) -> None:
    digit = mnist().x_test[0]
    Image.fromarray(SCENES[scene](digit)).save("a.png")
    shown, said = predict_and_see(capsys, "a.png", run)
    assert (shown.shape, shown.dtype) == ((28, 28), np.uint8)
    assert fills_box(shown[None] / 255.0, 20)[0]
    assert similarity(shown, digit) > (0.8 if scene == "touching the edges" else 0.9)
    assert said == (
        "a.png: dark on bright, so inverted; cropped to the ink, fitted into 20 × 20 and centred in 28 × 28\n"
    )
    os.rename("seen.png", "again.png")
    again, said = predict_and_see(capsys, "again.png", run)
    assert (again == shown).all()  # a prepared picture stays the same
    assert said == ""


def chalk(digit: np.ndarray) -> np.ndarray:
    return 255 - photograph(digit, paper=200.0, shadow=80.0, grain=4.0)


def vignette(digit: np.ndarray) -> np.ndarray:
    across = np.linspace(-1.0, 1.0, 280) ** 2
    return photograph(digit) * (0.8 - 0.25 * (across + across[:, None]))


def edge_of_a_shadow(digit: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[:280, :280]
    return photograph(digit, grain=4.0) * np.where(x + 0.6 * y > 230, 0.4, 0.8)


def cropped_to_the_ink(digit: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(digit > 60)
    return photograph(digit)[
        10 * rows.min() : 10 * rows.max() + 10, 10 * columns.min() : 10 * columns.max() + 10
    ]


def specks(digit: np.ndarray) -> np.ndarray:
    made = photograph(digit, paper=200.0, grain=3.0)
    for y, x in ((8, 9), (20, 250), (255, 14), (270, 260)):
        made[y : y + 5, x : x + 5] = 60
    return made


def faint(digit: np.ndarray) -> np.ndarray:
    return 170.0 + photograph(digit, grain=10.0) / 8.0


@pytest.mark.parametrize("scene", [chalk, vignette, edge_of_a_shadow, cropped_to_the_ink, specks, faint])
def test_light_and_paper_do_not_matter(scene: Callable[[np.ndarray], np.ndarray]) -> None:
    for digit in mnist().x_test[:12]:
        made = np.asarray(scene(digit), np.uint8).astype(np.float32) / 255.0
        shown = prepare_picture(made[None], (28, 28), MNIST).pixels[0]
        clean = prepare_picture(photograph(digit)[None].astype(np.float32) / 255.0, (28, 28), MNIST).pixels[0]
        assert similarity(shown, clean) > 0.9


def test_hairline_becomes_full_ink() -> None:
    paper = np.full((280, 280), 255, "uint8")
    paper[40:240, 139:141] = paper[238:240, 139:240] = 0  # an L
    shown = prepare_picture(paper[None].astype(np.float32) / 255.0, (28, 28), MNIST).pixels[0]
    assert shown.max() == 255
    assert (shown > 100).sum() > 20


def test_dark_ink_stays_dark_if_the_data_have_it(capsys: pytest.CaptureFixture[str]) -> None:
    save(TwoLayerNet(784, 2, 2, rng=0), Style("dark", 20))
    digit = mnist().x_test[0]
    Image.fromarray(255 - digit).save("a.png")
    shown, said = predict_and_see(capsys, "a.png")
    assert (shown == 255 - digit).all()
    assert said == ""
    Image.fromarray(digit).save("a.png")
    shown, said = predict_and_see(capsys, "a.png")
    assert (shown == 255 - digit).all()
    assert said == "a.png: bright on dark, so inverted\n"
    Image.fromarray(photograph(digit, paper=190.0)).save("a.png")
    shown, said = predict_and_see(capsys, "a.png")
    assert fills_box(1.0 - shown[None] / 255.0, 20)[0]
    assert said.startswith("a.png: cropped to the ink, fitted")


@pytest.mark.parametrize("network", ["mlp", "convolutional"])
def test_flat_and_convolutional_networks(network: str, capsys: pytest.CaptureFixture[str]) -> None:
    made = TwoLayerNet(784, 2, 10, rng=0) if network == "mlp" else SimpleConvNet((1, 28, 28), rng=0)
    save(made, MNIST)
    digit = mnist().x_test[3]
    Image.fromarray(photograph(digit, paper=190.0)).save("a.png")
    shown, _ = predict_and_see(capsys, "a.png")
    assert fills_box(shown[None] / 255.0, 20)[0]


def test_ink_without_a_box_is_resized_with_its_paper(capsys: pytest.CaptureFixture[str]) -> None:
    save(SimpleConvNet((1, 12, 12), rng=0), Style("bright"))
    picture = np.full((24, 48), 255, "uint8")
    picture[8:16, 20:28] = 0
    Image.fromarray(picture).save("a.png")
    shown, said = predict_and_see(capsys, "a.png")
    expected = np.zeros((12, 12), "uint8")
    expected[5:7, 5:7] = 255
    assert (shown == expected).all()
    assert said == "a.png: dark on bright, so inverted; resized to 12 × 12, keeping the aspect ratio\n"


def test_photographs_are_only_resized(capsys: pytest.CaptureFixture[str]) -> None:
    save(SimpleConvNet((3, 12, 12), rng=0), Style())
    picture = np.zeros((24, 48, 3), "uint8")
    picture[...] = (250, 200, 10)
    Image.fromarray(picture).save("a.png")
    shown, said = predict_and_see(capsys, "a.png")
    assert shown.shape == (12, 12, 3)
    assert (shown == (250, 200, 10)).all()  # including the strips above and below
    assert said == "a.png: resized to 12 × 12, keeping the aspect ratio\n"


@pytest.mark.parametrize("ink", [0, 128, 255])
def test_ink_on_transparency(ink: int) -> None:
    sheet = np.dstack([np.full((28, 28, 3), ink, "uint8"), DIGIT])
    Image.fromarray(sheet).save("a.png")
    shown = prepare_picture(read("a.png"), (28, 28), MNIST).pixels[0]
    if ink == 128:  # grey ink on white paper becomes full ink
        assert similarity(shown, DIGIT) > 0.95
    else:
        assert (shown == DIGIT).all()


@pytest.mark.parametrize("style", [MNIST, Style("bright"), Style("dark"), None])
@pytest.mark.parametrize("paper", [0, 128, 255])
def test_empty_picture(style: Style | None, paper: int, capsys: pytest.CaptureFixture[str]) -> None:
    save(TwoLayerNet(784, 2, 2, rng=0), style)
    Image.new("L", (90, 60), paper).save("a.png")
    assert "a.png: the picture is empty: it has one colour" in fails(
        capsys, "predict", FILE, "--input", "a.png"
    )
    Image.new("RGBA", (90, 60), (paper, paper, paper, 0)).save("a.png")
    assert "a.png: the picture is empty: it is transparent everywhere" in fails(
        capsys, "predict", FILE, "--input", "a.png"
    )


def notes_of_several_signs(picture: np.ndarray) -> list[str]:
    return [
        words for words in prepare_picture(picture[None], (28, 28), MNIST).notes if "separate pieces" in words
    ]


def test_two_digits_are_noticed() -> None:
    x = mnist().x_test.astype(np.float32) / 255
    alone = sum(bool(notes_of_several_signs(digit)) for digit in x)
    assert alone < 0.005 * len(x)
    pairs = np.random.default_rng(0).integers(0, len(x), (1000, 2))
    for large in (False, True):
        noticed = 0
        for i, j in pairs[:200] if large else pairs:
            pair = np.hstack([x[i], x[j]])
            noticed += bool(
                notes_of_several_signs(1.0 - np.kron(pair, np.ones((6, 6), "f")) if large else pair)
            )
        assert noticed > 0.98 * (200 if large else 1000)


def strokes(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    """A picture (60, 60) with bright boxes, given as top, bottom, left and right."""
    picture = np.zeros((60, 60), "float32")
    for top, bottom, left, right in boxes:
        picture[top : bottom + 1, left : right + 1] = 1.0
    return picture


@pytest.mark.parametrize(
    ("picture", "count"),
    [
        (strokes((10, 50, 10, 15), (10, 50, 25, 30)), 2),
        (strokes((10, 50, 5, 10), (10, 50, 25, 30), (10, 50, 45, 50)), 3),
        (strokes((10, 50, 10, 15), (12, 14, 25, 30)), 0),
        (strokes((10, 14, 20, 24), (20, 50, 20, 24)), 0),
        (strokes((10, 28, 20, 24), (35, 55, 20, 24)), 2),
        (strokes((10, 50, 10, 15), (10, 14, 20, 50), (30, 34, 20, 50)), 0),
        (strokes((10, 13, 20, 45), (20, 50, 20, 25)), 0),
    ],
    ids=[
        "two",
        "three",
        "a bar that has come off",
        "the dot of an i",
        "one above the other",
        "two bars",
        "the bar of a 5",
    ],
)
def test_separate_pieces_of_ink(picture: np.ndarray, count: int) -> None:
    told = f"found {count} separate pieces of ink, expected one sign: crop the picture to one"
    expected = [told] if count else []
    assert notes_of_several_signs(picture) == expected
    assert notes_of_several_signs(1.0 - picture) == expected


FEW_DIGITS = 12

PHOTOGRAPHS: dict[str, dict[str, Any]] = {
    "one side": {"sides": "l", "level": 20},
    "two sides, wood": {"sides": "tl", "kind": "wood", "level": 110},
    "opposite sides, cloth": {"sides": "lr", "kind": "cloth", "level": 80},
    "three sides": {"sides": "ltr"},
    "four sides, askew": {"sides": "ltrb", "kind": "wood", "level": 100, "angle": 3.0},
    "one side, askew": {"sides": "b", "level": 120, "angle": -4.0},
    "a brighter desk": {"sides": "tl", "level": 250, "paper": 170.0},
    "ruled": {"lines": (40, 2, 80.0, 0.0, False)},
    "ruled, askew": {"lines": (40, 2, 120.0, 0.04, False)},
    "squared": {"lines": (30, 2, 110.0, 0.02, True)},
    "ruled on a desk": {"sides": "ltrb", "lines": (40, 2, 80.0, 0.0, False)},
}


@pytest.mark.parametrize("negative", [False, True], ids=["dark ink", "bright ink"])
@pytest.mark.parametrize("scene", PHOTOGRAPHS)
def test_desks_and_lines_are_removed_or_the_picture_is_refused(scene: str, negative: bool) -> None:
    rng, refused = np.random.default_rng(0), 0
    for digit in mnist().x_test[: FEW_DIGITS // 2 if negative else FEW_DIGITS]:
        made = photograph_on_a_desk(digit, rng, **PHOTOGRAPHS[scene])
        try:
            found = prepare_picture((1.0 - made if negative else made)[None], (28, 28), MNIST)
        except RefusedError:
            refused += 1
            continue
        assert similarity(found.pixels[0], digit) > 0.85
        assert not any("separate pieces" in words for words in found.notes)
    assert refused <= 3


def test_notes_name_what_was_removed() -> None:
    digit, rng = mnist().x_test[0], np.random.default_rng(0)
    for options, words in (
        ({"sides": "tl"}, "removed the surroundings of the paper"),
        ({"lines": (40, 2, 80.0, 0.0, False)}, "removed ruled lines across the picture"),
    ):
        found = prepare_picture(photograph_on_a_desk(digit, rng, **options)[None], (28, 28), MNIST)
        assert found.notes[:2] == ("dark on bright, so inverted", words)
    assert len(prepare_picture(photograph_on_a_desk(digit, rng)[None], (28, 28), MNIST).notes) == 2


def test_several_signs_in_any_arrangement() -> None:
    x = mnist().x_test.astype("float32") / 255.0
    rng = np.random.default_rng(0)
    for rows, columns in ((1, 2), (2, 1), (2, 3), (4, 1)):
        noticed = 0
        for _ in range(25):
            chosen = x[rng.integers(0, len(x), rows * columns)].reshape(rows, columns, 28, 28)
            page = chosen.transpose(0, 2, 1, 3).reshape(28 * rows, 28 * columns)
            large = np.kron(1.0 - page, np.ones((6, 6), "float32"))
            noticed += any(
                "crop the picture to one" in w for w in prepare_picture(large[None], (28, 28), MNIST).notes
            )
        assert noticed >= 24
