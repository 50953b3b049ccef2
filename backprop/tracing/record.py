"""What happened in one layer, or in the loss, on one batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from ..backends import HostArray
from ..layers import Node
from ..losses import Loss

PART = "∂L/∂"
"""Before the name of an array: the gradient of the loss for it."""

INPUTS = ("x", "t")


@dataclass(frozen=True, repr=False, eq=False)
class NodeTrace:
    """A layer's or loss's arrays on one batch: copies on the host, in the dtype of the computation."""

    name: str
    """The layer's name as it is shown: `"Affine1"`, `"Conv1 with Relu1 and Pool1"`, `"Residual1.Affine1"`."""
    node: Node
    """The network's own layer, which may have learned since."""
    inputs: tuple[HostArray, ...]
    """One array for a layer; output of the last layer and target for a loss."""
    output: HostArray
    dout: HostArray
    """The gradient of the loss for the output."""
    dinputs: tuple[HostArray | None, ...]
    """The gradient of the loss for each input; None for a target."""
    params: Mapping[str, HostArray]
    grads: Mapping[str, HostArray]
    """The gradient of the loss for every parameter: same keys, same shapes."""
    state: Mapping[str, HostArray]
    """The state before the forward pass."""
    forward_seconds: float
    """How long `forward` took, roughly: one call, and the first one may also prepare something."""
    backward_seconds: float
    parts: tuple[NodeTrace, ...] = ()
    """The layers within a block such as `Residual`."""

    @property
    def result(self) -> str:
        """The name of the output: `"y"`, or `"L"` for a loss."""
        return "L" if isinstance(self.node, Loss) else "y"

    @property
    def passing(self) -> dict[str, HostArray]:
        """What passes through, forward and backward, by name: `"x"`, `"y"`, `"∂L/∂y"`, `"∂L/∂x"`.

        A loss has the target `"t"`, and its value is `"L"`.
        """
        found = dict(zip(INPUTS, self.inputs, strict=False))
        found |= {self.result: self.output, f"{PART}{self.result}": self.dout}
        for name, dx in zip(INPUTS, self.dinputs, strict=False):
            if dx is not None:
                found[f"{PART}{name}"] = dx
        return found

    @property
    def arrays(self) -> dict[str, HostArray]:
        """All arrays but the state, by name: those `passing`, then `"W"`, `"∂L/∂W"`, `"b"`, …"""
        found = self.passing
        for key, value in self.params.items():
            name = f"parameter {key}" if key in self.passing else key
            found |= {name: value, f"{PART}{name}": self.grads[key]}
        return found

    def of_sample(self, sample: int, samples: int) -> NodeTrace:
        """The same with the entries of one sample of the batch; parameters stay as they are.

        An array whose first axis does not count the samples stays whole, such as the value of a loss.
        """

        def part(values: HostArray) -> HostArray:
            return values[sample] if values.ndim and len(values) == samples else values

        return replace(
            self,
            inputs=tuple(map(part, self.inputs)),
            output=part(self.output),
            dout=part(self.dout),
            dinputs=tuple(None if dx is None else part(dx) for dx in self.dinputs),
            parts=tuple(one.of_sample(sample, samples) for one in self.parts),
        )

    def walk(self, *, backward: bool = False) -> Iterator[NodeTrace]:
        """The layers within this one and then itself, in the order of forward or of backward."""
        for part in reversed(self.parts) if backward else self.parts:
            yield from part.walk(backward=backward)
        yield self

    def _repr_html_(self) -> str:
        """For notebooks: the layer, its formula and a table of its arrays."""
        from .shown import shown

        return shown(self)

    def __repr__(self) -> str:
        shapes = [tuple(values.shape) for values in (*self.inputs, self.output)]
        return f"NodeTrace({self.name}: {' and '.join(map(str, shapes[:-1]))} → {shapes[-1]})"
