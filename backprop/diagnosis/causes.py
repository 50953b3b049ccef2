"""The likely causes of a network that learns nothing."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..backends import Array, HostArray
from ..inputs import LARGE
from ..networks.network import Network
from ..optimizers import Optimizer
from .batch import Gradient, LayerOutput, inspect_batch
from .warnings import find_warnings

SMALL = 1e-2
"""Inputs with a smaller root mean square hardly affect the first layer."""

UNEVEN = 1e3
"""A table is uneven if its largest column exceeds the median one by this factor."""

FAST = 1e-2
"""The largest relative update of a training that converges."""


@dataclass(frozen=True)
class Examination:
    """What is examined: a network in training, and some of its training samples."""

    network: Network
    x: Array
    t: Array
    optimizer: Optimizer | None
    batch_size: int
    falling: bool
    """Whether the training loss was still falling."""


def likely_causes(examination: Examination, *, loss_above_baseline: bool) -> tuple[list[str], bool]:
    """List the likely causes, and tell whether more training cannot fix one of them."""
    network, optimizer = examination.network, examination.optimizer
    if not network.params:
        return ["no layer has parameters, so there is nothing to train"], True
    of_inputs = list(_input_causes(network.backend.to_numpy(network.scaled(examination.x))))
    outputs, gradients = _inspect(examination)
    scheduled = callable(getattr(optimizer, "lr", None))
    warnings = [text.rstrip(".") for text in find_warnings(outputs, gradients, scheduled=scheduled)]
    of_outputs = list(_output_causes(outputs))
    causes = [*of_inputs, *warnings, *of_outputs]
    if examination.falling:
        causes.append("the training was short: the loss is still falling")
    elif loss_above_baseline and max((g.update or 0.0 for g in gradients), default=0.0) > FAST:
        causes.append(
            f"the loss is higher than by guessing: the learning rate{_rate(optimizer)} may be too large"
        )
    elif not causes:
        causes.append(f"the training was short, or the learning rate{_rate(optimizer)} is unsuitable")
        causes.append("the targets do not match the inputs, for example if only one of them was shuffled")
    return causes, bool(of_inputs or of_outputs)


def _inspect(examination: Examination) -> tuple[list[LayerOutput], list[Gradient]]:
    """Inspect one batch without changing any random generator; find nothing if a layer cannot be copied."""
    network, part = examination.network, slice(examination.batch_size)
    x, t = examination.x[part, ...], examination.t[part, ...]
    numpy_state, python_state = np.random.get_state(), random.getstate()
    try:
        return inspect_batch(network, x, t, examination.optimizer)
    except Exception:  # a custom layer
        return [], []
    finally:
        np.random.set_state(numpy_state)
        random.setstate(python_state)


def _input_causes(x: HostArray) -> Iterator[str]:
    flat = x.reshape(len(x), -1).astype(np.float64)
    size = math.sqrt(float(np.square(flat).mean()))
    if len(x) > 1 and not (flat != flat[0]).any():
        yield "the inputs of all samples are the same"
    elif size > LARGE:
        yield f"the inputs are large, with a root mean square of {size:.4g}: scale or standardize them"
    elif size < SMALL:
        yield f"the inputs are small, with a root mean square of {size:.4g}: scale or standardize them"
    columns = np.sqrt(np.square(flat).mean(axis=0))
    columns = columns[columns > 0.0]
    if len(columns) > 1 and columns.max() > UNEVEN * np.median(columns):
        ratio = columns.max() / np.median(columns)
        yield f"one input column is {ratio:.3g} times as large as the median one: standardize the columns"


def _output_causes(outputs: list[LayerOutput]) -> Iterator[str]:
    first = next((output for output in outputs if output.constant), None)
    if first is not None and outputs[-1].constant:
        yield f"from {first.name} on, the outputs are the same for every sample"


def _rate(optimizer: Optimizer | None) -> str:
    return "" if optimizer is None else f", {optimizer.rate(max(optimizer.steps, 1)):.3g},"
