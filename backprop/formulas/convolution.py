"""The formulas of convolution, alone and merged with ReLU and pooling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..backends import HostArray
from ..layers import Convolution, ConvolutionReLUPooling, MaxPooling
from .expression import Expression, Number, Partial, Symbol, call, equation, lines, max_over, sum_over
from .formula import Entry, Formula, Step, Steps, Work, at, largest, partial, total
from .windows import Window

if TYPE_CHECKING:
    from ..tracing.record import NodeTrace


def convolution(node: Convolution) -> Formula:
    """y[n,f,i,j] = Σ x[n,c,i+u,j+v] W[f,c,u,v] + b[f]."""
    return convolution_with(_window(node))


def convolution_with(window: Window) -> Formula:
    """The formula of a convolution whose kernel lies so on the image."""
    work = _Convolution(window, "y")
    return Formula(
        equation(Symbol("y", ("n", "f", "i", "j")), work.output()),
        lines(*work.backward()),
        work.note(),
        work.back_note(),
        work.entry,
        work.gradients(),
    )


def convolution_relu_pooling(node: ConvolutionReLUPooling) -> Formula:
    """z = the convolution; y = the largest z of every window, or 0."""
    work = _Convolution(_window(node), "z")
    pooling = Window(node.pool_h, node.pool_w, node.pool_h, node.pool_w, 0)
    place = ("n", "f", *pooling.pixel())
    y, of_y = Symbol("y", ("n", "f", "i", "j")), Partial("y", ("n", "f", "i", "j"))

    def entry(trace: NodeTrace, index: Entry) -> Steps:
        z = _convolved(node, trace)
        places = [(*index[:2], *pixel[2:]) for pixel in pooling.pixels(index[2:], z.shape[2:])]
        values = np.asarray([z[place] for place in places], np.float64)
        (first,) = work.entry(trace, best := places[int(np.argmax(values))])
        known = [first.known() if place == best else at("z", z, *place) for place in places]
        return first, Step(Symbol("y", index), largest(values, known.__getitem__, Number(0.0)))

    def below_pooling(gradient: Work) -> Work:
        return lambda trace, index: gradient(_before_pooling(node, trace), index)

    return Formula(
        lines(
            equation(Symbol("z", ("n", "f", "i", "j")), work.output()),
            equation(y, call("max", max_over("u,v", Symbol("z", place)), 0)),
        ),
        lines(equation(Partial("z", place), of_y * Symbol("m", ("u", "v"))), *work.backward()),
        work.note(),
        f"m is 1 for the first of the largest z of a window if it is above 0, else 0; {work.back_note()}",
        entry,
        {name: below_pooling(gradient) for name, gradient in work.gradients().items()},
    )


@dataclass(frozen=True)
class _Convolution:
    """Works out the entries of a convolution whose output is called `y`."""

    window: Window
    y: str

    def output(self) -> Expression:
        """Σ x W + b in symbols."""
        x, W = Symbol("x", ("n", "c", *self.window.pixel())), Symbol("W", ("f", "c", "u", "v"))
        return sum_over("c,u,v", x * W) + Symbol("b", ("f",))

    def backward(self) -> list[Expression]:
        """The gradients in symbols."""
        dy, W = Partial(self.y, ("n", "f", "i", "j")), Symbol("W", ("f", "c", "u", "v"))
        place = ("n", "c", *self.window.pixel())
        return [
            equation(Partial("x", ("n", "c", "r", "q")), sum_over("f,i,j", dy * W)),
            equation(Partial("W", W.index), sum_over("n,i,j", dy * Symbol("x", place))),
            equation(Partial("b", ("f",)), sum_over("n,i,j", dy)),
        ]

    def note(self) -> str:
        """What the symbols mean."""
        return "x is 0 outside the image" if self.window.pad else ""

    def back_note(self) -> str:
        """What those of the gradients mean."""
        row, column = self.window.pixel()
        return f"the gradient for x[n,c,r,q] sums over all windows with r = {row} and q = {column}"

    def gradients(self) -> dict[str, Work]:
        """What works out the gradients."""
        return {"x": self.dx, "W": self.dweights, "b": self.db}

    def entry(self, trace: NodeTrace, index: Entry) -> Steps:
        """The products of a window with the kernel."""
        x, W, (n, f, i, j) = trace.inputs[0], trace.params["W"], index
        pixels = self.window.pixels((i, j), x.shape[2:])
        factors = [((n, c, r, q), (f, c, u, v)) for c in range(x.shape[1]) for u, v, r, q in pixels]
        y = _products(at, "x", x, "W", W, factors) + at("b", trace.params["b"], f)
        return (Step(Symbol(self.y, index), y),)

    def dx(self, trace: NodeTrace, index: Entry) -> Steps:
        """The products of the gradients of all windows over a pixel with the kernel."""
        W, dout, (n, c, r, q) = trace.params["W"], trace.dout, index
        covering = self.window.covering((r, q), dout.shape[2:])
        factors = [((n, f, i, j), (f, c, u, v)) for f in range(len(W)) for i, j, u, v in covering]
        return (Step(Partial("x", index), _products(partial, self.y, dout, "W", W, factors)),)

    def dweights(self, trace: NodeTrace, index: Entry) -> Steps:
        """The products of all gradients with the pixels under an entry of the kernel."""
        x, dout, (f, c, u, v) = trace.inputs[0], trace.dout, index
        samples, _, down, across = dout.shape
        places = [
            (i, j, i * self.window.down + u - self.window.pad, j * self.window.across + v - self.window.pad)
            for i in range(down)
            for j in range(across)
        ]
        inside = [p for p in places if 0 <= p[2] < x.shape[2] and 0 <= p[3] < x.shape[3]]
        factors = [((n, f, i, j), (n, c, r, q)) for n in range(samples) for i, j, r, q in inside]
        return (Step(Partial("W", index), _products(partial, self.y, dout, "x", x, factors)),)

    def db(self, trace: NodeTrace, index: Entry) -> Steps:
        """The sum of the gradients of a filter."""
        dout, (f,) = trace.dout, index
        own = dout[:, f]

        def term(place: int) -> Expression:
            n, i, j = (int(number) for number in np.unravel_index(place, own.shape))
            return partial(self.y, dout, n, f, i, j)

        return (Step(Partial("b", index), total(own.ravel(), term)),)


def _products(
    kind: Callable[..., Symbol],
    first: str,
    one: HostArray,
    second: str,
    other: HostArray,
    factors: Sequence[tuple[Entry, Entry]],
) -> Expression:
    """The sum of products of entries of two arrays; `kind` makes the first factor's symbol."""
    with np.errstate(all="ignore"):
        values = np.asarray([float(one[a]) * float(other[b]) for a, b in factors], np.float64)
    return total(
        values, lambda place: kind(first, one, *factors[place][0]) * at(second, other, *factors[place][1])
    )


def _window(node: Convolution) -> Window:
    _, _, height, width = node.params["W"].shape
    return Window(int(height), int(width), node.stride, node.stride, node.pad)


def _convolved(node: Convolution, trace: NodeTrace) -> HostArray:
    """The output of the convolution alone, in the dtype of the trace."""
    z = Convolution(**trace.params, stride=node.stride, pad=node.pad).forward(trace.inputs[0])
    return np.asarray(z)


def _before_pooling(node: ConvolutionReLUPooling, trace: NodeTrace) -> NodeTrace:
    """The trace of the convolution alone."""
    z, pooling = _convolved(node, trace), MaxPooling(node.pool_h, node.pool_w)
    pooled = pooling.forward(z, training=True)
    dz = pooling.backward(trace.dout * np.asarray(pooled > 0.0, trace.dout.dtype))
    return replace(trace, output=z, dout=np.asarray(dz))
