"""Divergence: where the first NaN or infinity of a training run is."""

from __future__ import annotations

from typing import Any

from backends import Array, backend_of, namespace_of

from .steps import Epoch, Run


class DivergenceError(ArithmeticError):
    """Training met a NaN or an infinity: at which step, and where it first appeared."""

    def __init__(self, step: int, where: str, state: str = "as it was before that step's update") -> None:
        super().__init__(
            f"training diverged at step {step}: the first NaN or infinity is in {where}; "
            f"the network is {state}; try a smaller learning rate"
        )
        self.step, self.where = step, where


class Snapshot:
    """All that a step changes, as it is now."""

    def __init__(self, run: Run) -> None:
        network = run.network
        self.kinds = (network.flat_params, network.state, run.optimizer.slots)
        xp = network.backend.xp
        self.values = [
            {key: xp.asarray(value, copy=True) for key, value in kind.items()} for kind in self.kinds
        ]

    def restore(self) -> None:
        for kind, values in zip(self.kinds, self.values, strict=True):
            for key, value in values.items():
                kind[key] = value


def locate(epoch: Epoch, start: Snapshot) -> DivergenceError:
    """Run the epoch again to where the first value is not finite, and stop before that update."""
    run, params = epoch.run, epoch.run.network.flat_params
    start.restore()
    for i in range(epoch.first, epoch.ran):
        before = Snapshot(run)
        numbers = [epoch.numbers[i, j] for j in range(epoch.numbers.shape[1])]
        where = _first_bad(run, *run.batch(run.data, epoch.rows_of(i, i + 1)[0, ...]), numbers)
        if where is None:
            run.optimizer.step(params, run.network.flat_grads, run.optimizer.slots, numbers)
            where = None if finite(params["flat"]) else "the updated parameters"
        if where:
            before.restore()
            run.optimizer.steps += i
            return DivergenceError(epoch.done + i + 1, where)
    return DivergenceError(epoch.done + epoch.ran, "a value that a second run did not meet")


def _first_bad(run: Run, x: Array, t: Array, numbers: Any) -> str | None:
    """Forward and backward on one batch; the first value that is not finite, by name."""
    network = run.network
    if not finite(x):
        return "the input"
    for name, layer in network.layers.items():
        x = layer.forward(x, training=True)
        if not finite(x):
            return f"the output of {name}"
    if not finite(network.last_layer.forward(x, t, training=True)):
        return f"the value of {network.last_layer.name}"
    dout = network.last_layer.backward(run.optimizer.dout(numbers))
    for name, layer in reversed(network.layers.items()):
        dout = layer.backward(dout)
        for key, gradient in layer.grads.items():
            if not finite(gradient):
                return f"the gradient of {key} in {name}"
    return None


def finite(array: Array) -> bool:
    xp = namespace_of(array)
    return bool(backend_of(array).to_numpy(xp.all(xp.isfinite(array))))
