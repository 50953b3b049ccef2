"""Divergence: find the first NaN or infinity of a training run."""

from __future__ import annotations

from typing import Any

from ..backends import Array, backend_of, dtype_name, namespace_of
from ..inputs import LARGE, root_mean_square
from ..layers import Layer
from .epoch import Epoch
from .step import TrainStep


class DivergenceError(ArithmeticError):
    """Training produced a NaN or an infinity; says at which step and where it first appeared."""

    def __init__(
        self,
        step: int,
        where: str,
        state: str = "as it was before that step's update",
        cure: str = "try a smaller learning rate",
    ) -> None:
        super().__init__(
            f"training diverged at step {step}: the first NaN or infinity is in {where}; "
            f"the network is {state}; {cure}"
        )
        self.step, self.where = step, where


def locate(epoch: Epoch) -> DivergenceError:
    """Run the segment again up to the first value that is not finite, and stop before that update."""
    step = epoch.step
    if epoch.segment_start == epoch.ran:
        return DivergenceError(
            epoch.done + epoch.ran,
            "what the training was resumed with",
            "as it was there",
            "resume from an earlier checkpoint",
        )
    step.state().restore(epoch.state_at_start)
    epoch.params_finite = None
    for i in range(epoch.segment_start, epoch.ran):
        before = step.state().copy()
        row = epoch.scalars_of(i, i + 1)
        scalars = [row[0, j] for j in range(row.shape[1])]
        indices = epoch.indices(i, i + 1)[0, ...]
        where = _first_bad(step, *step.whole_batch(step.data, indices), scalars)
        if where is None:
            step.update(before, indices, scalars)
            where = None if finite(step.state().params["flat"]) else "the updated parameters"
        if where:
            step.state().restore(before)
            step.optimizer.steps = epoch.steps_before + i
            return DivergenceError(epoch.done + i + 1, where, cure=_cure(step))
    return DivergenceError(
        epoch.done + epoch.ran,
        "a replayed step: called one by one, the same steps stay finite",
        "as the called steps left it",
        "train with capture=False",
    )


def _cure(step: TrainStep) -> str:
    """The most likely cure."""
    size = root_mean_square(step.data["x"]) if dtype_name(step.data["x"].dtype) != "uint8" else 0.0
    if size > LARGE:
        return (
            f"the inputs are large, with a root mean square of {size:.4g}: scale them, or standardize every "
            "column; a smaller learning rate alone will not help"
        )
    return "try a smaller learning rate"


def _first_bad(step: TrainStep, x: Array, t: Array, scalars: Any) -> str | None:
    """Run forward and backward on one batch; return the name of the first value that is not finite."""
    network = step.network
    if not finite(x):
        return "the input"
    for name, layer in network.layers.items():
        x = layer.forward(x, training=True)
        if not finite(x):
            return f"the output of {name}"
    loss = network.last_layer.forward(x, t, training=True)
    if not finite(loss):
        return f"the value of {network.last_layer.name}"
    if not finite(network.penalized(loss)):
        return "the penalty of weight decay"
    scale = step.optimizer.loss_scale(scalars)
    dout = network.last_layer.backward(scale)
    for name, layer in reversed(network.layers.items()):
        dout = layer.backward(dout)
        if bad := _bad_gradient(name, layer):
            return bad
    network.decay(scale)
    return next(filter(None, (_bad_gradient(name, layer) for name, layer in network.layers.items())), None)


def _bad_gradient(name: str, layer: Layer) -> str | None:
    for key, gradient in layer.grads.items():
        if not finite(gradient):
            return f"the gradient of {key} in {name}"
    return None


def finite(array: Array) -> bool:
    xp = namespace_of(array)
    return bool(backend_of(array).to_numpy(xp.all(xp.isfinite(array))))
