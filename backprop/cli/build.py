"""The network and the optimizer that the options of `backprop train` ask for."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from inspect import signature
from typing import Any

import numpy as np

from ..backends import Backend
from ..datasets import Dataset
from ..lookup import UsageError, lookup
from ..networks.models import DeepConvNet, MultiLayerNet, SimpleConvNet, TwoLayerNet
from ..networks.network import Network
from ..optimizers import OPTIMIZERS, AdamW, Optimizer, Schedule
from ..saving.checkpoint import Checkpoint
from ..saving.network import network_of
from ..schedules import Constant, Cosine, Step, WarmUp

NETS = {
    "two-layer": ("hidden", "init"),
    "mlp": ("layers", "activation", "init", "dropout", "batch_norm"),
    "simple-conv": ("hidden", "init"),
    "deep-conv": ("hidden", "dropout"),
}
"""The networks, and the options that each one knows."""

CLASSES: dict[str, type[Network]] = {
    "two-layer": TwoLayerNet,
    "mlp": MultiLayerNet,
    "simple-conv": SimpleConvNet,
    "deep-conv": DeepConvNet,
}

NAMES = {"init": "weight_init_std", "dropout": "dropout_ratio"}
"""What the networks call these options."""

WIDTHS = {"two-layer": 50, "simple-conv": 100, "deep-conv": 50}
"""The widths of the hidden layer by default."""

ACTIVATION = "relu"
"""Of mlp by default."""

STEPS = 10_000
"""The length of a run by default."""

RATES = {"sgd": 0.1, "adam": 0.001, "adamw": 0.001}
"""Learning rates by default; 0.01 for the other optimizers, as in the book."""


def defaults(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the options of a run were that were not given, as far as its settings tell."""
    net, optimizer = settings.get("net"), settings.get("optimizer")
    found: dict[str, Any] = {"no_capture": False}
    if optimizer is not None:
        found["lr"] = _rate(optimizer)
        found["weight_decay"] = AdamW().weight_decay if optimizer == "adamw" else 0.0
    if net in NETS:
        known = {"hidden": WIDTHS.get(net), "activation": ACTIVATION, "batch_norm": False}
        known |= {option: _usual(CLASSES[net], name) for option, name in NAMES.items()}
        found |= {option: known[option] for option in NETS[net] if option in known}
    if "epochs" not in settings:
        found["iters"] = STEPS
    return found


def _usual(kind: type[Network], name: str) -> Any:
    """What a network's argument is where it is not given."""
    return signature(kind).parameters[name].default if name in signature(kind).parameters else None


def build_network(
    options: argparse.Namespace, data: Dataset, backend: Backend, rng: np.random.Generator
) -> Network:
    """The network of `--net`, for the shape and the classes of the data."""
    lookup("network", options.net, NETS)
    for option in ("hidden", "layers", "activation", "init", "dropout", "batch_norm"):
        if getattr(options, option) is not None and option not in NETS[options.net]:
            nets = " and ".join(net for net, known in NETS.items() if option in known)
            raise UsageError(f"--{option.replace('_', '-')} is for --net {nets}, not for {options.net}")
    kind: dict[str, Any] = {"dtype": options.dtype, "device": backend, "rng": rng}
    if options.init is not None:
        kind["weight_init_std"] = _number_or_name(options.init)
    if options.dropout is not None:
        kind["dropout_ratio"] = options.dropout
    network = _network(options, data, kind)
    if options.weight_decay and options.optimizer != "adamw":
        network.weight_decay = options.weight_decay
    return network


def network_to_go_on_with(
    options: argparse.Namespace, path: str, checkpoint: Checkpoint, backend: Backend
) -> Network:
    """The network in a checkpoint, with the dtype and the weight decay of the options."""
    network = network_of(path, checkpoint, backend)
    if network.dtype != options.dtype:
        network = network.to(dtype=options.dtype)
    network.weight_decay = 0.0 if options.optimizer == "adamw" else options.weight_decay or 0.0
    return network


def _network(options: argparse.Namespace, data: Dataset, kind: dict[str, Any]) -> Network:
    size, classes = data.sample_size, data.classes
    hidden = options.hidden or WIDTHS.get(options.net, 0)
    if options.net == "two-layer":
        return TwoLayerNet(size, hidden, classes, **kind)
    if options.net == "mlp":
        widths = _widths(options.layers, size, classes)
        kind |= {"activation": options.activation or ACTIVATION, "use_batchnorm": bool(options.batch_norm)}
        return MultiLayerNet(widths[0], widths[1:-1], widths[-1], **kind)
    shape = image_shape(data)
    if options.net == "simple-conv":
        return SimpleConvNet(shape, hidden_size=hidden, output_size=classes, **kind)
    return DeepConvNet(shape, hidden_size=hidden, output_size=classes, **kind)


def image_shape(data: Dataset) -> tuple[int, int, int]:
    """(C, H, W) of the data's images; images without channels have one."""
    *channels, height, width = (1, *data.x_train.shape[1:])[-3:]
    if data.x_train.ndim not in (3, 4):
        shape = data.x_train.shape[1:]
        raise ValueError(f"expected images (H, W) or (C, H, W) for this network, got samples {shape}")
    return int(channels[0]), int(height), int(width)


def steps_of(options: argparse.Namespace, samples: int) -> int:
    """The steps of a whole run on that many samples."""
    steps: int = options.iters or STEPS
    if options.epochs:
        steps = options.epochs * -(-samples // options.batch_size)
    return steps


def _widths(text: str | None, size: int, classes: int) -> list[int]:
    """The widths in "784-100-10", which must begin and end with those of the data."""
    if text is None:
        return [size, 100, 100, classes]
    try:
        widths = [int(part) for part in text.split("-")]
    except ValueError:
        widths = []
    if len(widths) < 2 or min(widths) < 1:
        raise UsageError(f"--layers: expected widths such as {size}-100-100-{classes}, got {text!r}")
    if (widths[0], widths[-1]) != (size, classes):
        raise UsageError(
            f"--layers {text}: the data has {size} numbers a sample and {classes} classes, so it must begin "
            f"with {size} and end with {classes}"
        )
    return widths


def _number_or_name(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


def build_optimizer(options: argparse.Namespace, steps: int) -> Optimizer:
    """The optimizer of `--optimizer`, with its rate, schedule, clipping and decoupled weight decay."""
    kind = lookup("optimizer", options.optimizer, OPTIMIZERS)
    lr = options.lr if options.lr is not None else _rate(options.optimizer)
    settings: dict[str, Any] = {"max_norm": options.clip_norm}
    if kind is AdamW and options.weight_decay is not None:
        settings["weight_decay"] = options.weight_decay
    return kind(_schedule(options, lr, steps), **settings)


def _rate(optimizer: str) -> float:
    return RATES.get(optimizer, 0.01)


def _schedule(options: argparse.Namespace, lr: float, steps: int) -> float | Schedule:
    """`--schedule constant`, `cosine[:LOWEST]` or `step:EVERY[:FACTOR]`, after `--warm-up` steps."""
    name, *numbers = options.schedule.split(":")
    left = max(steps - options.warm_up, 1)
    try:
        values = [float(number) for number in numbers]
        if name == "constant" and not values:
            schedule: Schedule = Constant(lr)
        elif name == "cosine" and len(values) <= 1:
            schedule = Cosine(lr, left, *values)
        elif name == "step" and 1 <= len(values) <= 2 and values[0].is_integer():
            schedule = Step(lr, int(values[0]), *values[1:])
        else:
            raise ValueError("no such schedule")
    except ValueError as error:
        raise UsageError(
            f"--schedule {options.schedule}: {error}; expected constant, cosine, cosine:LOWEST, step:EVERY "
            "or step:EVERY:FACTOR"
        ) from None
    if options.warm_up:
        return WarmUp(schedule, options.warm_up)
    return lr if name == "constant" else schedule
