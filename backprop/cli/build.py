"""Build the network and the optimizer from the settings of `backprop train`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any, NamedTuple

import numpy as np

from ..backends import Backend
from ..datasets import Dataset
from ..lookup import UsageError, lookup
from ..networks.models import DeepConvNet, MultiLayerNet, SimpleConvNet, TwoLayerNet
from ..networks.network import Network
from ..optimizers.optimizers import OPTIMIZERS, AdamW, Optimizer, Schedule
from ..saving.checkpoint import Checkpoint
from ..saving.network import network_of
from ..schedules import Constant, Cosine, Step, WarmUp
from .setting import KEPT, is_set
from .settings import EXCLUSIVE, NETWORK, SETTINGS, TrainSettings

MLP_WIDTHS = (100, 100)
"""Default widths of the hidden layers of mlp."""


class Model(NamedTuple):
    """A network of the book, and the name of its argument for each of its settings."""

    kind: Callable[..., Network]
    arguments: Mapping[str, str]


MODELS = {
    "two-layer": Model(TwoLayerNet, {"hidden": "hidden_size", "init": "weight_init_std"}),
    "mlp": Model(
        MultiLayerNet,
        {
            "layers": "hidden_size_list",
            "activation": "activation",
            "init": "weight_init_std",
            "batch_norm": "use_batchnorm",
            "dropout": "dropout_ratio",
        },
    ),
    "simple-conv": Model(SimpleConvNet, {"hidden": "hidden_size", "init": "weight_init_std"}),
    "deep-conv": Model(DeepConvNet, {"hidden": "hidden_size", "dropout": "dropout_ratio"}),
}
"""The networks of `--net`."""


def defaults(kept: Mapping[str, Any]) -> dict[str, Any]:
    """The values of settings that were not given, as far as the others determine them.

    kept : the settings in a checkpoint of the run
    """
    net, optimizer = kept.get("net"), kept.get("optimizer")
    excluded = {name for group in EXCLUSIVE if group & kept.keys() for name in group}
    found = {
        s.name: False if s.is_switch else s.fallback(kept)
        for s in SETTINGS.values()
        if s.scope in KEPT and s.group is not NETWORK and s.name not in excluded
    }
    if optimizer is not None:
        found["weight_decay"] = AdamW().weight_decay if optimizer == "adamw" else 0.0
    if net in MODELS:
        found |= {name: _network_default(name, kept) for name in MODELS[net].arguments}
    return {name: value for name, value in found.items() if value is not None}


def _network_default(name: str, kept: Mapping[str, Any]) -> Any:
    """The default of a network's setting, from the table or else from the class."""
    kind, arguments = MODELS[kept["net"]]
    value = SETTINGS[name].fallback(kept)
    if value is None:
        value = signature(kind).parameters[arguments[name]].default
    return None if value is Parameter.empty else value


def build_network(
    settings: TrainSettings, data: Dataset, backend: Backend, rng: np.random.Generator
) -> Network:
    """Build the network of `--net` for the shape and the classes of the data."""
    assert settings.net is not None  # it is None only for `--from`, which builds nothing
    model = lookup("network", settings.net, MODELS)
    arguments = _arguments(settings, model)
    size, classes = data.sample_size, data.classes
    if model.kind is MultiLayerNet:
        widths = _widths(settings.layers, size, classes)
        arguments |= {"input_size": widths[0], "hidden_size_list": widths[1:-1]}
    else:
        arguments["hidden_size"] = settings.effective("hidden")
        arguments |= {"input_size": size} if model.kind is TwoLayerNet else {"input_dim": image_shape(data)}
    network = model.kind(**arguments, output_size=classes, dtype=settings.dtype, device=backend, rng=rng)
    if settings.weight_decay and settings.optimizer != "adamw":
        network.weight_decay = settings.weight_decay
    return network


def _arguments(settings: TrainSettings, model: Model) -> dict[str, Any]:
    """The given arguments of the network; raises a `UsageError` for those of other networks."""
    found = {}
    for setting in SETTINGS.values():
        name, value = setting.attribute, getattr(settings, setting.attribute)
        if setting.group is not NETWORK or name == "net" or not is_set(value):
            continue
        if name not in model.arguments:
            nets = " and ".join(net for net, other in MODELS.items() if name in other.arguments)
            raise UsageError(f"{setting.flag} is for --net {nets}, not for {settings.net}")
        found[model.arguments[name]] = _number_or_name(value) if name == "init" else value
    return found


def network_from_checkpoint(
    settings: TrainSettings, path: str, checkpoint: Checkpoint, backend: Backend
) -> Network:
    """Load the network in a checkpoint, with the dtype and the weight decay of the settings."""
    network = network_of(path, checkpoint, backend)
    if network.dtype != settings.dtype:
        network = network.to(dtype=settings.dtype)
    network.weight_decay = 0.0 if settings.optimizer == "adamw" else settings.weight_decay or 0.0
    return network


def image_shape(data: Dataset) -> tuple[int, int, int]:
    """(C, H, W) of the images; C = 1 if they have no channels."""
    *channels, height, width = (1, *data.x_train.shape[1:])[-3:]
    if data.x_train.ndim not in (3, 4):
        shape = data.x_train.shape[1:]
        raise ValueError(f"expected images (H, W) or (C, H, W) for this network, got samples {shape}")
    return int(channels[0]), int(height), int(width)


def steps_of(settings: TrainSettings, samples: int) -> int:
    """The number of steps of the whole run."""
    if settings.epochs:
        return settings.epochs * -(-samples // settings.batch_size)
    return int(settings.effective("iters"))


def _widths(text: str | None, size: int, classes: int) -> list[int]:
    """Parse widths such as "784-100-10"; the first and the last must be those of the data."""
    usual = [size, *MLP_WIDTHS, classes]
    if text is None:
        return usual
    try:
        widths = [int(part) for part in text.split("-")]
    except ValueError:
        widths = []
    if len(widths) < 2 or min(widths) < 1:
        raise UsageError(f"--layers: expected widths such as {'-'.join(map(str, usual))}, got {text!r}")
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


def build_optimizer(settings: TrainSettings, steps: int) -> Optimizer:
    """Build the optimizer of `--optimizer`, with rate, schedule, clipping and decoupled weight decay."""
    kind = lookup("optimizer", settings.optimizer, OPTIMIZERS)
    arguments: dict[str, Any] = {"max_norm": settings.clip_norm}
    if kind is AdamW and settings.weight_decay is not None:
        arguments["weight_decay"] = settings.weight_decay
    return kind(_schedule(settings, settings.effective("lr"), steps), **arguments)


def _schedule(settings: TrainSettings, lr: float, steps: int) -> float | Schedule:
    """Parse `--schedule` constant, cosine[:LOWEST] or step:EVERY[:FACTOR], after `--warm-up` steps."""
    name, *numbers = settings.schedule.split(":")
    left = max(steps - settings.warm_up, 1)
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
            f"--schedule {settings.schedule}: {error}; expected constant, cosine, cosine:LOWEST, step:EVERY "
            "or step:EVERY:FACTOR"
        ) from None
    if settings.warm_up:
        return WarmUp(schedule, settings.warm_up)
    return lr if name == "constant" else schedule
