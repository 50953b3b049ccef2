"""Replays on NumPy: every function of the closed list, to the last bit; everything else is refused by name."""

from __future__ import annotations

import copy
import functools
import operator
import pickle
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backends import CaptureError, get_backend, namespace_of
from backends.numpy import namespace
from backends.numpy.bounds import BoundsCheck
from backends.numpy.namespace import REPLACEMENTS
from backends.numpy.replay import NumpyReplay
from backends.numpy.tape import NumpyTape
from backends.numpy.write_out import OUT_VARIANTS, UFUNCS, product, root_is_power
from backends.standard import FUNCTIONS, IN_PLACE, OPERATORS
from backends.tape import Call, Tape
from backends.traced import TracedArray, TracedNamespace

backend = get_backend("cpu")
xp: Any = backend.xp


def arrays(seed: int, dtype: str) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> np.ndarray:
        if dtype == "int64":
            return rng.integers(1, 9, shape)
        return np.asarray(rng.uniform(0.1, 0.9, shape), dtype)

    return {"a": draw(5, 4), "b": draw(5, 4), "row": draw(4), "square": draw(4, 4), "long": draw(3, 40)}


def same(
    body: Callable[..., Any], dtype: str = "float32", times: int = 4, fill: float | None = None
) -> NumpyReplay:
    """`body(xp, state, x)` recorded with one state and inputs, and replayed with others: as it is called."""

    def function(state: Any, x: Any) -> tuple[Any, ...]:
        result = body(namespace_of(x), state, x)
        return result if isinstance(result, tuple) else (result,)

    state, other, first = arrays(0, dtype), arrays(0, dtype), arrays(1, dtype)["a"]
    for values in () if fill is None else (first, *state.values()):
        values[...] = fill
    replay = backend.record(function, [state], [first])
    assert isinstance(replay, NumpyReplay)
    for key in state:
        state[key][...] = other[key]
    for seed in range(1, 1 + times):
        x = arrays(seed, dtype)["a"]
        ours, expected = replay(x), function(other, x.copy())
        for mine, its in zip(ours, expected, strict=True):
            its = np.asarray(its)
            assert (mine.dtype, mine.shape, mine.tobytes()) == (its.dtype, its.shape, its.tobytes())
        for key, values in other.items():
            assert state[key].tobytes() == values.tobytes()
    return replay


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


def filled(xp: Any, s: Any, x: Any) -> Any:
    frame, whole = xp.zeros((7, 4), dtype=x.dtype), xp.empty((5, 4), dtype=xp.int64)
    frame[1:6, :] = x
    frame[0, :] += x[0, :]
    frame[6, 2] = 7.0
    whole[...] = 7
    whole[1, ...] = x[0, :] * 9.5  # as NumPy assigns: converted
    whole[2, 1] = xp.astype(xp.count_nonzero(x > 0.5), xp.int64)
    return frame, whole


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


def test_any_function_into_an_array() -> None:
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


def test_a_function_of_ones_own_into_an_array_is_refused() -> None:
    def body(xp: Any, s: Any, x: Any) -> Any:
        backend.write_out(s["a"], np.sort, x, axis=0)
        return x * 1.0

    with pytest.raises(
        CaptureError, match="^sort is not one of the standard's functions that can be recorded$"
    ):
        same(body)
    with pytest.raises(
        CaptureError, match=r"^functools\.partial\(.*\) is not one of the standard's functions"
    ):
        same(lambda xp, s, x: backend.write_out(s["a"], functools.partial(np.sort), x))


def test_an_array_on_the_left_is_the_standard_s_function() -> None:
    constant = np.full(4, 0.5, np.float32)
    replay = same(lambda xp, s, x: (constant * x, constant - x, constant > x, np.multiply(constant, x)))
    assert [call.name for call in replay.recorded] == ["multiply", "subtract", "greater", "multiply"]
    replay = same(lambda xp, s, x: (y := -x, y + x, xp.exp(y), y[0, 1], s["a"][2, 1]))
    assert [call.name for call in replay.recorded] == ["neg", "add", "exp", "getitem", "getitem"]


def test_results_begin_with_a_cache_line() -> None:
    replay = same(
        lambda xp, s, x: (x * 2.0, xp.exp(x[0, :]) + 1.0, xp.sum(x), x[:, 1:] - 1.0, x[:0, :] * 1.0)
    )
    assert len(replay.recorded) == 6
    assert {call.out.__array_interface__["data"][0] % 64 for call in replay.recorded} == {0}


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


def test_numbers() -> None:
    """NumPy gives numbers for 0-d results, whose powers are other functions than those of arrays."""

    def body(xp: Any, s: Any, x: Any) -> Any:
        norm, n = xp.sum(x * x) ** 0.5, xp.mean(x)
        return norm, x / norm, n**-1, n**3, n // 0.3, n % 0.3, (x * x) ** 0.5, x**2, x**-1, x**0.25, 2.0**n

    for dtype in ("float32", "float64"):
        same(body, dtype, times=40)


def test_a_number_stays_when_the_array_that_it_was_of_changes() -> None:
    def body(xp: Any, s: Any, x: Any) -> Any:
        y = x * 1.0
        of_a_result, of_the_state = y[0, 1], s["a"][0, 0]
        y += 1.0
        s["a"] += x
        return of_a_result * x, of_the_state * x, y

    same(body)


def test_numbers_of_an_input() -> None:
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


def test_a_list_may_change_after_it_was_used() -> None:
    def body(xp: Any, s: Any, x: Any) -> Any:
        times = [2, 1]
        tiled = xp.tile(x, times)
        times.reverse()
        return tiled, xp.tile(x, times)

    same(body)


def test_a_number_s_transpose_is_a_number() -> None:
    def body(xp: Any, s: Any, x: Any) -> Any:
        number = xp.sum(x)
        other = number.T
        other += 1.0
        return number, other, number.T**3

    for dtype in ("float32", "float64"):
        same(body, dtype, times=40)


def test_what_is_computed_of_constants_alone_can_be_read() -> None:
    constant = np.arange(6.0, dtype=np.float32)
    same(lambda xp, s, x: x * float(xp.reshape(constant, (2, 3))[1, 2]))


def test_operands_as_they_lie() -> None:
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


def test_takes_of_nothing() -> None:
    def body(xp: Any, s: Any, x: Any) -> Any:
        rows = xp.astype(x[:0, 0], xp.int64)
        return (
            xp.take(x, rows, axis=0),
            xp.take(s["row"], rows),
            xp.take(x[:1, :], xp.zeros(2, dtype=xp.int64), axis=0),
        )

    same(body)


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


def test_takes_that_count_from_the_end_or_are_too_far() -> None:
    def function(state: Any, chosen: Any) -> tuple[Any, ...]:
        xp = namespace_of(chosen)
        return tuple(
            xp.take(state[key], rows) for rows in (chosen, chosen + 1) for key in ("a", "b", "short")
        )

    state = {"a": np.arange(9.0), "b": 10.0 + np.arange(9.0), "short": np.arange(5.0)}
    replay = backend.record(function, [state], [np.asarray([0, 1])])
    assert replay is not None
    for rows in ([0, 1], [3, 2], [2, 3], [1, 1], [-1, -5], [0, 3]):
        chosen = np.asarray(rows)
        for ours, expected in zip(replay(chosen), function(state, chosen), strict=True):
            np.testing.assert_array_equal(ours, expected)
    for rows in ([4, 0], [-6, 0]):  # too far for the short one only
        with pytest.raises(IndexError):
            replay(np.asarray(rows))


def in_thread(xp: Any, s: Any, x: Any) -> Any:
    results: list[Any] = []

    def compute() -> None:
        try:
            results.append(x * 2.0)
        except CaptureError:
            results.append(1.0)

    thread = threading.Thread(target=compute)
    thread.start()
    thread.join()
    return x * results[0]


def caught(xp: Any, s: Any, x: Any) -> Any:
    try:
        return x * float(xp.sum(x))
    except Exception:
        return x * 2.0


def caught_warning(xp: Any, s: Any, x: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return xp.log(x - 0.5)
        except RuntimeWarning:
            return x


def shown_warning(xp: Any, s: Any, x: Any) -> Any:
    before = warnings.showwarning
    warnings.showwarning = lambda *_: None
    try:
        return xp.log(x)
    finally:
        warnings.showwarning = before


def errors(xp: Any, s: Any, x: Any) -> Any:
    with np.errstate(divide="ignore"):
        return xp.log(x)


REFUSED: dict[str, tuple[Callable[..., Any], str]] = {
    "mean": (lambda xp, s, x: np.mean(x), "numpy.mean is NumPy's own"),
    "ufunc.where": (
        lambda xp, s, x: np.multiply(x, 2.0, out=x, where=x > 0.5),
        r"numpy.multiply with (out, where|where, out) is NumPy's own",
    ),
    "out": (lambda xp, s, x: np.add(x, 1.0, x), "numpy.add with out"),
    "reduce": (lambda xp, s, x: np.add.reduce(x), "numpy.add.reduce is NumPy's own"),
    "at": (lambda xp, s, x: np.add.at(s["row"], [0, 0], x[0, 0]), "numpy.add.at is NumPy's own"),
    "modf": (lambda xp, s, x: np.modf(x)[0], "numpy.modf is NumPy's own"),
    "method": (lambda xp, s, x: x.sum(), "array method .sum is not the array API standard's"),
    "flags": (lambda xp, s, x: x.flags, "array method .flags is not the array API standard's"),
    "extra": (lambda xp, s, x: xp.einsum("ij->i", x), "einsum is not one of the standard's functions"),
    "unique": (lambda xp, s, x: xp.unique_values(x), "unique_values is not one of the standard's"),
    "mask": (lambda xp, s, x: x[x > 0.5], r"the shape of x\[mask\] depends on values"),
    "constant mask": (lambda xp, s, x: x[np.arange(5) > 2], r"the shape of x\[mask\] depends on values"),
    "truth": (lambda xp, s, x: x[True], r"the shape of x\[mask\] depends on values"),
    "list of numbers": (lambda xp, s, x: x[[0, 1]], r"the shape of x\[mask\] depends on values"),
    "set rows": (
        lambda xp, s, x: operator.setitem(s["a"], np.asarray([0, 1]), 0.0),
        r"x\[index\] = value with an array as the index",
    ),
    "set a list of rows": (
        lambda xp, s, x: operator.setitem(s["a"], [0, 1], 0.0),
        "with an array as the index",
    ),
    "set rows that are computed": (
        lambda xp, s, x: operator.setitem(s["a"], xp.argmax(x, axis=1), 0.0),
        "with an array as the index",
    ),
    "set a truth": (lambda xp, s, x: operator.setitem(s["a"], True, 0.0), "with an array as the index"),
    "set a number": (
        lambda xp, s, x: operator.setitem(xp.sum(x), (), 0.0),
        "with an array as the index",
    ),
    "set mask": (lambda xp, s, x: operator.setitem(x, x > 0.5, 0.0), "with an array as the index"),
    "index": (lambda xp, s, x: x[xp.argmax(s["row"]), ...], "with a number that is computed"),
    "index of a tuple": (lambda xp, s, x: x[..., xp.argmax(s["row"])], "with a number that is computed"),
    "shape": (
        lambda xp, s, x: xp.zeros((xp.argmax(s["row"]) + 1,)) + xp.sum(x),
        "zeros with a shape, an axis",
    ),
    "shape of full": (lambda xp, s, x: xp.full((xp.argmax(x),), 0.5), "full with a shape, an axis"),
    "shape of full_like": (
        lambda xp, s, x: xp.full_like(x, 0.5, shape=(xp.argmax(x),)),
        "full_like with a shape, an axis",
    ),
    "stop": (lambda xp, s, x: xp.arange(0, xp.argmax(x)), "arange with a shape, an axis"),
    "repetitions": (lambda xp, s, x: xp.tile(x, (2, xp.argmax(x))), "tile with a shape, an axis"),
    "shape of broadcast_to": (
        lambda xp, s, x: xp.broadcast_to(x, (xp.argmax(x), 5, 4)),
        "broadcast_to with a shape, an axis",
    ),
    "axis of take": (lambda xp, s, x: xp.take(x, s["row"], axis=xp.argmax(x)), "take with a shape, an axis"),
    "reshape": (lambda xp, s, x: xp.reshape(x, (xp.argmax(s["row"]) * 0 + 5, -1)), "reshape with a shape"),
    "axis": (lambda xp, s, x: xp.flip(x, axis=xp.argmax(s["row"]) % 2), "flip with a shape, an axis"),
    "count": (lambda xp, s, x: xp.arange(xp.argmax(s["row"])), "arange with a shape, an axis"),
    "text": (lambda xp, s, x: x * len(str(xp.sum(x))), "a value is read"),
    "format": (lambda xp, s, x: x * len(f"{xp.sum(x):.2f}"), "a value is read"),
    "round": (lambda xp, s, x: x * round(xp.sum(x)), "a value is read"),
    "divmod": (lambda xp, s, x: divmod(xp.sum(x), 2.0)[0] * x, "a value is read"),
    "a number's class": (
        lambda xp, s, x: x * (xp.sum(x) if isinstance(xp.sum(x), float) and xp.sum(x) > 5 else 1),
        "a value is read",
    ),
    "showing warnings": (shown_warning, "warnings are caught or filtered within the step"),
    "warnings": (caught_warning, "warnings are caught or filtered within the step"),
    "float": (lambda xp, s, x: x * float(xp.sum(x)), "a value is read"),
    "several": (lambda xp, s, x: xp.broadcast_arrays(x, np.ones(4)), "broadcast_arrays gives several arrays"),
    "none": (lambda xp, s, x: operator.eq(xp.sum(x), None), "eq gives a bool, which depends on values"),
    "int": (lambda xp, s, x: x * int(xp.sum(x)), "a value is read"),
    "complex": (lambda xp, s, x: x * complex(xp.sum(x)).real, "a value is read"),
    "place": (lambda xp, s, x: x * range(99)[xp.argmax(x)], "a value is read"),
    "in": (lambda xp, s, x: x if 0.5 in x else -x, "a value is read"),
    "dlpack": (lambda xp, s, x: x.__dlpack__(), "a value is read"),
    "bool": (lambda xp, s, x: x if xp.sum(x) > 1.0 else -x, "a value is read"),
    "iterate": (lambda xp, s, x: sum(row * 1.0 for row in x), "a value is read"),
    "asarray": (lambda xp, s, x: x * np.asarray(x), "a value is read"),
    "into a constant": (lambda xp, s, x: operator.iadd(np.zeros((5, 4), "float32"), x), "numpy.add with out"),
    "into": (
        lambda xp, s, x: backend.write_out(s["row"], np.sum, x, axis=0),
        "sum is not one of the standard's functions that can be recorded",
    ),
    "copy": (lambda xp, s, x: copy.copy(x), "a value is read"),
    "pickle": (lambda xp, s, x: pickle.dumps(x), "a value is read"),
    "caught": (caught, "a value is read"),
    "errstate": (errors, "np.errstate is set within the step"),
    "thread": (in_thread, "an array is used in another thread"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_on_the_list_is_refused_by_name(kind: str) -> None:
    body, why = REFUSED[kind]
    with pytest.raises(CaptureError, match=why):
        same(body, "float64" if kind == "a number's class" else "float32")


def test_errors_that_raise_are_refused() -> None:
    with np.errstate(over="raise"), pytest.raises(CaptureError, match=r"np\.seterr makes"):
        same(lambda xp, s, x: xp.exp(x))


def test_an_array_of_another_recording_is_refused() -> None:
    kept: list[Any] = []

    def record(use: Callable[[Any, Any], Any]) -> None:
        def function(state: Any, x: Any) -> tuple[Any, ...]:
            kept.append(x * 2.0)
            return (use(x, kept[0]),)

        backend.record(function, [{}], [np.ones(3)])

    record(lambda x, y: x + y)
    with pytest.raises(CaptureError, match="an array is kept from one step to another, outside the state"):
        record(lambda x, y: x + y)
    for use in (lambda y: y + 1.0, np.asarray, float, lambda y: y.sum()):
        with pytest.raises(CaptureError, match="this array is of a recording that is over: it has no values"):
            use(kept[0])


def test_a_tape_takes_down_what_was_carried_out() -> None:
    class Plain(Tape):
        def result_of(self, call: Call, given: Any) -> Any:
            self.record(call)
            return TracedArray(self, call.out)

    tape = Plain(backend)
    x = TracedArray(tape, np.ones(3))
    y = tape.namespace.exp(x) * 2.0
    y += x
    y[0] = 7.0
    tape.write_out(y[1:], tape.namespace.sqrt, x[1:])
    assert [call.name for call in tape.calls] == [
        "exp",
        "mul",
        "iadd",
        "assign",
        "getitem",
        "getitem",
        "sqrt",
    ]
    assert [call.writes for call in tape.calls] == [False, False, True, True, False, False, True]
    assert y.array.tolist() == [7.0, 1.0, 1.0]
    with pytest.raises(NotImplementedError, match="Tape keeps no results"):
        TracedArray(Tape(backend), np.ones(3)) + 1.0


def test_a_traced_array_looks_like_an_array() -> None:
    def body(xp: Any, s: Any, x: Any) -> Any:
        if not isinstance(x, TracedArray):
            return x.T * 1.0, x.mT * 1.0
        assert isinstance(xp, TracedNamespace)
        assert (x.shape, x.ndim, x.size, x.dtype, len(x)) == ((5, 4), 2, 20, np.float32, 5)
        assert x.device == "cpu"
        assert x.__array_namespace__() is xp
        assert xp.float32 is np.float32
        assert xp.finfo(x.dtype).bits == 32
        return x.T * 1.0, x.mT * 1.0

    same(body)


def test_memory_is_used_again() -> None:
    def body(xp: Any, s: Any, x: Any) -> Any:
        for _ in range(50):
            x = xp.exp(x) * 0.1
        return x

    replay = same(body)
    assert len({call.out.__array_interface__["data"][0] for call in replay.recorded}) <= 3


def test_a_view_keeps_the_memory_that_it_lies_in() -> None:
    def body(xp: Any, s: Any, x: Any) -> Any:
        views = [(x * 2.0)[1:, :], (x * 3.0).T, (x * 4.0).mT, xp.permute_dims(x * 5.0, (1, 0))]
        others = [x * number for number in (6.0, 7.0, 8.0, 9.0)]  # these would lie there otherwise
        return *(view * 1.0 for view in views), *others

    same(body)


def test_a_quick_form_that_gives_other_bytes_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def body(xp: Any, s: Any, x: Any) -> Any:
        y = x * 1.0
        y += s["b"]
        return xp.mean(x), y

    monkeypatch.setitem(
        OUT_VARIANTS, namespace.mean, lambda tape, out, x: [functools.partial(out.fill, 0.25)]
    )
    monkeypatch.setitem(UFUNCS, operator.iadd, np.subtract)
    same(body)


def test_alike_is_to_the_last_bit() -> None:
    for dtype in ("float32", "float64"):
        x = np.asarray([1.0, 0.0, np.nan], dtype)
        assert backend.agree(x, x.copy())
        assert backend.agree(x, np.asarray([1.0, 0.0, -np.nan], dtype))
        for other in ([np.nextafter(x[0], x[1]), 0.0, np.nan], [1.0, -0.0, np.nan], [1.0, 0.0, 1.0]):
            assert not backend.agree(x, np.asarray(other, dtype))
    assert not backend.agree(np.asarray([1, 2]), np.asarray([1, 3]))


def test_what_does_not_give_the_same_twice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def counting(x: Any) -> Any:
        calls.append(x)
        return x + len(calls)

    monkeypatch.setattr(backend.xp, "sin", counting)
    with pytest.raises(CaptureError, match="sin does not give the same twice"):
        same(lambda xp, s, x: xp.sin(x))


def test_arrays_in_pieces_are_refused() -> None:
    tape = NumpyTape(backend, [])
    for pieces in (np.ones((4, 4))[:, ::2], np.ones(4)[::-1], np.broadcast_to(np.ones(4), (3, 4))):
        with pytest.raises(CaptureError, match="f gives an array that is not laid out as one piece"):
            tape.place_like("f", pieces)


QUICKLY: dict[str, Callable[..., Any]] = {
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
"""What stock layers and optimizers do in every step."""


@pytest.mark.parametrize("kind", QUICKLY)
def test_hot_calls_are_repeated_in_their_quick_form(kind: str) -> None:
    replay = same(QUICKLY[kind])
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
def test_products_are_those_of_dot_where_blas_is_asked_for_the_same(kind: str) -> None:
    function, (a, b) = PRODUCTS[kind]
    expected = np.matmul(a, b)
    out = np.zeros_like(expected, order="C")
    (call,) = product(out, a, b)
    call()
    assert call.func is function
    np.testing.assert_allclose(out, expected, rtol=1e-5)


def test_products_into_what_dot_cannot_write_to() -> None:
    for out in (np.zeros((4, 4)).T, np.zeros((4, 8))[:, ::2]):
        (call,) = product(out, LEFT, RIGHT)
        call()
        assert call.func is np.matmul
        np.testing.assert_allclose(out, LEFT @ RIGHT)
    (call,) = product(np.zeros((4, 4)), LEFT.astype("float32"), RIGHT.astype("float32"))
    assert call.func is np.matmul


def test_an_input_is_looked_at_once_and_what_is_computed_every_time() -> None:
    def function(state: Any, chosen: Any) -> tuple[Any, ...]:
        xp = namespace_of(chosen)
        taken = [xp.take(state["a"], chosen), xp.take(state["b"], chosen)]
        taken += [xp.take(state["a"], chosen * 1), xp.take(state["a"], chosen - 1)]  # one memory, used again
        return tuple(taken)

    state = {"a": np.arange(9.0), "b": 10.0 + np.arange(9.0)}
    replay: Any = backend.record(function, [state], [np.asarray([1, 2])])
    assert sum(isinstance(call, BoundsCheck) for call in replay._program) == 3
    for rows in ([1, 2], [0, 3]):
        chosen = np.asarray(rows)
        for ours, expected in zip(replay(chosen), function(state, chosen), strict=True):
            np.testing.assert_array_equal(ours, expected)


def test_an_input_seen_in_two_ways_is_looked_at_in_both() -> None:
    def function(state: Any, chosen: Any) -> tuple[Any, ...]:
        xp = namespace_of(chosen)
        parts = chosen[:2], chosen[1:], chosen[::2], xp.reshape(chosen[:2], (2, 1))
        return tuple(xp.take(state[key], rows) for key in ("long", "short") for rows in parts)

    state = {"long": np.arange(9.0), "short": np.arange(3.0)}
    replay: Any = backend.record(function, [state], [np.asarray([0, 1, 2])])
    for values in ([0, 1, 2], [2, -1, 0], [-3, 2, 1]):
        chosen = np.asarray(values)
        for ours, expected in zip(replay(chosen), function(state, chosen), strict=True):
            np.testing.assert_array_equal(ours, expected)
    for far in ([0, 0, 3], [3, 0, 0]):
        with pytest.raises(IndexError):
            replay(np.asarray(far))


def test_roots_are_powers_of_arrays_alone() -> None:
    assert root_is_power(np.dtype("float32"))
    assert not root_is_power(np.dtype("int64"))
    assert len(OUT_VARIANTS) > 15
