"""The formulas of the book's layers: those of backprop's, with the book's constants, masks and statistics."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backends import HostArray
from ..formulas import Formula, Step
from ..formulas.activations import exponentials, relu, sigmoid
from ..formulas.affine import affine
from ..formulas.arithmetic import add, mul
from ..formulas.convolution import convolution_with
from ..formulas.expression import Expression, Partial, Symbol, call, equation, lines, sum_over
from ..formulas.formula import Entry, Steps, Work, at, partial, total
from ..formulas.losses import MEAN, L, N, p_nk, softmax_with_loss, t_nk, x_nk
from ..formulas.normalization import over_batch
from ..formulas.pooling import max_pooling as backprops_max_pooling
from ..formulas.windows import Window
from ..losses.softmax_with_loss import SoftmaxWithLoss, is_one_hot
from .functions import EPSILON, INSIDE_LOG, target_rows

if TYPE_CHECKING:
    from ..tracing.record import NodeTrace


__all__ = [
    "add",
    "affine",
    "batch_normalization",
    "convolution",
    "cross_entropy",
    "dropout",
    "max_pooling",
    "mul",
    "relu",
    "sigmoid",
]


def convolution(layer: Any) -> Formula:
    """y[n,f,i,j] = Σ x[n,c,i+u,j+v] W[f,c,u,v] + b[f]."""
    _, _, height, width = layer.W.shape
    return convolution_with(Window(height, width, layer.stride, layer.stride, layer.pad))


def dropout(layer: Any) -> Formula:
    """y = x m, with a random mask m; y = x (1 − r) in inference."""

    def entry(trace: NodeTrace, index: Entry) -> Steps | None:
        mask = _mask(trace, index)
        return None if mask is None else (Step(Symbol("y", index), at("x", trace.inputs[0], *index) * mask),)

    def dx(trace: NodeTrace, index: Entry) -> Steps | None:
        mask = _mask(trace, index)
        return None if mask is None else (Step(Partial("x", index), partial("y", trace.dout, *index) * mask),)

    return Formula(
        equation(Symbol("y"), Symbol("x") * Symbol("m")),
        equation(Partial("x"), Partial("y") * Symbol("m")),
        f"m is a random mask: 0 with probability r = {layer.dropout_ratio:g}, else 1; in inference, "
        "y = x (1 − r)",
        entry=entry,
        gradients={"x": dx},
    )


def _mask(trace: NodeTrace, index: Entry) -> Symbol | None:
    """The entry of the mask, from what it made of a number; None if that is 0, NaN or infinite anyway."""
    for before, after in ((trace.inputs[0], trace.output), (trace.dout, trace.dinputs[0])):
        if after is not None and before[index] and np.isfinite(before[index]):
            return Symbol("m", index, float(after[index] != 0.0))
    return None


def max_pooling(layer: Any) -> Formula:
    """y[n,c,i,j] = the largest x[n,c,i+u,j+v]."""
    return backprops_max_pooling(layer._pooling())


def batch_normalization(layer: Any) -> Formula:
    """y = γ x̂ + β, x̂ = (x − μ) / √(σ² + ε), for every entry of a sample by itself."""
    formula = over_batch(
        EPSILON,
        "for every entry of a sample by itself, over its n numbers in the batch; images are rows of C·H·W "
        "numbers",
    )
    assert formula.entry is not None
    gradients = {name: _of_rows(work) for name, work in formula.gradients.items()}
    return replace(formula, entry=_of_rows(formula.entry), gradients=gradients)


def _of_rows(work: Work) -> Work:
    """Work out an entry of images as that of rows of numbers."""

    def of_rows(trace: NodeTrace, index: Entry) -> Steps | None:
        def rows(images: HostArray) -> HostArray:
            return images.reshape(len(images), -1)

        n, *place = index
        if place:  # of an image, not of a parameter
            index = n, int(np.ravel_multi_index(place, trace.output.shape[1:]))
        x, y, dout = trace.inputs[0], trace.output, trace.dout
        return work(replace(trace, inputs=(rows(x),), output=rows(y), dout=rows(dout)), index)

    return of_rows


def cross_entropy(layer: Any) -> Formula:
    """L = −(1/N) Σ t log(p + 10⁻⁷), p = softmax(x)."""
    without = softmax_with_loss(SoftmaxWithLoss())

    def entry(trace: NodeTrace, index: Entry) -> Steps:
        (n, *_), (x, t) = index, trace.inputs
        t, (m, S) = target_rows("SoftmaxWithLoss", x, t), exponentials(x, (n,))
        classes = [int(k) for k in np.flatnonzero(t[n])]
        p = [
            Step(Symbol("p", (n, k)), call("exp", at("x", x, n, k) - m.known()) / S.known()) for k in classes
        ]
        logs = [-call("log", step.known() + INSIDE_LOG) for step in p]
        terms = np.asarray([t[n, k] * log.value() for k, log in zip(classes, logs, strict=True)])

        def term(i: int) -> Expression:
            return logs[i] if t[n, classes[i]] == 1.0 else at("t", t, n, classes[i]) * logs[i]

        return m, S, *p, Step(Symbol("L", (n,)), total(terms, term))

    def dx(trace: NodeTrace, index: Entry) -> Steps | None:
        x, t = trace.inputs
        rows = target_rows("SoftmaxWithLoss", x, t)
        if is_one_hot(rows):
            rows = rows.astype(np.int64)  # whose sum is 1 and need not be written
        return without.gradients["x"](replace(trace, inputs=(x, rows)), index)

    exp_sum = sum_over("j", call("exp", Symbol("x", ("n", "j"))))
    return replace(
        without,
        forward=lines(
            equation(p_nk, call("exp", x_nk) / exp_sum),
            equation(L, -(sum_over("n,k", t_nk * call("log", p_nk + INSIDE_LOG)) / N)),
        ),
        note="computed with x − m, where m is the largest x of the sample, so that nothing overflows: "
        f"p = exp(x − m) / S, S = Σ exp(x − m); {MEAN}",
        back_note="the gradient of the loss without the constant 10⁻⁷, as in the book",
        entry=entry,
        gradients={"x": dx},
    )
