"""JAX as its users write it. jit: a compiled step a call. scan: many steps in one compiled call."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ..memory import held_by_jax
from ..workloads import (
    ADAM_BETAS,
    ADAM_EPSILON,
    BATCH_NORM_EPSILON,
    BATCH_NORM_MOMENTUM,
    Data,
    Weights,
    Workload,
    initial_weights,
)

VARIANTS = ("jit", "scan")
FLOATS = True

Tree = Any


def _forward(params: Tree, running: Tree, x: jax.Array) -> tuple[jax.Array, Tree]:
    """The logits, and the running statistics of every batch normalization."""
    last, updated = sum(name.startswith("W") for name in params), {}
    for i in range(1, last + 1):
        W, b = params[f"W{i}"], params[f"b{i}"]
        if W.ndim == 4:
            x = lax.conv_general_dilated(x.reshape(-1, 1, 28, 28), W, (1, 1), "VALID") + b[:, None, None]
        else:
            x = x.reshape(len(x), -1) @ W + b
        if f"gamma{i}" in params:
            mean, var = x.mean(axis=0), x.var(axis=0)
            x = params[f"gamma{i}"] * (x - mean) * lax.rsqrt(var + BATCH_NORM_EPSILON) + params[f"beta{i}"]
            updated[i] = jax.tree.map(
                lambda old, new: BATCH_NORM_MOMENTUM * old + (1.0 - BATCH_NORM_MOMENTUM) * new,
                running[i],
                (mean, var),
            )
        if i < last:
            x = jax.nn.relu(x)
        if W.ndim == 4:
            x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
    return x, updated


def _loss(params: Tree, running: Tree, x: jax.Array, t: jax.Array) -> tuple[jax.Array, Tree]:
    logits, running = _forward(params, running, x)
    log_p = jax.nn.log_softmax(logits)
    return -jnp.mean(jnp.take_along_axis(log_p, t[:, None], axis=1)), running


def _sgd(lr: float, params: Tree, grads: Tree, slots: Tree) -> tuple[Tree, Tree]:
    return jax.tree.map(lambda p, g: p - lr * g, params, grads), slots


def _adam(lr: float, params: Tree, grads: Tree, slots: Tree) -> tuple[Tree, Tree]:
    (beta1, beta2), (step, m, v) = ADAM_BETAS, slots
    step = step + 1
    m = jax.tree.map(lambda m, g: beta1 * m + (1.0 - beta1) * g, m, grads)
    v = jax.tree.map(lambda v, g: beta2 * v + (1.0 - beta2) * g * g, v, grads)
    rate = lr * jnp.sqrt(1.0 - beta2**step) / (1.0 - beta1**step)
    params = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + ADAM_EPSILON), params, m, v)
    return params, (step, m, v)


class Contender:
    def __init__(self, workload: Workload, data: Data, variant: str, device: str) -> None:
        place = self.place = jax.devices("gpu" if device.startswith("gpu") else "cpu")[0]
        self.data = jax.device_put((data.x, data.t.astype(np.int32)), place)
        params = initial_weights(workload)
        names = [i for i in range(1, len(params)) if f"gamma{i}" in params]
        running = {i: (np.zeros_like(params[f"b{i}"]), np.ones_like(params[f"b{i}"])) for i in names}
        m, v = (jax.tree.map(np.zeros_like, params) for _ in range(2))
        slots = (np.float32(0), m, v) if workload.optimizer == "adam" else ()
        self.state = jax.device_put((params, running, slots), place)
        self.update = _adam if workload.optimizer == "adam" else _sgd
        self.variant, self.batch, self.lr = variant, workload.batch, workload.lr
        steps = workload.scan_steps if device == "cpu" else min(100, workload.proof_steps)
        self.chunk = 1 if variant == "jit" else steps
        self.rng = np.random.default_rng(0)
        self.step = jax.jit(self._step, donate_argnums=0)
        self.scan = jax.jit(self._scan, donate_argnums=0)

    def _step(self, state: Tree, data: Tree, chosen: jax.Array) -> Tree:
        (params, running, slots), (x, t) = state, data
        grads, running = jax.grad(_loss, has_aux=True)(params, running, x[chosen], t[chosen])
        params, slots = self.update(self.lr, params, grads, slots)
        return params, running, slots

    def _scan(self, state: Tree, data: Tree, chosen: jax.Array) -> Tree:
        return lax.scan(lambda state, rows: (self._step(state, data, rows), None), state, chosen)[0]

    def run(self, steps: int) -> None:
        chosen = self.rng.integers(0, len(self.data[0]), (steps, self.batch), dtype=np.int32)
        if self.variant == "jit":
            for rows in chosen:
                self.state = self.step(self.state, self.data, rows)
        else:
            for start in range(0, steps, self.chunk):
                self.state = self.scan(self.state, self.data, chosen[start : start + self.chunk])
        jax.block_until_ready(self.state)

    def device_mb(self) -> float | None:
        return held_by_jax(self.place)

    def weights(self) -> Weights | None:
        return {name: np.asarray(value) for name, value in self.state[0].items()}
