"""JAX as its users write it. jit: a compiled step a call. scan: 100 steps in one compiled call."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..workloads import Data, Weights, Workload, initial_weights

VARIANTS = ("jit", "scan")
FLOATS = True
SCAN = 100


def _loss(params: Any, x: jax.Array, t: jax.Array) -> jax.Array:
    for W, b in params[:-1]:
        x = jax.nn.relu(x @ W + b)
    W, b = params[-1]
    log_p = jax.nn.log_softmax(x @ W + b)
    return -jnp.mean(jnp.take_along_axis(log_p, t[:, None], axis=1))


class Contender:
    def __init__(self, workload: Workload, data: Data, variant: str, device: str) -> None:
        if not workload.plain:
            raise NotImplementedError("stacks of affine layers with SGD only")
        place = jax.devices("gpu" if device.startswith("gpu") else "cpu")[0]
        self.x, self.t = jax.device_put(data.x, place), jax.device_put(data.t.astype(np.int32), place)
        self.params = jax.device_put(initial_weights(workload), place)
        self.variant, self.batch, self.lr = variant, workload.batch, workload.lr
        self.rng = np.random.default_rng(0)
        self.step = jax.jit(self._step, donate_argnums=0)
        self.scan = jax.jit(self._scan, donate_argnums=0)

    def _step(self, params: Any, x: jax.Array, t: jax.Array, chosen: jax.Array) -> Any:
        grads = jax.grad(_loss)(params, x[chosen], t[chosen])
        return jax.tree.map(lambda p, g: p - self.lr * g, params, grads)

    def _scan(self, params: Any, x: jax.Array, t: jax.Array, chosen: jax.Array) -> Any:
        body = partial(self._body, x, t)
        return jax.lax.scan(body, params, chosen)[0]

    def _body(self, x: jax.Array, t: jax.Array, params: Any, chosen: jax.Array) -> Any:
        return self._step(params, x, t, chosen), None

    def run(self, steps: int) -> None:
        chosen = self.rng.integers(0, len(self.x), (steps, self.batch), dtype=np.int32)
        if self.variant == "jit":
            for rows in chosen:
                self.params = self.step(self.params, self.x, self.t, rows)
        else:
            for start in range(0, steps, SCAN):
                self.params = self.scan(self.params, self.x, self.t, chosen[start : start + SCAN])
        jax.block_until_ready(self.params)

    def weights(self) -> Weights | None:
        return [(np.asarray(W), np.asarray(b)) for W, b in self.params]
