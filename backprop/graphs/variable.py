"""`Variable`: a value that remembers how it was computed, so that its computation can be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

from ..backends import Array, HostArray, backend_of, dtype_name, get_backend, is_registered, namespace_of
from ..dtypes import is_float, is_integer
from ..layers import Broadcast, Node
from ..layers.arithmetic import Binary
from ..pages import html
from .applied import Application, Flow, ancestors, flow_back, on_host
from .expression import OPERATIONS, graph_of
from .graph import Graph
from .labels import label_of
from .operators import Operators


class Variable(Operators):
    """A number or an array, with its name and, after `backward`, its gradient.

    Operators and the functions of `backprop.graphs` compute new variables from it, and so do NumPy's
    functions of the same names, and a layer that is called with it, `Mul()(apple, number)`. A variable does
    not change. Comparisons, `bool`, `float` and `format` are those of its value.

    Parameters
    ----------
    value : a number, a list of numbers (float64), or an array of any library; it is copied. Arithmetic and
        the other functions make whole numbers floats
    name : what a drawing calls it

    >>> apple, number, tax = Variable(100, "apple"), Variable(2, "number"), Variable(1.1, "tax")
    >>> price = apple * number * tax
    >>> price.backward()
    >>> price, apple.grad, number.grad, tax.grad
    (Variable(220), 2.2, 110.00000000000001, 200.0)
    >>> print(price.graph())
    from    to      forward  gradient
    apple   ×₁      100      2.2
    number  ×₁      2        110
    ×₁      ×₂      200      1.1
    tax     ×₂      1.1      200
    ×₂      result  220      1
    """

    def __init__(self, value: Any, name: str = "") -> None:
        if not isinstance(name, str):
            raise TypeError(f"Variable: expected its name as text, got {name!r}")
        self.name = name
        self.is_constant = False
        """Whether an expression was given it as a plain number or array, which has no gradient."""
        self.is_number = isinstance(value, Real) and not isinstance(value, bool)
        """Whether it is a Python number, or was computed from such numbers alone."""
        self.origin: Application | None = None
        """How it was computed; None for an input."""
        self._number: float | None = None
        if self.is_number:
            number = _as_float(value)
            self._number = int(value) if isinstance(value, Integral) else number
            value = get_backend("cpu").asarray(number, dtype="float64")
        self._array = _copied(value)
        self._grad: Array | None = None
        self._flow: Flow | None = None

    @property
    def value(self) -> Any:
        """The number, or a copy of the array."""
        return self._number if self._number is not None else self._shown(self._array)

    @property
    def grad(self) -> Any:
        """The gradient that the last `backward` found: a number, or a copy of the array; None without any."""
        return None if self._grad is None else self._shown(self._grad)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value."""
        return tuple(self._array.shape)

    def backward(self, dout: Any = None) -> None:
        """Set the gradient `grad` of every variable that this one was computed from.

        Where a variable is used more than once, it is the sum over its uses. Another call sets all anew.

        Parameters
        ----------
        dout : the gradient of this variable; for a number, by default 1
        """
        order, flow = flow_back(self, self._dout(dout))
        for variable in order:
            variable._grad = flow.totals.get(id(variable))
        self._flow = flow

    def graph(self, title: str = "") -> Graph:
        """The graph of the computation, with the gradients of its last `backward`.

        Without one, with those that `backward()` would find; no variable's `grad` changes.
        """
        flow = self._flow or flow_back(self, self._dout(None, "graph"))[1]
        return graph_of(self, flow, title)

    def host(self) -> HostArray:
        """A copy of the value on the host."""
        return on_host(self._array)

    @staticmethod
    def of_node(node: Node, inputs: Sequence[Any]) -> Variable:
        """The result of a node; what is no variable is a constant."""
        variables = [x if isinstance(x, Variable) else _constant(x) for x in inputs]
        arrays = _of_one_library(variables, isinstance(node, OPERATIONS))
        if isinstance(node, Binary) and len({array.shape for array in arrays}) > 1:
            shape = _common_shape(node, arrays)
            for i, (x, array) in enumerate(zip(variables, arrays, strict=True)):
                if x.is_constant:
                    arrays[i] = namespace_of(array).broadcast_to(array, shape)
                elif tuple(array.shape) != shape:
                    variables[i] = _result(Broadcast(shape), [x], [array])
                    arrays[i] = variables[i]._array
        return _result(node, variables, arrays)

    def _dout(self, dout: Any, caller: str = "backward") -> Array:
        """The gradient of this variable, as an array like its own."""
        if isinstance(dout, Variable):
            raise TypeError("backward: expected a number or an array as dout, got a Variable; give its value")
        if not is_float(self._array.dtype):
            raise TypeError(f"{caller}: {self!r} has whole numbers, which have no gradient; make it float64")
        if dout is None and self.shape:
            before = " before y.graph()" if caller == "graph" else ""
            raise ValueError(
                f"{caller}: a result of shape {self.shape} needs the gradient that comes back to it, "
                f"y.backward(dout){before}; or make a number of it first, backprop.graphs.sum(y).{caller}()"
            )
        dout = 1.0 if dout is None else dout
        found = _copied(backend_of(self._array).asarray(dout, dtype=self._array.dtype))
        if tuple(found.shape) != self.shape:
            raise ValueError(f"backward: expected dout {self.shape}, got {tuple(found.shape)}")
        return found

    def __getstate__(self) -> dict[str, Any]:
        """For pickle and copies: without the last backward pass, which belongs to this very object."""
        return {**vars(self), "_flow": None}

    def _shown(self, array: Array) -> Any:
        return float(array) if self.is_number else _copied(array)

    def _repr_html_(self) -> str:
        """For notebooks: the graph, or the value as text if to draw it would set gradients of a layer."""
        if self.origin is None or (self._flow is None and _has_params(self)):
            return html.paragraph(repr(self))
        try:
            return self.graph(repr(self))._repr_html_()
        except (TypeError, ValueError, RuntimeError):
            return html.paragraph(repr(self))

    def __repr__(self) -> str:
        label = label_of(self.host())
        assert label is not None
        return f"Variable({label.text()}{self.name and f', {self.name!r}'})"


def _has_params(variable: Variable) -> bool:
    """Whether a layer with parameters took part in the computation."""
    return any(one.origin is not None and one.origin.node.params for one in ancestors(variable))


def _constant(value: Any) -> Variable:
    found = Variable(value)
    found.is_constant = True
    return found


def _result(node: Node, inputs: list[Variable], arrays: list[Array]) -> Variable:
    """Apply the node to the variables, whose arrays are these."""
    application = Application(node, tuple(inputs), arrays)
    found = Variable(namespace_of(application.output).asarray(application.output))
    found.is_number = not found.shape and all(x.is_number for x in inputs)
    found.origin = application
    return found


def _of_one_library(variables: list[Variable], are_floats: bool) -> list[Array]:
    """The arrays; where there are others, a number's becomes like the first of them.

    With `are_floats`, an array of whole numbers becomes one of floats.
    """
    arrays = [x._array for x in variables]
    own = [array for x, array in zip(variables, arrays, strict=True) if not x.is_number]
    if are_floats:
        dtypes = {type(array): array.dtype for array in reversed(own) if is_float(array.dtype)}
        arrays = [_floats(array, dtypes.get(type(array))) for array in arrays]
    like = next(
        (a for x, a in zip(variables, arrays, strict=True) if not x.is_number and is_float(a.dtype)), None
    )
    if like is None:
        return arrays
    backend = backend_of(like)
    return [
        backend.asarray(float(array), dtype=like.dtype) if x.is_number else array
        for x, array in zip(variables, arrays, strict=True)
    ]


def _floats(array: Array, dtype: Any) -> Array:
    """An array of whole numbers in this dtype, by default float64; others as they are."""
    xp = namespace_of(array)
    return xp.astype(array, xp.float64 if dtype is None else dtype) if is_integer(array.dtype) else array


def _common_shape(node: Node, arrays: list[Array]) -> tuple[int, ...]:
    shapes = [tuple(array.shape) for array in arrays]
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        given = " and ".join(map(str, shapes))
        raise ValueError(f"{node.name}: the shapes {given} do not fit together") from None


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        raise ValueError("Variable: the number is too large; a float64 goes up to 1.8e308") from None


def _copied(value: Any) -> Array:
    """A copy of an array of any library, or of a list of numbers as float64; else a `TypeError`."""
    if isinstance(value, list | tuple):
        try:
            return get_backend("cpu").asarray(np.asarray(value, np.float64))
        except (TypeError, ValueError):
            raise TypeError(f"Variable: expected numbers in rows of one length, got {value!r}") from None
    if not is_registered(value):
        raise TypeError(f"Variable: expected a number, a list or an array, got {type(value).__name__}")
    if not (is_float(value.dtype) or is_integer(value.dtype)):
        raise TypeError(f"Variable: expected real numbers, got {dtype_name(value.dtype)}")
    return namespace_of(value).asarray(backend_of(value).detached(value), copy=True)
