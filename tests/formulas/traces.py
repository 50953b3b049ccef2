"""A layer's or loss's numbers on one batch, recorded by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from backprop.layers import Node, Residual
from backprop.losses import Loss
from backprop.tracing import NodeTrace
from tests.cases import CASES

Array = np.ndarray


def node_trace(
    node: Any,
    inputs: tuple[Array, ...],
    output: Any,
    dout: Any,
    dinputs: tuple[Any, ...],
    state: Mapping[str, Array],
    parts: tuple[NodeTrace, ...] = (),
) -> NodeTrace:
    arrays = [np.asarray(array) for array in inputs]
    return NodeTrace(
        node.name,
        node,
        tuple(arrays),
        np.asarray(output),
        np.asarray(dout),
        tuple(None if dx is None else np.asarray(dx) for dx in dinputs),
        {key: value.copy() for key, value in node.params.items()},
        {key: np.array(node.grads[key]) for key in node.params},
        state,
        0.0,
        0.0,
        parts,
    )


def copied_state(node: Node) -> dict[str, Array]:
    return {key: np.array(value) for key, value in node.state.items()}


def traced(node: Any, *inputs: Any, rng: np.random.Generator) -> NodeTrace:
    """Run a layer, with a random gradient for its output, or a loss."""
    if isinstance(node, Residual):
        return traced_block(node, inputs[0], rng)
    state = copied_state(node)
    output = node.forward(*inputs, training=True)
    if isinstance(node, Loss):
        return node_trace(node, inputs, output, np.asarray(1.0), (node.backward(), None), state)
    dout = np.asarray(rng.standard_normal(output.shape), output.dtype)
    dx = node.backward(dout)
    return node_trace(node, inputs, output, dout, dx if isinstance(dx, tuple) else (dx,), state)


def traced_block(block: Residual, x: Array, rng: np.random.Generator) -> NodeTrace:
    """Run a block, and note what its first layer gives back and its last one gives."""
    *_, last = block.layers.values()
    first = next(iter(block.layers.values()))
    noted: dict[str, Array] = {}

    def noting(method: Callable[..., Array], key: str) -> Callable[..., Array]:
        def call(*args: Any, **options: Any) -> Array:
            result = method(*args, **options)
            noted[key] = result.copy()
            return result

        return call

    vars(last)["forward"], vars(first)["backward"] = noting(last.forward, "y"), noting(first.backward, "dx")
    output = block.forward(x, training=True)
    dout = np.asarray(rng.standard_normal(output.shape), output.dtype)
    dx = block.backward(dout)
    parts = [
        node_trace(first, (x,), output, dout, (noted["dx"],), {}),
        node_trace(last, (x,), noted["y"], dout, (dx,), {}),
    ]
    return node_trace(block, (x,), output, dout, (dx,), {}, tuple(parts))


def in_dtype(value: Any, dtype: str) -> Any:
    """Arrays of real numbers, and nodes, in this dtype."""
    from backprop.backends import get_backend

    if isinstance(value, Node):
        return value.to(get_backend("cpu"), dtype)
    return value.astype(dtype) if value.dtype.kind == "f" else value


def case(name: str, rng: np.random.Generator, dtype: str = "float64") -> NodeTrace:
    """The trace of one of the cases that are checked."""
    node, *inputs = (in_dtype(part, dtype) for part in CASES[name](rng))
    return traced(node, *inputs, rng=rng)
