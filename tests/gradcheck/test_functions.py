"""The gradient check of plain functions, in any array library."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from backends import Backend, namespace_of
from backprop import check_gradients
from backprop.gradcheck import promises
from backprop.gradcheck.libraries import Library
from backprop.gradcheck.subject import on_host


def cubes(x: Any) -> Any:
    return namespace_of(x).sum(x * x * x)


def cubes_gradient(x: Any) -> Any:
    return 3.0 * x * x


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
    assert one.problems == ("product.b: backward gives no gradient",)


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
        "Obscure.x2: backward gives no gradient",
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
    assert "f gives another value when it is called again with the same argument" in random.problems


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


def test_questions_about_functions_that_make_no_sense() -> None:
    x = np.ones(2)
    with pytest.raises(
        TypeError, match=r"expected its gradient and its arguments, check_gradients\(f, grad, x\), got 1"
    ):
        check_gradients(cubes, x)
    with pytest.raises(TypeError, match=r"expected its gradient and its arguments"):
        check_gradients(cubes, x, x)
    with pytest.raises(TypeError, match="expected real arguments, got complex128"):
        check_gradients(cubes, cubes_gradient, x * 1j)
    with pytest.raises(TypeError, match="expected a layer, a loss, a network or a function, got 3"):
        check_gradients(3, x)  # type: ignore[arg-type]


class Square:
    """What a newcomer writes: the methods of a layer, but no Layer."""

    def forward(self, x: Any) -> Any:
        return x * x

    def backward(self, dout: Any) -> Any:
        return dout


@pytest.mark.parametrize("subject", [Square, Square()])
def test_class_that_is_no_layer(subject: Any) -> None:
    with pytest.raises(TypeError, match=r"Square is no Layer: derive it from backprop.layers.Layer"):
        check_gradients(subject, np.ones(2))


def test_library_without_a_backend() -> None:
    """The array API standard is enough; NumPy's own namespace stands for such a library."""
    library = Library(np.ones(2, np.float32))
    assert (library.asarray([1, 2]).dtype, library.asarray([1, 2]).tolist()) == (np.float64, [1.0, 2.0])
    assert library.asarray([1, 2], dtype="float32").dtype == np.float32
    assert (library.name, library.device) == ("numpy", "cpu")
    assert library.to_numpy(np.ones(2)).tolist() == [1.0, 1.0]


def test_what_comes_to_the_host_is_a_copy_in_float64(backend: Backend) -> None:
    for values in (
        np.ones(2, np.float32),
        np.ones(2, np.int64),
        np.ones(2),
        backend.asarray([1.0, 1.0]),
        [1, 1],
    ):
        host = on_host(values)
        assert (type(host), host.dtype, host.tolist()) == (np.ndarray, np.float64, [1.0, 1.0])
        assert not isinstance(values, np.ndarray) or not np.may_share_memory(host, values)
    assert on_host(3).dtype == np.float64


def test_library_without_float64() -> None:
    class Single:
        float64 = np.float32

        def asarray(self, values: Any, dtype: Any, device: Any) -> Any:
            return np.asarray(values, dtype)

    class Alien:
        device = "cpu"

        def __array_namespace__(self) -> Any:
            return Single()

    with pytest.raises(TypeError, match="differences need float64, but tests makes float32 of it here$"):
        check_gradients(cubes, cubes_gradient, Alien())
    Alien.__module__ = "jaxlib.of_a_kind"
    with pytest.raises(
        TypeError, match=r"jaxlib makes float32 of it here; set jax.config.update\('jax_enable"
    ):
        check_gradients(cubes, cubes_gradient, Alien())


class Foreign:
    """An array of a library that nobody knows, on a device of its own."""

    def __init__(self, values: Any) -> None:
        self.values = np.array(values)
        self.device, self.shape, self.dtype = "elsewhere", self.values.shape, self.values.dtype

    def __array_namespace__(self) -> Any:
        return ForeignNamespace

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.array(self.values, dtype)

    def __mul__(self, other: Foreign) -> Foreign:
        return Foreign(self.values * other.values)


class ForeignNamespace:
    float64 = np.float64

    @staticmethod
    def asarray(values: Any, *, dtype: Any = None, device: Any = "elsewhere", copy: Any = None) -> Foreign:
        assert device == "elsewhere"
        return Foreign(np.array(values, dtype))


def test_arrays_of_an_unknown_library_stay_what_they_are() -> None:
    seen: set[type] = set()

    def f(x: Foreign, y: Foreign) -> Foreign:
        seen.update({type(x), type(y)})
        return Foreign(x.values * y.values)

    def gradient(x: Foreign, y: Foreign, dout: Foreign) -> tuple[Foreign, Foreign]:
        seen.add(type(dout))
        return dout * y, dout * x

    x, y = Foreign([1.0, -2.0]), Foreign([3.0, 0.5])
    report = check_gradients(f, gradient, x, y)
    assert report.passed, f"\n{report}"
    assert (report.subject, report.backend, report.device) == ("f", "tests", "elsewhere")
    assert seen == {Foreign}
    assert check_gradients(f, lambda x, y, dout: (dout * x, dout * y), x, y).failed
    x.dtype = SimpleNamespace(name="bfloat16")
    assert check_gradients(f, gradient, x, y).passed
    x.dtype = SimpleNamespace(name="string")
    with pytest.raises(TypeError, match="expected real arguments, got string"):
        check_gradients(f, gradient, x, y)


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
        assert "f computes from the very array that was given for w, not from its argument" in str(report)
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
