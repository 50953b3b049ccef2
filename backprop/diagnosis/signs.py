"""Signs in a network's layers and gradients that it does not learn as it could."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .batch import Gradient, LayerOutput

DEAD = 0.1
"""The share of a layer's ReLU units that may be 0 on the whole batch."""

VANISHING = 1e-3
"""The least share of the last weights' gradient that other weights' gradient may have."""

TINY = 1e-7
"""The least norm that a gradient may have."""

UPDATES = (1e-6, 1e-1)
"""What a step may change a weight by, as a share of its norm."""


def warning_signs(
    outputs: Sequence[LayerOutput], gradients: Sequence[Gradient], *, scheduled: bool = False
) -> Iterator[str]:
    """Sentences, one for each sign.

    A `scheduled` learning rate may be as small as it likes: then small updates are none.
    """
    yield from _of_outputs(outputs)
    weights = [gradient for gradient in gradients if gradient.weight]
    yield from _of_gradients(weights)
    yield from _of_updates(weights, 0.0 if scheduled else UPDATES[0])


def _of_outputs(outputs: Sequence[LayerOutput]) -> Iterator[str]:
    for output in outputs:
        if not output.finite:
            yield f"{output.name} puts out numbers that are NaN or infinite."
        if output.units and output.dead and output.dead > DEAD * output.units:
            share = output.dead / output.units
            yield (
                f"{output.name}: {output.dead} of {output.units} units ({share:.0%}) are dead, that is 0 for "
                "every sample of the batch. They learn nothing; a smaller learning rate or He's initial "
                "values may help."
            )


def _of_gradients(weights: Sequence[Gradient]) -> Iterator[str]:
    for weight in weights:
        last = weights[-1]
        if weight.norm < TINY:
            yield f"{weight.layer}: {weight.name} has no gradient to speak of, its norm is {weight.norm:.2g}."
        elif weight.norm < VANISHING * last.norm:
            yield (
                f"{weight.layer}: the gradient of {weight.name} vanishes, its norm is {weight.norm:.2g} and "
                f"that of {last.name} {last.norm:.2g}."
            )


def _of_updates(weights: Sequence[Gradient], least: float) -> Iterator[str]:
    for weight in weights:
        if weight.update is None:
            continue
        if not weight.update <= UPDATES[1]:
            yield (
                f"{weight.layer}: a step changes {weight.name} by {weight.update:.2g} of its norm, which is "
                f"much (above {UPDATES[1]:g}); the learning rate may be too large."
            )
        elif weight.update < least and weight.norm >= TINY:
            yield (
                f"{weight.layer}: a step changes {weight.name} by {weight.update:.2g} of its norm, which is "
                f"next to nothing (below {UPDATES[0]:g}); the learning rate may be too small."
            )
