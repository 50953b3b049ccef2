"""`backprop predict`: show a trained network's predictions for arrays and pictures."""

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
from ..pictures import PictureError, RefusedError, Style, prepare_picture, read_picture, write_picture
from ..saving.checkpoint import Checkpoint, CheckpointError, read_checkpoint
from ..saving.network import network_of
from ..saving.run_folder import read_trained
from . import report_error
from .screen import say

ACTIVATIONS: dict[type[Loss], type[Layer]] = {SoftmaxWithLoss: Softmax, SigmoidWithLoss: Sigmoid}
"""The activation that is part of a loss."""

UNREADABLE = (ValueError, EOFError, BadZipFile, SyntaxError, TokenError, zlib.error, MemoryError)
"""The errors that NumPy raises for damaged files."""

UNKNOWN_STYLE = "the checkpoint does not describe the training pictures: assuming bright ink on dark"


def main(options: argparse.Namespace) -> int:
    """Show the most probable classes, or else the outputs, for each sample of the input."""
    _find_run(options)
    several = len(options.input) > 1
    if several and options.show_input:
        raise UsageError(f"--show-input is for one picture, but --input names {len(options.input)} files")
    path, checkpoint = read_trained(options.file, read_checkpoint)
    network = network_of(path, checkpoint, options.device)
    style, shape, status = _style(path, checkpoint), _input_shape(network), 0
    for name in options.input:
        try:
            y = _predict(network, shape, style, name, options)
        except (OSError, ValueError) as error:
            if not several or isinstance(error, BrokenPipeError):
                raise
            status = report_error(error)
        else:
            _show(network, y, name, options)
    return status


def _find_run(options: argparse.Namespace) -> None:
    """Accept RUN after the files of `--input`, too, where it was parsed as one of them."""
    if options.file is None and len(options.input) > 1:
        *options.input, options.file = options.input
    if options.file is None:
        raise UsageError("give the run: backprop predict RUN --input FILE")


def _predict(
    network: Network, shape: tuple[int, ...], style: Style | None, name: str, options: argparse.Namespace
) -> HostArray:
    """Compute the outputs for the samples in a file."""
    if Path(name).suffix in (".npy", ".npz") and not Path(name).is_dir():
        found = _read_array(Path(name), options)
    else:
        if style is None and network.inputs is not None and not network.inputs.may_be_pictures:
            raise ValueError(
                f"{name}: expected a .npy or .npz file: the network was trained on numbers from "
                f"{network.inputs.least:g} to {network.inputs.largest:g}, not on pixels"
            )
        found = _read_picture(name, options.show_input, shape, style)
    y = network.backend.to_numpy(_outputs(network, _samples(found, shape, name)))
    if not np.isfinite(y).all():
        raise ValueError(f"{name}: the output contains NaN or infinity; check the input")
    return y


def _show(network: Network, y: HostArray, name: str, options: argparse.Namespace) -> None:
    """Print one line for each sample, with the file's name if there are several files."""
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
    """Compute the outputs, as probabilities if the loss implies them."""
    y = network.predict(network.backend.asarray(x))
    activation = ACTIVATIONS.get(type(network.last_layer))
    return y if activation is None else activation().forward(y)


def _input_shape(network: Network) -> tuple[int, ...]:
    """The shape of a sample, from the network or its first weights."""
    if network.input_shape is not None:
        return network.input_shape
    for layer in network.layers.values():
        if "W" in layer.params and layer.params["W"].ndim == 2:
            return (int(layer.params["W"].shape[0]),)
    raise ValueError("the network does not know the shape of its input")


def _read_array(path: Path, options: argparse.Namespace) -> HostArray:
    """Read the array in a .npy or .npz file."""
    if options.show_input:
        raise ValueError(f"--show-input is for a picture, but {path} contains arrays")
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
    """The array of this name, or the one that must be meant."""
    names = list(arrays)
    usual = [known for known in ("x", "x_test", *names[: len(names) == 1]) if known in names]
    if not names:
        raise ValueError("it contains no array")
    if not (name or usual):
        raise UsageError(f"{path} has the arrays {', '.join(names)}: choose one, such as --array {names[0]}")
    if name and name not in names:
        raise UsageError(f"--array {name}: {path} has no such array; it has {', '.join(names)}")
    return arrays[name or usual[0]]


def _samples(x: HostArray, shape: tuple[int, ...], name: str) -> HostArray:
    """The array as a batch; a single sample becomes a batch of one."""
    size = int(np.prod(shape))
    single = x.size == size and x.shape[:1] != (1,)
    if not single and (x.ndim == 0 or x.shape[0] == 0 or x[0].size != size):
        raise ValueError(f"{name}: expected samples of {size} numbers, {shape}, got an array {x.shape}")
    return x[None] if single else x


def _style(path: Path, checkpoint: Checkpoint) -> Style | None:
    """The style of the training pictures, if the checkpoint has it."""
    data = checkpoint.description.get("data")
    try:
        return Style.from_dict(data.get("pictures") if isinstance(data, dict) else None)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from None


def _read_picture(
    name: str, show_input: str | None, shape: tuple[int, ...], style: Style | None
) -> HostArray:
    """Read and prepare a picture (C, H, W) for the network, and print what was done."""
    if show_input and Path(show_input).resolve() == Path(name).resolve():
        raise ValueError(f"--show-input {show_input} is the picture itself: give another name")
    channels, *size = _picture_size(shape)
    picture = read_picture(name, channels)
    try:
        prepared = prepare_picture(picture.pixels, (size[0], size[1]), style or Style.default(channels))
    except RefusedError as error:
        hint = f"; {show_input} shows what was found" if show_input else ""
        _write_input(show_input, error.pixels)
        raise PictureError(f"{name}: {error}{hint}") from None
    except PictureError as error:
        raise PictureError(f"{name}: {error}") from None
    notes = [*picture.notes, *prepared.notes]
    if notes:
        say(f"{name}: {'; '.join(notes if style else [*notes, UNKNOWN_STYLE])}", file=sys.stderr)
    _write_input(show_input, prepared.pixels)
    return prepared.pixels


def _write_input(show_input: str | None, pixels: HostArray) -> None:
    if show_input:
        with advised("write it elsewhere with --show-input FILE"):
            write_picture(show_input, pixels)


def _picture_size(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(C, H, W) of the network's input; flat inputs are square grey pictures."""
    channels, height, width = shape if len(shape) == 3 else (1, *shape) if len(shape) == 2 else (1, 0, 0)
    if len(shape) == 1:
        height = width = round(shape[0] ** 0.5)
    if channels not in (1, 3) or channels * height * width != np.prod(shape):
        raise ValueError(
            f"a picture does not fit this network, which expects {' × '.join(map(str, shape))} numbers; "
            "give a .npy file"
        )
    return channels, height, width
