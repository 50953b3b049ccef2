"""`trace`: run one batch forward and backward, and record what every layer gets and gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backends import Array, Backend, HostArray, is_registered
from ..layers import Layer, Node
from .batch import Trace
from .record import NodeTrace

if TYPE_CHECKING:
    from ..networks.network import Network


def trace(network: Network, x: Array, t: Array) -> Trace:
    """Run the batch (x, t) through a copy of the network and its loss, forward and backward.

    See `Network.trace`.
    """
    copied, backend = network.to(), network.backend
    for key, value in network.state_of_gradient().items():
        copied.state[key] = backend.xp.asarray(value, copy=True)
    x = network.as_input(x)
    recorder = Recorder(backend, network.dtype)
    nodes = [*copied.layers.values(), copied.last_layer]
    with (
        network.computing(x.shape[0]),
        np.errstate(all="ignore"),
        network.draws_of_gradient().repeated(copied.layers),
        recorder.watching(nodes),
    ):
        y = copied.forward(x, training=True)
        target = network.as_target(t, y.shape[0], tuple(y.shape[1:]))
        loss = copied.last_layer.forward(y, target, training=True)
        value = copied.penalized(loss)
        copied.backward()
    recorder.check(type(network).__name__)
    layers = {
        shown: recorder.node_trace(shown, network.layers[name], copied.layers[name])
        for name, shown in network.layers.shown.items()
    }
    return Trace(
        network=repr(network),
        layers=layers,
        loss=recorder.node_trace(network.last_layer.name, network.last_layer, copied.last_layer),
        x=recorder.copy(x),
        t=recorder.copy(target),
        value=float(backend.to_numpy(value)),
        weight_decay=network.weight_decay,
        samples=int(x.shape[0]),
        dtype=network.dtype,
        device=str(backend.device),
    )


def blocks_layers(node: Node) -> dict[str, Layer]:
    """The layers within a block such as `Residual`, by name; empty for any other node."""
    layers = getattr(node, "layers", None)
    if isinstance(layers, Mapping) and all(isinstance(layer, Layer) for layer in layers.values()):
        return dict(layers)
    return {}


METHODS = ("forward", "backward")


@dataclass
class Call:
    """The last forward and backward of a node, and how many there were."""

    state: dict[str, HostArray] = field(default_factory=dict)
    forwards: int = 0
    backwards: int = 0
    inputs: tuple[HostArray, ...] = ()
    output: Any = None
    dout: Any = None
    dinputs: tuple[HostArray, ...] = ()
    forward_seconds: float = 0.0
    backward_seconds: float = 0.0


class Recorder:
    """Records the calls of nodes, with copies of what goes in and comes out, made at once."""

    def __init__(self, backend: Backend, dtype: str) -> None:
        self._backend, self._dtype = backend, dtype
        self._calls: dict[int, tuple[Node, Call]] = {}
        self._copying = 0.0
        """The seconds spent on copies; a block's time is without those of its layers."""

    @contextmanager
    def watching(self, nodes: list[Any]) -> Iterator[None]:
        """While active, the calls of these nodes and of all within them are recorded."""
        watched = [inner for node in nodes for inner in _with_inner(node)]
        own = [(node, {name: vars(node)[name] for name in METHODS if name in vars(node)}) for node in watched]
        try:
            for node in watched:
                self._watch(node)
            yield
        finally:
            for node, methods in own:
                for name in METHODS:
                    vars(node).pop(name, None)
                vars(node).update(methods)

    def _watch(self, node: Any) -> None:
        call = Call()
        self._calls[id(node)] = node, call
        forward, backward = node.forward, node.backward

        def recorded_forward(*inputs: Array, **options: Any) -> Any:
            call.forwards += 1
            call.state = {key: self.copy(value) for key, value in node.state.items()}
            call.inputs = tuple(map(self.copy, inputs))
            y, call.forward_seconds = self._timed(forward, *inputs, **options)
            call.output = self.copy(y)
            return y

        def recorded_backward(dout: Any = 1.0) -> Any:
            call.backwards += 1
            call.dout = self.copy(dout)
            dx, call.backward_seconds = self._timed(backward, dout)
            call.dinputs = tuple(map(self.copy, dx if isinstance(dx, tuple) else (dx,)))
            return dx

        vars(node).update(zip(METHODS, (recorded_forward, recorded_backward), strict=True))

    def _timed(self, function: Callable[..., Any], *args: Any, **options: Any) -> tuple[Any, float]:
        """The function's result, and its seconds on the device, without those of copies."""
        self._backend.synchronize()
        copying, start = self._copying, perf_counter()
        result = function(*args, **options)
        self._backend.synchronize()
        return result, perf_counter() - start - (self._copying - copying)

    def copy(self, values: Any) -> HostArray:
        """A copy on the host; a number in the dtype of the computation."""
        start = perf_counter()
        if is_registered(values):
            copied = np.array(self._backend.to_numpy(values))
        else:
            copied = np.array(values, self._dtype)
        self._copying += perf_counter() - start
        return copied

    def check(self, network: str) -> None:
        """Raise unless every node was called once, so that there is one record of each."""
        for node, call in self._calls.values():
            if (call.forwards, call.backwards) != (1, 1):
                raise ValueError(
                    f"{network}.trace: expected every layer to run forward and backward once on a batch; "
                    f"{node.name} ran forward {call.forwards} and backward {call.backwards} times"
                )

    def node_trace(
        self, name: str, own: Node, copied: Node, grads: Mapping[str, Array] | None = None
    ) -> NodeTrace:
        """What happened in `copied`, a copy of the network's `own` node.

        `grads` are its gradients as its block has them, which include weight decay.
        """
        call, grads, inner = self._calls[id(copied)][1], grads or copied.grads, blocks_layers(copied)
        return NodeTrace(
            name,
            own,
            call.inputs,
            call.output,
            call.dout,
            call.dinputs + (None,) * (len(call.inputs) - len(call.dinputs)),
            {key: self.copy(value) for key, value in copied.params.items()},
            {key: self.copy(grads[key]) for key in copied.params},
            call.state,
            call.forward_seconds,
            call.backward_seconds,
            tuple(
                self.node_trace(f"{name}.{key}", layer, inner[key], _below(grads, key))
                for key, layer in blocks_layers(own).items()
            ),
        )


def _with_inner(node: Node) -> Iterator[Node]:
    yield node
    for layer in blocks_layers(node).values():
        yield from _with_inner(layer)


def _below(arrays: Mapping[str, Array], name: str) -> dict[str, Array]:
    """Of a block's arrays, those of one of its layers."""
    return {
        key.removeprefix(f"{name}."): array for key, array in arrays.items() if key.startswith(f"{name}.")
    }
