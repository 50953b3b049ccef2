"""`explain`: one batch through a network, with everything that a reader is shown of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..backends import HostArray
from ..layers import Softmax
from ..lookup import lookup
from ..losses import SoftmaxWithLoss
from ..tracing import Trace
from .difference import Float64
from .steps import Step, steps_of

if TYPE_CHECKING:
    from ..networks.network import Network


@dataclass(frozen=True)
class Explanation:
    """A batch through a network, step by step, with the numbers of one sample."""

    trace: Trace
    sample: int
    """The place of the sample in the batch."""
    name: str
    """What the sample is called: `"sample 7 of mnist's test data"`."""
    title: str
    """The class of the network."""
    steps: tuple[Step, ...]
    remarks: tuple[str, ...] = ()
    """What the reader must know besides."""

    @property
    def probabilities(self) -> HostArray | None:
        """The network's probabilities for the sample; None unless the loss is `SoftmaxWithLoss`."""
        scores = self.trace.loss.inputs[0]
        if not isinstance(self.trace.loss.node, SoftmaxWithLoss):
            return None
        with np.errstate(all="ignore"):
            return np.asarray(Softmax().forward(scores[self.sample].astype(np.float64)))

    @property
    def label(self) -> int | None:
        """The class of the sample; None unless there are classes."""
        target = self.trace.t[self.sample]
        if self.probabilities is None:
            return None
        return int(target) if target.ndim == 0 else int(target.argmax())


def explain(
    network: Network,
    x: HostArray,
    t: HostArray,
    *,
    sample: int = 0,
    name: str = "",
    title: str = "",
    layer: str | None = None,
) -> Explanation:
    """Run the batch (x, t) through the network and explain it.

    Parameters
    ----------
    network : it is not changed; one in float16, which has no gradients, is explained in float32
    x, t : a batch as host arrays
    sample : the place in the batch of the sample whose numbers are put in
    name : what the page calls the sample
    title : what it calls the network, by default its class
    layer : explain only this one, a layer or the loss; a `UsageError` lists the names

    Raises `IndexError` for a sample outside of the batch, and what `Network.trace` raises.

    >>> import numpy as np
    >>> from backprop import TwoLayerNet
    >>> network = TwoLayerNet(4, 5, 3, weight_init_std=1.0, rng=0)
    >>> found = explain(network, np.ones((2, 4), "float32"), np.asarray([0, 2]))
    >>> [step.title for step in found.steps][3:5]
    ['SoftmaxWithLoss, forward', 'SoftmaxWithLoss, backward']
    >>> print(found.steps[0].formula.text())
    y = x W + b
    """
    remarks = []
    if network.params and network.dtype == "float16":
        network = network.to(dtype="float32")
        remarks.append("The network is in float16, which has no gradients: this is a copy in float32.")
    backend = network.backend
    trace = network.trace(backend.asarray(x), backend.asarray(t))
    if not 0 <= sample < len(trace.x):
        raise IndexError(f"expected a sample from 0 to {len(trace.x) - 1}, got {sample}")
    only = None if layer is None else lookup("layer", layer, _names(trace))
    steps = tuple(steps_of(trace, Float64(network, x, t), sample, only))
    if first := trace.first_nonfinite:
        remarks.append(f"There are numbers that are NaN or infinite: first in {first}.")
    named = name or f"sample {sample}", title or type(network).__name__
    return Explanation(trace, sample, *named, steps, tuple(remarks))


def _names(trace: Trace) -> dict[str, str]:
    """The layers and the loss as they are shown, by that name and by their own."""
    own = {layer.node.name: layer.name for layer in trace.layers.values()}
    return own | {node.name: node.name for node in trace.nodes()}
