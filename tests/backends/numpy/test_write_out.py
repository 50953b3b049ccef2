"""Calls written into given memory: by the out variants that replays need, to the last bit."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backends import get_backend
from backends.numpy import namespace
from backends.numpy.write_out import DIRECT, OUT_VARIANTS, UFUNCS, product, root_is_power

from .recording import backend, filled, same, xp
from .test_namespace import same as close
from .test_namespace import values


def test_any_function_writes_into_an_array() -> None:
    def body(xp: Any, s: Any, x: Any) -> Any:
        backend.write_out(s["a"], xp.sort, x, axis=0)
        backend.write_out(s["b"], xp.exp, x)
        backend.write_out(s["row"], xp.mean, x, axis=0)
        backend.write_out(s["row"], xp.sum, s["square"] + s["row"], axis=1)
        backend.write_out(s["long"][0, :4], xp.sum, x > 0.5, axis=0)
        backend.write_out(s["long"][1, :4], xp.sum, xp.stack([x[:4, :], s["square"]]), axis=(0, 1))
        backend.write_out(s["square"], xp.sort, xp.matrix_transpose(s["square"]), axis=0)
        backend.write_out(s["square"][:2, :], xp.cumulative_sum, s["square"][1:3, :], axis=0)
        backend.write_out(s["square"], xp.where, s["square"] > 0.5, xp.sum(x), 0.5)
        backend.write_out(s["long"], xp.full_like, s["long"] * 1.0, fill_value=xp.max(x))
        return x * 1.0

    same(body)


def test_powers_recorded_of_zeros_and_ones() -> None:
    for fill in (0.0, 1.0):
        same(lambda xp, s, x: (x**0.5, x**2.0, x**0.25, x**1.5, x**1.0, x**2, s["b"] ** x), fill=fill)


def test_overlapping_parts() -> None:
    def body(xp: Any, s: Any, x: Any) -> Any:
        y = x * 1.0
        y[1:, :] = y[:-1, :]
        y[1:, :] += y[:-1, :]
        y += y
        return y

    same(body)


def test_operands_of_any_layout() -> None:
    fortran = np.asfortranarray(np.random.default_rng(3).random((4, 4)).astype("float32"))

    def body(xp: Any, s: Any, x: Any) -> Any:
        mirrored = xp.flip(x, axis=1)
        one, own = x[:1, :], xp.matmul(xp.matrix_transpose(x), x)
        return (
            xp.matmul(mirrored, s["square"]), xp.matmul(x[:, ::2], s["square"][:2, :]), xp.matmul(x, fortran),
            xp.matmul(x, fortran[:, 0]), xp.matmul(one, s["square"]), xp.matmul(one, xp.matrix_transpose(one)),
            xp.matmul(s["square"], xp.permute_dims(x, (1, 0))), own, xp.matmul(x[:, :1], one), xp.sum(mirrored, axis=0),
        )  # fmt: skip

    for dtype in ("float32", "float64"):
        if dtype == "float64":
            fortran = fortran.astype(dtype, order="F")
        same(body, dtype, times=10)


def test_choices_of_two_dtypes() -> None:
    def body(xp: Any, s: Any, x: Any) -> Any:
        wide, whole = xp.astype(x, xp.float64), xp.astype(x * 9.0, xp.int32)
        chosen = x > 0.5
        return (
            xp.where(chosen, wide, s["b"]),
            xp.where(chosen, s["b"], wide),
            xp.where(chosen, whole, x),
            xp.where(chosen, whole, 1),
        )

    same(body)


def test_an_out_variant_that_gives_other_bytes_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def body(xp: Any, s: Any, x: Any) -> Any:
        y = x * 1.0
        y += s["b"]
        return xp.mean(x), y

    monkeypatch.setitem(
        OUT_VARIANTS, namespace.mean, lambda tape, out, x: [functools.partial(out.fill, 0.25)]
    )
    monkeypatch.setitem(UFUNCS, operator.iadd, np.subtract)
    same(body)


HOT: dict[str, Callable[..., Any]] = {
    "products": lambda xp, s, x: (
        xp.matmul(x, s["square"]), xp.matmul(xp.matrix_transpose(x), x * 1.0), xp.matmul(x, s["row"]),
        xp.matmul(s["long"], xp.matrix_transpose(s["long"])), x @ s["square"],
    ),
    "sums": lambda xp, s, x: (
        xp.sum(x), xp.sum(x, axis=0), xp.sum(x, axis=1), xp.sum(x, axis=1, keepdims=True),
        xp.sum(x, axis=0, keepdims=True), xp.sum(s["long"], axis=1), xp.sum(s["long"], axis=(0, 1)),
        xp.sum(xp.matmul(x, s["square"]), axis=1),
    ),
    "maxima": lambda xp, s, x: (
        xp.max(x), xp.max(x, axis=1), xp.max(x, axis=1, keepdims=True), xp.max(s["long"], axis=1),
        xp.maximum(x, 0.5), xp.maximum(x, s["b"]), xp.maximum(xp.sum(x), 0.5), xp.maximum(s["row"], xp.sum(x)),
        xp.minimum(x, 0.5), xp.clip(x, 0.3, 0.6), xp.argmax(x, axis=1), xp.argmax(x),
    ),
    "mean": lambda xp, s, x: xp.mean(x),
    "where": lambda xp, s, x: (
        xp.where(x > 0.5, x, 0.0), xp.where(x > 0.5, -float("inf"), s["b"]),
        xp.where(x > 0.5, xp.sum(x), x), xp.where(x > 0.5, 0.0, xp.sum(x)),
    ),
    "kinds": lambda xp, s, x: (
        xp.astype(x > 0.5, x.dtype), xp.astype(xp.count_nonzero(x > 0.5), x.dtype), xp.reshape(xp.sum(x), (1,)),
        xp.reshape(xp.permute_dims(x, (1, 0)), (-1,)), xp.zeros((2, 3), dtype=x.dtype) + 1.0,
    ),
    "takes": lambda xp, s, x: xp.take(x, xp.astype(x[0, ...] * 4, xp.int64), axis=0),
    "numbers": lambda xp, s, x: (
        (y := x * 2.0), y[0, 1], y[0, 1] * x, s["row"][1] * x, y[2, ...][-1] * 2.0, y[1, 1] / 3.0, xp.sum(x) - 1.0, -xp.sum(x), xp.sum(x) > 9.0,
    ),
    "roots": lambda xp, s, x: x**0.5,
    "assignments": lambda xp, s, x: filled(xp, s, x)[0],
    "into": lambda xp, s, x: (
        backend.write_out(s["square"], xp.matmul, xp.matrix_transpose(x), s["b"]),
        backend.write_out(s["row"], xp.sum, x, axis=0),
        backend.write_out(s["b"], xp.permute_dims, xp.matrix_transpose(x), (1, 0)),
        x * 1.0,
    )[-1],
}  # fmt: skip
"""Calls that the layers and optimizers here make in every step."""


@pytest.mark.parametrize("kind", HOT)
def test_hot_calls_use_their_out_variants(kind: str) -> None:
    replay = same(HOT[kind])
    slow = {"_copy_result", "_with_scalars", "setitem", "write_out", "pow"}
    forms = [getattr(getattr(call, "func", call), "__name__", "") for call in replay._program]
    assert not slow & set(forms), forms
    assert all(not isinstance(getattr(call, "func", None), functools.partial) for call in replay._program)


LEFT, RIGHT = (np.random.default_rng(seed).random((4, 4)) for seed in (0, 1))


PRODUCTS: dict[str, tuple[Any, tuple[np.ndarray, np.ndarray]]] = {
    "matrices": (np.dot, (LEFT, RIGHT)),
    "transposed": (np.dot, (LEFT.T, RIGHT.T)),
    "two rows": (np.dot, (LEFT[:2], RIGHT)),
    "float32": (np.dot, (LEFT.astype("float32"), RIGHT.astype("float32"))),
    "float16": (np.matmul, (LEFT.astype("float16"), RIGHT.astype("float16"))),
    "integers": (np.matmul, (LEFT.astype("int64"), RIGHT.astype("int64"))),
    "two dtypes": (np.matmul, (LEFT, RIGHT.astype("float32"))),
    "own transpose": (np.matmul, (LEFT, LEFT.T)),
    "one row": (np.matmul, (LEFT[:1], RIGHT)),
    "one column": (np.matmul, (LEFT, RIGHT[:, :1].copy())),
    "one number each": (np.matmul, (LEFT[:, :1].copy(), RIGHT[:1])),
    "row and vector": (np.matmul, (LEFT, RIGHT[0])),
    "vector and column": (np.matmul, (LEFT[0], RIGHT)),
    "stack": (np.matmul, (LEFT[None], RIGHT[None])),
    "gaps on the left": (np.matmul, (np.repeat(LEFT, 2, axis=1)[:, ::2], RIGHT)),
    "gaps on the right": (np.matmul, (LEFT, np.repeat(RIGHT, 2, axis=1)[:, ::2])),
}


@pytest.mark.parametrize("kind", PRODUCTS)
def test_products_use_dot_where_it_makes_the_same_call_of_blas(kind: str) -> None:
    function, (a, b) = PRODUCTS[kind]
    expected = np.matmul(a, b)
    out = np.zeros_like(expected, order="C")
    (call,) = product(out, a, b)
    call()
    assert call.func is function
    np.testing.assert_allclose(out, expected, rtol=1e-5)


def test_products_into_arrays_that_dot_cannot_write() -> None:
    for out in (np.zeros((4, 4)).T, np.zeros((4, 8))[:, ::2]):
        (call,) = product(out, LEFT, RIGHT)
        call()
        assert call.func is np.matmul
        np.testing.assert_allclose(out, LEFT @ RIGHT)
    (call,) = product(np.zeros((4, 4)), LEFT.astype("float32"), RIGHT.astype("float32"))
    assert call.func is np.matmul


def test_roots_are_powers_of_floats_only() -> None:
    assert root_is_power(np.dtype("float32"))
    assert not root_is_power(np.dtype("int64"))
    assert len(OUT_VARIANTS) > 15


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_write_out_of_a_called_step(dtype: str) -> None:
    backend = get_backend("cpu")
    x, y = values((7, 3), dtype), values((7, 4), dtype)
    assert set(DIRECT) == {xp.matmul, xp.sum}
    for function, arguments, options in [
        (xp.matmul, (x.T, y), {}),
        (xp.sum, (x,), {"axis": 0}),
        (xp.sum, (x,), {"axis": 1}),
        (xp.exp, (x,), {}),
    ]:
        expected = function(*arguments, **options)
        out = np.full(expected.shape, math.nan, dtype)
        backend.write_out(out, function, *arguments, **options)
        close(out, expected)
