"""Replays on NumPy: every function and operator of the closed list, to the last bit."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backends.numpy.namespace import REPLACEMENTS
from backends.standard import FUNCTIONS, IN_PLACE, OPERATORS

from .recording import backend, filled, same

BODIES: dict[str, Callable[..., Any]] = {
    **{
        name: lambda xp, s, x, name=name: getattr(xp, name)(x)
        for name in ["abs", "acos", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "exp", "expm1", "floor", "isfinite", "isinf", "isnan", "log", "log10", "log1p", "log2", "negative", "positive", "reciprocal", "round", "sign", "signbit", "sin", "sinh", "sqrt", "square", "tan", "tanh", "trunc", "argmax", "argmin", "matrix_transpose", "max", "mean", "min", "prod", "std", "sum", "var", "all", "any", "count_nonzero", "empty_like", "zeros_like", "ones_like", "tril", "triu"]
    },
    **{
        name: lambda xp, s, x, name=name: getattr(xp, name)(x, s["b"])
        for name in ["add", "atan2", "copysign", "divide", "equal", "floor_divide", "greater", "greater_equal", "hypot", "less", "less_equal", "logaddexp", "maximum", "minimum", "multiply", "nextafter", "not_equal", "pow", "remainder", "subtract"]
    },
    **{
        name: lambda xp, s, x, name=name: getattr(xp, name)(x > 0.4, s["b"] > 0.5)
        for name in ["logical_and", "logical_or", "logical_xor", "bitwise_and", "bitwise_or", "bitwise_xor"]
    },
    "acosh": lambda xp, s, x: xp.acosh(x + 1.0),
    "logical_not": lambda xp, s, x: xp.logical_not(x > 0.4),
    "bitwise_invert": lambda xp, s, x: xp.bitwise_invert(x > 0.4),
    "bitwise_left_shift": lambda xp, s, x: xp.bitwise_left_shift(xp.astype(x * 9, xp.int64), 2),
    "bitwise_right_shift": lambda xp, s, x: xp.bitwise_right_shift(xp.astype(x * 99, xp.int64), 2),
    "clip": lambda xp, s, x: (xp.clip(x, 0.3, 0.6), xp.clip(x, 0.3), xp.clip(x, max=0.4), xp.clip(x, s["row"], None)),
    "where": lambda xp, s, x: (xp.where(x > 0.5, x, 0.0), xp.where(x > 0.5, s["b"], x), xp.where(x > s["row"], 1.0, x)),
    "argsort": lambda xp, s, x: xp.argsort(x, axis=1),
    "sort": lambda xp, s, x: xp.sort(x, axis=0),
    "cumulative_sum": lambda xp, s, x: xp.cumulative_sum(x, axis=0),
    "cumulative_prod": lambda xp, s, x: xp.cumulative_prod(x, axis=0),
    "diff": lambda xp, s, x: xp.diff(x, axis=0),
    "matmul": lambda xp, s, x: (xp.matmul(x, s["square"]), xp.matmul(x, s["row"]), xp.matmul(s["row"], s["square"])),
    "tensordot": lambda xp, s, x: xp.tensordot(x, s["square"], axes=1),
    "vecdot": lambda xp, s, x: xp.vecdot(x, s["b"]),
    "take": lambda xp, s, x: xp.take(x, xp.astype(s["row"] * 4, xp.int64), axis=0),
    "take_along_axis": lambda xp, s, x: xp.take_along_axis(x, xp.argsort(x, axis=1), axis=1),
    "astype": lambda xp, s, x: (xp.astype(x, xp.float64), xp.astype(x, xp.float32, copy=False), xp.astype(x > 0.5, x.dtype)),
    "broadcast_arrays": lambda xp, s, x: xp.broadcast_arrays(x, s["row"])[1] * 2.0,
    "broadcast_to": lambda xp, s, x: xp.broadcast_to(s["row"], (5, 4)) + x,
    "concat": lambda xp, s, x: xp.concat([x, s["b"]], axis=1),
    "expand_dims": lambda xp, s, x: xp.expand_dims(x, axis=1) * 2.0,
    "flip": lambda xp, s, x: xp.flip(x, axis=1) + 1.0,
    "moveaxis": lambda xp, s, x: xp.moveaxis(x, 0, 1) * 2.0,
    "permute_dims": lambda xp, s, x: xp.permute_dims(x, (1, 0)) * 2.0,
    "reshape": lambda xp, s, x: (xp.reshape(x, (2, 10)) * 2.0, xp.reshape(xp.permute_dims(x, (1, 0)), (-1,)), xp.reshape(xp.sum(x), (1,))),
    "roll": lambda xp, s, x: xp.roll(x, 1, axis=0),
    "squeeze": lambda xp, s, x: xp.squeeze(x[:1, ...], axis=0) * 2.0,
    "stack": lambda xp, s, x: xp.stack([x, s["b"]]),
    "tile": lambda xp, s, x: xp.tile(x, (2, 1)),
    "unstack": lambda xp, s, x: xp.unstack(x)[2] * 2.0,
    "arange": lambda xp, s, x: x[0, ...] * xp.astype(xp.arange(4), x.dtype),
    "asarray": lambda xp, s, x: (xp.asarray(x) * 2.0, xp.asarray(x, copy=True), x * xp.asarray(2.0, dtype=x.dtype)),
    "eye": lambda xp, s, x: x @ xp.eye(4, dtype=x.dtype),
    "full": lambda xp, s, x: (xp.full((5, 4), 0.5, dtype=x.dtype) + x, xp.full((5, 4), xp.sum(x)), xp.full((5, 4), fill_value=xp.max(x))),
    "full_like": lambda xp, s, x: (xp.full_like(x, 0.5) + x, xp.full_like(x, xp.sum(x)), xp.full_like(x, fill_value=xp.max(x))),
    "linspace": lambda xp, s, x: xp.astype(xp.linspace(0.0, 1.0, 4), x.dtype) + x,
    "ones": lambda xp, s, x: xp.ones((5, 4), dtype=x.dtype) + x,
}  # fmt: skip


BODIES |= {"zeros": filled, "empty": filled}


BODIES["empty_like"] = lambda xp, s, x: filled(xp, s, x)[0] + xp.sum(x)


def test_every_function_of_the_list_has_a_body() -> None:
    assert set(BODIES) == FUNCTIONS
    assert set(REPLACEMENTS) <= FUNCTIONS


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_functions(name: str, dtype: str) -> None:
    replay = same(BODIES[name], dtype)
    if name not in ("asarray", "broadcast_arrays", "unstack", "empty_like"):
        views = (
            "matrix_transpose",
            "expand_dims",
            "flip",
            "moveaxis",
            "permute_dims",
            "squeeze",
            "broadcast_to",
        )
        assert name in views or name in {call.name for call in replay.recorded}


@pytest.mark.parametrize("fill", [0.0, 1.0])
@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_functions_recorded_where_others_give_the_same(name: str, fill: float) -> None:
    """Of zeros and ones a root is a square, and a product a minimum."""
    with np.errstate(all="ignore"):
        same(BODIES[name], fill=fill)


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("name", ["sum", "max", "min", "mean", "prod", "any", "count_nonzero", "argmax"])
def test_reductions(name: str, keepdims: bool, axis: Any) -> None:
    if name == "argmax" and isinstance(axis, tuple):
        return

    def body(xp: Any, s: Any, x: Any) -> Any:
        reduce = getattr(xp, name)
        transposed = xp.permute_dims(x, (1, 0)) * 1.0
        results = [reduce(y, axis=axis, keepdims=keepdims) for y in (x, transposed, s["long"] + x[0, 0])]
        return tuple(y * 1.0 for y in results)

    same(body)


@pytest.mark.parametrize("dtype", ["float32", "int64"])
@pytest.mark.parametrize("name", OPERATORS)
def test_operators(name: str, dtype: str) -> None:
    function = OPERATORS[name]
    if (name in ("and", "or", "xor", "lshift", "rshift")) != (dtype == "int64"):
        return

    def body(xp: Any, s: Any, x: Any) -> Any:
        if name == "matmul":
            return x @ s["square"], x @ s["row"], s["row"] @ s["square"]
        number = x[0, 1]
        total = xp.sum(x[1, ...])
        return (
            function(x, s["b"]), function(x, s["row"]), function(x, 2), function(3, x), function(x, number),
            function(total, x), function(total, number), function(total, 2), function(2, total),
        )  # fmt: skip

    same(body, dtype)


@pytest.mark.parametrize("dtype", ["float32", "int64"])
@pytest.mark.parametrize("name", IN_PLACE)
def test_operators_in_place(name: str, dtype: str) -> None:
    function = IN_PLACE[name]
    if (name in ("and", "or", "xor", "lshift", "rshift")) != (dtype == "int64") and name != "add":
        return
    if dtype == "int64" and name == "truediv":
        return

    def body(xp: Any, s: Any, x: Any) -> Any:
        y, total = x * 1 if dtype == "int64" else x * 1.0, xp.sum(x)
        before = total
        y = function(y, s["b"])
        y = function(y, 2)
        y = function(y, s["row"][1])
        y[1:3, :] = function(y[1:3, :], x[0:2, :])
        total = function(total, 2)  # a number of NumPy's is replaced, not changed
        return y, total, before

    same(body, dtype)


def test_comparisons_and_signs() -> None:
    def body(xp: Any, s: Any, x: Any) -> Any:
        number = xp.sum(x)
        compared = [
            f(x, s["b"])
            for f in (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge)
        ]
        return (*compared, x > 0.5, number > 9.0, -x, +x, abs(-x), ~(x > 0.5), -number, abs(number))

    same(body)


def test_the_state_is_changed_in_place_and_by_key() -> None:
    def body(xp: Any, s: Any, x: Any) -> Any:
        s["a"] += x
        s["row"] = 0.9 * s["row"] + xp.sum(x, axis=0)
        s["b"][1:3, :] *= s["row"]
        backend.write_out(s["square"], xp.matmul, xp.matrix_transpose(x), s["b"])
        backend.write_out(s["row"], xp.sum, s["b"], axis=0)
        backend.write_out(s["long"][:, :4], xp.permute_dims, x[:3, :] * 1.0, (0, 1))
        return s["a"] * 1.0

    same(body)


def test_scalars() -> None:
    """NumPy gives numbers for 0-d results, whose powers are other functions than those of arrays."""

    def body(xp: Any, s: Any, x: Any) -> Any:
        norm, n = xp.sum(x * x) ** 0.5, xp.mean(x)
        return norm, x / norm, n**-1, n**3, n // 0.3, n % 0.3, (x * x) ** 0.5, x**2, x**-1, x**0.25, 2.0**n

    for dtype in ("float32", "float64"):
        same(body, dtype, times=40)


def test_a_scalar_stays_when_its_array_changes() -> None:
    def body(xp: Any, s: Any, x: Any) -> Any:
        y = x * 1.0
        of_a_result, of_the_state = y[0, 1], s["a"][0, 0]
        y += 1.0
        s["a"] += x
        return of_a_result * x, of_the_state * x, y

    same(body)


def test_scalars_of_an_input() -> None:
    def body(xp: Any, s: Any, x: Any) -> Any:
        n = total = x[1, 2]
        total += 1.0
        return n**3, n**-1, n // 0.3, n % 0.3, total, n, x[1, 2], n == x[1, 2]

    for dtype in ("float32", "float64"):
        same(body, dtype, times=40)

    def function(state: Any, x: Any) -> tuple[Any, ...]:
        return (x[1] * x, x[-1] ** 3)

    replay = backend.record(function, [{}], [np.ones(3)])
    for values in np.random.default_rng(0).random((5, 3)):
        for ours, expected in zip(replay(values), function({}, values), strict=True):
            np.testing.assert_array_equal(ours, expected)


def test_a_list_may_change_after_its_use() -> None:
    def body(xp: Any, s: Any, x: Any) -> Any:
        times = [2, 1]
        tiled = xp.tile(x, times)
        times.reverse()
        return tiled, xp.tile(x, times)

    same(body)


def test_a_scalar_s_transpose_is_a_scalar() -> None:
    def body(xp: Any, s: Any, x: Any) -> Any:
        number = xp.sum(x)
        other = number.T
        other += 1.0
        return number, other, number.T**3

    for dtype in ("float32", "float64"):
        same(body, dtype, times=40)
