"""From a number to a case: networks, optimizers, data, and what happens to them.

`make(seed)` builds everything anew, so that two runs of a case share nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backprop import (
    GELU,
    Affine,
    AveragePooling,
    BatchNormalization,
    Convolution,
    ConvolutionReLUPooling,
    Dropout,
    Flatten,
    Identity,
    Layer,
    LayerNormalization,
    LeakyReLU,
    MaxPooling,
    MeanSquaredError,
    Network,
    ReLU,
    Reshape,
    Residual,
    Sigmoid,
    SigmoidWithLoss,
    Softmax,
    SoftmaxWithLoss,
    Tanh,
)
from backprop.optimizers import OPTIMIZERS, Optimizer
from backprop.schedules import Cosine, Step, WarmUp
from backprop.training.capture import SHORTEST

from . import changes, layers, optimizers  # noqa: F401 - they register the habits
from .habits import HABITS, Habit, Making

STOCK_EVERY = 5
"""Every case of so many has no habit: all of it is the package's."""

ORDER = [str(name) for name in np.random.default_rng(0).permutation(sorted(HABITS))]
"""The habits in the order in which the seeds take their turns."""

ALONE = 1_000_000
"""From this seed on every habit in turn is alone, in one short training."""

MODES = {"one": 0.68, "by turns": 0.08, "threads": 0.08, "again": 0.06, "resumed": 0.06, "one network": 0.04}
"""How the trainings of a case are run, and how often."""

RATES = {
    "sgd": 0.1,
    "momentum": 0.03,
    "nesterov": 0.03,
    "adagrad": 0.1,
    "rmsprop": 0.01,
    "adam": 0.02,
    "adamw": 0.02,
}


@dataclass
class Change:
    """A change with its place."""

    habit: Habit
    between: bool
    """Between two epochs, else in the hook."""
    first: int
    """After how many hooks or epochs it begins."""


@dataclass
class Trial:
    """One training: what `fit` is given, and what is done along the way."""

    network: Network
    optimizer: Optimizer
    data: tuple[np.ndarray, np.ndarray]
    options: dict[str, Any]
    hook_steps: int | None
    progress_steps: int | None
    total: int
    changes: list[Change] = field(default_factory=list)

    @property
    def longest(self) -> int:
        """The steps between two hooks, or of an epoch."""
        epoch = math.ceil(len(self.data[0]) / self.options["batch_size"])
        return min(epoch, self.total, self.hook_steps or epoch)

    def __str__(self) -> str:
        x, t = self.data
        told = ", ".join(f"{key}={value}" for key, value in self.options.items() if key != "test")
        tested = ", test" if "test" in self.options else ""
        looks = f", hook every {self.hook_steps}" if self.hook_steps else ""
        progress = f", progress every {self.progress_steps}" if self.progress_steps else ""
        done = "".join(
            f"\n    {c.habit.name}, {'between epochs' if c.between else 'in the hook'}, from the {c.first + 1}. on"
            for c in self.changes
        )
        return (
            f"{self.network}, weight decay {self.network.weight_decay:g}\n    {self.optimizer!r}\n"
            f"    x {x.dtype}{x.shape}, t {t.dtype}{t.shape}, {told}{tested}{looks}{progress}; {self.total} steps{done}"
        )


@dataclass
class Case:
    """What one seed makes."""

    seed: int
    mode: str
    habits: list[Habit]
    trials: list[Trial]

    @property
    def hidden(self) -> bool:
        return any(habit.hidden for habit in self.habits)

    @property
    def unsteady(self) -> bool:
        """Whether two called trainings differ, and no stretch is long enough for anything else."""
        return any(habit.unsteady for habit in self.habits) and all(
            trial.longest < SHORTEST for trial in self.trials
        )

    @property
    def plain(self) -> bool:
        """Whether it keeps all rules, so that it has to be recorded."""
        return all(habit.plain for habit in self.habits)

    def __str__(self) -> str:
        names = " and ".join(f"{habit.name} ({habit.about})" for habit in self.habits) or "no habits"
        return "\n".join(
            [f"case {self.seed}: {names}; {self.mode}", *(f"  {trial}" for trial in self.trials)]
        )


def make(seed: int) -> Case:
    """The case of a seed, built anew."""
    rng = np.random.default_rng(seed)
    habits = _habits(seed, rng)
    mode = str(rng.choice(list(MODES), p=list(MODES.values())))
    if seed >= ALONE:
        mode = "one"
    if mode == "threads" and any(habit.shared for habit in habits):
        mode = "by turns"
    own = int(rng.integers(2**31))
    trials = [_trial(own, habits, short=seed >= ALONE)]
    if mode in ("by turns", "threads"):
        trials.append(_trial(int(rng.integers(2**31)), habits if rng.random() < 0.5 else []))
    elif mode == "resumed":
        trials.append(_trial(own, habits))
    return Case(seed, mode, habits, trials)


def _habits(seed: int, rng: np.random.Generator) -> list[Habit]:
    """None, one, or two that go together."""
    if seed >= ALONE:
        return [HABITS[ORDER[(seed - ALONE) % len(ORDER)]]]
    if seed % STOCK_EVERY == 0:
        return []
    habits = [HABITS[ORDER[(seed - seed // STOCK_EVERY - 1) % len(ORDER)]]]
    second = HABITS[ORDER[int(rng.integers(len(ORDER)))]]
    alone = second.kind in ("optimizer", "loss") and second.kind == habits[0].kind
    if rng.random() < 0.35 and second.name != habits[0].name and not alone:
        habits.append(second)
    return habits


class _Drawing:
    """What is drawn for one trial, and the building of it."""

    def __init__(self, seed: int, short: bool) -> None:
        self.rng = np.random.default_rng(seed)
        self.short = short
        self.dtype = "float32" if self.chance(0.7) else "float64"
        self.images = self.chance(0.22) and not short
        self.epochs, self.per_epoch = (3, 12) if short else self._length()
        self.total = self.epochs * self.per_epoch
        later = [k for k in (4, 6, 9, 12, 15, 20, 30, 50) if k < 0.8 * self.total]
        self.k = int(self.rng.choice(later)) if later else 2
        self.batch = 1 if self.chance(0.08) else int(self.rng.integers(2, 10))

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def one_of(self, *values: Any) -> Any:
        return values[int(self.rng.integers(len(values)))]

    def _length(self) -> tuple[int, int]:
        """Epochs and steps an epoch: mostly long enough for replays, sometimes not."""
        kind = self.rng.random()
        if kind < 0.2:
            return int(self.rng.integers(2, 9)), int(self.one_of(1, 2, 3, 5, 7))
        if kind < 0.9 or self.images:
            return int(self.rng.integers(2, 4)), int(self.rng.integers(12, 25))
        return int(self.rng.integers(1, 3)), int(self.rng.integers(60, 75))

    def making(self, width: int) -> Making:
        return Making(self.rng, width, self.dtype, self.k)

    def affine(self, width: int, outputs: int) -> Affine:
        making = self.making(width)
        return Affine(making.normal(width, outputs), making.normal(outputs))

    def stock(self, name: str, width: int) -> Layer:
        """A layer of the package that keeps the shape (N, width)."""
        ones, normal = self.making(width).ones, self.making(width).normal
        makers: dict[str, Callable[[], Layer]] = {
            "ReLU": ReLU,
            "LeakyReLU": lambda: LeakyReLU(0.1),
            "GELU": GELU,
            "Sigmoid": Sigmoid,
            "Tanh": Tanh,
            "Softmax": Softmax,
            "Identity": Identity,
            "Flatten": Flatten,
            "Reshape": lambda: Reshape((width,)),
            "Affine": lambda: self.affine(width, width),
            "Dropout": lambda: Dropout(self.one_of(0.1, 0.3, 0.5), seed=self.k, inverted=self.chance(0.8)),
            "BatchNormalization": lambda: BatchNormalization(
                ones(width), normal(width), self.one_of(0.9, 0.5)
            ),
            "LayerNormalization": lambda: LayerNormalization(ones(width), normal(width)),
        }
        return makers[name]()

    def activation(self, width: int) -> Layer:
        return self.stock(self.one_of("ReLU", "ReLU", "LeakyReLU", "GELU", "Sigmoid", "Tanh"), width)

    def convolutions(self) -> tuple[list[Layer], tuple[int, ...], int]:
        """Layers for images, the shape of an image, and how many numbers they make of it."""
        c, h, w = self.one_of(1, 2), int(self.rng.integers(5, 8)), int(self.rng.integers(5, 8))
        filters, pad = self.one_of(2, 3), self.one_of(0, 1)
        making = self.making(0)
        weights = making.normal(filters, c, 3, 3), making.normal(filters)
        x = np.zeros((1, c, h, w), self.dtype)
        if self.chance(0.3):
            made: list[Layer] = [ConvolutionReLUPooling(*weights, pad=pad)]
        else:
            made = [Convolution(*weights, stride=self.one_of(1, 1, 2), pad=pad)]
            if self.chance(0.3):
                made.append(BatchNormalization(making.ones(filters), making.normal(filters)))
            made.append(self.one_of(ReLU, Tanh)())
            if self.chance(0.3):
                made.append(Dropout(0.3, seed=self.k))
            made.append(self.one_of(MaxPooling, AveragePooling)(2, stride=self.one_of(None, 1)))
        if self.chance(0.5):
            made.append(Flatten())
        y = x
        for layer in made:
            y = layer.forward(y)
        return made, (c, h, w), math.prod(y.shape[1:])

    def stack(
        self, users: Sequence[Habit], needed: Sequence[str], outputs: int
    ) -> tuple[list[Layer], tuple[int, ...]]:
        """Layers and the shape of a sample."""
        below: list[Layer] = []
        width = int(self.rng.integers(3, 8))
        shape: tuple[int, ...] = (width,)
        if self.images:
            below, shape, width = self.convolutions()
            if self.chance(0.4):
                below.insert(0, Reshape(shape))
                shape = (math.prod(shape),)
            below.append(self.affine(width, 6))
            width = 6
        elif not self.chance(0.15):  # else the first user's layer is the lowest of all
            hidden = int(self.rng.integers(3, 8))
            below, width = [self.affine(width, hidden)], hidden
        middle: list[Layer] = [self.stock(name, width) for name in needed]
        middle += [self.activation(width)]
        if self.chance(0.3):
            middle.append(self.stock(self.one_of("BatchNormalization", "LayerNormalization"), width))
        if self.chance(0.2):
            middle.append(self.stock("Dropout", width))
        if self.chance(0.15):
            middle.append(self.stock(self.one_of("Identity", "Flatten", "Reshape", "Softmax"), width))
        if self.chance(0.4):
            middle.append(self.affine(width, width))
        middle = [middle[i] for i in self.rng.permutation(len(middle))]
        for habit in users:
            layer = habit.build(self.making(width))
            if self.chance(0.15) and not self.short:
                layer = Residual([self.stock(self.one_of("Affine", "Tanh", "Dropout"), width), layer])
            middle.insert(int(self.rng.integers(len(middle) + 1)), layer)
        if self.chance(0.15) and not self.short:
            middle.append(Residual([self.affine(width, width), self.activation(width)]))
        return [*below, *middle, self.affine(width, outputs)], shape

    def rate(self, name: str) -> Any:
        """A learning rate or a schedule for it."""
        lr = RATES[name] * (300.0 if self.chance(0.03) else 1.0)
        return self.one_of(
            lr,
            lr,
            lr,
            Step(lr, every=self.k, factor=0.5),
            Cosine(lr, steps=self.total),
            WarmUp(Cosine(lr, steps=self.total), self.k),
            lambda step: lr / (1.0 + 0.05 * step),
        )

    def optimizer(self, needed: Sequence[str]) -> Optimizer:
        name = needed[0].lower() if needed else str(self.one_of(*OPTIMIZERS))
        max_norm = self.one_of(0.01, 0.3, 1.0) if self.chance(0.35) and not self.short else None
        rate = RATES[name] if needed else self.rate(name)
        return OPTIMIZERS[name](rate, max_norm=max_norm)

    def samples(self, normalized: bool) -> int:
        """So many that there are as many steps an epoch as drawn, the last of them often smaller."""
        n = self.per_epoch * self.batch
        if self.chance(0.6):
            n -= int(self.rng.integers(self.batch))
        if normalized and n % self.batch == 1 and not self.chance(0.1):
            n += 1  # a batch of one cannot be normalized
        return max(n, self.batch)

    def inputs(self, n: int, shape: tuple[int, ...]) -> np.ndarray:
        kind = self.rng.random()
        if kind < 0.12:
            return self.rng.integers(0, 256, (n, *shape)).astype(np.uint8)
        x = self.rng.standard_normal((n, *shape))
        if kind < 0.16:
            return x
        if kind < 0.2:
            return np.asfortranarray(x.astype(self.dtype))
        return x.astype(self.dtype)

    def targets(self, n: int, outputs: int, own_loss: Any) -> tuple[np.ndarray, Any]:
        labels = self.rng.integers(0, outputs, n)
        kind = (
            self.one_of("labels", "labels", "one-hot", "sigmoid", "squares") if own_loss is None else "labels"
        )
        if own_loss is not None or kind in ("labels", "one-hot"):
            loss = SoftmaxWithLoss() if own_loss is None else own_loss
            if kind == "one-hot" or self.chance(0.2):
                return np.eye(outputs, dtype=self.one_of("float32", "int64", "bool"))[labels], loss
            return labels.astype(self.one_of("int64", "int32", "uint8")), loss
        if kind == "sigmoid":
            return self.rng.integers(0, 2, (n, outputs)).astype(
                self.one_of("float32", "int64")
            ), SigmoidWithLoss()
        return self.rng.standard_normal((n, outputs)).astype(self.dtype), MeanSquaredError()


def _trial(seed: int, habits: Sequence[Habit], *, short: bool = False) -> Trial:
    draw = _Drawing(seed, short)
    of = {
        kind: [habit for habit in habits if habit.kind == kind]
        for kind in ("layer", "loss", "optimizer", "change")
    }
    needs = [name for habit in habits for name in habit.needs]
    users = [*of["layer"], *(HABITS[name] for name in needs if name in HABITS)]
    stock = [name for name in needs if name not in HABITS and name.lower() not in OPTIMIZERS]
    outputs = int(draw.rng.integers(2, 5))
    stack, shape = draw.stack(users, stock, outputs)
    normalized = any(isinstance(layer, BatchNormalization) for layer in stack)
    if normalized and draw.batch == 1:
        draw.batch = 2
    n = draw.samples(normalized)
    own_loss = of["loss"][0].build(draw.making(outputs)) if of["loss"] else None
    t, loss = draw.targets(n, outputs, own_loss)
    network = Network(stack, loss, weight_decay=draw.one_of(0.0, 0.0, 0.0, 0.01, 0.3))
    if of["optimizer"]:
        optimizer = of["optimizer"][0].build(draw.making(0))
    else:
        optimizer = draw.optimizer([name for name in needs if name.lower() in OPTIMIZERS])
    for layer in network.layers.values():
        for part in (layer, *getattr(layer, "layers", {}).values()):
            if hasattr(part, "attach"):
                part.attach(network, optimizer)
    x = draw.inputs(n, shape)
    options: dict[str, Any] = {
        "batch_size": draw.batch,
        "rng": int(draw.rng.integers(100)),
        "epochs": draw.epochs,
    }
    options["sampling"] = "with-replacement" if draw.chance(0.3) else "without-replacement"
    if draw.chance(0.15):
        options["iterations"] = max(1, draw.total - int(draw.rng.integers(1, 4)))
        del options["epochs"]
    if draw.chance(0.25):
        options["test"] = (x[: min(n, 5)], t[: min(n, 5)])
    trial = Trial(network, optimizer, (x, t), options, None, None, draw.total)
    trial.hook_steps = draw.one_of(None, None, 1, 2, 3, 5, 7, 11)
    trial.progress_steps = draw.one_of(None, None, 1, 4, 10)
    for habit in of["change"]:
        between = draw.chance(0.35) and draw.epochs > 2
        first = draw.one_of(0, 0, 1, 2)
        trial.changes.append(Change(habit, between, first))
        if not between and trial.hook_steps is None:
            trial.hook_steps = draw.one_of(1, 2, 3, 5, 7)
    return trial
