"""Photographs of MNIST's digits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backprop.datasets import mnist

Image = pytest.importorskip("PIL.Image")
ImageFilter = pytest.importorskip("PIL.ImageFilter")

DIGIT = mnist().x_test[0]

SIDE = 520


def photograph(
    digit: np.ndarray,
    canvas: tuple[int, int] = (280, 280),
    at: tuple[int, int] = (0, 0),
    paper: float = 255.0,
    shadow: float = 0.0,
    grain: float = 0.0,
) -> np.ndarray:
    """An MNIST digit, enlarged ten times, dark on paper that gets darker to the right."""
    large = Image.fromarray(digit).resize((280, 280), Image.Resampling.BICUBIC)
    ink = np.zeros(canvas)
    ink[at[0] : at[0] + 280, at[1] : at[1] + 280] = np.asarray(large) / 255.0
    light = np.full(canvas, paper) - shadow * np.linspace(0.0, 1.0, canvas[1])
    noise = np.random.default_rng(0).normal(0.0, grain, canvas) if grain else 0.0
    return np.clip(light * (1.0 - ink) + 30.0 * ink + noise, 0.0, 255.0).astype(np.uint8)


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    """The correlation of two pictures, maximized over shifts by a pixel."""
    moves = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    return max(np.corrcoef(np.roll(one, move, (0, 1)).ravel(), other.ravel())[0, 1] for move in moves)


def desk_pattern(kind: str, level: float, rng: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    pattern: Any = {
        "plain": 0.0,
        "wood": 18.0 * np.sin(y / 5 + 3 * np.sin(x / 45)),
        "cloth": 20.0 * ((x // 5 + y // 5) % 2),
    }[kind]
    return level + pattern + rng.normal(0.0, 5.0, (SIDE, SIDE))


def photograph_on_a_desk(
    digit: np.ndarray,
    rng: np.random.Generator,
    sides: str = "",
    kind: str = "plain",
    level: float = 60.0,
    angle: float = 0.0,
    paper: float = 225.0,
    lines: tuple[int, int, float, float, bool] | None = None,
) -> np.ndarray:
    """A digit anywhere on paper rotated by `angle` degrees, with a desk visible on some sides.

    lines : their distance, width, darkness and slope, and whether the paper is squared
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
    made = np.where(on_paper, light, desk_pattern(kind, level, rng)).clip(0, 255).astype(np.uint8)
    return np.asarray(Image.fromarray(made).filter(ImageFilter.GaussianBlur(0.8)), np.float32) / 255.0
