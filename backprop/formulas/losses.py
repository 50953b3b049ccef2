"""The formulas of the losses. What is worked out is the loss of one sample; the output is their mean."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..backends import HostArray
from ..losses import MeanSquaredError, SigmoidWithLoss, SoftmaxWithLoss
from ..text import digits
from .activations import exponentials
from .expression import Expression, Partial, Symbol, call, equation, lines, sum_over
from .formula import Entry, Formula, Step, Steps, at, total

if TYPE_CHECKING:
    from ..tracing.record import NodeTrace

x_nk, t_nk, p_nk = (Symbol(name, ("n", "k")) for name in "xtp")
N, L = Symbol("N"), Symbol("L")
MEAN = "L is the mean of the samples' losses L[0], L[1], …"


def softmax_with_loss(node: SoftmaxWithLoss) -> Formula:
    """L = −(1/N) Σ t log p, p = softmax(x)."""
    smoothing = node.label_smoothing

    def entry(trace: NodeTrace, index: Entry) -> Steps:
        (n, *_), (x, t) = index, trace.inputs
        m, S = exponentials(x, (n,))

        def log_p(k: int) -> Expression:
            return call("log", S.known()) - (at("x", x, n, k) - m.known())

        q = _target(t, x, smoothing)
        if q is None:
            k = _class(t, x, n)
            return m, S, Step(Symbol("L", (n,)), log_p(k))
        classes = _classes(q[n])
        values = np.asarray([q[n, k] * log_p(k).value() for k in classes])
        loss = total(values, lambda i: at("t", q, n, classes[i]) * log_p(classes[i]))
        return m, S, Step(Symbol("L", (n,)), loss)

    def dx(trace: NodeTrace, index: Entry) -> Steps:
        (n, k), (x, t) = index, trace.inputs
        m, S = exponentials(x, (n,))
        p = Step(Symbol("p", index), call("exp", at("x", x, n, k) - m.known()) / S.known())
        q = _target(t, x, smoothing)
        if q is None:
            difference = p.known() - Symbol("t", index, float(_is_one(t, n, k)))
        else:
            classes = _classes(q[n])
            whole = total(q[n, classes], lambda i: at("t", q, n, classes[i]))
            difference = p.known() * whole - at("t", q, n, k)
        return m, S, p, Step(Partial("x", index), _scaled(difference, trace) / len(x))

    exp_sum = sum_over("j", call("exp", Symbol("x", ("n", "j"))))
    smoothed = f"; t is smoothed, (1 − ε) t + ε/C with ε = {digits(smoothing)}" if smoothing else ""
    return Formula(
        lines(
            equation(p_nk, call("exp", x_nk) / exp_sum),
            equation(L, -(sum_over("n,k", t_nk * call("log", p_nk)) / N)),
        ),
        equation(Partial("x", ("n", "k")), (p_nk - t_nk) / N),
        "computed with x − m, where m is the largest x of the sample, so that nothing overflows: "
        f"log p = x − m − log S, S = Σ exp(x − m){smoothed}; {MEAN}",
        entry=entry,
        gradients={"x": dx},
    )


def sigmoid_with_loss(node: SigmoidWithLoss) -> Formula:
    """L = −(1/N) Σ t log y + (1 − t) log(1 − y), y = sigmoid(x)."""
    y = Symbol("y", ("n", "k"))
    crossed = t_nk * call("log", y) + (1 - t_nk) * call("log", 1 - y)

    def entry(trace: NodeTrace, index: Entry) -> Steps:
        (n, *_), (x, t) = index, trace.inputs

        def term(place: int) -> Expression:
            own = (n, *_unravelled(place, x.shape[1:]))
            a, b = at("x", x, *own), at("t", t, *own)
            return call("max", a, 0) - a * b + call("log", 1 + call("exp", -call("abs", a)))

        count = math.prod(x.shape[1:])
        values = np.asarray([term(place).value() for place in range(count)])
        return (Step(Symbol("L", (n,)), total(values, term)),)

    def dx(trace: NodeTrace, index: Entry) -> Steps:
        x, t = trace.inputs
        y = Step(Symbol("y", index), 1 / (1 + call("exp", -at("x", x, *index))))
        difference = y.known() - at("t", t, *index)
        return y, Step(Partial("x", index), _scaled(difference, trace) / len(x))

    return Formula(
        lines(equation(y, 1 / (1 + call("exp", -x_nk))), equation(L, -(sum_over("n,k", crossed) / N))),
        equation(Partial("x", ("n", "k")), (y - t_nk) / N),
        f"computed as max(x, 0) − x t + log(1 + exp(−|x|)) for every entry, which does not overflow; {MEAN}",
        entry=entry,
        gradients={"x": dx},
    )


def mean_squared_error(node: MeanSquaredError) -> Formula:
    """L = the mean of (x − t)²."""

    def entry(trace: NodeTrace, index: Entry) -> Steps:
        (n, *_), (x, t) = index, trace.inputs
        shape = x.shape[1:]

        def term(place: int) -> Expression:
            own = (n, *_unravelled(place, shape))
            return (at("x", x, *own) - at("t", t, *own)) ** 2

        with np.errstate(all="ignore"):
            squares = (x[n].astype(np.float64) - t[n]).ravel() ** 2
        return (Step(Symbol("L", (n,)), _over(total(squares, term), math.prod(shape))),)

    def dx(trace: NodeTrace, index: Entry) -> Steps:
        x, t = trace.inputs
        difference = 2 * (at("x", x, *index) - at("t", t, *index))
        return (Step(Partial("x", index), _scaled(difference, trace) / x.size),)

    K = Symbol("K")
    return Formula(
        equation(L, sum_over("n,k", (x_nk - t_nk) ** 2) / (N * K)),
        equation(Partial("x", ("n", "k")), 2 * (x_nk - t_nk) / (N * K)),
        f"N samples of K numbers; {MEAN}",
        entry=entry,
        gradients={"x": dx},
    )


def _target(t: HostArray, x: HostArray, smoothing: float) -> HostArray | None:
    """The target as probabilities, smoothed; None for class numbers and one-hot rows."""
    if not smoothing and not (t.ndim == 2 and t.dtype.kind == "f"):
        return None
    q: HostArray = np.eye(x.shape[1])[t] if t.ndim == 1 else t.astype(np.float64)
    return np.asarray(q * (1.0 - smoothing) + smoothing / x.shape[1])


def _classes(probabilities: HostArray) -> list[int]:
    """The classes that have a probability: those with 0 add nothing, even where log p is infinite."""
    return [int(k) for k in np.flatnonzero(probabilities)]


def _class(t: HostArray, x: HostArray, n: int) -> int:
    """The class of a sample: its number, or the 1 in its row (of several, that with the largest x)."""
    return int(t[n]) if t.ndim == 1 else int(np.argmax(np.where(t[n] == 1, x[n], -np.inf)))


def _is_one(t: HostArray, n: int, k: int) -> bool:
    return bool(t[n] == k if t.ndim == 1 else t[n, k] == 1)


def _scaled(difference: Expression, trace: NodeTrace) -> Expression:
    """The gradient of the loss times dout, which is 1 in a network."""
    dout = float(trace.dout)
    return difference if dout == 1.0 else difference * Symbol("dout", number=dout)


def _unravelled(place: int, shape: tuple[int, ...]) -> Entry:
    return tuple(int(i) for i in np.unravel_index(place, shape)) if shape else ()


def _over(expression: Expression, count: int) -> Expression:
    return expression if count == 1 else expression / count
