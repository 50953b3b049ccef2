"""Check that results belong to the caller, who may change them in place at once.

An argument of `forward` or `backward` is only read, and may be kept until `backward`. A result is never
kept, never shares an argument's memory, and no memory is returned twice. To check this, every result is
overwritten, and everything that must not change is compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..backends import Array, Backend, dtype_name
from ..numerical import writable
from .subject import on_host

if TYPE_CHECKING:
    from .network_subject import NetworkSubject
    from .node_subject import NodeSubject

SCRIBBLE = -0.734


def shared_by_node(subject: NodeSubject) -> Iterator[str]:
    """Complaints about arrays that change when a result of a layer or loss is overwritten."""
    backend = subject.library
    expected = {slot: on_host(value) for slot, value in subject.gradients().items()}
    arguments = {key: subject.get((subject.name, key)) for key in subject.input_names}
    params = dict(subject.node.params)

    y = subject.forward(training=False)
    yield from _complaints("y of an inference", _changed_by(backend, y, {**arguments, **params}))

    y = subject.forward(training=True)
    yield from _complaints("y", _changed_by(backend, y, {**arguments, **params}))
    found = subject.named(subject.node.backward(subject.device_dout()))
    spoilt = [slot[1] for slot, value in expected.items() if not np.array_equal(on_host(found[slot]), value)]
    yield from _complaints("y", [f"the gradient of {key}" for key in spoilt])

    for result in expected:
        subject.forward(training=True)
        dout = subject.device_dout()
        found = subject.named(subject.node.backward(dout))
        others = {f"the gradient of {slot[1]}": value for slot, value in found.items() if slot != result}
        what = f"the gradient of {result[1]}"
        yield from _complaints(
            what, _changed_by(backend, found[result], {"dout": dout, **others, **arguments, **params})
        )

    again = subject.gradients()
    spoilt = [slot[1] for slot, value in expected.items() if not np.array_equal(on_host(again[slot]), value)]
    yield from _complaints("results", [f"the gradient of {key} in the next run" for key in spoilt])


def shared_by_network(subject: NetworkSubject) -> Iterator[str]:
    """The same for a network, and for each of its layers."""
    backend = subject.library
    network, x, params = subject.network, subject.inputs[0], subject.network.params
    yield from _complaints("y of an inference", _changed_by(backend, network.forward(x), {"x": x, **params}))
    subject.run()
    dx = network.backward(1.0)
    grads = {
        f"the gradient of {name}.{key}": value
        for name, layer in network.layers.items()
        for key, value in layer.grads.items()
    }
    yield from _complaints("dx", _changed_by(backend, dx, {"x": x, **params, **grads}))
    for name, layer in subject.alone().items():
        for complaint in shared_by_node(layer):
            yield f"{name}: {complaint}"


def _complaints(written: str, changed: list[str]) -> Iterator[str]:
    for what in changed:
        yield f"overwriting {written}, which belongs to the caller, changes {what}"


def _changed_by(backend: Backend, result: Array, watched: Mapping[str, Array]) -> list[str]:
    """The names of the arrays that change when `result` is overwritten."""
    before = {name: on_host(array) for name, array in watched.items()}
    if writable(result):
        result[...] = SCRIBBLE
    changed = [name for name, values in before.items() if not np.array_equal(on_host(watched[name]), values)]
    for name in changed:  # restored, so that each check stands alone
        watched[name][...] = backend.asarray(before[name], dtype=dtype_name(watched[name].dtype))
    return changed
