"""Warnings about layers and gradients that hinder learning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .batch import Gradient, LayerOutput

DEAD = 0.1
"""The share of a layer's ReLU units that may be 0 on the whole batch."""

VANISHING = 1e-3
"""The smallest acceptable ratio of a weight's gradient norm to that of the last weight."""

TINY = 1e-7
"""The smallest acceptable norm of a gradient."""

UPDATES = (1e-6, 1e-1)
"""The acceptable range of a step's relative change of a weight."""


def find_warnings(
    outputs: Sequence[LayerOutput], gradients: Sequence[Gradient], *, scheduled: bool = False
) -> Iterator[str]:
    """Yield one sentence for each warning.

    With a `scheduled` learning rate, updates may become arbitrarily small.
    """
    yield from _output_warnings(outputs)
    weights = [gradient for gradient in gradients if gradient.weight]
    yield from _gradient_warnings(weights)
    yield from _update_warnings(weights, 0.0 if scheduled else UPDATES[0])


def _output_warnings(outputs: Sequence[LayerOutput]) -> Iterator[str]:
    for output in outputs:
        if not output.finite:
            yield f"The output of {output.name} contains NaN or infinity."
        if output.units and output.dead and output.dead > DEAD * output.units:
            share = output.dead / output.units
            yield (
                f"{output.name}: {output.dead} of {output.units} units ({share:.0%}) are dead: they are 0 "
                "for every sample of the batch and learn nothing. A smaller learning rate or He's initial "
                "values may help."
            )


def _gradient_warnings(weights: Sequence[Gradient]) -> Iterator[str]:
    for weight in weights:
        last = weights[-1]
        if weight.norm < TINY:
            yield f"{weight.layer}: {weight.name} has almost no gradient; its norm is {weight.norm:.2g}."
        elif weight.norm < VANISHING * last.norm:
            yield (
                f"{weight.layer}: the gradient of {weight.name} vanishes; its norm is {weight.norm:.2g}, the "
                f"norm for {last.name} is {last.norm:.2g}."
            )


def _update_warnings(weights: Sequence[Gradient], least: float) -> Iterator[str]:
    for weight in weights:
        if weight.update is None:
            continue
        changes = f"{weight.layer}: a step changes {weight.name} by {weight.update:.2g} of its norm"
        if not weight.update <= UPDATES[1]:
            yield f"{changes}, more than {UPDATES[1]:g}; the learning rate may be too large."
        elif weight.update < least and weight.norm >= TINY:
            yield f"{changes}, less than {UPDATES[0]:g}; the learning rate may be too small."
