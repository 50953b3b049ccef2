"""Variables: every gradient against an exact derivative, and what they refuse."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backends import Backend, dtype_name
from backprop import Add, Affine, Mul, ReLU, Residual, SoftmaxWithLoss
from backprop.graphs import Variable, mean, relu, sigmoid, sum
from backprop.graphs import max as largest
from backprop.layers import Node
from backprop.pages import html

from .samples import apples

STEP = 1e-30
"""Of a complex step: the imaginary part of f(x + i h) / h is the derivative, without cancellation."""

Function = Callable[..., Any]

UNARY: list[Function] = [
    lambda x: np.exp(np.tanh(x)), lambda x: np.log(x * x + 1.0), lambda x: np.sqrt(x * x + 0.5), np.sin, np.cos,
    np.tanh, lambda x: -x, lambda x: x**2, lambda x: (x * x + 1.0) ** -1.5, lambda x: 2.0 - x, lambda x: x / 3.0,
    lambda x: 1.0 / (x * x + 2.0), lambda x: 2.0 ** np.sin(x), lambda x: x * 1.5, np.square, lambda x: np.sin(x) ** 3,
]  # fmt: skip
BINARY: list[Function] = [
    lambda x, y: x + y, lambda x, y: x - y, lambda x, y: x * y, lambda x, y: x / (y * y + 1.0),
    lambda x, y: np.exp(np.sin(x)) ** np.tanh(y), lambda x, y: x + x * y,
]  # fmt: skip


def random_function(seed: int) -> tuple[Function, list[np.ndarray]]:
    """An expression of NumPy's functions with values used more than once, and its arguments."""
    rng = np.random.default_rng(seed)
    shapes: list[tuple[int, ...]] = [(), (), ()] if seed % 2 else [(), (2, 3), (3,), (2, 1)]
    inputs = [np.asarray(rng.standard_normal(shape)) for shape in shapes]
    steps: list[tuple[Function, list[int]]] = []
    for count in range(len(inputs), len(inputs) + 10):
        if rng.integers(2):
            steps.append((UNARY[rng.integers(len(UNARY))], [int(rng.integers(count))]))
        else:
            steps.append((BINARY[rng.integers(len(BINARY))], rng.integers(0, count, 2).tolist()))

    def f(*values: Any) -> Any:
        known = list(values)
        for function, places in steps:
            known.append(function(*(known[i] for i in places)))
        total = known[-1]
        for value in known[-2:-6:-1]:
            total = total + value * np.sin(value)
        return total if total.shape == () else np.sum(total * np.cos(total), axis=None)

    return f, inputs


def exact_gradients(f: Function, inputs: list[np.ndarray]) -> list[np.ndarray]:
    found = []
    for i, x in enumerate(inputs):
        gradient = np.zeros(x.shape)
        for place in np.ndindex(x.shape):
            moved = [value.astype(np.complex128) for value in inputs]
            moved[i][place] += 1j * STEP
            gradient[place] = f(*moved).imag / STEP
        found.append(gradient)
    return found


@pytest.mark.parametrize("chunk", range(10))
def test_the_gradients_of_a_hundred_expressions(chunk: int, backend: Backend) -> None:
    for seed in range(10 * chunk, 10 * chunk + 10):
        f, host = random_function(seed)
        expected = exact_gradients(f, host)
        inputs = [Variable(backend.asarray(x.copy()), f"x{i}") for i, x in enumerate(host)]
        y = f(*inputs)
        y.backward()
        np.testing.assert_allclose(backend.to_numpy(y.value), f(*host), rtol=1e-12, err_msg=str(seed))
        scale = max(np.abs(gradient).max() for gradient in expected)
        for x, gradient in zip(inputs, expected, strict=True):
            if x.grad is None:
                assert not gradient.any()
                continue
            assert backend.owns(x.grad)
            found = backend.to_numpy(x.grad)
            assert found.shape == gradient.shape
            np.testing.assert_allclose(found, gradient, rtol=1e-9, atol=1e-12 * scale, err_msg=str(seed))
        shows_its_gradients(y, inputs, backend)


def shows_its_gradients(y: Variable, inputs: list[Variable], backend: Backend) -> None:
    """On the edges from an input there are its value, and parts whose sum is its gradient."""
    graph = y.graph()
    ids = {node.label: node.id for node in graph.nodes}
    for x in inputs:
        edges = [edge for edge in graph.edges if edge.source == ids.get(x.name)]
        if edges:
            parts = [edge.backward for edge in edges]
            np.testing.assert_allclose(
                np.sum(parts, axis=0), backend.to_numpy(x.grad), rtol=1e-12, atol=1e-12
            )
            for edge in edges:
                np.testing.assert_array_equal(edge.forward, backend.to_numpy(x.value))
    last = graph.edges[-1]
    assert (last.target, last.backward) == ("result", 1.0)
    np.testing.assert_array_equal(last.forward, backend.to_numpy(y.value))


@pytest.mark.parametrize("seed", range(0, 100, 7))
def test_the_same_with_plain_numbers(seed: int) -> None:
    f, host = random_function(2 * seed + 1)
    inputs = [Variable(float(x)) for x in host]
    y = f(*inputs)
    y.backward()
    assert type(y.value) is float
    for x, gradient in zip(inputs, exact_gradients(f, host), strict=True):
        assert x.grad is None or type(x.grad) is float
        assert (x.grad or 0.0) == pytest.approx(float(gradient), rel=1e-9, abs=1e-12)


REDUCED: list[Function] = [
    lambda x: sum(x, axis=0), lambda x: mean(x, axis=(0, 1)), lambda x: sum(x, 1, True), lambda x: largest(x, 1, True),
    relu, sigmoid, np.mean, lambda x: np.sum(x, axis=-1, keepdims=True), np.max,
]  # fmt: skip


@pytest.mark.parametrize("place", range(len(REDUCED)))
def test_reductions_and_activations(place: int, backend: Backend, rng: np.random.Generator) -> None:
    host = rng.permutation(np.linspace(-2.0, 2.0, 6)).reshape(2, 3)
    x = Variable(backend.asarray(host))
    y = sum(np.sin(REDUCED[place](x)) * x)
    y.backward()
    for i in np.ndindex(2, 3):
        moved = []
        for h in (1e-6, -1e-6):
            values = host.copy()
            values[i] += h
            other = Variable(backend.asarray(values))
            moved.append(float(sum(np.sin(REDUCED[place](other)) * other)))
        assert float(backend.to_numpy(x.grad)[i]) == pytest.approx(
            (moved[0] - moved[1]) / 2e-6, rel=1e-6, abs=1e-8
        )


def test_the_apples_of_the_book() -> None:
    """Section 5.4.2."""
    price, inputs = apples()
    price.backward()
    assert price.value == pytest.approx(715.0)
    found = [
        inputs[name].grad for name in ("number of apples", "apple", "orange", "number of oranges", "tax")
    ]
    assert found == pytest.approx([110.0, 2.2, 3.3, 165.0, 650.0])
    assert (inputs["apple"].value, repr(inputs["apple"])) == (100, "Variable(100, 'apple')")


def test_nodes_by_hand_are_those_of_the_operators() -> None:
    _, inputs = apples()
    apple, apples_, orange, oranges, tax = inputs.values()
    price = Mul()(Add()(Mul()(apple, apples_), Mul()(orange, oranges)), tax)
    price.name = "price"
    assert str(price.graph()) == str(apples()[0].graph())


def test_the_hand_way_of_the_book_is_as_it_was() -> None:
    apple, tax = Mul(), Mul()
    price = tax.forward(apple.forward(100, 2, training=True), 1.1, training=True)
    back, dtax = tax.backward(1)
    assert (price, back, dtax, apple.backward(back)) == (
        pytest.approx(220),
        1.1,
        200,
        (2.2, pytest.approx(110)),
    )


def test_backward_sets_all_gradients_anew() -> None:
    x = Variable(3.0)
    y = x * x
    for dout in (None, 1.0, 2.0):
        y.backward(dout)
        assert x.grad == 6.0 * (dout or 1.0)
    z, other = x * 5.0, x * 0.0
    z.backward()
    assert x.grad == 5.0
    other.backward()
    assert x.grad == 0.0
    assert z.graph().edges[0].backward == 5.0  # a graph has its own gradients
    y.backward(2.0)
    assert [edge.backward for edge in y.graph().edges] == [6.0, 6.0, 2.0]


def test_a_variable_off_the_way_has_no_gradient() -> None:
    x, t = Variable([[1.0, 2.0, 3.0]], "x"), Variable(np.asarray([1]), "t")
    loss = SoftmaxWithLoss()(x, t)
    graph = loss.graph()
    assert t.grad is None
    assert [edge.backward is None for edge in graph.edges] == [False, True, False]
    assert [node.kind.value for node in graph.nodes] == ["value", "value", "loss", "value"]


def test_constants_have_a_value_and_no_gradient(backend: Backend) -> None:
    x = Variable(backend.asarray([1.0, 2.0]), "x")
    y = sum(2 * x - backend.asarray([0.5, 0.25]))
    y.backward()
    constants = {node.id for node in y.graph().nodes if node.label == "constant"}
    edges = [edge for edge in y.graph().edges if edge.source in constants]
    assert [np.asarray(edge.forward).tolist() for edge in edges] == [2.0, [0.5, 0.25]]
    assert [edge.backward for edge in edges] == [None, None]
    np.testing.assert_array_equal(backend.to_numpy(x.grad), [2.0, 2.0])


def test_a_number_beside_an_array(backend: Backend) -> None:
    """A variable with a Python number takes the array's library and dtype, and keeps a number as gradient."""
    x, scale = Variable(backend.asarray([1.0, 2.0], dtype="float32"), "x"), Variable(3, "scale")
    y = sum(scale * x)
    y.backward()
    assert dtype_name(y.value.dtype) == "float32"
    assert (scale.grad, type(scale.grad), scale.value) == (3.0, float, 3)
    graph = y.graph()
    assert [node.label for node in graph.nodes] == ["scale", "broadcast", "x", "×", "sum", "result"]
    assert graph.edges[0].backward == 3.0


def test_shapes_that_broadcast(backend: Backend, rng: np.random.Generator) -> None:
    x, b = (Variable(backend.asarray(rng.standard_normal(shape))) for shape in ((4, 3), (3,)))
    dout = rng.standard_normal((4, 3))
    (x + b).backward(backend.asarray(dout))
    np.testing.assert_allclose(backend.to_numpy(b.grad), dout.sum(0))
    np.testing.assert_allclose(backend.to_numpy(x.grad), dout)
    with pytest.raises(ValueError, match=r"Add: the shapes \(4, 3\) and \(2,\) do not fit together"):
        x + Variable(backend.asarray([1.0, 2.0]))


@pytest.mark.changes_arrays
def test_nothing_that_changes_later_is_shown(backend: Backend) -> None:
    host = np.asarray([1.0, 2.0])
    given = backend.asarray(host)
    x = Variable(given, "x")
    y = sum(x * x)
    y.backward()
    before = str(y.graph())
    for array in (host, given, x.value, y.value, x.grad):
        if array.shape and backend.name != "strict":
            array[...] = 77.0
    assert str(y.graph()) == before
    assert float(backend.to_numpy(x.value)[0]) == 1.0
    y.backward()
    np.testing.assert_array_equal(backend.to_numpy(x.grad), [2.0, 4.0])


def test_a_node_has_one_place() -> None:
    """It keeps one forward only, so a gradient through two places would be wrong."""
    node, x = Mul(), Variable(2.0)
    y = node(node(x, x), x)
    with pytest.raises(RuntimeError, match="Mul: used again since, .*; give every place its own Mul"):
        y.backward()
    node = Mul()
    z = node(x, x)
    node.forward(3.0, 4.0, training=True)
    with pytest.raises(RuntimeError, match="Mul: used again since"):
        z.backward()


def test_a_layer_within_a_block_has_one_place() -> None:
    inner = Affine(np.eye(2), np.zeros(2))
    y = sum(Residual([inner])(Variable([[1.0, 2.0]])))
    inner.forward(np.asarray([[5.0, -7.0]]), training=True)
    with pytest.raises(RuntimeError, match="Residual: used again since"):
        y.backward()


def test_parameters_that_changed_since_forward(backend: Backend) -> None:
    """The gradient would be that of other parameters."""
    layer = Affine(backend.asarray(np.eye(2)), backend.asarray(np.zeros(2)))
    y = sum(layer(Variable(backend.asarray([[1.0, 2.0]]))))
    y.backward()
    layer.params["W"] = 3.0 * layer.params["W"]
    with pytest.raises(RuntimeError, match="Affine: its parameter W has changed since its forward"):
        y.backward()


def test_layers_of_a_network(backend: Backend, rng: np.random.Generator) -> None:
    layer = Affine(rng.standard_normal((3, 2)), rng.standard_normal(2)).to(backend)
    x = Variable(backend.asarray(rng.standard_normal((4, 3))), "x")
    y = sum(ReLU()(layer(x)))
    y.backward()
    by_hand, relu_ = Affine(layer.W, layer.b), ReLU()
    out = relu_.forward(by_hand.forward(x.value, training=True), training=True)
    dx = by_hand.backward(relu_.backward(backend.asarray(np.ones(out.shape))))
    np.testing.assert_allclose(backend.to_numpy(x.grad), backend.to_numpy(dx))
    np.testing.assert_allclose(backend.to_numpy(layer.grads["W"]), backend.to_numpy(by_hand.grads["W"]))
    assert [(n.label, n.detail) for n in y.graph().nodes if n.kind.value == "layer"] == [
        ("Affine", "W 3×2, b 2 numbers")
    ]


def test_inputs_that_cannot_change_places_are_named() -> None:
    a, b = Variable(3.0, "a"), Variable(2.0, "b")
    c = a + b
    c.name = "c"
    for y, names in (
        (c - b, ["left: c", "right"]),
        (c / b, ["left: c", "right"]),
        (c**b, ["left: c", "right"]),
        (c * b, ["c", ""]),
    ):
        assert [edge.name for edge in y.graph().edges[2:4]] == names


@pytest.mark.parametrize("function", [lambda x: x * x, lambda x: x + 6.0, lambda x: sum(x * x), np.exp])
def test_copies(function: Callable[[Variable], Variable]) -> None:
    """A copy has the values; how it was computed stays with the original."""
    x = Variable(3.0, "x")
    y = function(x)
    y.backward()
    before = [edge.backward for edge in y.graph().edges]
    for copied in (copy.deepcopy(y), pickle.loads(pickle.dumps(y))):
        assert copied.value == y.value
        with pytest.raises(RuntimeError, match="or copied"):
            copied.graph()
    assert [edge.backward for edge in y.graph().edges] == before


def test_a_long_expression() -> None:
    x = y = Variable(1.0, "x")
    for _ in range(3000):
        y = y * 1.0001
    y.backward()
    assert x.grad == pytest.approx(1.0001**3000)
    assert "too large to draw in full: 6,002 nodes" in y.graph().to_svg()


@pytest.mark.parametrize(("value", "error", "message"), [
    (True, TypeError, "expected a number, a list or an array, got bool"),
    ("2", TypeError, "expected a number, a list or an array, got str"),
    (None, TypeError, "got NoneType"),
    (Variable(1.0), TypeError, "got Variable"),
    (1j, TypeError, "got complex"),
    ([[1.0], [1.0, 2.0]], TypeError, "expected numbers in rows of one length"),
    (["a"], TypeError, "expected numbers in rows of one length"),
    (np.ones(2) > 0, TypeError, "expected real numbers, got bool"),
    (np.ones(2) * 1j, TypeError, "expected real numbers, got complex128"),
])  # fmt: skip
def test_what_is_no_value(value: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Variable(value)
    with pytest.raises(error) if not isinstance(value, Variable) else pytest.MonkeyPatch.context():
        Variable(1.0) + value


def test_values_of_every_kind(backend: Backend) -> None:
    assert Variable(np.float32(0.5)).value == 0.5
    assert type(Variable(np.int64(3)).value) is int
    assert Variable([1, 2]).value.dtype == np.float64
    for dtype in ("float32", "float64", "int64"):
        array = backend.asarray([1, 2], dtype=dtype)
        found = Variable(array).value
        assert backend.owns(found)
        assert found.dtype == array.dtype


@pytest.mark.parametrize(("dout", "message"), [
    (None, r"a result of shape \(2,\) needs the gradient that comes back to it, y\.backward\(dout\)"),
    ([1.0, 2.0, 3.0], r"expected dout \(2,\), got \(3,\)"),
    (1.0, r"expected dout \(2,\), got \(\)"),
])  # fmt: skip
def test_a_dout_that_does_not_fit(dout: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        (Variable([1.0, 2.0]) * 2).backward(dout)


def test_backward_of_what_has_no_gradient() -> None:
    with pytest.raises(TypeError, match="whole numbers, which have no gradient"):
        Variable(np.arange(3)).backward()
    with pytest.raises(TypeError, match="got a Variable; give its value"):
        Variable(1.0).backward(Variable(1.0))
    with pytest.raises(ValueError, match="needs the gradient"):
        (Variable([1.0, 2.0]) * 2).graph()


def test_plain_arguments_of_a_node() -> None:
    for inputs, given in (((1.0, 2.0), "float, float"), ((np.ones(2),), "ndarray"), ((), "nothing")):
        message = rf"Mul: expected variables \(backprop\.graphs\.Variable\), got {given}; arrays and numbers go to Mul\.forward"
        with pytest.raises(TypeError, match=message):
            Mul()(*inputs)


class Squared(Node):
    """A node in the style of the book, which keeps what it needs itself."""

    def forward(self, x: Any, *, training: bool = False) -> Any:
        self.x = x
        return x * x

    def backward(self, dout: Any) -> Any:
        return 2.0 * self.x * dout


def test_a_node_of_ones_own() -> None:
    x = Variable(3.0, "x")
    y = Squared()(x)
    y.backward()
    assert (y.value, x.grad) == (9.0, 6.0)
    assert [node.label for node in y.graph().nodes] == ["x", "Squared", "result"]
    node = Squared()
    z = node(node(x))
    with pytest.raises(RuntimeError, match="give every place its own Squared"):
        z.backward()


def test_whole_numbers_of_arrays_become_floats(backend: Backend) -> None:
    """A one-hot target, say; a layer that wants whole numbers, such as labels, gets them as they are."""
    p = Variable(backend.asarray([0.1, 0.2, 0.7], dtype="float32"), "p")
    loss = -sum(p * backend.asarray([0, 0, 1], dtype="int64"))
    loss.backward()
    np.testing.assert_array_equal(backend.to_numpy(p.grad), [0.0, 0.0, -1.0])
    assert dtype_name(loss.value.dtype) == "float32"
    n = Variable(backend.asarray([1, 2, 3], dtype="int64"), "n")
    y = sum(n**2 * 0.5)
    y.backward()
    assert dtype_name(y.value.dtype) == "float64"
    np.testing.assert_array_equal(backend.to_numpy(n.grad), [1.0, 2.0, 3.0])
    assert dtype_name(n.value.dtype) == "int64"


def test_drawing_changes_no_gradient() -> None:
    x = Variable(2.0, "x")
    y, z = x * 3.0, x * 5.0
    y.backward()
    assert z.graph().edges[0].backward == 5.0
    assert (x.grad, z.grad) == (3.0, None)


def test_numbers_are_formatted() -> None:
    assert f"{Variable(1.0) / 3:.2f} {Variable(2, 'n')}" == "0.33 Variable(2, 'n')"


def test_a_name_is_text() -> None:
    with pytest.raises(TypeError, match="expected its name as text, got 2"):
        Variable(100, 2)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="the number is too large"):
        Variable(10**400)


def test_a_graph_without_a_gradient_says_what_to_write() -> None:
    y = Variable([1.5, -2.25]) * Variable([3.0, 4.0])
    message = (
        r"^graph: a result of shape \(2,\) needs the gradient that comes back to it, y\.backward\(dout\) before "
        r"y\.graph\(\); or make a number of it first, backprop\.graphs\.sum\(y\)\.graph\(\)$"
    )
    with pytest.raises(ValueError, match=message):
        y.graph()
    assert sum(y).graph().edges[-1].forward == -4.5
    y.backward([1.0, 1.0])
    assert y.graph().edges[-1].backward.tolist() == [1.0, 1.0]
    with pytest.raises(TypeError, match=r"^graph: .* has whole numbers"):
        Variable(np.arange(2)).graph()


def test_a_notebook_shows_the_graph_of_a_variable() -> None:
    price = apples()[0]
    assert price._repr_html_() == price.graph("Variable(715, 'price')")._repr_html_()
    assert price.grad is None


@pytest.mark.parametrize("make", [
    lambda: Variable(2.0, "<b>"),
    lambda: Variable([1.0, 2.0]) * 3.0,
    lambda: Variable(np.arange(2)),
    lambda: copy.deepcopy(Variable(2.0) * 3.0),
])  # fmt: skip
def test_a_notebook_shows_a_variable_without_a_graph_as_text(make: Callable[[], Variable]) -> None:
    variable = make()
    assert variable._repr_html_() == html.paragraph(repr(variable))


def test_showing_a_variable_changes_no_gradients_of_layers() -> None:
    layer = Affine(np.eye(2), np.ones(2))
    y = sum(layer(Variable([[1.0, 2.0]])))
    assert "<svg" not in y._repr_html_()
    y.backward(3.0)
    before = layer.grads["W"].copy()
    assert "<svg" in y._repr_html_()
    np.testing.assert_array_equal(layer.grads["W"], before)
