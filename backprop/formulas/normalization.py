"""Formulas of batch and layer normalization."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..backends import HostArray
from ..layers import BatchNormalization, LayerNormalization
from ..text import digits
from .expression import Expression, Partial, Symbol, equation, lines, root, sum_over
from .formula import Entry, Formula, Step, Steps, at, partial, total
from .group import Group

if TYPE_CHECKING:
    from ..tracing.record import NodeTrace


def batch_normalization(node: BatchNormalization) -> Formula:
    """y = γ x̂ + β, x̂ = (x − μ) / √(σ² + ε), over the batch."""
    return over_batch(
        node.epsilon,
        "for every feature by itself, over its n numbers in the batch (of images, also over height and "
        "width)",
    )


def over_batch(epsilon: float, note: str) -> Formula:
    """The formula of a normalization over the batch, of which the note says what has its own mean."""
    gamma, dy = Symbol("γ"), Partial("y")
    return _Normalization(is_batch=True, numbers=1, epsilon=epsilon).formula(
        [*_means(dy), equation(Partial("x"), gamma / _deviation() * _centred(dy))],
        f"{note}; ε = {digits(epsilon)}",
    )


def layer_normalization(node: LayerNormalization) -> Formula:
    """y = γ x̂ + β, x̂ = (x − μ) / √(σ² + ε), over each sample."""
    g = Symbol("g")
    return _Normalization(is_batch=False, numbers=node.params["gamma"].ndim, epsilon=node.epsilon).formula(
        [
            equation(g, Symbol("γ") * Partial("y")),
            *_means(g),
            equation(Partial("x"), _centred(g) / _deviation()),
        ],
        f"for every sample by itself, over its n numbers; ε = {digits(node.epsilon)}",
        "the last two sums go over the samples",
    )


def _deviation() -> Expression:
    return root(Symbol("σ²") + Symbol("ε"))


def _centred(g: Expression) -> Expression:
    """g without its mean and without its part along x̂."""
    return g - Symbol("s") - Symbol("x̂") * Symbol("q")


def _means(g: Expression) -> list[Expression]:
    """The means of g and of g x̂."""
    n = Symbol("n")
    return [
        equation(Symbol("s"), sum_over("", g) / n),
        equation(Symbol("q"), sum_over("", g * Symbol("x̂")) / n),
    ]


@dataclass(frozen=True)
class _Normalization:
    """Works out the entries of a normalization over the batch, or over the last axes."""

    is_batch: bool
    numbers: int
    """How many axes gamma has."""
    epsilon: float

    def formula(self, backward: list[Expression], note: str, back_note: str = "") -> Formula:
        """The formula with this gradient for x."""
        x, mean, n, x_hat, dy = Symbol("x"), Symbol("μ"), Symbol("n"), Symbol("x̂"), Partial("y")
        return Formula(
            lines(
                equation(mean, sum_over("", x) / n),
                equation(Symbol("σ²"), sum_over("", (x - mean) ** 2) / n),
                equation(x_hat, (x - mean) / _deviation()),
                equation(Symbol("y"), Symbol("γ") * x_hat + Symbol("β")),
            ),
            lines(
                *backward,
                equation(Partial("γ"), sum_over("", dy * x_hat)),
                equation(Partial("β"), sum_over("", dy)),
            ),
            note,
            back_note,
            entry=self.entry,
            gradients={"x": self.dx, "gamma": self.dgamma, "beta": self.dbeta},
        )

    def entry(self, trace: NodeTrace, index: Entry) -> Steps:
        """μ, σ², x̂ and y."""
        mean, var, x_hat = self._normalized(trace, index)
        params, own = trace.params, self._own(index)
        y = at("γ", params["gamma"], *own) * x_hat.known() + at("β", params["beta"], *own)
        return mean, var, x_hat, Step(Symbol("y", index), y)

    def dx(self, trace: NodeTrace, index: Entry) -> Steps:
        """μ, σ², x̂, the means of g and g x̂, and the gradient; g is ∂L/∂y, times γ within a sample."""
        mean, var, x_hat = self._normalized(trace, index)
        dout, gamma, all_hat = trace.dout.astype(np.float64), trace.params["gamma"], self._all_hat(trace)
        group = Group(dout.shape, self._axes(dout.ndim), index)
        g = dout if self.is_batch else dout * gamma
        n = len(group.of(g))

        def term(j: int) -> Expression:
            dy = partial("y", dout, *group.place(j))
            return dy if self.is_batch else at("γ", gamma, *self._own(group.place(j))) * dy

        lead = self._lead(index)
        first = Step(Symbol("s", lead), total(group.of(g), term) / n)
        products = group.of(g * all_hat)
        second = Step(
            Symbol("q", lead), total(products, lambda j: term(j) * at("x̂", all_hat, *group.place(j))) / n
        )
        own = partial("y", dout, *index)
        scale = at("γ", gamma, *self._own(index))
        centred = (own if self.is_batch else scale * own) - first.known() - x_hat.known() * second.known()
        deviation = root(var.known() + Symbol("ε", number=self.epsilon))
        dx = scale / deviation * centred if self.is_batch else centred / deviation
        return mean, var, x_hat, first, second, Step(Partial("x", index), dx)

    def dgamma(self, trace: NodeTrace, index: Entry) -> Steps:
        """The sum of ∂L/∂y x̂."""
        dout, x_hat = trace.dout.astype(np.float64), self._all_hat(trace)
        group = Group(dout.shape, *self._over(dout.ndim, index))

        def term(j: int) -> Expression:
            place = group.place(j)
            return partial("y", dout, *place) * at("x̂", x_hat, *place)

        dgamma = total(group.of(dout * x_hat), term)
        return (Step(Partial("γ", index), dgamma),)

    def dbeta(self, trace: NodeTrace, index: Entry) -> Steps:
        """The sum of ∂L/∂y."""
        dout = trace.dout
        group = Group(dout.shape, *self._over(dout.ndim, index))
        dbeta = total(group.of(dout), lambda j: partial("y", dout, *group.place(j)))
        return (Step(Partial("β", index), dbeta),)

    def _normalized(self, trace: NodeTrace, index: Entry) -> tuple[Step, Step, Step]:
        """μ, σ² and x̂ for an entry."""
        x, lead = trace.inputs[0], self._lead(index)
        group = Group(x.shape, self._axes(x.ndim), index)
        values = group.of(x)
        mean = Step(Symbol("μ", lead), total(values, lambda j: at("x", x, *group.place(j))) / len(values))
        m, squares = mean.known(), (values - mean.value) ** 2
        var = Step(
            Symbol("σ²", lead), total(squares, lambda j: (at("x", x, *group.place(j)) - m) ** 2) / len(values)
        )
        deviation = root(var.known() + Symbol("ε", number=self.epsilon))
        return mean, var, Step(Symbol("x̂", index), (at("x", x, *index) - m) / deviation)

    def _all_hat(self, trace: NodeTrace) -> HostArray:
        x = trace.inputs[0].astype(np.float64)
        axes = self._axes(x.ndim)
        with np.errstate(all="ignore"):
            centred = x - x.mean(axis=axes, keepdims=True)
            deviation = np.sqrt((centred**2).mean(axis=axes, keepdims=True) + self.epsilon)
            return np.asarray(centred / deviation)

    def _axes(self, ndim: int) -> tuple[int, ...]:
        """The axes that the mean goes over."""
        return (0, *range(2, ndim)) if self.is_batch else tuple(range(ndim - self.numbers, ndim))

    def _own(self, index: Entry) -> Entry:
        """The entry of gamma and beta."""
        return (index[1],) if self.is_batch else index[-self.numbers :]

    def _lead(self, index: Entry) -> Entry:
        """The entry of the mean."""
        return (index[1],) if self.is_batch else index[: -self.numbers]

    def _over(self, ndim: int, index: Entry) -> tuple[tuple[int, ...], Entry]:
        """The axes that the gradient of gamma sums over, and an entry of x with this entry of gamma."""
        if self.is_batch:
            return self._axes(ndim), (0, *index, *(0,) * (ndim - 2))
        return tuple(range(ndim - self.numbers)), (*(0,) * (ndim - self.numbers), *index)
