"""Which formula belongs to which layer, and what it comes to in one entry."""

from __future__ import annotations

from collections.abc import Callable
from inspect import isfunction
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import layers
from .. import losses as loss
from ..backends import HostArray
from ..layers import Node
from . import activations, arithmetic, losses, normalization, pooling, reductions, shape
from .affine import affine
from .convolution import convolution, convolution_relu_pooling
from .expression import Expression, Symbol, Words
from .formula import Entry, Formula, Step, Steps, Worked, at, legible

if TYPE_CHECKING:
    from ..tracing.record import NodeTrace

FORMULAS: dict[type[Node], Callable[[Any], Formula]] = {
    layers.Add: arithmetic.add,
    layers.Affine: affine,
    layers.AveragePooling: pooling.average_pooling,
    layers.BatchNormalization: normalization.batch_normalization,
    layers.Broadcast: reductions.broadcast,
    layers.Convolution: convolution,
    layers.ConvolutionReLUPooling: convolution_relu_pooling,
    layers.Cos: arithmetic.cos,
    layers.Div: arithmetic.div,
    layers.Dropout: shape.dropout,
    layers.Exp: arithmetic.exp,
    layers.Flatten: shape.reshape,
    layers.GELU: activations.gelu,
    layers.Identity: activations.identity,
    layers.LayerNormalization: normalization.layer_normalization,
    layers.LeakyReLU: activations.leaky_relu,
    layers.Log: arithmetic.log,
    layers.MatMul: arithmetic.matmul,
    layers.Max: reductions.max_,
    layers.MaxPooling: pooling.max_pooling,
    layers.Mean: reductions.mean,
    layers.Mul: arithmetic.mul,
    layers.Neg: arithmetic.neg,
    layers.Pow: arithmetic.pow,
    layers.Power: arithmetic.power,
    layers.ReLU: activations.relu,
    layers.Reshape: shape.reshape,
    layers.Residual: shape.residual,
    layers.Sigmoid: activations.sigmoid,
    layers.Sin: arithmetic.sin,
    layers.Softmax: activations.softmax,
    layers.Sqrt: arithmetic.sqrt,
    layers.Sub: arithmetic.sub,
    layers.Sum: reductions.sum_,
    layers.Tanh: activations.tanh,
    loss.MeanSquaredError: losses.mean_squared_error,
    loss.SigmoidWithLoss: losses.sigmoid_with_loss,
    loss.SoftmaxWithLoss: losses.softmax_with_loss,
}
"""The formulas by class; they also hold for subclasses that keep its methods."""

UNRELATED = {"__init__", "__repr__", "case", "region"}
"""Methods that say nothing about what a layer computes."""


def formula_of(node: Node) -> Formula | None:
    """The formula of a layer or loss; None if it is not known.

    A layer of your own may carry one as `formula`: text, which is shown as it is, an `Expression`, or a
    `Formula`. A subclass of a layer here has the formula of that layer only if it keeps its methods.

    >>> from backprop import ReLU
    >>> formula_of(ReLU()).forward.text(), formula_of(ReLU()).backward.text()
    ('y = max(x, 0)', '∂L/∂x = ∂L/∂y if x > 0, else 0')
    """
    own = getattr(node, "formula", None)
    if isinstance(own, Formula):
        return own
    if isinstance(own, Expression | str):
        return Formula(own if isinstance(own, Expression) else Words(own))
    changed: set[str] = set()
    for kind in type(node).__mro__:
        if kind in FORMULAS:
            return None if changed & _methods(kind) else FORMULAS[kind](node)
        changed |= {name for name, value in vars(kind).items() if isfunction(value)} - UNRELATED
    return None


def no_formula(node: Node) -> str:
    """Why there is none for a layer or its gradient, and how to give one."""
    kind = node.__class__.__name__
    if formula_of(node) is None:
        return f"{kind} has no formula: a layer of your own may carry one, as its attribute formula."
    return f"The formula of {kind} does not say what its gradient is."


def worked(trace: NodeTrace, sample: int, entry: Entry | None = None) -> Worked | None:
    """The formula with its numbers put in for one entry of the output of a sample.

    `entry` is the index within the sample; by default that of the largest |value|. Indices count from 0,
    and the first is that of the sample in the batch. For a loss, what is worked out is the loss of the
    sample, and the output is the mean of these. None if the formula is not known, or not for one entry.
    """
    formula = formula_of(trace.node)
    if formula is None or formula.entry is None:
        return None
    if isinstance(trace.node, loss.Loss):
        index: Entry = (_sample(sample, trace.inputs[0]),)
    else:
        index = _index(trace.output, sample, entry)
    return _worked(formula.entry(trace, index))


def worked_backward(
    trace: NodeTrace, sample: int, entry: Entry | None = None, name: str = "x", weight_decay: float = 0.0
) -> Worked | None:
    """The gradient for one entry of an input (`x`, or `y` if there are two) or of a parameter (`W`, …).

    The gradient of a parameter sums over the batch: there, `sample` is ignored, and `entry` is the index
    in the parameter; for a weight `W` of a network with weight decay λ, λ W is added. Otherwise the
    arguments are those of `worked`.
    """
    formula = formula_of(trace.node)
    work = None if formula is None else formula.gradients.get(name)
    if work is None:
        return None
    if name in trace.grads:
        gradient = trace.grads[name]
        index = _largest(gradient) if entry is None else _checked(name, gradient.shape, entry)
        steps = work(trace, index) or ()
        return _worked(_decayed(steps, trace.params[name], index, weight_decay if name == "W" else 0.0))
    found = trace.dinputs["xy".index(name)]
    return None if found is None else _worked(work(trace, _index(found, sample, entry)))


def _decayed(steps: Steps, W: HostArray, index: Entry, weight_decay: float) -> Steps:
    """The steps with λ W added to the last one."""
    if not (steps and weight_decay):
        return steps
    *others, last = steps
    penalty = Symbol("λ", number=weight_decay) * at("W", W, *index)
    return *others, Step(last.target, last.expression + penalty)


def _worked(steps: Any) -> Worked | None:
    return Worked(legible(steps)) if steps else None


def _methods(kind: type) -> set[str]:
    """The methods that a class and its bases define."""
    return {name for base in kind.__mro__ for name, value in vars(base).items() if isfunction(value)}


def _sample(sample: int, array: HostArray) -> int:
    if not 0 <= sample < len(array):
        raise ValueError(f"expected a sample from 0 to {len(array) - 1}, got {sample}")
    return sample


def _index(array: HostArray, sample: int, entry: Entry | None) -> Entry:
    """The index of an entry of a sample in the batch; () for a single number."""
    if array.ndim == 0:
        return ()
    own = array[_sample(sample, array)]
    return sample, *(_largest(own) if entry is None else _checked("a sample", own.shape, entry))


def _largest(array: HostArray) -> Entry:
    """The index of the largest |value|; of a NaN, if there is one."""
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(np.abs(array))), array.shape))


def _checked(what: str, shape: tuple[int, ...], entry: Entry) -> Entry:
    if len(entry) != len(shape) or not all(0 <= i < n for i, n in zip(entry, shape, strict=True)):
        raise ValueError(f"expected an entry of {what}, whose shape is {shape}, got {entry}")
    return tuple(entry)
