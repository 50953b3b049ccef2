"""Fused functions against the functions themselves, and what a kernel cannot be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backends import Array, Backend, Namespace, fused, namespace_of
from backends.cupy.fusion import Kernel
from tests.fused_functions import CASES, Case, Kind, fused_functions

pytestmark = pytest.mark.only("cupy")
PRECISION = {"float16": 5e-3, "float32": 2e-5, "float64": 1e-12}
FUSED = fused_functions()


def given(case: Case, dtype: str, backend: Backend, layout: str) -> list[Any]:
    """The arguments on the device, the same at every call."""
    rng = np.random.default_rng(0)
    arguments = []
    for kind in case.arguments:
        if not isinstance(kind, Kind):
            arguments.append(kind)
            continue
        numbers = kind.numbers(dtype, rng)
        x = backend.asarray(numbers)
        if layout == "transposed":
            x = backend.asarray(numbers.T.copy()).T
        elif layout == "every second":
            x = backend.asarray(np.repeat(numbers, 2, axis=-1))[..., ::2] if numbers.ndim else x
        arguments.append(x)
    return arguments


def as_tuple(results: Any) -> tuple[Any, ...]:
    return results if isinstance(results, tuple) else (results,)


def test_every_fused_function_has_a_case(backend: Backend) -> None:
    assert FUSED.keys() == CASES.keys()


@pytest.mark.parametrize("layout", ["whole", "transposed", "every second"])
@pytest.mark.parametrize("dtype", PRECISION)
@pytest.mark.parametrize("name", CASES)
def test_a_kernel_computes_what_the_function_does(
    name: str, dtype: str, layout: str, backend: Backend
) -> None:
    function: Any = FUSED[name]
    for case in CASES[name]:
        options = {key: getattr(backend.xp, v) if key == "dtype" else v for key, v in case.options.items()}
        ours, its = (given(case, dtype, backend, layout) for _ in range(2))
        kernels = backend._fusion(function.__wrapped__, options)._kernels  # type: ignore[attr-defined]
        found = as_tuple(function(*ours, **options))
        expected = as_tuple(function.__wrapped__(backend.xp, *its, **options))
        if dtype != "float16":
            assert all(isinstance(kernel, Kernel) for kernel in kernels.values())
        assert len(found) == len(expected)
        for x, y in zip([*found, *ours], [*expected, *its], strict=True):  # arguments may change in place
            if isinstance(y, float | int):
                continue
            assert (x.shape, x.dtype) == (y.shape, y.dtype)
            exact = y.dtype.kind != "f"
            rtol = 0.0 if exact else PRECISION[y.dtype.name]
            np.testing.assert_allclose(backend.to_numpy(x), backend.to_numpy(y), rtol=rtol, atol=rtol)


@fused
def kept(xp: Namespace, x: Array) -> Array:
    return xp.sum(x, axis=0, keepdims=True)


@fused
def summed_in_float64(xp: Namespace, x: Array) -> Array:
    return xp.sum(x, dtype=xp.float64)


@fused
def two_shapes(xp: Namespace, x: Array) -> tuple[Array, Array]:
    return x * 2.0, xp.sum(x, axis=0)


@fused
def other_shape(xp: Namespace, x: Array, y: Array) -> tuple[Array, Array]:
    return x + y, 1.0 / y


@fused
def used_again(xp: Namespace, x: Array) -> Array:
    return x / xp.sum(x)


@fused
def product(xp: Namespace, x: Array) -> Array:
    return xp.matmul(x, xp.matrix_transpose(x))


@fused
def by_value(xp: Namespace, x: Array) -> Array:
    return x if bool(xp.all(x > -100.0)) else -x


@fused
def many(xp: Namespace, first: Array, *others: Array) -> Array:
    for other in others:
        first = first + other
    return first


@pytest.mark.parametrize(
    ("function", "shapes"),
    [
        (kept, [(4, 3)]),
        (summed_in_float64, [(4, 3)]),
        (two_shapes, [(4, 3)]),
        (other_shape, [(4, 3), (3,)]),
        (used_again, [(4, 3)]),
        (product, [(4, 3)]),
        (by_value, [(4, 3)]),
        (many, [(2, 3, 4, 5)] * 60),
    ],
)
def test_what_cannot_be_a_kernel_is_called_as_it_is(
    function: Any, shapes: list[tuple[int, ...]], backend: Backend, rng: np.random.Generator
) -> None:
    host = [rng.standard_normal(shape).astype("float32") for shape in shapes]
    arrays = [backend.asarray(x) for x in host]
    for _ in range(2):  # known the second time
        found = as_tuple(function(*arrays))
        expected = as_tuple(function.__wrapped__(namespace_of(host[0]), *host))
        for x, y in zip(found, expected, strict=True):
            assert (x.shape, x.dtype) == (y.shape, y.dtype)
            np.testing.assert_allclose(backend.to_numpy(x), y, rtol=1e-5, atol=1e-5)
    kernels = backend._fusion(function.__wrapped__, {})._kernels  # type: ignore[attr-defined]
    assert [isinstance(kernel, Kernel) for kernel in kernels.values()] == [False]


def test_numpys_numbers_promote_as_they_do_outside(backend: Backend) -> None:
    @fused
    def scaled(xp: Namespace, x: Array, factor: Any) -> Array:
        return x * factor

    x = backend.asarray([1.0, 2.0], dtype="float32")
    assert scaled(x, 2.0).dtype == np.float32
    assert scaled(x, np.float64(2.0)).dtype == (x * np.float64(2.0)).dtype


def in_place(p: Array, v: Array, g: Array, lr: Any) -> tuple[Array, ...]:
    v *= 0.5
    v -= lr * g
    p += v
    return p, v


def as_new(p: Array, v: Array, g: Array, lr: Any) -> tuple[Array, ...]:
    v = 0.5 * v - lr * g
    return p + v, v


def half_and_half(p: Array, v: Array, g: Array, lr: Any) -> tuple[Array, ...]:
    v *= 0.5
    v -= lr * g
    return p + v, v


def of_numpy(p: Array, v: Array, g: Array, lr: Any) -> tuple[Array, ...]:
    v = 0.5 * v - lr * namespace_of(g).astype(g, g.dtype)
    return p + v, v


def changed_number(p: Array, v: Array, g: Array, lr: Any) -> tuple[Array, ...]:
    half = lr * 1.0
    half *= 0.5
    v = 0.5 * v - (half + half) * g
    return p + v, v


@pytest.mark.parametrize("number", ["float", "array"])
@pytest.mark.parametrize("rule", [in_place, as_new, half_and_half, of_numpy, changed_number])
def test_rules_of_optimizers(rule: Callable[..., tuple[Array, ...]], number: str, backend: Backend) -> None:
    p, v, g = (backend.asarray([k, -2.0 * k], dtype="float32") for k in (1.0, 2.0, 3.0))
    lr = 0.1 if number == "float" else backend.asarray(0.1, dtype="float32")
    new = backend.fuse(rule)(p, v, g, lr)
    for x, values in zip(new, ([1.7, -3.4], [0.7, -1.4]), strict=True):
        assert x.dtype == np.float32
        np.testing.assert_allclose(backend.to_numpy(x), values, rtol=1e-6)
    assert (new[0] is p) == (rule is in_place)
    assert (new[1] is v) == (rule in (in_place, half_and_half))
    np.testing.assert_allclose(backend.to_numpy(g), [3.0, -6.0])


def test_a_number_on_the_device_is_not_changed_by_every_thread(backend: Backend) -> None:
    def rule(p: Array, lr: Array) -> tuple[Array, ...]:
        lr *= 0.5
        p -= lr
        return (p,)

    p, lr = backend.asarray(np.ones(1000)), backend.asarray(1.0)
    backend.fuse(rule)(p, lr)
    assert (float(lr), float(p[0]), float(p[-1])) == (0.5, 0.5, 0.5)


def test_numbers_among_themselves_keep_their_precision(backend: Backend) -> None:
    def rule(p: Array, lr: float, rest: float) -> tuple[Array, ...]:
        return (p * (1.0 - lr * rest),)

    (p,) = backend.fuse(rule)(backend.asarray([1.0, 2.0], dtype="float32"), 0.1, 0.3)
    assert p.dtype == np.float32
    np.testing.assert_allclose(backend.to_numpy(p), [0.97, 1.94], rtol=1e-6)
