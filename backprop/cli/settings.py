"""The settings of `backprop train`: a table with one field each.

Everything else derives from it: flags and their help (`parser.py`), `BACKPROP_*` variables
(`environment.py`), TOML files (`toml.py`), what checkpoints keep and give back (`checkpoint.py`), and what
is shown when a run starts. Nothing here imports NumPy, which reads its number of threads on import.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from ..lookup import UsageError, lookup
from .numbers import finite, natural, nonnegative_float, positive, positive_float, share, steps_or_epoch
from .setting import KEPT, ByChoice, Group, Scope, Setting, is_set, setting

NETWORK = Group("network")
RUN = Group("run", "where it is kept, and how it continues")
OPTIMIZER = Group("optimizer")

DEVICE_HELP = (
    "device to compute on: auto, cpu, gpu, gpu:1, torch, torch:cuda, jax, jax:gpu, …; see 'backprop devices'"
)


def absolute_path(text: str) -> str:
    """Parse a path; it stays valid when the current folder changes."""
    return os.path.abspath(text) if text else text


@dataclass(frozen=True)
class TrainSettings:
    """The settings of one `backprop train`, and its command line."""

    device: str = setting("auto", DEVICE_HELP, scope=Scope.CHANGEABLE)
    net: str | None = setting(
        "two-layer",
        "network of the book: two-layer, mlp, simple-conv or deep-conv",
        parse=str.lower,
        metavar="NAME",
        group=NETWORK,
    )
    hidden: int | None = setting(
        None,
        "width of the hidden affine layer; mlp takes --layers",
        usual=ByChoice("net", {"two-layer": 50, "simple-conv": 100, "deep-conv": 50}),
        parse=positive,
        metavar="N",
        group=NETWORK,
    )
    layers: str | None = setting(
        None, "widths of mlp from input to output, such as 784-100-100-10", metavar="WIDTHS", group=NETWORK
    )
    activation: str | None = setting(
        None,
        "activation of mlp: relu, sigmoid, tanh, leaky-relu, gelu or identity",
        parse=str.lower,
        metavar="NAME",
        group=NETWORK,
    )
    init: str | None = setting(
        None,
        "initial weights: he, xavier or a standard deviation (default: the network's, as in the book)",
        metavar="NAME|STD",
        group=NETWORK,
    )
    batch_norm: Literal["synchronized", "local", False] = setting(
        False,
        "batch normalization, in mlp: synchronized, with the statistics of the whole batch, which is meant "
        "without a word, or local, with those of each shard",
        choices=["synchronized", "local"],
        metavar="synchronized|local",
        bare="synchronized",
        group=NETWORK,
    )
    dropout: float | None = setting(
        None, "share of units to drop, in mlp and deep-conv", parse=finite, metavar="RATIO", group=NETWORK
    )

    data: str | None = setting(
        None,
        "a folder of four IDX files or of .npy files, or an .npz file (default: the MNIST in this package)",
        parse=absolute_path,
        metavar="PATH",
        scope=Scope.CHANGEABLE,
        inherited=True,
    )

    config: str | None = setting(
        None,
        "TOML file with these settings by name, such as the config.toml of a run",
        metavar="FILE",
        group=RUN,
        scope=Scope.COMMAND,
    )
    out: str | None = setting(
        None,
        "folder of the run (default: the first free runs/NAME-N)",
        metavar="DIR",
        group=RUN,
        scope=Scope.PROCESS,
    )
    no_save: bool = setting(False, "keep nothing", group=RUN, scope=Scope.PROCESS)
    save_every: int | Literal["epoch"] = setting(
        "epoch",
        "save a checkpoint every N steps, or every epoch",
        parse=steps_or_epoch,
        metavar="N|epoch",
        group=RUN,
        scope=Scope.CHANGEABLE,
    )
    keep: int = setting(
        2, "keep the last N checkpoints", parse=positive, metavar="N", group=RUN, scope=Scope.CHANGEABLE
    )
    resume: str | None = setting(
        None,
        "resume a run from its last checkpoint, or from this one; without a name, the latest run",
        metavar="DIR|FILE",
        bare="",
        group=RUN,
        scope=Scope.COMMAND,
    )
    start_from: str | None = setting(
        None,
        "start from the weights of this run or checkpoint; network, dtype and data come from it, all other "
        "settings from here",
        name="from",
        metavar="DIR|FILE",
        group=RUN,
    )
    log_every: int | None = setting(
        None,
        "write a line to history.jsonl every N steps within an epoch (default: about a hundred lines a run)",
        parse=positive,
        metavar="N",
        group=RUN,
        scope=Scope.CHANGEABLE,
    )
    validation: float | None = setting(
        None,
        "hold out this share of the training data, and keep the checkpoint with the lowest loss on it",
        parse=share,
        metavar="SHARE",
        group=RUN,
    )
    patience: int | None = setting(
        None,
        "stop after N epochs without a lower loss on the validation data",
        parse=positive,
        metavar="N",
        group=RUN,
        scope=Scope.CHANGEABLE,
    )
    no_report: bool = setting(False, "write no report.html at the end", group=RUN, scope=Scope.CHANGEABLE)

    iters: int | None = setting(
        None,
        "steps to train",
        usual=10_000,
        parse=positive,
        metavar="N",
        exclusive="length",
        scope=Scope.CHANGEABLE,
    )
    epochs: int | None = setting(
        None,
        "epochs to train, instead",
        parse=positive,
        metavar="N",
        exclusive="length",
        scope=Scope.CHANGEABLE,
    )
    batch_size: int = setting(100, "samples per step", parse=positive, metavar="N", shown=True)

    optimizer: str = setting(
        "sgd",
        "sgd, momentum, nesterov, adagrad, rmsprop, adam or adamw",
        parse=str.lower,
        metavar="NAME",
        group=OPTIMIZER,
    )
    lr: float | None = setting(
        None,
        "learning rate",
        usual=ByChoice("optimizer", {"sgd": 0.1, "adam": 0.001, "adamw": 0.001}, 0.01),
        parse=nonnegative_float,
        metavar="RATE",
        group=OPTIMIZER,
    )
    schedule: str = setting(
        "constant",
        "schedule of the learning rate: constant, cosine[:LOWEST] or step:EVERY[:FACTOR]",
        parse=str.lower,
        metavar="NAME",
        group=OPTIMIZER,
        shown=True,
        label="schedule",
    )
    warm_up: int = setting(
        0,
        "steps over which the learning rate rises to its start",
        parse=natural,
        metavar="N",
        group=OPTIMIZER,
        shown=True,
        label="warm-up",
    )
    weight_decay: float | None = setting(
        None,
        "add LAMBDA/2 times the squared weights to the loss, as in the book; decoupled in adamw",
        parse=nonnegative_float,
        metavar="LAMBDA",
        group=OPTIMIZER,
        shown=True,
        label="weight decay",
    )
    clip_norm: float | None = setting(
        None,
        "scale gradients with a larger norm down to this one",
        parse=positive_float,
        metavar="NORM",
        group=OPTIMIZER,
        shown=True,
        label="norm at most",
    )

    sampling: Literal["without-replacement", "with-replacement"] = setting(
        "without-replacement",
        "draw batches without-replacement or, as in the book, with-replacement",
        choices=["without-replacement", "with-replacement"],
        metavar="HOW",
        shown=True,
    )
    shards: int | None = setting(
        None,
        "cut every batch into N parts, shared by the processes of mpiexec; N is part of the result (default: "
        "1, with several processes a power of two)",
        parse=positive,
        metavar="N",
    )
    seed: int = setting(0, "seed of weights and batch order", parse=natural, shown=True)
    dtype: str = setting("float32", "floating-point type of data and weights", choices=["float32", "float64"])
    threads: int | None = setting(
        None,
        "CPU threads for matrix products (default: 1 for small products, else the library's)",
        parse=positive,
        metavar="N",
        scope=Scope.CHANGEABLE,
    )
    precision: str = setting(
        "full",
        "tf32 rounds the factors of a GPU's float32 products to 10 bits, which is faster",
        choices=["full", "tf32"],
        scope=Scope.CHANGEABLE,
        shown=True,
    )
    no_capture: bool = setting(
        False,
        "call every step as written; by default one is recorded and replayed, which is faster",
        scope=Scope.CHANGEABLE,
    )
    json: bool = setting(
        False, "print JSON on stdout, one object a line, and nothing else", scope=Scope.PROCESS
    )
    quiet: bool = setting(False, "print only the folder of the run and the last line", scope=Scope.PROCESS)
    debug: bool = setting(False, "show the traceback of an error", scope=Scope.COMMAND)

    # Facts about the process; nobody sets them by name.
    command_line: str = ""
    threads_there: int | None = None
    """The threads of a resumed run, on which its last bits depend, unless others are given."""

    def effective(self, attribute: str) -> Any:
        """The value of a setting, or what replaces None."""
        value = getattr(self, attribute)
        return SETTINGS[attribute].fallback(vars(self)) if value is None else value

    def kept(self) -> dict[str, Any]:
        """The settings that a checkpoint keeps, by name, without those that are not set."""
        values = {s.name: getattr(self, s.attribute) for s in SETTINGS.values() if s.scope in KEPT}
        return {name: value for name, value in values.items() if is_set(value)}

    def shown(self) -> dict[str, Any]:
        """The settings that are shown when a run starts, by name."""
        return {s.name: getattr(self, s.attribute) for s in SETTINGS.values() if s.shown}


SETTINGS: Mapping[str, Setting] = {
    f.name: Setting(**{"attribute": f.name, "name": f.name, "default": f.default, **f.metadata})
    for f in fields(TrainSettings)
    if f.metadata
}
"""Every setting by its attribute."""

EXCLUSIVE = [
    {s.attribute for s in SETTINGS.values() if s.exclusive == group}
    for group in {s.exclusive: None for s in SETTINGS.values() if s.exclusive}
]
"""Sets of settings that exclude each other."""


def find_setting(name: str, source: str) -> Setting:
    """Look up a setting by name; a `UsageError` names the source and suggests close matches."""
    try:
        return lookup("option", name.replace("_", "-"), {s.hyphenated: s for s in SETTINGS.values()})
    except UsageError as error:
        raise UsageError(f"{source}: {error}") from None


def convert(
    values: Mapping[str, Any],
    source: str,
    scopes: Collection[Scope] = KEPT,
    otherwise: str = "is no setting of a run",
) -> dict[str, Any]:
    """Convert values by name, from a file, into values by attribute, as flags would give them.

    Raises a `UsageError` for an unknown setting, an invalid value, and, with the words of `otherwise`, a
    setting of another scope.
    """
    found = {}
    for name, value in values.items():
        setting = find_setting(name, f"{source}: {name}")
        if setting.scope not in scopes:
            raise UsageError(f"{source}: {name} {otherwise}")
        found[setting.attribute] = setting.convert(value, f"{source}: {name}")
    return found
