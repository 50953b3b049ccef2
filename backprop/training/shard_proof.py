"""The proof that a network may be trained by shards, made at the first step."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from ..backends import Array, CaptureError
from ..layers import BatchNormalization, Layer
from ..layers.residual import within_blocks
from ..networks import Network
from ..optimizers import Optimizer
from .fingerprint import Fingerprint, Fingerprinter, global_draws

AGREEMENT = {"float32": 1e-2, "float64": 1e-6}
"""How much of its norm a gradient by shards may differ from that of the whole batch."""


class ShardProof:
    """Compares the gradient by shards with that of the whole batch, which it takes twice.

    Raises `ValueError` if they differ by more than rounding, or if anything outside the state changes from
    one time to the other: then a layer or the loss needs all batches, whole and in order. Meanwhile all
    batch normalization is synchronized, without which the gradients differ by design.
    """

    def __init__(self, network: Network, optimizer: Optimizer, shards: int) -> None:
        self.network, self.shards, self.is_given = network, shards, False
        self._fingerprinter = Fingerprinter(network, optimizer)
        self._expected: Array | None = None
        for name, node in (*network.layers.items(), (network.last_layer.name, network.last_layer)):
            if node.state and getattr(type(node), "forward_parts", None) in (None, Layer.forward_parts):
                self._refuse(
                    f"{name} keeps state from batch to batch, {', '.join(node.state)}, and has no "
                    "forward_parts, which would tell how with parts of a batch"
                )

    @contextmanager
    def expected(self, x: Array, t: Array, scale: Any) -> Iterator[None]:
        """Within, the gradient is computed by shards, which must be that of the whole batch.

        The network's state is then as before.
        """
        self._expect(x, t, scale)
        before, local = self.network.copy_state(), local_norms(self.network)
        for norm in local:
            norm.synchronized = True
        try:
            yield
            self._compare()
        finally:
            for norm in local:
                norm.synchronized = False
            self.network.state.update(before)

    def _expect(self, x: Array, t: Array, scale: Any) -> None:
        """Keep the gradient of the whole batch; the network's state stays as it is."""
        self._gradient(x, t, scale)
        before, drawn = self._fingerprint(), global_draws()
        self._expected = self._gradient(x, t, scale)
        if global_draws() != drawn:
            self._refuse("a layer or the loss draws from a global random generator")
        after = self._fingerprint()
        changed = before.changed(after) if before and after else {}
        if changed:
            self._refuse(f"{next(iter(changed))} changes from step to step and is not in the state")

    def _compare(self) -> None:
        """Raise unless the network's gradient is the one expected, up to rounding."""
        network, xp, expected = self.network, self.network.backend.xp, self._expected
        assert expected is not None
        norm = self._root(xp.sum(expected * expected))
        difference = network.flat_grads["flat"] - expected
        distance = self._root(xp.sum(difference * difference))
        if math.isfinite(norm) and not distance <= AGREEMENT[network.dtype] * norm:
            self._refuse(
                f"the gradient of the whole batch has a norm of {norm:.6g}, and the sum over shards differs "
                f"from it by {distance:.6g}: a layer or the loss joins samples, or keeps more in forward "
                "than it saves"
            )
        self.is_given, self._expected = True, None

    def _gradient(self, x: Array, t: Array, scale: Any) -> Array:
        network, xp = self.network, self.network.backend.xp
        before = network.copy_state()
        network.last_layer.forward(network.forward(x, training=True), t, training=True)
        network.backward_params(scale)
        network.state.update(before)
        return xp.asarray(network.flat_grads["flat"], copy=True)

    def _fingerprint(self) -> Fingerprint | None:
        """What steps might change outside the state; None if it cannot be told, or need not be the same."""
        if not self.network.backend.replays_exactly:
            return None
        try:
            return self._fingerprinter.take()
        except CaptureError:
            return None

    def _root(self, value: Array) -> float:
        return math.sqrt(float(self.network.backend.to_numpy(value)))

    def _refuse(self, why: str) -> NoReturn:
        raise ValueError(f"shards={self.shards}: {why}; train with shards=1")


def local_norms(network: Network) -> list[BatchNormalization]:
    """The layers that take their statistics from each shard by itself."""
    layers = (layer for _, layer in within_blocks(network.layers))
    return [layer for layer in layers if isinstance(layer, BatchNormalization) and not layer.synchronized]
