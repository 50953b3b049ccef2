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

from ..backends import HostArray
from ..files import advised, open_file
from ..inputs import IN_A_FILE, kind_of
from ..layers import Layer, Sigmoid, Softmax
from ..lookup import UsageError
from ..losses import Loss, SigmoidWithLoss, SoftmaxWithLoss
from ..networks.network import Network
from ..pictures import PictureError, RefusedError, Style, fitted, read_picture, write_picture
from ..saving.checkpoint import Checkpoint, CheckpointError, read_checkpoint
from ..saving.network import network_of
from ..saving.run_folder import read_trained
from . import report_error
from .screen import say

ACTIVATIONS: dict[type[Loss], type[Layer]] = {SoftmaxWithLoss: Softmax, SigmoidWithLoss: Sigmoid}
"""What a loss does with its input before it compares."""

UNREADABLE = (ValueError, EOFError, BadZipFile, SyntaxError, TokenError, zlib.error, MemoryError)
"""What NumPy raises for a file that is damaged."""

UNKNOWN = "what the network was trained on is not in its checkpoint: taken for bright ink on dark"


def main(options: argparse.Namespace) -> int:
    """Show, for every sample of the input, the most probable classes, or the numbers that come out."""
    _find_run(options)
    several = len(options.input) > 1
    if several and options.show_input:
        raise UsageError(f"--show-input is for one picture, and --input names {len(options.input)} files")
    path, checkpoint = read_trained(options.file, read_checkpoint)
    network = network_of(path, checkpoint, options.device)
    style, shape, status = _style(path, checkpoint), _input_shape(network), 0
    for name in options.input:
        try:
            y = _predicted(network, shape, style, name, options)
        except (OSError, ValueError) as error:
            if not several or isinstance(error, BrokenPipeError):
                raise
            status = report_error(error)
        else:
            _show_all(network, y, name, options)
    return status


def _find_run(options: argparse.Namespace) -> None:
    """RUN may also stand behind the files of `--input`, which took it for one of them."""
    if options.file is None and len(options.input) > 1:
        *options.input, options.file = options.input
    if options.file is None:
        raise UsageError("give the run: backprop predict RUN --input FILE")


def _predicted(
    network: Network, shape: tuple[int, ...], style: Style | None, name: str, options: argparse.Namespace
) -> HostArray:
    """What the network makes of the samples in a file."""
    if Path(name).suffix in (".npy", ".npz") and not Path(name).is_dir():
        found = _array(Path(name), options)
    else:
        if style is None and network.inputs is not None and not network.inputs.may_be_pictures:
            raise ValueError(
                f"{name}: expected a .npy or .npz file: the network has learnt from numbers from "
                f"{network.inputs.least:g} to {network.inputs.largest:g}, which are no pixels"
            )
        found = _picture(name, options.show_input, shape, style)
    y = network.backend.to_numpy(_outputs(network, _samples(found, shape, name)))
    if not np.isfinite(y).all():
        raise ValueError(f"{name}: the output contains NaN or infinity; check the input")
    return y


def _show_all(network: Network, y: HostArray, name: str, options: argparse.Namespace) -> None:
    """A line a sample; where there are several files, the file's name before."""
    several, classes = len(options.input) > 1, network.last_layer.counts_correct and y.ndim == 2
    entry = {"file": name} if several else {}
    lead = f"{name}: " if several else ""
    if lead and classes and len(y) > 1 and not options.json:
        say(lead.rstrip())
    for number, row in enumerate(y):
        if not classes:
            print(json.dumps({**entry, "sample": number, "output": row.tolist()}), flush=True)
            continue
        order = np.argsort(-row, kind="stable")[: options.top]
        top = [{"class": int(k), "probability": float(row[k])} for k in order]
        if options.json:
            print(json.dumps({**entry, "sample": number, "top": top}), flush=True)
            continue
        shown = "  ".join(f"{c['class']} ({c['probability']:.1%})" for c in top)
        alone = len(y) == 1
        say(f"{lead}{shown}" if alone else f"{number:6d}: {shown}", indent=0 if alone else 8)


def _outputs(network: Network, x: HostArray) -> Any:
    """What comes out, as probabilities where the loss makes some of it."""
    y = network.predict(network.backend.asarray(x))
    activation = ACTIVATIONS.get(type(network.last_layer))
    return y if activation is None else activation().forward(y)


def _input_shape(network: Network) -> tuple[int, ...]:
    """The shape of a sample: what the network knows, or what its lowest weights take."""
    if network.input_shape is not None:
        return network.input_shape
    for layer in network.layers.values():
        if "W" in layer.params and layer.params["W"].ndim == 2:
            return (int(layer.params["W"].shape[0]),)
    raise ValueError("this network does not tell the shape of its input")


def _array(path: Path, options: argparse.Namespace) -> HostArray:
    """The array in a .npy or .npz file."""
    if options.show_input:
        raise ValueError(f"--show-input is for a picture, and {path} holds arrays")
    try:
        with open_file(path) as file:
            loaded = np.load(file, allow_pickle=False)
            found = np.asarray(loaded if path.suffix == ".npy" else _member(path, loaded, options.array))
    except UsageError:
        raise
    except UNREADABLE as error:
        cure = f"; {IN_A_FILE['O']}" if "Object arrays" in str(error) else ""
        raise ValueError(f"{path} cannot be read: {error}{cure}") from None
    if found.dtype.kind not in "fuib":
        raise ValueError(
            f"{path}: expected numbers, got {kind_of(found.dtype)}; "
            f"{IN_A_FILE.get(found.dtype.kind, 'convert it')}"
        )
    return found


def _member(path: Path, arrays: Any, name: str | None) -> Any:
    """The array that was named, or that is sure to be meant."""
    names = list(arrays)
    usual = [known for known in ("x", "x_test", *names[: len(names) == 1]) if known in names]
    if not names:
        raise ValueError("there is no array in it")
    if not (name or usual):
        raise UsageError(f"{path} has the arrays {', '.join(names)}: name one with --array {names[0]}")
    if name and name not in names:
        raise UsageError(f"--array {name}: {path} has no such array, but {', '.join(names)}")
    return arrays[name or usual[0]]


def _samples(x: HostArray, shape: tuple[int, ...], name: str) -> HostArray:
    """The array as a batch; a single sample is a batch of one."""
    size = int(np.prod(shape))
    alone = x.size == size and x.shape[:1] != (1,)
    if not alone and (x.ndim == 0 or x.shape[0] == 0 or x[0].size != size):
        raise ValueError(f"{name}: expected samples of {size} numbers, {shape}, got an array {x.shape}")
    return x[None] if alone else x


def _style(path: Path, checkpoint: Checkpoint) -> Style | None:
    """What the pictures of the training data were like, as far as the checkpoint tells."""
    data = checkpoint.description.get("data")
    try:
        return Style.of(data.get("pictures") if isinstance(data, dict) else None)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from None


def _picture(name: str, show_input: str | None, shape: tuple[int, ...], style: Style | None) -> HostArray:
    """The picture (C, H, W) as the network knows pictures; what was done to it is said."""
    if show_input and Path(show_input).resolve() == Path(name).resolve():
        raise ValueError(f"--show-input {show_input} is the picture itself: give another name")
    channels, *size = _picture_size(shape)
    picture = read_picture(name, channels)
    try:
        made = fitted(picture.pixels, (size[0], size[1]), style or Style.unknown(channels))
    except RefusedError as error:
        seen = f"; what was seen of it is in {show_input}" if show_input else ""
        _write_seen(show_input, error.pixels)
        raise PictureError(f"{name}: {error}{seen}") from None
    except PictureError as error:
        raise PictureError(f"{name}: {error}") from None
    notes = [*picture.notes, *made.done]
    if notes:
        say(f"{name}: {'; '.join(notes if style else [*notes, UNKNOWN])}", file=sys.stderr)
    _write_seen(show_input, made.pixels)
    return made.pixels


def _write_seen(show_input: str | None, pixels: HostArray) -> None:
    if show_input:
        with advised("write it elsewhere with --show-input FILE"):
            write_picture(show_input, pixels)


def _picture_size(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(C, H, W) of the network's input; flat inputs are square and grey."""
    channels, height, width = shape if len(shape) == 3 else (1, *shape) if len(shape) == 2 else (1, 0, 0)
    if len(shape) == 1:
        height = width = round(shape[0] ** 0.5)
    if channels not in (1, 3) or channels * height * width != np.prod(shape):
        raise ValueError(
            f"a picture does not fit this network, which takes {' × '.join(map(str, shape))} numbers; "
            "give a .npy file"
        )
    return channels, height, width
