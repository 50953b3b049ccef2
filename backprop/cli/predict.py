"""`backprop predict`: what a trained network says of an array or a picture."""

from __future__ import annotations

import argparse
import json
import sys
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import Any
from zipfile import BadZipFile

import numpy as np

from ..files import open_file
from ..layers import Layer, Sigmoid, Softmax
from ..losses import Loss, SigmoidWithLoss, SoftmaxWithLoss
from ..networks import Network
from ..saving import load_network

ACTIVATIONS: dict[type[Loss], type[Layer]] = {SoftmaxWithLoss: Softmax, SigmoidWithLoss: Sigmoid}
"""What a loss does with its input before it compares."""

UNREADABLE = (ValueError, EOFError, BadZipFile, SyntaxError, TokenError, zlib.error, MemoryError)
"""What NumPy raises for a file that is damaged."""

BRIGHT = 127.5
"""A picture whose border is brighter than this, of 255, is dark on bright, and MNIST is bright on dark."""


def run(options: argparse.Namespace) -> int:
    """Show, for every sample of the input, the most probable classes, or the numbers that come out."""
    network = load_network(options.file, options.device)
    shape = _input_shape(network)
    x = _samples(_read(Path(options.input), shape, options), shape, options.input)
    y = network.backend.to_numpy(_outputs(network, x))
    if not np.isfinite(y).all():
        raise ValueError(f"{options.input}: what the network makes of it is NaN or infinite; is the input?")
    if not network.last_layer.counts_correct or y.ndim != 2:
        for number, row in enumerate(y):
            print(json.dumps({"sample": number, "output": row.tolist()}))
        return 0
    for number, row in enumerate(y):
        _show(number, row, min(options.top, len(row)), as_json=options.json, alone=len(y) == 1)
    return 0


def _outputs(network: Network, x: np.ndarray[Any, Any]) -> Any:
    """What comes out, as probabilities where the loss makes some of it."""
    x = x if x.dtype == np.uint8 else x.astype(network.dtype)
    y = network.predict(network.backend.asarray(x))
    activation = ACTIVATIONS.get(type(network.last_layer))
    return y if activation is None else activation().forward(y)


def _show(number: int, row: np.ndarray[Any, Any], top: int, *, as_json: bool, alone: bool) -> None:
    order = np.argsort(-row, kind="stable")[:top]
    classes = [{"class": int(k), "probability": float(row[k])} for k in order]
    if as_json:
        print(json.dumps({"sample": number, "top": classes}))
        return
    shown = "  ".join(f"{c['class']} ({c['probability']:.1%})" for c in classes)
    print(shown if alone else f"{number:6d}: {shown}")


def _input_shape(network: Network) -> tuple[int, ...]:
    """The shape of a sample: what the network knows, or what its lowest weights take."""
    if network.input_shape is not None:
        return network.input_shape
    for layer in network.layers.values():
        if "W" in layer.params and layer.params["W"].ndim == 2:
            return (int(layer.params["W"].shape[0]),)
    raise ValueError("this network does not tell the shape of its input")


def _read(path: Path, shape: tuple[int, ...], options: argparse.Namespace) -> np.ndarray[Any, Any]:
    """The array in a .npy or .npz file, or the pixels of a picture."""
    if path.suffix not in (".npy", ".npz"):
        return _picture(path, shape)
    try:
        with open_file(path) as file:
            loaded = np.load(file, allow_pickle=False)
            found = np.asarray(loaded if path.suffix == ".npy" else _member(loaded, options.array))
    except UNREADABLE as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    if found.dtype.kind not in "fuib":
        raise ValueError(f"{path}: expected numbers, got {found.dtype}")
    return found


def _member(arrays: Any, name: str | None) -> Any:
    names = list(arrays)
    usual = [known for known in ("x", "x_test", *names[: len(names) == 1]) if known in names]
    chosen = name or next(iter(usual), None)
    if chosen not in names:
        raise ValueError(f"expected one of the arrays {', '.join(names)} with --array, got {name}")
    return arrays[chosen]


def _samples(x: np.ndarray[Any, Any], shape: tuple[int, ...], name: str) -> np.ndarray[Any, Any]:
    """The array as (N, *shape); a single sample is a batch of one."""
    size = int(np.prod(shape))
    alone = x.size == size and x.shape[:1] != (1,)
    if not alone and (x.ndim == 0 or x.shape[0] == 0 or x[0].size != size):
        raise ValueError(f"{name}: expected samples of {size} numbers, {shape}, got an array {x.shape}")
    return x.reshape(-1, *shape)


def _picture(path: Path, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """The picture (C, H, W) in the network's size, and bright on dark, as MNIST's."""
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise ValueError(f"{path}: pictures need Pillow (pip install 'backprop[plots]')") from None
    channels, height, width = _picture_size(shape)
    try:
        with Image.open(path) as image:
            colours = image.convert("RGBA")
    except FileNotFoundError:
        raise
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path}: expected a .npy, .npz or picture file; {error}") from None
    on_white = Image.alpha_composite(Image.new("RGBA", colours.size, "white"), colours)
    pixels = on_white.convert("L" if channels == 1 else "RGB")
    if _border(np.asarray(pixels)) > BRIGHT:
        print(f"{path}: dark on bright; inverted, as the network knows bright on dark", file=sys.stderr)
        pixels = ImageOps.invert(pixels)
    array = np.asarray(ImageOps.pad(pixels, (width, height), Image.Resampling.BOX), np.uint8)
    return np.moveaxis(array.reshape(height, width, channels), -1, 0)


def _border(pixels: np.ndarray[Any, Any]) -> float:
    """How bright the outermost pixels are, from 0 to 255."""
    return float(np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]).mean())


def _picture_size(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(C, H, W) of the network's input; flat inputs are square and grey."""
    if len(shape) == 3:
        return shape[0], shape[1], shape[2]
    if len(shape) == 2:
        return 1, shape[0], shape[1]
    side = round(shape[0] ** 0.5)
    if side * side != shape[0]:
        raise ValueError(
            f"a picture does not fit this network, which takes {shape[0]} numbers; give a .npy file"
        )
    return 1, side, side
