"""Photographs that show more than a sign on plain paper: a desk, ruled lines, several signs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backprop.datasets import mnist
from backprop.pictures import MNIST, RefusedError, fitted
from backprop.pictures.lines import without_lines

from .test_pictures import alike

Image = pytest.importorskip("PIL.Image")
ImageFilter = pytest.importorskip("PIL.ImageFilter")

SIDE = 520
DIGITS = 12


def desk(kind: str, level: float, rng: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    pattern: Any = {
        "plain": 0.0,
        "wood": 18.0 * np.sin(y / 5 + 3 * np.sin(x / 45)),
        "cloth": 20.0 * ((x // 5 + y // 5) % 2),
    }[kind]
    return level + pattern + rng.normal(0.0, 5.0, (SIDE, SIDE))


def photographed(
    digit: np.ndarray,
    rng: np.random.Generator,
    sides: str = "",
    kind: str = "plain",
    level: float = 60.0,
    angle: float = 0.0,
    paper: float = 225.0,
    lines: tuple[int, int, float, float, bool] | None = None,
) -> np.ndarray:
    """A digit somewhere on paper, whose edge lies `angle` degrees askew, with desk on the sides named.

    lines : their distance, their width, how dark they are, their slope, and whether there are some down, too
    """
    margins = {side: int(rng.integers(16, 78)) if side in sides else -SIDE for side in "ltrb"}
    y, x = np.mgrid[:SIDE, :SIDE].astype(float)
    turn, middle = np.deg2rad(angle), SIDE / 2
    u = (x - middle) * np.cos(turn) + (y - middle) * np.sin(turn) + middle
    v = (y - middle) * np.cos(turn) - (x - middle) * np.sin(turn) + middle
    on_paper = (
        (u >= margins["l"]) & (u < SIDE - margins["r"]) & (v >= margins["t"]) & (v < SIDE - margins["b"])
    )
    size = 224
    first = {side: max(margins[side], 0) + 24 for side in "ltrb"}
    left = int(rng.integers(first["l"], SIDE - first["r"] - size + 1))
    top = int(rng.integers(first["t"], SIDE - first["b"] - size + 1))
    ink = np.zeros((SIDE, SIDE))
    large = Image.fromarray(digit).resize((size, size), Image.Resampling.BICUBIC)
    ink[top : top + size, left : left + size] = np.asarray(large) / 255.0
    light = paper - 30.0 * x / SIDE
    if lines is not None:
        step, width, dark, slope, squared = lines
        ruled = (y + slope * x) % step < width
        light -= dark * (ruled | ((x - slope * y) % step < width) if squared else ruled)
    light = light * (1.0 - ink) + 40.0 * ink + rng.normal(0.0, 3.0, ink.shape)
    made = np.where(on_paper, light, desk(kind, level, rng)).clip(0, 255).astype(np.uint8)
    return np.asarray(Image.fromarray(made).filter(ImageFilter.GaussianBlur(0.8)), np.float32) / 255.0


SCENES: dict[str, dict[str, Any]] = {
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
@pytest.mark.parametrize("scene", SCENES)
def test_a_digit_is_seen_as_on_plain_paper_or_refused(scene: str, negative: bool) -> None:
    rng, refused = np.random.default_rng(0), 0
    for digit in mnist().x_test[: DIGITS // 2 if negative else DIGITS]:
        made = photographed(digit, rng, **SCENES[scene])
        try:
            found = fitted((1.0 - made if negative else made)[None], (28, 28), MNIST)
        except RefusedError:
            refused += 1
            continue
        assert alike(found.pixels[0], digit) > 0.85
        assert not any("separate pieces" in words for words in found.done)
    assert refused <= 3


def test_what_was_removed_is_said() -> None:
    digit, rng = mnist().x_test[0], np.random.default_rng(0)
    for options, words in (
        ({"sides": "tl"}, "what is around the paper removed"),
        ({"lines": (40, 2, 80.0, 0.0, False)}, "lines across the picture, as of ruled paper, removed"),
    ):
        found = fitted(photographed(digit, rng, **options)[None], (28, 28), MNIST)
        assert found.done[:2] == ("dark on bright, so inverted", words)
    assert len(fitted(photographed(digit, rng)[None], (28, 28), MNIST).done) == 2


def test_ink_over_the_edge_of_the_paper_is_refused() -> None:
    made = photographed(np.zeros((28, 28), "uint8"), np.random.default_rng(0), sides="ltr", level=25)
    made[250:270, 20:300] = 0.1
    with pytest.raises(RefusedError, match="crop it to the paper around one sign") as refused:
        fitted(made[None], (28, 28), MNIST)
    assert refused.value.pixels.shape == (1, 28, 28)
    assert refused.value.pixels.any()


@pytest.mark.parametrize("turned", [False, True])
def test_only_what_runs_across_the_whole_picture_is_a_line(turned: bool) -> None:
    paper = np.ones((200, 300), "float32")
    paper[50:53, 60:290] = paper[100:102, :200] = 0.2  # strokes
    plain = paper.copy()
    paper[150:152] = 0.4
    found, ruled = without_lines(paper.T if turned else paper)
    assert ruled
    assert (found == (plain.T if turned else plain)).all()
    assert not without_lines(plain)[1]


def test_several_signs_are_noticed_in_every_arrangement() -> None:
    x = mnist().x_test.astype("float32") / 255.0
    rng = np.random.default_rng(0)
    for rows, columns in ((1, 2), (2, 1), (2, 3), (4, 1)):
        noticed = 0
        for _ in range(25):
            chosen = x[rng.integers(0, len(x), rows * columns)].reshape(rows, columns, 28, 28)
            page = chosen.transpose(0, 2, 1, 3).reshape(28 * rows, 28 * columns)
            large = np.kron(1.0 - page, np.ones((6, 6), "float32"))
            noticed += any("crop the picture to one" in w for w in fitted(large[None], (28, 28), MNIST).done)
        assert noticed >= 24
