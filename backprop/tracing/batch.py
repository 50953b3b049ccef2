"""`Trace`: what happened in every layer on one batch."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..backends import HostArray
from ..dtypes import is_whole
from ..graphs import Graph
from ..text import digits, reading_width, showable
from .details import details
from .graph import graph_of
from .page import page
from .record import PART, NodeTrace
from .table import overview


@dataclass(frozen=True, repr=False, eq=False)
class Trace:
    """What happened in every layer and in the loss on one batch, from `Network.trace`.

    All arrays are copies on the host: what the network does later changes nothing here.

    >>> import numpy as np
    >>> from backprop import MultiLayerNet
    >>> network = MultiLayerNet(3, [4], 2, rng=0)
    >>> trace = network.trace(np.ones((5, 3), "float32"), np.asarray([0, 1, 1, 0, 1]))
    >>> list(trace.layers), trace["Affine2"].grads["W"].shape
    (['Affine1', 'Relu1', 'Affine2'], (4, 2))
    >>> bool((trace["Relu1"].dinputs[0] == trace["Affine1"].dout).all())
    True
    """

    network: str
    """The network's `repr`."""
    layers: dict[str, NodeTrace]
    """By the name that is shown, in order."""
    loss: NodeTrace
    """Its output is the loss without the penalty of weight decay."""
    x: HostArray
    """The input as the first layer gets it: in the network's dtype, with pixels divided by 255."""
    t: HostArray
    """The target as the loss gets it."""
    value: float
    """What training minimizes: the loss + λ/2 Σ W². The gradients of the weights include λ W."""
    weight_decay: float
    """λ"""
    samples: int
    """How many samples the batch has."""
    dtype: str
    device: str
    sample: int | None = None
    """The sample whose entries these are, from `of_sample`; None for the whole batch."""

    def __getitem__(self, name: str) -> NodeTrace:
        """A layer by its own name or the one that is shown, one within a block, or the loss.

        A layer within a block is named `"Residual1.Affine1"`.
        """
        named = {node.name: node for node in self.nodes()}
        short = {layer.node.name: layer for layer in self.layers.values()}
        try:
            return (named | short)[name]
        except KeyError:
            raise KeyError(f"no layer {name!r}: expected one of {', '.join(map(repr, named))}") from None

    def nodes(self, *, backward: bool = False) -> Iterator[NodeTrace]:
        """Every layer and the loss, in the order of forward or of backward; a block follows its layers."""
        nodes = [*self.layers.values(), self.loss]
        for node in reversed(nodes) if backward else nodes:
            yield from node.walk(backward=backward)

    def of_sample(self, sample: int) -> Trace:
        """The same with the entries of one sample; loss, parameters and their gradients are the batch's."""
        samples = self.samples
        if not is_whole(sample):
            raise TypeError(f"expected the number of a sample, counted from 0, got {sample!r}")
        if self.sample is not None:
            raise ValueError(f"this is a trace of sample {self.sample}: take others from the whole trace")
        if not 0 <= sample < samples:
            raise IndexError(f"expected a sample from 0 to {samples - 1}, got {sample}")
        return replace(
            self,
            layers={name: layer.of_sample(sample, samples) for name, layer in self.layers.items()},
            loss=self.loss.of_sample(sample, samples),
            x=self.x[sample],
            t=self.t[sample],
            sample=sample,
        )

    @property
    def name(self) -> str:
        """The class of the network."""
        return self.network.partition("(")[0]

    @property
    def entries(self) -> str:
        """Whose entries the arrays have: `"100 samples"`, or `"sample 0 of 100"`."""
        count = f"{self.samples:,} sample{'s' * (self.samples != 1)}"
        return count if self.sample is None else f"sample {self.sample} of {self.samples:,}"

    @property
    def first_nonfinite(self) -> str | None:
        """The array with the first NaN or infinity: `"y of Affine2"`, `"x"`; None if all are finite.

        First in the order of computation: a parameter counts when it is used.
        """
        return next((name for name, values in self._in_order() if not np.isfinite(values).all()), None)

    def _in_order(self) -> Iterator[tuple[str, HostArray]]:
        yield "x", self.x
        for node in self.nodes():
            for key, value in (*node.params.items(), (node.result, node.output)):
                yield f"{key} of {node.name}", value
        for node in self.nodes(backward=True):
            for key, gradient in (*node.grads.items(), ("x", node.dinputs[0])):
                if gradient is not None:
                    yield f"{PART}{key} of {node.name}", gradient

    def show(self, layer: str | None = None, sample: int | None = None) -> None:
        """Print a table of all layers that fits the terminal, or the details of one layer.

        Parameters
        ----------
        layer : the name of a layer or of the loss, such as `"Affine1"`; by default the table of all
        sample : show the numbers of this sample of the batch, counted from 0; by default those of all
        """
        if layer is None:
            text = overview(self if sample is None else self.of_sample(sample), reading_width())
        else:
            text = details(self, self[layer], sample, reading_width())
        sys.stdout.write(f"{showable(text)}\n")

    def graph(self, sample: int | None = None) -> Graph:
        """The computational graph with values and gradients on its edges, to be drawn or saved.

        Parameters
        ----------
        sample : draw the entries of this sample, counted from 0; by default those of the whole batch. Loss,
            parameters and their gradients are always those of the batch, and so is the loss whose gradient
            each entry is.

        A graph that is too large to draw is drawn without parameters, with blocks and repeated groups of
        layers as single nodes. Raises `ValueError` for a network that is no stack, since its `forward` is
        its own.
        """
        return graph_of(self if sample is None else self.of_sample(sample))

    def _repr_html_(self) -> str:
        """For notebooks: the table, and the graph below."""
        return page(self)

    def __str__(self) -> str:
        return showable(overview(self, reading_width()))

    def __repr__(self) -> str:
        return f"Trace({self.network}; {self.entries}, loss {digits(self.value)})"
