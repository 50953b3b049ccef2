"""Plain functions and gradients that somebody has written."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from backends import Backend, namespace_of
from backprop import check_gradients
from backprop.gradcheck import promises

from .functions import cubes, cubes_gradient


def test_number_of_an_array(backend: Backend, rng: np.random.Generator) -> None:
    x = backend.asarray(rng.standard_normal((3, 4)))
    report = check_gradients(cubes, cubes_gradient, x)
    assert report.passed, f"\n{report}"
    (entry,) = report.entries
    assert (entry.layer, entry.parameter, entry.shape) == ("cubes", "x", (3, 4))
    assert (report.subject, report.backend, report.device) == ("cubes", backend.name, backend.device)
    wrong = check_gradients(cubes, lambda x: 3.00003 * x * x, x)
    assert wrong.entries[0].verdict == "FAILED"
    assert wrong.entries[0].error == pytest.approx(1e-5, rel=1e-3)


def test_array_of_an_array(backend: Backend, rng: np.random.Generator) -> None:
    """Its gradient takes dout, too."""

    def exp(x: Any) -> Any:
        return namespace_of(x).exp(x)

    x = backend.asarray(rng.standard_normal((3, 4)))
    assert check_gradients(exp, lambda x, dout: dout * exp(x), x).passed
    assert check_gradients(exp, lambda x, dout: dout * dout * exp(x), x).failed
    without = check_gradients(exp, exp, x)
    assert without.problems[0].startswith("raised TypeError: ")
    assert "takes 1 positional argument but 2 were given" in without.problems[0]


def test_several_arguments(backend: Backend, rng: np.random.Generator) -> None:
    def product(a: Any, b: Any) -> Any:
        return namespace_of(a).matmul(a, b)

    def gradient(a: Any, b: Any, dout: Any) -> tuple[Any, Any]:
        xp = namespace_of(a)
        return xp.matmul(dout, xp.matrix_transpose(b)), xp.matmul(xp.matrix_transpose(a), dout)

    a, b = (backend.asarray(rng.standard_normal(shape)) for shape in ((2, 3), (3, 4)))
    report = check_gradients(product, gradient, a, b)
    assert report.passed, f"\n{report}"
    assert [entry.parameter for entry in report.entries] == ["a", "b"]
    half = check_gradients(product, lambda a, b, dout: (gradient(a, b, dout)[0], b * 0.0), a, b)
    assert [entry.verdict for entry in half.entries] == ["passed", "FAILED"]
    one = check_gradients(product, lambda a, b, dout: gradient(a, b, dout)[:1], a, b)
    assert one.problems == ("product.b: backward returns no gradient",)


def test_numbers_lists_and_integers() -> None:
    assert check_gradients(lambda x: x**3, lambda x: 3 * x**2, 2).passed
    assert check_gradients(cubes, cubes_gradient, [1.0, 2.0]).passed
    assert check_gradients(cubes, cubes_gradient, np.asarray([1, 2], np.uint8)).passed
    assert check_gradients(np.linalg.norm, lambda x: x / np.linalg.norm(x), np.asarray([3.0, 4.0])).passed


class Cube:
    """A function without a name."""

    def __call__(self, x: Any) -> Any:
        return cubes(x)


class Obscure:
    """A function, or two arguments' product, that does not tell its arguments' names."""

    __signature__ = 3

    def __call__(self, *arguments: Any) -> Any:
        return np.sum(np.prod(np.stack(arguments), axis=0))


def test_names_of_functions_and_arguments() -> None:
    def named(report: Any) -> list[tuple[str, str]]:
        assert report.passed, f"\n{report}"
        return [(entry.layer, entry.parameter) for entry in report.entries]

    x, y = np.asarray([1.0, 2.0]), np.asarray([3.0, -1.0])
    assert named(check_gradients(Cube(), cubes_gradient, x)) == [("Cube", "x")]
    assert named(check_gradients(Obscure(), np.ones_like, x)) == [("Obscure", "x")]
    for product, name in ((Obscure(), "Obscure"), (lambda *xs: Obscure()(*xs), "<lambda>")):
        report = check_gradients(product, lambda a, b: (b, a), x, y)
        assert named(report) == [(name, "x1"), (name, "x2")]
        assert report.subject == name


def test_a_gradient_is_a_list_of_numbers_or_a_tuple_of_arrays() -> None:
    x, y = np.asarray([1.0, 2.0]), np.asarray([3.0, -1.0])
    assert check_gradients(cubes, lambda x: [3.0 * v * v for v in x], x).passed
    assert check_gradients(Obscure(), lambda a, b: [b, a], x, y).passed
    stacked = check_gradients(Obscure(), lambda a, b: np.stack([b, a]), x, y)
    assert stacked.problems == (
        "Obscure.x1: a gradient of shape (2, 2), expected (2,)",
        "Obscure.x2: backward returns no gradient",
    )


@pytest.mark.parametrize(
    ("promise", "name"),
    [
        ("_inputs_left_alone", "arguments"),
        ("_computes_from_arguments", "captured arrays"),
        ("_values_repeat", "repetition"),
        ("_zero_in_zero_out", "zero"),
    ],
)
def test_a_promise_that_cannot_be_tried_is_named(
    promise: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise ArithmeticError("no luck")

    monkeypatch.setattr(promises, promise, fail)
    report = check_gradients(cubes, cubes_gradient, np.ones(2))
    assert report.problems == (f"{name}: raised ArithmeticError: no luck",)


def test_what_a_function_must_not_do(rng: np.random.Generator) -> None:
    x = np.asarray([1.0, 2.0])

    def changes(x: Any) -> Any:
        value = cubes(x)
        x[0] = 7.0
        return value

    assert "f changes its argument x" in check_gradients(changes, cubes_gradient, x).problems
    assert "its gradient changes its argument x" in check_gradients(cubes, changes_gradient, x).problems
    assert x.tolist() == [1.0, 2.0]
    random = check_gradients(lambda x: cubes(x) + 1e-30 * rng.random(), cubes_gradient, x)
    assert random.passed  # too little to change a digit
    random = check_gradients(lambda x: cubes(x) + 1e-9 * rng.random(), cubes_gradient, x)
    assert "f returns another value when called again with the same argument" in random.problems


def changes_gradient(x: Any) -> Any:
    gradient = cubes_gradient(x)
    x[0] = 7.0
    return gradient


def test_kink_of_a_function() -> None:
    near = check_gradients(lambda x: np.abs(x).sum(), np.sign, np.asarray([1e-6, -1.0]))
    assert near.passed, f"\n{near}"
    there = check_gradients(
        lambda x: np.maximum(x, 0.0).sum(), lambda x: 1.0 * (x > 0), np.asarray([0.0, 1.0])
    )
    assert there.entries[0].verdict == "unresolved"


def test_wrong_shape() -> None:
    report = check_gradients(cubes, lambda x: 3.0, np.ones(2))
    assert report.problems == ("cubes.x: a gradient of shape (), expected (2,)",)


def test_outside_its_domain_a_function_may_raise() -> None:
    def f(x: Any) -> float:
        return math.log(float(x[0])) + float(x[1])

    def check(x: float) -> Any:
        return check_gradients(f, lambda x: np.asarray([1.0 / x[0], 1.0]), np.asarray([x, 100.0]))

    assert check(1e-3).passed
    assert not check(1e-8).failed
    with pytest.raises(ValueError, match="math domain error"):
        check_gradients(f, lambda x: x, np.asarray([-1.0, 0.0]))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_function_that_reads_a_captured_array_is_named(dtype: str) -> None:
    x = np.asarray([1.0, 2.0], dtype=dtype)
    kept = x.copy()
    for f, gradient in (
        (lambda w: np.sum(x**2), lambda w: 0.0 * w),
        (lambda w: np.sum(x * w), lambda w: kept),
    ):
        report = check_gradients(f, gradient, x)
        assert report.failed
        assert "f uses the very array that was given for w instead of its argument" in str(report)
        assert x.tolist() == kept.tolist()


def test_values_and_gradients_are_real_numbers() -> None:
    x = np.asarray([1.0, 2.0])
    with pytest.raises(TypeError, match="expected real values of f, got bool"):
        check_gradients(lambda x: np.sum(x) > 2.0, lambda x: 0.0 * x, x)
    with pytest.raises(TypeError, match="expected real values of f, got complex128"):
        check_gradients(lambda x: np.sum(x * (1.0 + 1.0j)), lambda x: 1.0 + 0.0 * x, x)
    report = check_gradients(lambda x: np.sum(x), lambda x: x * 0.0 + (1.0 + 1.0j), x)
    assert report.failed
    assert "expected real gradients, got complex128" in str(report)
